"""Changes of accounts that one administrator cannot make alone: who asked for what, and the second person's word."""

from datetime import datetime
from typing import Annotated

from fastapi import Path

from madang.base.translate import _
from madang.node.acts import label
from madang.node.node import Node
from madang.node.people import guarded
from madang.node.people.actor import Actor
from madang.node.people.proof import prove
from madang.node.permissions import may
from madang.services.people.account import Own, Proved, own
from madang.services.people.routes import room
from madang.web import Done, Here, View
from madang.web.cards import Card

Asked = Annotated[int, Path(ge=1, le=2**31 - 1)]


class ChangeView(View):
    """A change that was asked for: what it is and when it is done, in the reader's language."""

    number: int
    sentence: str
    when: str
    state: str
    state_name: str
    created: datetime
    decided: datetime | None
    decider: str
    confirmable: bool


class Changes(View):
    """The changes that wait for a second person, and those that were decided."""

    changes: list[ChangeView]
    own: Own | None


@room.page("/people-changes", "changes.html")
def changes(visit: Here) -> Changes:
    """Changes of accounts that wait for a second person, and what became of earlier ones."""
    found = [
        ChangeView(
            number=each.id,
            sentence=guarded.sentence(each),
            when=guarded.when(visit.node, each) if each.state == "asked" else "",
            state=each.state,
            state_name=label("change", each.state),
            created=each.created,
            decided=each.decided,
            decider=each.decider.login if each.decider else "",
            confirmable=each.state == "asked" and may(visit.actor, guarded.CONFIRM, each),
        )
        for each in guarded.list_changes(visit.node, visit.actor)
    ]
    return Changes(changes=found, own=own(visit))


@room.act("/people-changes/{number}/confirm", at=changes)
def confirm(visit: Here, number: Asked, given: Proved) -> Done:
    """Be the second person: the change is done now."""
    guarded.see_change(visit.node, visit.actor, number)
    prove(visit.node, visit.actor, given.proof)
    guarded.decide(visit.node, visit.actor, number, yes=True)
    return Done(see="/people-changes", message=_("The change is done."))


@room.act("/people-changes/{number}/refuse", at=changes)
def refuse(visit: Here, number: Asked) -> Done:
    """See that the change is not done."""
    guarded.see_change(visit.node, visit.actor, number)
    guarded.decide(visit.node, visit.actor, number, yes=False)
    return Done(see="/people-changes", message=_("The change is refused."))


def waiting(node: Node, actor: Actor) -> list[Card]:
    """The cards of who oversees: changes that they can confirm or refuse."""
    if not may(actor, guarded.SEE):
        return []
    return [
        Card(_("A change waits for a second person"), guarded.sentence(each), "/people-changes", since=each.created)
        for each in guarded.list_changes(node, actor)
        if each.state == "asked"
    ]
