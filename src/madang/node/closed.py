"""A closed box for one program: no network, no files but those given, nothing left when it ends. By bubblewrap."""

import functools
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import madang
from madang.base.errors import MadangError
from madang.base.translate import _

_ERRORS = 64 << 10  # bytes of standard error that are kept
_NOBODY = "65534"


@dataclass(frozen=True)
class Limits:
    """What a closed program may use: `seconds` of wall time, the rest in bytes but for `processes`.

    `memory` bounds the address space (RLIMIT_AS) of each process: what a program reserves, so about 2 GiB have to be
    added to what DuckDB is allowed to fill. `processes` counts threads too and is not enforced for root.
    """

    seconds: float
    memory: int
    output: int
    scratch: int = 16 << 20
    processes: int = 64


@dataclass(frozen=True)
class Finished:
    """How a closed program ended: `code` as of a process, `output` what it wrote, `errors` the start of its errors."""

    code: int
    output: bytes
    errors: bytes


def is_available() -> bool:
    """Whether programs can be closed in here; found out once, by doing it."""
    return _works()


@functools.cache
def _works() -> bool:
    if shutil.which("bwrap") is None or shutil.which("prlimit") is None:
        return False
    command = [*_box({}, Limits(10, 1 << 30, 0)), sys.executable, "-I", "-S", "-c", ""]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def run(command: Sequence[str], *, files: Mapping[str, Path], limits: Limits, given: bytes = b"") -> Finished:
    """Run `command` with `given` as its input; it sees `files` (path inside: path here), read only, and Python.

    It and all its children are killed when this process ends. Errors: `closed.missing` where nothing can be closed
    in, `closed.time` and `closed.output` over a limit.
    """
    if not is_available():
        raise MadangError(
            "closed.missing",
            _("Programs cannot be closed in on this machine."),
            _("Install the package bubblewrap and allow user namespaces."),
        )
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        process = subprocess.Popen(
            [*_box(files, limits), *command], stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    with process:
        try:
            output, errors = _read(process, limits)
            return Finished(process.wait(), output, errors)
        finally:
            process.kill()  # the first process of the box dies with it, and everything inside with that one


def _read(process: subprocess.Popen[bytes], limits: Limits) -> tuple[bytes, bytes]:
    """Output and errors until both are closed. Output that nobody wants is an error, errors are cut."""
    end = time.monotonic() + limits.seconds
    output, errors = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)  # type: ignore[arg-type]  # it is a pipe
        selector.register(process.stderr, selectors.EVENT_READ, errors)  # type: ignore[arg-type]  # it is a pipe
        while selector.get_map():
            ready = selector.select(max(0.0, end - time.monotonic()))
            if time.monotonic() >= end:
                message = _("It took longer than {seconds} seconds.").format(seconds=f"{limits.seconds:g}")
                raise MadangError("closed.time", message)
            for key, _event in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                key.data.extend(data)
            del errors[_ERRORS:]
            if len(output) > limits.output:
                raise MadangError("closed.output", _("It wrote more than is allowed."))
    return bytes(output), bytes(errors)


def _box(files: Mapping[str, Path], limits: Limits) -> list[str]:
    """The start of a command line that closes in what follows. Limits are set inside, where processes are counted."""
    box = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    box += ["--uid", _NOBODY, "--gid", _NOBODY, "--hostname", "closed", "--dev", "/dev"]
    box += ["--size", str(limits.scratch), "--tmpfs", "/tmp", "--chdir", "/tmp"]  # inside the box
    for path in _environment():
        box += ["--ro-bind-try", path, path]
    for inside, place in files.items():
        box += ["--ro-bind", str(place), inside]
    box += ["--remount-ro", "/", "--", shutil.which("prlimit") or "prlimit", f"--as={limits.memory}", "--core=0"]
    return [*box, f"--nproc={limits.processes}", f"--fsize={limits.scratch}", "--nofile=256", "--"]


def _environment() -> list[str]:
    """The system's libraries, Python, its packages and this one."""
    system = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", shutil.which("prlimit") or ""]
    python = [f"{sys.base_prefix}/bin", f"{sys.base_prefix}/lib", sys.prefix, str(Path(madang.__file__).parent)]
    return [path for path in dict.fromkeys(system + python) if path]
