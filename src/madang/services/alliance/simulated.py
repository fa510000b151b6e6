"""Sites that are simulated on this node, with made-up people, so that a study can be tried before anybody is asked.

Each is a whole node with a home of its own below this one, a partner like any other, and speaks in the same signed
messages; only that they are handed over and not sent. It answers by rule while a study runs here, and never else.
"""

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.home import Home
from madang.node.node import Node, open_database
from madang.node.people.actor import Actor, add_house
from madang.node.people.models import HOUSE, Organization
from madang.node.permissions import check
from madang.node.settings import Settings
from madang.node.upgrade import upgrade
from madang.services.alliance import crew, exchange, partners, shares, turns, wire
from madang.services.alliance.acts import INVITE
from madang.services.alliance.agent import Line
from madang.services.alliance.models import Partner

WAY = "simulated"
AGREEMENT = {"purposes": ["trying"], "discover": "described", "limits": {"budget": 1_000_000}}


class Handed(Line):
    """A line to the node that simulates: messages are handed over in this process, signed and checked all the same."""

    def __init__(self, center: Node) -> None:
        self.center, self.address = center, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        return

    def send(self, me: wire.Identity, key: str, number: int, body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
        """As that of a line that leads outward."""
        headers = wire.signed_request(me, key, number, body)
        _status, given, content = exchange.received(self.center, headers, body)
        return self.believed(me, key, number, headers, given, content)


def simulate(node: Node, actor: Actor, name: str, share: str, table: pa.Table, **about: Any) -> Partner:
    """Make a simulated site, or let one that is there share more: `table` under the name `share`.

    `about` is what `shares.share` takes beside: units, vocabulary, country.
    """
    check(actor, INVITE)
    with node.read() as session:
        known = session.scalar(select(Partner).where(Partner.name == name))
    if known is not None and known.way != WAY:
        raise MadangError("alliance.taken", _("There is a partner {name} already.").format(name=name))
    if known is None:
        _made, code = partners.invite(node, actor, name, AGREEMENT, "http://simulated.invalid")
        site = opened(node, _made.id)
        with contextlib.closing(site):
            partners.join(site, Actor.owner(), code, "asker", line=Handed(node))
            every = ["count", "feasibility", "table", "moments", "quantiles", "linear", "glm", "cox", "kaplan-meier"]
            partners.stand(site, Actor.owner(), "asker",
                           [*every, "log-rank", "mantel-haenszel", "meta", "calibration"])  # fmt: skip
        made = partners.confirm(node, actor, name)
        with node.write() as session:
            partners.by_id(session, made.id).way = WAY
        known = made
    site = opened(node, known.id)
    with contextlib.closing(site), tempfile.TemporaryDirectory() as folder:
        import pyarrow.parquet as pq

        file = Path(folder) / "people.parquet"
        pq.write_table(table, file)
        shares.share(site, Actor.owner(), share, file=file, **about)
        partner = partners.listed(site, Actor.owner())[0]
        turns.turn(site, Handed(node), partner.id)  # its catalog is told
    return known


def opened(node: Node, partner_id: int) -> Node:
    """The node of a simulated site; its database is its own, whatever the settings say of this one's."""
    home = Home(node.home.folder("simulated") / str(partner_id))
    home.path.mkdir(mode=0o700, exist_ok=True)
    settings = Settings(title=_("Simulated site"))
    made = Node(home, settings, open_database(home, settings))
    upgrade(home, made.database)
    with made.read() as session:
        is_new = session.get(Organization, HOUSE) is None
    if is_new:
        with made.write() as session:
            add_house(session, settings.title)
    return made


@contextlib.contextmanager
def running(node: Node) -> Iterator[None]:
    """While a study runs: every simulated site comes for work, a few in threads of this process, many in others."""
    with node.read() as session:
        every = session.scalars(select(Partner.id).where(Partner.way == WAY, Partner.state == "confirmed")).all()
    here = [each for each in every if (node.home.folder("simulated") / str(each) / "node.db").exists()]
    if len(here) > crew.FEW:
        with crew.working(node, here):
            yield
        return
    stop = threading.Event()
    threads = [threading.Thread(target=_keep, args=(node, each, stop), daemon=True) for each in here]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def _keep(node: Node, partner_id: int, stop: threading.Event) -> None:
    with contextlib.closing(opened(node, partner_id)) as site:
        keep(node, site, stop, 0.3)


def keep(node: Node, site: Node, stop: threading.Event, wait: float, now: threading.Event | None = None) -> None:
    """Have a simulated site come for work until `stop`, where `now` is given only while that is set."""
    partner, line = partners.listed(site, Actor.owner())[0], Handed(node)
    while not stop.is_set():
        if now is not None and not now.wait(1.0):
            continue
        try:
            turns.turn(site, line, partner.id, wait)
        except MadangError:
            stop.wait(0.1)


__all__ = ["keep", "opened", "running", "simulate"]
