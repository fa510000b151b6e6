"""What people looked for and did not find: a wish is left where a search came back empty, and stewards see how many
people have it."""

from datetime import datetime

from pydantic import Field
from sqlalchemy import func, select

from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.permissions import check
from madang.node.text import clean_line
from madang.services.catalog.acts import MANAGE, WISH
from madang.services.catalog.models import Wish
from madang.services.catalog.routes import records as records_page
from madang.services.catalog.routes import room
from madang.web import Done, Here, View

MOST = 200  # shown


class Wished(View):
    """What somebody misses, in a few words."""

    words: str = Field(title="What you miss", min_length=2, max_length=200)


class WishView(View):
    """A wish: its words as they were written last, how many people have it, and when it was left last."""

    words: str
    people: int
    last: datetime


class Wishes(View):
    """What people miss, that of most people first."""

    wishes: list[WishView]


@room.act("/wanted", at=records_page)
def leave(visit: Here, given: Wished) -> Done:
    """Leave a wish for data; the same wish of one person counts once."""
    words = clean_line(given.words, _("What you miss"), required=True)
    key = "".join(words.casefold().split())
    check(visit.actor, WISH)
    with visit.node.read() as session:
        mine = select(Wish.id).where(Wish.key == key, Wish.person_id == visit.actor.person_id)
        known = session.scalar(mine) is not None
    if not known:
        wish = Wish(key=key, words=words, person_id=visit.actor.person_id, created=now())
        with doing(visit.node, visit.actor, WISH, lambda _session: wish) as done:
            done.tell(words=words)
    return Done(see="/records", message=_("Your wish is noted; the holders of data here see how many people have it."))


@room.page("/wanted", "wishes.html")
def wishes(visit: Here) -> Wishes:
    """What people looked for and did not find; for stewards."""
    check(visit.actor, MANAGE)
    people, last = func.count(Wish.id), func.max(Wish.created)
    with visit.node.read() as session:
        query = select(func.max(Wish.words), people, last).group_by(Wish.key)
        rows = session.execute(query.order_by(people.desc(), last.desc()).limit(MOST)).all()
    return Wishes(wishes=[WishView(words=words, people=count, last=at) for words, count, at in rows])
