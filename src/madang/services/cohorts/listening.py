"""What the room hears of others: people or versions that are removed from a dataset."""

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node.acts import Told
from madang.services.cohorts.models import CohortCount
from madang.services.cohorts.service import members_file


def removed(told: Told) -> None:
    """Versions of a dataset went for good: what was counted on them goes too, with the members that were kept."""
    name = told.thing.partition(":")[2]
    try:
        there = set(told.node.home.lake().dataset(name).versions())
    except MadangError:
        there = set()  # the whole dataset went
    for count in told.session.scalars(select(CohortCount).where(CohortCount.dataset == name)):
        if count.number not in there:
            members_file(told.node, count.id).unlink(missing_ok=True)
            told.session.delete(count)
