"""How a node that runs as root makes its boxes: as an ordinary user, who is nobody else on this machine.

That user may not be able to reach what is to be shown (a home of mode 0700). So first, as root and in a mount namespace
of its own, all that is out of reach is put under a folder that the user can reach; then `setpriv` becomes that user for
good and goes on to bubblewrap. These are programs of util-linux, one becoming the next: a Python of its own would take
more time than all the rest of a short box.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from madang.base.errors import MadangError
from madang.node.closed.inside import everything_inside

TOOLS = ("unshare", "mount", "setpriv")
_STAGE = "/run/madang-box"
# A file wants an empty one to be mounted over; `mount` makes folders itself, and reads only tables that are files.
_SCRIPT = f"""mount -n -t tmpfs -o nosuid,nodev,mode=0755,size=1m stage {_STAGE} || exit 1
for each in $2; do : >"$each"; done
printf %s "$1" >{_STAGE}/table && mount -a -n -T {_STAGE}/table && : >{_STAGE}/table || exit 1
shift 2; exec "$@\""""


def staged(
    read: Mapping[str, str], write: Mapping[str, str], user: int
) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """The command line that comes before bubblewrap's, and where it puts what was asked for.

    The folders to be written are given to `user` here and now.
    """
    for folder in dict.fromkeys(write.values()):
        _give(folder, user)
    paths = dict.fromkeys([*read.values(), *write.values()])
    places = {path: f"{_STAGE}/{place}" for place, path in enumerate(paths) if not _is_in_reach(path)}
    become = [_path("setpriv"), "--reuid", str(user), "--regid", str(user), "--clear-groups", "--inh-caps", "-all"]
    launcher = [*_staging(places), *become, "--"]
    return (
        launcher,
        {inside: places.get(path, path) for inside, path in read.items()},
        {inside: places.get(path, path) for inside, path in write.items()},
    )


def _staging(places: Mapping[str, str]) -> list[str]:
    if not places:
        return []
    os.makedirs(_STAGE, mode=0o755, exist_ok=True)
    table = "".join(f"{_escaped(path)} {place} none rbind,X-mount.mkdir 0 0\n" for path, place in places.items())
    files = " ".join(place for path, place in places.items() if not os.path.isdir(path))
    return [_path("unshare"), "--mount", "--propagation", "private", "/bin/sh", "-c", _SCRIPT, "stage", table, files]


def _escaped(path: str) -> str:
    special = {character: f"\\{ord(character):03o}" for character in " \t\n\\#"}
    return "".join(special.get(character, character) for character in os.path.realpath(path))


def _is_in_reach(path: str) -> bool:
    """Whether anybody may go to a path and read what is there."""
    found = Path(os.path.realpath(path))
    try:
        if not all(folder.stat().st_mode & 0o001 for folder in found.parents):
            return False
        return found.stat().st_mode & (0o005 if found.is_dir() else 0o004) == (0o005 if found.is_dir() else 0o004)
    except OSError:
        return False


def _path(tool: str) -> str:
    return shutil.which(tool) or tool


def _give(folder: str, user: int) -> None:
    """Make `user` the owner of a folder and all in it. Links are not followed: what is in it was made by that user."""
    os.chown(folder, user, user)
    with contextlib.suppress(MadangError):  # what lies too deep stays as it is, and ends the box when it is counted
        for here, name, status in everything_inside(folder):
            if status.st_uid != user:
                os.chown(name, user, user, dir_fd=here, follow_symlinks=False)
