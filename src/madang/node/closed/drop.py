"""How a node that runs as root makes its boxes: as an ordinary user, who is nobody else on this machine.

That user may not be able to reach what is to be shown (a home of mode 0700), so this file is run as a program first: as
root, in a mount namespace of its own, it puts everything under a folder that the user can reach, becomes that user for
good, and goes on to bubblewrap. It imports nothing of Madang.
"""

import ctypes
import json
import os
import sys
from collections.abc import Mapping

_STAGE = "/run/madang-box"
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_NOSUID, _NODEV, _BIND, _RECURSIVE, _PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000  # MS_*


def staged(
    read: Mapping[str, str], write: Mapping[str, str], user: int
) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """The command line that comes before bubblewrap's, and where it puts what was asked for."""
    places = {
        path: f"{_STAGE}/{number}" for number, path in enumerate(dict.fromkeys([*read.values(), *write.values()]))
    }
    given = json.dumps({"user": user, "places": places, "write": list(write.values())})
    launcher = [sys.executable, "-I", "-S", __file__, given]
    return (
        launcher,
        {inside: places[path] for inside, path in read.items()},
        {inside: places[path] for inside, path in write.items()},
    )


def main() -> None:
    """As root: stage, give the writable folders to the user, become the user, and go on with the rest of the line."""
    given = json.loads(sys.argv[1])
    user = int(given["user"])
    for folder in given["write"]:
        _give(folder, user)
    os.makedirs(_STAGE, mode=0o755, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    _call(libc.unshare(_NEW_MOUNTS))
    _call(libc.mount(None, b"/", None, _RECURSIVE | _PRIVATE, None))
    _call(libc.mount(b"stage", _STAGE.encode(), b"tmpfs", _NOSUID | _NODEV, b"mode=0755,size=1m"))
    for path, place in given["places"].items():
        if os.path.isdir(path):
            os.mkdir(place)
        else:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
        _call(libc.mount(os.path.realpath(path).encode(), place.encode(), None, _BIND | _RECURSIVE, None))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.execv(sys.argv[2], sys.argv[2:])  # from here on nothing can be imported: Python may be out of reach


def _give(folder: str, user: int) -> None:
    """Make `user` the owner of a folder and all in it. Links are not followed: what is in it was made by that user."""
    for _path, folders, files, here in os.fwalk(folder):
        os.fchown(here, user, user)
        for name in [*folders, *files]:
            status = os.stat(name, dir_fd=here, follow_symlinks=False)
            if status.st_uid != user:
                os.chown(name, user, user, dir_fd=here, follow_symlinks=False)


def _call(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
