"""A process of the portal that runs one ATLAS: what and for whom comes on its input, its address goes to its output.

It ends when its input does (then the portal is gone), when nobody has asked anything for half an hour, and when its
permission ends.
"""

import json
import sys
import threading

from madang.base.errors import MadangError
from madang.node.jobs.work import actor_of
from madang.node.node import opened
from madang.services.cohorts.atlas_service import IDLE, run
from madang.services.cohorts.gate import Gate
from madang.web.server import listen


def main() -> None:
    """Read one line of JSON (actor, dataset, project), answer one (address or error), serve."""
    given = json.loads(sys.stdin.readline())
    over = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    try:
        with opened() as node, listen("127.0.0.1", 0) as listening:
            with node.read() as session:
                actor = actor_of(session, given["actor"])
            version = node.home.lake().find(given["dataset"])
            run(
                node,
                actor,
                version,
                listening,
                project=given["project"],
                idle=IDLE,
                opened=_answer,
                ended=over.is_set,
            )
    except MadangError as error:
        print(json.dumps({"code": error.code, "message": error.message, "hint": error.hint}), flush=True)


def _answer(gate: Gate) -> None:
    print(json.dumps({"address": gate.address}), flush=True)


if __name__ == "__main__":
    main()
