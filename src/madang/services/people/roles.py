"""What roles are called."""

from madang.base.translate import _
from madang.node.rooms import kind_of_role


def role_named(role: str) -> str:
    """A role in the reader's language."""
    kind = kind_of_role(role)
    return _(kind.title) if kind is not None else role


def role_explained(role: str) -> str:
    """What a role is for, in the reader's language."""
    kind = kind_of_role(role)
    return _(kind.purpose) if kind is not None else ""


def roles_named(roles: list[str]) -> list[tuple[str, str]]:
    """Roles, for a choice."""
    return [(role, f"{role_named(role)}: {role_explained(role)}") for role in roles]
