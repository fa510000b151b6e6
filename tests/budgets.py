"""What the tests of each room may take of the processor, in seconds: its science, its services, its attacks."""

from collections.abc import Iterator, Mapping

ROOM = 75.0
WORTH_TELLING = 60.0  # seconds of a run; a shorter one is somebody's at work
BUDGETS = {  # where it is another than a room's
    "app": 150.0,
    "lake": 150.0,
    "node": 200.0,
    "standardize": 300.0,
    "quality": 150.0,
    "services": 150.0,
    "attacks": 150.0,
}


def room_of(nodeid: str) -> str:
    """The room that a test belongs to: the folder below tests/science or tests/services, else the storey."""
    parts = nodeid.partition("::")[0].split("/")[1:]
    return parts[1] if len(parts) > 2 and parts[0] in ("science", "services") else parts[0]


def told(used: Mapping[str, float]) -> Iterator[tuple[str, bool]]:
    """A line for each room, and whether it took more than it may; far more is marked by two signs."""
    yield "processor seconds by room (used / budget)", False
    for room, seconds in sorted(used.items(), key=lambda item: -item[1]):
        budget = BUDGETS.get(room, ROOM)
        mark = "!!" if seconds > 2 * budget else "!" if seconds > budget else ""
        yield f"  {room:<16} {seconds:7.1f} / {budget:g} {mark}", bool(mark)
