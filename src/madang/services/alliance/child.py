"""The process that computes for a site that waits: reads what is to be done, a line of JSON each, and says how it went.

It ends when its input ends, so it never outlives the process that waits.
"""

import contextlib
import importlib
import json
import os
import sys
import threading
from pathlib import Path

from madang.base.errors import MadangError

AFTER = 3.0  # seconds in which the next question of a study is waited for here


def main(home: str) -> None:
    """Work until there is no more input."""
    from madang.node.home import Home
    from madang.node.node import Node
    from madang.services.alliance import partners, turns
    from madang.services.alliance.agent import Line

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what others print goes to the log, and not among the answers
    lines: dict[int, Line] = {}
    threading.Thread(target=_ready, daemon=True).start()
    with contextlib.closing(Node.open(Home(Path(home)))) as node, contextlib.suppress(KeyboardInterrupt):
        for text in sys.stdin:
            given = json.loads(text)
            number = given["partner"]
            try:
                with node.read() as session:
                    partner = partners.by_id(session, number)
                line = lines.setdefault(number, Line(node, partner.address, partner.authority))
                told = {"count": turns.turn(node, line, number, AFTER, given["told"])}
            except MadangError as error:
                told = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}  # type: ignore[dict-item]  # of two shapes
            answers.write(json.dumps(told) + "\n")
            answers.flush()


def _ready() -> None:
    """Load what the first fit needs while messages go back and forth."""
    importlib.import_module("madang.science.federated.kernels")


if __name__ == "__main__":
    main(sys.argv[1])
