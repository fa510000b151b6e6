"""What a deposit hears from the catalog."""

from sqlalchemy import select

from madang.node.acts import Told, doing_in
from madang.services.catalog.models import Record
from madang.services.deposits.acts import PUBLISH
from madang.services.deposits.models import Deposit
from madang.services.deposits.publishing import PEOPLE
from madang.services.deposits.sources import all_as_they_were


def published(told: Told) -> None:
    """Its record was published: so is the deposit.

    Errors: `deposit.changed` where a registered file is not as it was, so that the record is not published.
    """
    record = told.session.get(Record, int(told.thing.partition(":")[2]))
    if record is None or not record.dataset.startswith("deposit-"):
        return
    name = record.dataset.removeprefix("deposit-").removesuffix(PEOPLE)
    found = told.session.scalar(select(Deposit).where(Deposit.name == name, Deposit.state == "approved"))
    if found is not None:
        all_as_they_were(found)  # what is given out from now on is what was hashed
    both = (f"deposit-{name}", f"deposit-{name}{PEOPLE}")
    states = set(told.session.scalars(select(Record.state).where(Record.dataset.in_(both), Record.id != record.id)))
    if found is not None and states <= {"published"}:  # the other one, where people's data have a record of their own
        with doing_in(told.session, told.node, told.actor, PUBLISH, lambda session: found):
            pass
