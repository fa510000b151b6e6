"""Nodes of an alliance on this machine: one that asks, sites that come to it over loopback."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from madang.base.errors import MadangError
from madang.node.home import Home
from madang.node.node import Node
from madang.science.federated.study import Study, read_study
from madang.services.alliance import agent, answering, coordinate, partners, shares, turns
from portal_house import OWNER

OPEN = {"limits": {"minimum": 3, "exact_times": True, "glm": 0.5, "levels_density": 1.0}}


@dataclass
class Alliance:
    """The asking node, its sites, and where it is reached."""

    center: Node
    sites: list[Node]
    address: str
    names: list[str] = field(default_factory=list)

    def partner(self, site: Node) -> Any:
        """The asking node, as a site knows it."""
        return partners.listed(site, OWNER)[0]

    def line(self, site: Node) -> agent.Line:
        known = self.partner(site)
        return agent.Line(site, known.address, known.authority)

    def turn(self, site: Node, wait: float = 0.0) -> int:
        with self.line(site) as line:
            return turns.turn(site, line, self.partner(site).id, wait)

    def ask(self, text: str) -> Any:
        return coordinate.ask(self.center, OWNER, read_study(text))

    def approve_all(self, sites: Sequence[Node] | None = None) -> None:
        """Every site takes its studies in and approves them."""
        for site in self.sites if sites is None else sites:
            self.turn(site)
            with site.read() as session:
                waiting = [each.id for each in session.query(answering.AllianceStudy).filter_by(state="waiting").all()]
            for number in waiting:
                answering.approve(site, OWNER, number)
            self.turn(site)

    def run(
        self, number: int, sites: Sequence[Node] | None = None, patience: float = 200.0, decide: bool = False
    ) -> dict[str, Any]:
        """Run a study while the sites (or some) keep coming; with `decide` once they have all decided by rule."""
        stop = threading.Event()

        def keep(site: Node) -> None:
            partner = self.partner(site)
            with self.line(site) as line:
                while not stop.is_set():
                    try:
                        turns.turn(site, line, partner.id, 0.3)
                    except MadangError:
                        stop.wait(0.05)

        threads = [
            threading.Thread(target=keep, args=(s,), daemon=True) for s in (self.sites if sites is None else sites)
        ]
        for thread in threads:
            thread.start()
        try:
            if decide:
                coordinate.wait_for_decisions(self.center, number, patience)
            return coordinate.run(self.center, OWNER, number, patience=patience)
        finally:
            stop.set()
            for thread in threads:
                thread.join(30)

    def close(self) -> None:
        answering.forget_open()
        for node in [self.center, *self.sites]:
            node.close()


def make_nodes(folder: Path, count: int) -> tuple[Node, list[Node]]:
    return Node.open(Home(folder / "center")), [Node.open(Home(folder / f"site{k}")) for k in range(count)]


def link(alliance: Alliance, tables: Sequence[pa.Table], name: str = "d", agreement: Any = None) -> None:
    """Invite, join, confirm, and share a table at each site."""
    for place, (site, table) in enumerate(zip(alliance.sites, tables, strict=True)):
        label = f"site{place}"
        _made, code = partners.invite(alliance.center, OWNER, label, agreement or OPEN, alliance.address)
        partners.join(site, OWNER, code, "center")
        partners.confirm(alliance.center, OWNER, label)
        file = site.home.folder("run") / "table.parquet"
        pq.write_table(table, file)
        shares.share(site, OWNER, name, file=file, vocabulary=f"v{place // 2}", country="KR")
        alliance.names.append(label)


def study_text(kind: str, dataset: str = "d", secure: bool = False, where: str = "[]", **more: Any) -> str:
    import json

    lines = ['title = "A study"', f"secure = {str(secure).lower()}", "[cohort]", f'dataset = "{dataset}"']
    lines += [f"where = {where}", "[estimator]", f'kind = "{kind}"']
    return "\n".join([*lines, *(f"{name} = {json.dumps(value)}" for name, value in more.items())])


__all__ = ["OPEN", "Alliance", "Study", "link", "make_nodes", "study_text"]
