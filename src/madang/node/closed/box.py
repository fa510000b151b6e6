"""What a box shows, what it may use, and the command line that makes it."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import madang
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.closed import drop, running
from madang.node.closed.filter import ARCHITECTURES

_NOBODY = "65534"
_STAND_IN = 2_100_000_000  # who a box of a node that runs as root is outside; no account has such a number
# Tells the kernel whom to end first when the machine has no memory left, and enters a group before anything starts.
_ENTER = 'echo 1000 >/proc/self/oom_score_adj; [ -z "$1" ] || echo $$ >"$1" || exit 1; shift; exec "$@"'
_SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")
_PROGRAMS = ("/usr", "/bin", "/sbin", "/etc/alternatives", "/etc/fonts", "/etc/R", "/etc/localtime")


@dataclass(frozen=True)
class Limits:
    """What a closed program may use, all in bytes but where another unit is said.

    `seconds`: of wall time (None: as long as its owner lives). `memory`: of all its processes together; `address`: what
    each of them may reserve (RLIMIT_AS), for programs that should be told instead of ended; DuckDB and Python reserve
    about 2 GiB more than they fill. `output`: that `Box.run` gives back. `scratch`: of /tmp and of /dev/shm, each, in
    memory. `disk` and `files` (a number): of all folders that it may write. `processes`: with threads. `cpu`: seconds
    of processor time of each process. `open_files`: descriptors of each process.
    """

    seconds: float | None
    memory: int
    output: int = 1 << 20
    address: int | None = None
    scratch: int = 16 << 20
    disk: int = 1 << 30
    files: int = 100_000
    processes: int = 64
    cpu: int | None = None
    open_files: int = 256


@dataclass(frozen=True)
class Box:
    """One closed box: files and folders that can be read, folders that can be written, limits, and a Python.

    `read` and `write` map a path inside to a path here. What is written stays there, so `write` wants folders of the
    box's own: on a node that runs as root they are given to `user`, the stand-in it has outside (one per project).
    `environment_folder`: a virtual environment to mount instead of this Python; `madang` itself can be imported either
    way. `variables`: environment variables, the only ones besides PATH, HOME, LANG, TMPDIR and PYTHONPATH.
    `programs` shows the system's programs (shell, R, tools) and not only its libraries; `proc` shows /proc, of its own
    processes, which tells a little of the machine. `folder`: where the program starts. `devices`: files in /dev that it
    may use, such as those of a GPU; what a driver does with them no box bounds.
    """

    limits: Limits
    read: Mapping[str, Path] = field(default_factory=dict)
    write: Mapping[str, Path] = field(default_factory=dict)
    environment_folder: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    programs: bool = False
    proc: bool = False
    folder: str = "/tmp"  # inside the box
    name: str = "closed"
    user: int = _STAND_IN
    devices: Sequence[str] = ()

    @property
    def python(self) -> str:
        """The path of Python inside."""
        return str(self.environment_folder / "bin" / "python") if self.environment_folder else sys.executable

    @property
    def package(self) -> str:
        """The folder of `madang` inside."""
        return f"{_PACKAGE_PATH}/madang" if self.environment_folder else str(Path(madang.__file__).parent)

    def run(self, command: Sequence[str], given: bytes = b"") -> "running.Finished":
        """Run `command` to its end with `given` as its input; it and its children die with the process that asks.

        Errors: `closed.missing` where nothing can be closed in; `closed.time`, `closed.output`, `closed.memory` and
        `closed.disk` over a limit.
        """
        check_available()
        return running.run(self, list(command), given)

    def start(self, command: Sequence[str]) -> "running.Running":
        """Start `command` and come back: for what lives long. It dies with this process, with `stop()`, over a limit.

        Its input and output are pipes of the answer. Errors: `closed.missing`.
        """
        check_available()
        return running.Running(self, list(command))

    def lines(self, command: Sequence[str], group: Path | None) -> tuple[list[str], list[str], list[str]]:
        """What makes the box: the start of a command line, the options of bubblewrap, and what it is to run.

        `group` is a cgroup to enter. The options are not to be put into a command line, which others could read.
        """
        start = ["/bin/sh", "-c", _ENTER, "box", str(group / "cgroup.procs") if group else ""]
        read, write = self._shown(), {inside: str(path) for inside, path in self.write.items()}
        if os.geteuid() == 0:
            launcher, read, write = drop.staged(read, write, self.user)
            start += launcher
        start.append(shutil.which("bwrap") or "bwrap")
        return start, [*self._namespaces(), *self._mounts(read, write)], [*self._rlimits(), *command]

    def _namespaces(self) -> list[str]:
        box = ["--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        box += ["--unshare-cgroup", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        box += ["--uid", _NOBODY, "--gid", _NOBODY, "--hostname", self.name, "--clearenv"]
        standard = {"PATH": "/usr/bin:/bin", "HOME": self.folder, "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # inside the box
        standard["PYTHONPATH"] = _PACKAGE_PATH if self.environment_folder else str(Path(madang.__file__).parent.parent)
        for name, value in {**standard, **self.variables}.items():
            box += ["--setenv", name, value]
        return box

    def _mounts(self, read: Mapping[str, str], write: Mapping[str, str]) -> list[str]:
        size = ["--size", str(self.limits.scratch)]
        # /dev and / are file systems in memory that the program would own: without --remount-ro it could fill them.
        box = ["--dev", "/dev", *size, "--tmpfs", "/dev/shm"]
        for device in self.devices:
            box += ["--dev-bind-try", device, device]
        box += ["--remount-ro", "/dev", *size, "--tmpfs", "/tmp"]
        # Read only: a program could take away the mark by which it is the first to end when memory is short.
        box += ["--proc", "/proc", "--remount-ro", "/proc"] if self.proc else []
        for inside, path in read.items():
            box += ["--ro-bind-try" if inside in _TRY else "--ro-bind", path, inside]
        for inside, path in write.items():
            box += ["--bind", path, inside]
        for inside in self._covered():
            box += ["--tmpfs", inside, "--remount-ro", inside]
        return [*box, "--chdir", self.folder, "--remount-ro", "/"]

    def _shown(self) -> dict[str, str]:
        """All that can be read, as path inside: path here; what the system may lack is only there if it exists."""
        system = [*_SYSTEM, *(_PROGRAMS if self.programs else ()), shutil.which("prlimit") or ""]
        package = Path(madang.__file__).parent
        if self.environment_folder is None:
            python = [f"{sys.base_prefix}/bin", f"{sys.base_prefix}/lib", sys.prefix, str(package)]
        else:
            base = _base(self.environment_folder)
            python = [f"{base}/bin", f"{base}/lib", str(self.environment_folder)]
        shown = {path: path for path in dict.fromkeys([*system, *python]) if path and os.path.exists(path)}
        if self.environment_folder is not None:
            shown[f"{_PACKAGE_PATH}/madang"] = str(package)
        return {**shown, **{inside: str(path) for inside, path in self.read.items()}}

    def _covered(self) -> list[str]:
        """The folders of this package that no closed program may see, as paths inside; empty folders lie over them."""
        return [f"{self.package}/{name}" for name in _kept_out(Path(madang.__file__).parent)]

    def _rlimits(self) -> list[str]:
        limits = self.limits
        rlimits = [f"--nproc={limits.processes}", f"--nofile={limits.open_files}", "--core=0", "--memlock=65536"]
        rlimits.append(f"--fsize={max(limits.scratch, limits.disk if self.write else 0)}")
        # Who watches memory looks a few times a second; this keeps one process from running far ahead of it.
        rlimits.append(f"--data={2 * limits.memory + (2 << 30)}")
        rlimits += [f"--as={limits.address}"] if limits.address is not None else []
        rlimits += [f"--cpu={limits.cpu}"] if limits.cpu is not None else []
        return [shutil.which("prlimit") or "prlimit", *rlimits, "--"]


_PACKAGE_PATH = "/opt/madang"  # inside the box, where the environment is not this one
_TRY = frozenset((*_SYSTEM, *_PROGRAMS))


@functools.cache
def _kept_out(package: Path) -> tuple[str, ...]:
    """The folders of a package that hold a file `kept-out-of-boxes.txt`, such as those with what is expected."""
    return tuple(sorted(str(each.parent.relative_to(package)) for each in package.rglob("kept-out-of-boxes.txt")))


def _base(environment: Path) -> str:
    """The installation that a virtual environment stands on. Errors: `closed.environment`."""
    try:
        lines = (environment / "pyvenv.cfg").read_text("utf-8").splitlines()
        home = next(line.split("=", 1)[1].strip() for line in lines if line.partition("=")[0].strip() == "home")
    except (OSError, ValueError, StopIteration):
        raise MadangError(
            "closed.environment",
            _("{path} is no virtual environment of Python.").format(path=environment),
            _("Make it with script/environment."),
        ) from None
    return str(Path(home).parent)


def is_available() -> bool:
    """Whether programs can be closed in here; found out once, by doing it."""
    return why_not() is None


def check_available() -> None:
    """Errors: `closed.missing`, with the reason, where programs cannot be closed in."""
    reason = why_not()
    if reason is not None:
        message = _("Programs cannot be closed in on this machine.")
        raise MadangError(
            "closed.missing",
            f"{message} ({reason})" if reason else message,
            _("Install the package bubblewrap and allow user namespaces."),
        )


@functools.cache
def why_not() -> str | None:
    """Why programs cannot be closed in here, as the tool said it; None where they can."""
    if os.uname().machine not in ARCHITECTURES:
        return os.uname().machine
    for tool in ("bwrap", "prlimit", *(drop.TOOLS if os.geteuid() == 0 else ())):
        if shutil.which(tool) is None:
            return tool
    box = Box(Limits(30, 1 << 30))
    try:
        finished = running.run(box, [box.python, "-S", "-c", _SELF_TEST], b"")
    except (OSError, MadangError, subprocess.SubprocessError) as error:
        return str(error)
    return None if finished.code == 0 else finished.errors.decode(errors="replace").strip() or str(finished.code)


# Inside: no privilege can be gained, the filter is on, and there is no way to another user namespace.
_SELF_TEST = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(39, 0, 0, 0, 0) == 1, "no new privileges"
assert libc.prctl(21, 0, 0, 0, 0) == 2, "filter"
assert libc.unshare(0x10000000) == -1, "user namespaces"
"""
