"""What a deposit hears from the catalog."""

from sqlalchemy import select

from madang.node.acts import Told, doing_in
from madang.services.catalog.models import Record
from madang.services.deposits.acts import PUBLISH
from madang.services.deposits.models import Deposit
from madang.services.deposits.publishing import PEOPLE


def published(told: Told) -> None:
    """Its record was published: so is the deposit."""
    record = told.session.get(Record, int(told.thing.partition(":")[2]))
    if record is None or not record.dataset.startswith("deposit-"):
        return
    name = record.dataset.removeprefix("deposit-").removesuffix(PEOPLE)
    found = told.session.scalar(select(Deposit).where(Deposit.name == name, Deposit.state == "approved"))
    both = (f"deposit-{name}", f"deposit-{name}{PEOPLE}")
    states = set(told.session.scalars(select(Record.state).where(Record.dataset.in_(both), Record.id != record.id)))
    if found is not None and states <= {"published"}:  # the other one, where people's data have a record of their own
        with doing_in(told.session, told.node, told.actor, PUBLISH, lambda session: found):
            pass
