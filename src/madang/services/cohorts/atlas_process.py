"""A process of the portal that runs one ATLAS: what and for whom comes on its input, its address goes to its output.

It ends when its input does (then the portal is gone), when nobody has asked anything for half an hour, and when its
permission ends.
"""

import json
import secrets
import sys
import threading
from contextlib import ExitStack

from madang.base.errors import MadangError
from madang.node.jobs.work import actor_of
from madang.node.node import opened
from madang.services.cohorts.atlas_door import keep_door, listening_at
from madang.services.cohorts.atlas_service import IDLE, run
from madang.services.cohorts.gate import Gate
from madang.web.server import listen


def main() -> None:
    """Read one line of JSON (actor, dataset, project, elsewhere: whether the browser is on another machine), answer one
    (address or error), serve."""
    given = json.loads(sys.stdin.readline())
    over = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    try:
        with opened() as node, ExitStack() as stack:
            name = secrets.token_hex(8) if given.get("elsewhere") else ""
            if name:
                listening = stack.enter_context(listening_at(node.home.folder("run"), name))
                threading.Thread(target=keep_door, args=(node, over), daemon=True).start()
                stack.callback(over.set)
            else:
                listening = stack.enter_context(listen("127.0.0.1", 0))
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
                address=node.settings.atlas.address if name else "",
                name=name,
                opened=_answer,
                ended=over.is_set,
            )
    except MadangError as error:
        print(json.dumps({"code": error.code, "message": error.message, "hint": error.hint}), flush=True)


def _answer(gate: Gate) -> None:
    print(json.dumps({"address": gate.address}), flush=True)


if __name__ == "__main__":
    main()
