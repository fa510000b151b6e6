"""How long the ledger takes: 100,000 promises with their events, for today and a past day; beside a plain count.

.venv/bin/python benchmarks/grants.py
"""

import random
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from fractions import Fraction
from pathlib import Path
from statistics import median

from sqlalchemy import func, insert, select

from madang.node.home import Home
from madang.node.node import Node
from madang.services.contributions.statement import Link, Thing, make_statement, weigh
from madang.services.grants import ledger
from madang.services.grants.models import Award, Promise, PromiseEvent

PROMISES = 100_000
START = date(2024, 1, 1)


def fill(node: Node) -> int:
    """Promises with lives of three to six events; how many events there are."""
    drawn = random.Random(5)
    with node.write() as session:
        session.execute(
            insert(Award),
            [
                {"id": n + 1, "number": f"A-{n}", "title": "t", "organization_id": 1, "program": f"P{n % 9}"}
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


def timed(what: str, goal: str, work: object, times: int = 5) -> None:
    """Print the median of some runs."""
    taken = []
    for _each in range(times):
        begun = time.perf_counter()
        work()  # type: ignore[operator]  # a function
        taken.append(time.perf_counter() - begun)
    print(f"{what:<55} {median(taken):8.3f} s   goal {goal}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        node = Node.open(Home(Path(folder) / "home"))
        print(f"{PROMISES:,} promises, {fill(node):,} events")
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
