"""What computing costs: prices that begin on a day and hold until the next one; set by the operator, kept as data."""

import math
import re
from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.compute.acts import PRICE
from madang.services.compute.models import Price


def prices_in(session: Session) -> list[Price]:
    """All prices, the newest first."""
    return list(session.scalars(select(Price).order_by(Price.begins.desc())))


def price_on(prices: Sequence[Price], day: date) -> Price | None:
    """The price of a day; None before the first."""
    return next((each for each in prices if each.begins <= day), None)


def cost_of(price: Price | None, *, core_hours: float = 0.0, gpu_hours: float = 0.0) -> float:
    """What hours cost at a price."""
    return core_hours * price.core_hour + gpu_hours * price.gpu_hour if price is not None else 0.0


def set_price(
    node: Node, actor: Actor, begins: date, currency: str, *, core_hour: float, gpu_hour: float, gigabyte: float
) -> Price:
    """Set what an hour of a core or a GPU, and a gigabyte for 30 days, cost from a day on. Errors: `price.bad`."""
    values = {"core_hour": core_hour, "gpu_hour": gpu_hour, "gigabyte": gigabyte}
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise MadangError("price.bad", _("{text} is no currency.").format(text=repr(currency)[:50]), "KRW, USD, EUR")
    if any(value < 0 or not math.isfinite(value) for value in values.values()):
        raise MadangError("price.bad", _("A price cannot be negative."))

    def found(session: Session) -> Price:
        return session.scalar(select(Price).where(Price.begins == begins)) or Price(begins=begins)

    with doing(node, actor, PRICE, found) as done:
        done.thing.currency = currency
        for name, value in values.items():
            setattr(done.thing, name, value)
        done.tell(begins=begins.isoformat(), currency=currency, **values)
    return done.thing
