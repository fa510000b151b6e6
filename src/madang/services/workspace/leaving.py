"""Results on their way out: files of /workspace/release go to the release desk, and through no browser.

A program inside may put anything there, links included; only plain files are read, each of bounded size, and what the
desk examines are the bytes that were read.
"""

import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import closed
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.rooms import open_plans
from madang.services.workspace.acts import ENTER
from madang.services.workspace.service import folder_of, see

FOLDER = "release"  # below /workspace
LARGEST = 20 << 20  # bytes of a file
MOST = 50  # files
# A program chooses these names, and the portal shows them where nobody counts: so they are short and plain, and looked
# up again only now and then. What has another name can still be asked for by it.
_NAME = re.compile(r"(?:[\w][\w .()+-]{0,59}/){0,2}[\w][\w .()+-]{0,79}")
_STALE = 5.0  # seconds
_listed: dict[tuple[str, int], tuple[float, list[tuple[str, int]]]] = {}
_lock = threading.Lock()


def is_there() -> bool:
    """Whether there is a release desk."""
    return any(plan.name == "release" for plan in open_plans())


def _folder(node: Node, number: int) -> Path:
    return folder_of(node, number) / "files"


def results(node: Node, number: int) -> list[tuple[str, int]]:
    """The files that could be asked for, with their bytes; the caller has seen the workspace."""
    if not is_there():
        return []
    key = (str(node.home.path), number)
    with _lock:
        at, kept = _listed.get(key, (0.0, []))
        if time.monotonic() - at < _STALE:
            return list(kept)
        found = closed.files_inside(_folder(node, number), most=2_000)
        start = f"{FOLDER}/"
        named = [(name.removeprefix(start), size) for name, size in found if name.startswith(start)]
        plain = sorted(each for each in named if _NAME.fullmatch(each[0]))[:MOST]
        _listed[key] = (time.monotonic(), plain)
        return list(plain)


def ask(node: Node, actor: Actor, number: int, names: Sequence[str], says: str, purpose: str) -> int:
    """Ask for release of files of /workspace/release; the request's number at the desk.

    Errors: `workspace.no_file`, and those of the release desk.
    """
    from madang.services.release import ask as ask_the_desk
    from madang.services.release.examine import Upload

    found = see(node, actor, number)
    check(actor, ENTER, found)
    if not 0 < len(names) <= MOST:
        raise MadangError(
            "workspace.no_file", _("No file was chosen."), _("Put results into /workspace/release, and choose them.")
        )
    uploads = []
    for name in names:
        with closed.open_inside(_folder(node, number), f"{FOLDER}/{name}", largest=LARGEST) as file:
            uploads.append(Upload(name.replace("/", "_"), file.read(LARGEST), says))
    project = found.project.name if found.project else ""
    # Of open data, which no permit opens, the desk knows no version.
    dataset = f"{found.dataset}@{found.version}" if found.permit_id is not None else ""
    request: int = ask_the_desk(node, actor, uploads, project=project, dataset=dataset, purpose=purpose)
    return request
