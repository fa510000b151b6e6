"""Who does something: a person, a token of a person, the owner of the home, a stranger, or the node itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.people.models import HOUSE, Organization, Person, Role

Kind = Literal["owner", "person", "stranger", "node"]


@dataclass(frozen=True)
class Actor:
    """Who acts, with the roles that they hold at this moment.

    `roles` is {organization's number: names of roles}; roles in organization 1, the installation itself, hold for the
    whole node. `scopes` is None except for a token, which may do no more than they say. `via` is how they came:
    `command`, `session`, `token`, `job`, `web`; `address` from where; `session_id` is the session of a browser.
    """

    kind: Kind
    name: str
    person_id: int | None = None
    roles: Mapping[int, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[str] | None = None
    via: str = "command"
    address: str = ""
    session_id: int | None = None

    @classmethod
    def owner(cls) -> Self:
        """The owner of MADANG_HOME, as whom the command line acts."""
        import getpass

        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            name = "?"
        return cls("owner", name)

    @classmethod
    def stranger(cls, address: str = "") -> Self:
        """Somebody who has not signed in."""
        return cls("stranger", "", via="web", address=address)

    @classmethod
    def node(cls) -> Self:
        """The installation, when it does something that nobody asked for: tidying, upgrades."""
        return cls("node", "madang", via="job")

    @classmethod
    def person(
        cls,
        session: Session,
        person_id: int,
        *,
        scopes: frozenset[str] | None = None,
        via: str = "session",
        address: str = "",
        session_id: int | None = None,
    ) -> Self:
        """A person as they are now; `people.no_person` if there is none, `people.disabled` if they may not act."""
        person = session.get(Person, person_id)
        if person is None:
            raise MadangError("people.no_person", _("There is no such person."))
        if person.disabled:
            raise MadangError("people.disabled", _("The account {login} is disabled.").format(login=person.login))
        held: dict[int, set[str]] = {}
        for organization, role in session.execute(
            select(Role.organization_id, Role.role).where(Role.person_id == person_id)
        ):
            held.setdefault(organization, set()).add(role)
        roles = MappingProxyType({number: frozenset(names) for number, names in held.items()})
        return cls("person", person.name, person_id, roles, scopes, via, address, session_id)

    @property
    def is_signed_in(self) -> bool:
        """Whether we know who it is."""
        return self.kind != "stranger"

    def holds(self, role: str, organization_id: int = HOUSE) -> bool:
        """Whether they hold `role` in that organization; by default, in the installation itself."""
        return role in self.roles.get(organization_id, ())

    def organizations(self, role: str) -> list[int]:
        """The organizations in which they hold `role`."""
        return sorted(number for number, names in self.roles.items() if role in names)

    @property
    def reference(self) -> str:
        """How audit events and jobs name them: `person:12`, or the kind."""
        return self.kind if self.person_id is None else f"{self.kind}:{self.person_id}"


def add_house(session: Session, title: str) -> Organization:
    """The organization that is this installation, made if it is not there yet."""
    house = session.get(Organization, HOUSE)
    if house is None:
        house = Organization(name="house", title=title)
        session.add(house)
        session.flush()
        if house.id != HOUSE:
            raise RuntimeError("the table of organizations was not empty")
    return house
