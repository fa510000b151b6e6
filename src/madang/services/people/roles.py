"""What roles are called."""

from madang.base.translate import _


def role_named(role: str) -> str:
    """A role in the reader's language."""
    known = {
        "administrator": _("administrator"),
        "auditor": _("auditor"),
        "member": _("member"),
        "steward": _("steward"),
        "committee": _("committee"),
    }
    return known.get(role, role)


def roles_named(roles: list[str]) -> list[tuple[str, str]]:
    """Roles, for a choice."""
    return [(role, role_named(role)) for role in roles]
