"""How long the ledger takes: 100,000 promises with their events, for today and a past day, beside a plain count; the
funder's page with its pictures; a statement of use.

.venv/bin/python benchmarks/grants.py
"""

import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from fractions import Fraction
from pathlib import Path
from statistics import median

from sqlalchemy import func, insert, select
from starlette.testclient import TestClient

from madang.app.portal import portal
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.accounts import create_organization, create_person, find_organization, give_role
from madang.node.people.models import Person
from madang.node.people.sessions import begin_session
from madang.services.contributions.statement import Link, Thing, make_statement, weigh
from madang.services.grants import ledger
from madang.services.grants.models import Award, Promise, PromiseEvent
from madang.services.grants.service import note

PROMISES = 100_000
START = date(2024, 1, 1)


def fill(node: Node, small: int) -> int:
    """Promises with lives of three to six events, one in twenty of a small funder; how many events there are."""
    drawn = random.Random(5)
    with node.write() as session:
        session.execute(
            insert(Award),
            [
                {
                    **{"id": n + 1, "number": f"A-{n}", "title": "t", "program": f"P{n % 9}"},
                    "organization_id": 1 if n % 20 else small,
                }
                for n in range(2_000)
            ],
        )
        session.execute(
            insert(Promise),
            [{"id": n + 1, "award_id": n % 2_000 + 1, "key": str(n), "title": "t"} for n in range(PROMISES)],
        )
        events = []
        for n in range(PROMISES):
            day = START + timedelta(days=drawn.randrange(300))
            due = day + timedelta(days=drawn.randrange(400))
            told = [("terms", "promised", "", due), ("terms", "prolonged", "", due + timedelta(days=30))]
            told += [("link", "linked", "r", None), ("check", "valid", "r", None), ("release", "released", "r", due)][
                : drawn.randrange(4)
            ]
            times = [datetime.combine(day + timedelta(days=30 * k), clock(12), UTC) for k in range(len(told))]
            for k, (topic, kind, record, when) in enumerate(told):
                replaced = times[1] if k == 0 else None
                common = {"promise_id": n + 1, "at": times[k], "replaced": replaced, "counts": True}
                events.append(common | {"topic": topic, "kind": kind, "record": record, "day": when, "tier": "open"})
        session.execute(insert(PromiseEvent), events)
        return len(events)


def people(node: Node) -> tuple[int, dict[str, str]]:
    """A funder who gave one award in twenty, and an auditor who sees all; their sessions."""
    owner = Actor.owner()
    create_organization(node, owner, "small", "A small funder")
    with node.read() as session:
        places = {"funder": find_organization(session, "small").id, "auditor": 1}
    cookies = {}
    for role, place in places.items():
        number = create_person(node, owner, role, role)
        give_role(node, owner, number, role, place)
        with node.write() as session:
            cookies[role] = begin_session(session, node, session.get_one(Person, number))
    return places["funder"], cookies


def pages(node: Node, cookies: dict[str, str]) -> None:
    """The page of the ledger with its pictures, over HTTP: as it is seen again, and after the log has grown."""
    client = TestClient(portal(node, keeper=False))

    def page(cookie: str) -> None:
        answer = client.get("/grants", headers={"Cookie": f"madang={cookie}"})
        assert answer.status_code == 200 and "<svg" in answer.text

    def grown(cookie: str) -> None:
        with node.write() as session:
            note(session, Actor.owner(), 1, "reminder", "late", day=START)
        page(cookie)

    for role, goal in (("funder", "200 ms"), ("auditor", "-")):
        seen = "5,000" if role == "funder" else "100,000"
        timed(f"the page of who sees {seen}, seen again", "200 ms", lambda role=role: page(cookies[role]))
        timed(f"the page of who sees {seen}, after a change", goal, lambda role=role: grown(cookies[role]))


def timed(what: str, goal: str, work: Callable[[], object], times: int = 5) -> None:
    """Print the median of some runs, in seconds of the processor: other programs may run beside."""
    taken = []
    for _each in range(times):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    print(f"{what:<55} {median(taken):8.3f} s   goal {goal}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        node = Node.open(Home(Path(folder) / "home"))
        small, cookies = people(node)
        print(f"{PROMISES:,} promises, {fill(node, small):,} events")
        past = START + timedelta(days=365)
        known = datetime.combine(past, clock(23), UTC)

        def plain() -> None:
            with node.read() as session:
                session.execute(select(PromiseEvent.promise_id, func.count()).group_by(PromiseEvent.promise_id)).all()

        def today() -> None:
            with node.read() as session:
                ledger.counts(session, date(2026, 11, 29))

        def then() -> None:
            with node.read() as session:
                ledger.counts(session, past, known)

        timed("floor: events counted by promise", "-", plain)
        timed("the ledger of today", "1 s", today)
        timed("the ledger of a past day", "3 s", then)
        pages(node, cookies)
        node.close()
    rule = {"source": Fraction(1, 2), "by": Fraction(1, 2)}

    def links(each: str) -> list[Link]:
        if not each.startswith("dataset:"):
            return []
        number = int(each[8:])
        below = [Link(each, Thing(f"dataset:{number + 1}"), "source")] if number < 1_000 else []
        return [*below, Link(each, Thing(f"organization:{number % 7}"), "by")]

    timed(
        "a statement over 1,000 versions, weighed",
        "1 s",
        lambda: weigh(make_statement(Thing("dataset:0"), links), rule),
    )


if __name__ == "__main__":
    main()
