"""What the ledger hears of the catalog: a record that promises are linked to was released, changed or withdrawn."""

from sqlalchemy import select

from madang.node.acts import Told
from madang.services.catalog.models import Record
from madang.services.grants.linking import tell_record


def released(told: Told) -> None:
    """A version can be found by everybody now."""
    record = told.session.get(Record, int(told.thing.partition(":")[2]))
    if record is not None:
        tell_record(told.session, told.actor, record)


edited = released


def withdrawn(told: Told) -> None:
    """A record was taken back after it counted."""
    query = select(Record).where(Record.id == int(told.thing.partition(":")[2]))
    record = told.session.scalar(query)
    if record is not None:
        tell_record(told.session, told.actor, record)
