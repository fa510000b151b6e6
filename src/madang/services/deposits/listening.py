"""What a deposit hears from the catalog."""

from sqlalchemy import select

from madang.node.acts import Told, doing_in
from madang.services.catalog.models import Record
from madang.services.deposits.acts import PUBLISH
from madang.services.deposits.models import Deposit


def published(told: Told) -> None:
    """Its record was published: so is the deposit."""
    record = told.session.get(Record, int(told.thing.partition(":")[2]))
    if record is None or not record.dataset.startswith("deposit-"):
        return
    name = record.dataset.removeprefix("deposit-")
    found = told.session.scalar(select(Deposit).where(Deposit.name == name, Deposit.state == "approved"))
    if found is not None:
        with doing_in(told.session, told.node, told.actor, PUBLISH, lambda session: found):
            pass
