"""The page that opens ATLAS on a version, for those who may read its rows: on the machine that the portal runs on, and
from others where the operator gave it an address."""

import json
import os
import subprocess
import sys
import threading
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.people.actor import actor_as_json
from madang.node.permissions import check
from madang.services.cohorts import service
from madang.services.cohorts.acts import OPEN_ATLAS
from madang.web import Here, Room, View

room = Room("cohorts", __package__)
MOST = 4  # at once, of one process of the portal
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_running: dict[int, "subprocess.Popen[str]"] = {}
_lock = threading.Lock()


class AtlasPage(View):
    """ATLAS on a version of a dataset: the address where it is, once it was opened."""

    dataset: str
    manifest: str
    local: bool
    """Whether the browser is on this machine, or the operator gave ATLAS an address for others."""
    address: str = ""


@room.page("/atlas/{reference}", "atlas.html")
def atlas(visit: Here, reference: str) -> AtlasPage:
    """ATLAS on a version of a dataset."""
    version = visit.node.home.lake().find(reference)
    with visit.node.read() as session:
        check(visit.actor, OPEN_ATLAS, service.rows_of(session, version.dataset.name))
    reached = _is_local(visit) or bool(visit.node.settings.atlas.address)
    return AtlasPage(dataset=version.name, manifest=version.digest, local=reached)


@room.act("/atlas/{reference}", at=atlas)
def open_atlas(visit: Here, reference: str) -> AtlasPage:
    """Open ATLAS on a version of a dataset; the address works once, in one browser."""
    page = atlas(visit, reference)
    if not page.local:
        raise MadangError(
            "atlas.elsewhere",
            _("ATLAS can be opened only on the machine that the portal runs on."),
            _("The operator can open the way with the setting atlas.address."),
        )
    return page.model_copy(update={"address": _start(visit, page.dataset)})


def _is_local(visit: Any) -> bool:
    host = visit.request.url.hostname or ""
    return f"[{host}]" in _LOCAL or host in _LOCAL


def _start(visit: Any, dataset: str) -> str:
    """Start a process for it; its address. It lives as long as this process, which holds its input."""
    with _lock:
        for number in [number for number, each in _running.items() if each.poll() is not None]:
            _running.pop(number)
        if len(_running) >= MOST:
            raise MadangError("atlas.busy", _("{count} ATLAS are open already.").format(count=MOST), _("Close one."))
        process = subprocess.Popen(
            [sys.executable, "-m", "madang.services.cohorts.atlas_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"MADANG_HOME": str(visit.node.home.path)},
            text=True,
        )
        _running[process.pid] = process
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    elsewhere = bool(visit.node.settings.atlas.address) and not _is_local(visit)
    given = {"actor": actor_as_json(visit.actor), "dataset": dataset, "project": "", "elsewhere": elsewhere}
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    answer = json.loads(line) if line else {"code": "atlas.failed", "message": _("ATLAS did not start."), "hint": ""}
    if "address" not in answer:
        process.kill()
        raise MadangError(answer["code"], answer["message"], answer["hint"])
    return str(answer["address"])
