"""What followed an award: how the data that it promised are used, and private funds as they were entered.

Nothing is said about what caused what.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.text import clean_prose
from madang.services.grants import service
from madang.services.grants.acts import FUNDS
from madang.services.grants.models import Award, Promise, PromiseEvent

MOST = 10**15


@dataclass(frozen=True)
class Funds:
    """Private funds that somebody entered: when, how much of which currency, and from whom in words."""

    at: datetime
    promise: int
    amount: int
    currency: str
    text: str


@dataclass(frozen=True)
class Followed:
    """Counts of use of the records of an award, by kind, and the private funds."""

    uses: dict[str, int]
    funds: list[Funds]

    @property
    def sums(self) -> dict[str, int]:
        """The funds by currency, added up."""
        told: dict[str, int] = {}
        for each in self.funds:
            told[each.currency] = told.get(each.currency, 0) + each.amount
        return told


def enter_funds(node: Node, actor: Actor, number: int, amount: int, currency: str, text: str) -> None:
    """Enter private funds that came with a promised dataset. A mistake is put right by a negative amount.

    Errors: `grants.funds`.
    """
    if not amount or abs(amount) > MOST or len(currency) != 3 or not currency.isascii() or not currency.isupper():
        raise MadangError(
            "grants.funds", _("This is no amount of money."), _("Give a whole number and a currency such as KRW.")
        )
    said = clean_prose(text, _("The text"), 2_000, required=True)
    with doing(node, actor, FUNDS, lambda session: service.About(service.find_promise(session, number))) as done:
        service.note(done.session, actor, number, "funds", "entered", reason=f"{amount} {currency}", text=said)
        done.tell(promise=number, kind="funds", reason=f"{amount} {currency}")


def what_followed(node: Node, award: Award) -> Followed:
    """Uses of the records that are linked to promises of an award, and its private funds. The caller has checked."""
    from madang.services.catalog.models import Record
    from madang.services.contributions import use_of

    event = PromiseEvent
    mine = select(Promise.id).where(Promise.award_id == award.id)
    linked = select(event.record).where(
        event.promise_id.in_(mine), event.topic == "link", event.kind == "linked", event.replaced.is_(None)
    )
    with node.read() as session:
        datasets = session.scalars(select(Record.dataset).where(Record.name.in_(linked))).all()
        query = select(event).where(event.promise_id.in_(mine), event.topic == "funds").order_by(event.id)
        entered = session.scalars(query).all()
    uses: dict[str, int] = {}
    for use in {use for dataset in datasets for use in use_of(node, dataset)}:
        uses[use.kind] = uses.get(use.kind, 0) + 1
    funds = []
    for each in entered:
        amount, _blank, currency = each.reason.partition(" ")
        funds.append(Funds(each.at, each.promise_id, int(amount), currency, each.text))
    return Followed(dict(sorted(uses.items())), funds)
