"""What tests of every storey share: real data beside the repository, tools that may be missing, full disks, kill -9,
and which steps of many a run takes."""

import codecs
import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).parent.parent
NOBODY = 65534
_T = TypeVar("_T")
EVERYTHING, SEED = False, 0  # --all, and the number that changes every day; conftest.py sets both
# For processes that are killed. They are forked from one that has no threads and has imported this, or each child would
# import it; it is one for all tests, so nobody else names what it imports.
children = multiprocessing.get_context("forkserver")
children.set_forkserver_preload(
    [
        *("pytest", "hypothesis", "madang.lake.persons", "madang.lake.removal", "madang.lake.verify"),
        *("madang.node.backup", "madang.science.standardize", "madang.science.omop.starter"),
        *("madang.services.certification", "joserfc.jws", "jinja2", "segno"),
    ]
)
SEEN_TO = ("bwrap", "chromium", "initdb", "pdftoppm", "zbarimg", "permission to close programs in")  # by script/test
MISSING = "missing: "  # how a skip for lack of something starts; conftest.py repeats these at the end of the run


def needs(tool: str | Path) -> Path:
    """The path of a program or file that a test cannot do without.

    Where it is absent the test is skipped, with a line at the end of the run that says so. Where CI=true it fails for
    what script/test installs: the build server must not pass by leaving tests out. Environments of gigabytes, R and
    judges are put there by hand (script/environment).
    """
    path = Path(tool) if isinstance(tool, Path) or "/" in tool else Path(shutil.which(tool) or "")
    if path.is_absolute() and path.exists():
        return path
    if os.environ.get("CI") == "true" and str(tool).strip("/") in SEEN_TO:
        pytest.fail(f"{MISSING}{tool}", pytrace=False)
    pytest.skip(f"{MISSING}{tool}")


def shared_data(name: str) -> Path:
    """A folder or file of real data, kept beside the repository and never in it; the test is skipped without it."""
    path = Path(os.environ.get("MADANG_SHARED_DATA", ROOT.parent / "shared" / "data")) / name
    if not os.path.exists(path):  # also where nobody may look
        pytest.skip(f"{MISSING}shared data {name}")
    return path


@contextlib.contextmanager
def small_file_system(folder: Path, size: str) -> Iterator[Path]:
    """A file system of `size` (as 1m) in the new folder; the test is skipped where nobody may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(f"{MISSING}permission to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a thread may still hold a file


def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time; that ours take some is the business of argon2."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("madang.node.people.passwords._hasher", lambda: hasher)


def sampled(cases: Sequence[_T], stride: int) -> Sequence[_T]:
    """All cases with --all; else every `stride`-th of them, the same every day: what is green today is tomorrow."""
    return cases if EVERYTHING else cases[stride - 1 :: stride] or cases[-1:]


@contextlib.contextmanager
def ordinary_user(folder: Path) -> Iterator[None]:
    """Be a user whom the file system can refuse, and who owns `folder` and what is in it; root is not one."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    codecs.lookup("utf-16be")  # of canonical JSON; an ordinary user may not be able to read root's Python
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def die_at(step: int, calls: tuple[str, ...]) -> None:
    """Make this process kill itself before its `step`-th call of one of these functions of `os`."""
    lock = threading.Lock()
    done = 0

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            nonlocal done
            with lock:
                done += 1
                if done == step:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **options)

        return counted

    os.fsync = lambda descriptor: None  # the power does not fail here, so nobody waits for the disk
    for name in calls:
        setattr(os, name, deadly(getattr(os, name)))
