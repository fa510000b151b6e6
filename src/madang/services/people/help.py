"""Help: how one gets data, what roles mean, what programs can do, what the portal keeps about people."""

from madang.node.rooms import open_plans
from madang.services.people.roles import role_explained, role_named
from madang.services.people.routes import room
from madang.web import Here, View


class RoleHelp(View):
    """A role in words: what it is called, what it is for, and where it is held."""

    title: str
    purpose: str
    where: str


class Help(View):
    """What the help page tells that settings and rooms decide."""

    roles: list[RoleHelp]
    idle_minutes: int
    session_hours: int
    origin: str


@room.page("/help", "help.html")
def help_page(visit: Here) -> Help:
    """How one gets data, what roles mean, what programs can do, what is kept about people."""
    kinds = [kind for plan in open_plans() for kind in plan.roles]
    settings = visit.node.settings.sign_in
    return Help(
        roles=[RoleHelp(title=role_named(k.name), purpose=role_explained(k.name), where=k.where) for k in kinds],
        idle_minutes=settings.idle_minutes,
        session_hours=settings.session_hours,
        origin=visit.origin,
    )
