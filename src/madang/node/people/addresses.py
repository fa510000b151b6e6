"""To whom e-mails go that are about the installation itself."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.node.people.models import HOUSE, Person, Role


def addresses(session: Session, *roles: str) -> Sequence[str]:
    """The e-mail addresses of who holds one of these roles in the installation itself, each once."""
    query = select(Person.email).join(Role, Role.person_id == Person.id)
    query = query.where(Role.organization_id == HOUSE, Role.role.in_(roles))
    return session.scalars(query.where(Person.disabled.is_(None), Person.email != "").distinct()).all()
