"""What runs inside the box: ATLAS 3.0 and its WebAPI (duckcdm) over views of one version, on a unix socket.

Run as a script with the path of a JSON file: `socket`, `database`, `store`, `views` (statements that lay the tables
open), `source` (name), `memory`, `threads`, `minimum`, `achilles`. Progress goes to standard output, a line each. This
module imports nothing of the house, and nothing of the house imports it: the box has no network, sees the files of the
version read-only, and all that it writes lies in its one folder.
"""

import copy
import functools
import json
import sys
import threading
from typing import Any


def main(path: str) -> None:
    """Serve until the box ends."""
    import uvicorn
    from duckcdm.webapi.app import create_app
    from duckcdm.webapi.sources import Source
    from duckcdm.webapi.store import Store

    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    source = Source(
        1, "MADANG", given["source"], given["database"], "cdm", "cdm", "results",
        memory_limit=given["memory"], threads=given["threads"],
    )  # fmt: skip
    for statement in given["views"]:
        source.con.execute(statement)
    source.con.execute("SET preserve_insertion_order = false")
    # The files of the version, the store beside it, and no more; settings stay as they are.
    source.con.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    app = create_app([source], Store(given["store"], given["user"]))
    if given["achilles"]:
        threading.Thread(target=_achilles, args=(source, given["minimum"]), daemon=True).start()
    print("ready", flush=True)
    uvicorn.run(app, uds=given["socket"], log_level="error", access_log=False, ws="none")


def _achilles(source: Any, minimum: int) -> None:
    """Compute what ATLAS shows of the data source; cells about fewer than `minimum` persons are removed."""
    from duckcdm.webapi import reports

    # Achilles removes counts at or below the number that it is given.
    reports.run_achilles = functools.partial(reports.run_achilles, small_cell_count=max(0, minimum - 1))
    beside = copy.copy(source)  # with a lock of its own, so that cohorts can be generated meanwhile
    beside.lock = threading.RLock()
    try:
        done, failed = reports.Reports(beside).build(log=lambda text: print(f"achilles {text.strip()}", flush=True))
    except Exception as error:  # said to whoever waits; ATLAS itself goes on
        print(f"achilles-failed {type(error).__name__}: {error}", flush=True)
        return
    print(f"achilles-done {len(done)} {len(failed)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
