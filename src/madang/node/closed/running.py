"""A box at work: its pipes, who watches it, how it ends."""

import contextlib
import json
import os
import select
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.closed import cgroup
from madang.node.closed.filter import program
from madang.node.closed.watch import Use, Watch

if TYPE_CHECKING:
    from madang.node.closed.box import Box

__all__ = ["Finished", "Running", "Use", "run"]

_ERRORS = 64 << 10  # bytes of standard error that are kept
_TICK = 0.1  # seconds between two looks at what a box uses
_FIRST = 0.01  # and until the first


@dataclass(frozen=True)
class Finished:
    """How a closed program ended: `code` as of a process, `output` what it wrote, `errors` the start of its errors."""

    code: int
    output: bytes
    errors: bytes


@contextlib.contextmanager
def _made(box: "Box", command: list[str], source: IO[bytes] | int) -> Iterator[tuple[subprocess.Popen[bytes], Watch]]:
    """The process of a box and who watches it; both are gone after this, and so is all inside the box."""
    # What lies in /tmp and /dev/shm counts as memory of a group.
    group = cgroup.create(box.limits.memory + 2 * box.limits.scratch, box.limits.processes)
    start, options, run = box.lines(command, group)
    reading, writing = os.pipe()  # where bubblewrap says which process is the first inside
    os.set_blocking(reading, False)
    given = [writing, _given(program())]
    try:
        options = ["--info-fd", str(writing), "--seccomp", str(given[1]), *options]
        given.append(_given("".join(f"{option}\0" for option in options).encode()))
        process = subprocess.Popen(
            [*start, "--args", str(given[2]), "--", *run],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=given,
            bufsize=0,
            env={},  # bubblewrap itself can be looked at from inside
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        for descriptor in given:
            os.close(descriptor)
    try:
        yield process, Watch(process.pid, box.limits, tuple(box.write.values()), group)
    finally:
        process.kill()  # the first process of the box dies with it, and everything inside with that one
        process.wait()
        _wait_for_inside(reading)
        os.close(reading)
        if group is not None:
            _empty(group)


def _given(data: bytes) -> int:
    """A descriptor to read `data` from; whoever takes it closes it."""
    descriptor = os.memfd_create("box")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _wait_for_inside(reading: int) -> None:
    """Wait until nothing inside runs any more: the first process there ends after all others, some moments later."""
    try:
        first = os.pidfd_open(int(json.loads(os.read(reading, 4096))["child-pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return  # there never was one, or it is gone
    try:
        _ready((first,), 5)
    finally:
        os.close(first)


def _ready(descriptors: Sequence[int], seconds: float) -> bool:
    """Wait at most so long until one of them can be read; a process can once it has ended."""
    waiting = select.poll()
    for each in descriptors:
        waiting.register(each, select.POLLIN)
    return bool(waiting.poll(1000 * seconds))


def _empty(group: Path) -> None:
    end = time.monotonic() + 2
    cgroup.remove(group)
    while group.exists() and time.monotonic() < end:  # its processes are being ended by the kernel
        time.sleep(0.01)
        cgroup.remove(group)


def run(box: "Box", command: list[str], given: bytes) -> Finished:
    """Run to the end; see `Box.run`."""
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        with _made(box, command, source) as (process, watch):
            with process.stdout, process.stderr:  # type: ignore[union-attr]  # they are pipes
                output, errors = _read(process, box, watch)
            code = process.wait()
            watch.check(ended=True)
            return Finished(code, output, errors)


def _read(process: subprocess.Popen[bytes], box: "Box", watch: Watch) -> tuple[bytes, bytes]:
    """Output and errors until both are closed. Output that nobody wants is an error, errors are cut."""
    limits = box.limits
    end = None if limits.seconds is None else time.monotonic() + limits.seconds
    output, errors = bytearray(), bytearray()
    looked = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)  # type: ignore[arg-type]  # it is a pipe
        selector.register(process.stderr, selectors.EVENT_READ, errors)  # type: ignore[arg-type]  # it is a pipe
        while selector.get_map():
            now = time.monotonic()
            ready = selector.select(_TICK if end is None else max(0.0, min(_TICK, end - now)))
            now = time.monotonic()
            if end is not None and now >= end:
                message = _("It took longer than {seconds} seconds.").format(seconds=f"{limits.seconds:g}")
                raise MadangError("closed.time", message)
            if now - looked >= _TICK:
                watch.check()
                looked = time.monotonic()
            for key, _event in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                key.data.extend(data)
            del errors[_ERRORS:]
            if len(output) > limits.output:
                raise MadangError("closed.output", _("It wrote more than is allowed."))
    return bytes(output), bytes(errors)


class Running:
    """A box that lives on: `stdin`, `stdout` and `stderr` are its pipes (unbuffered, for whoever asked to serve).

    A thread of its own starts it, watches it and sees it end: a box dies with the thread that started it, and those
    that answer requests come and go.
    """

    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    def __init__(self, box: "Box", command: list[str]) -> None:
        self.box = box
        self.error: MadangError | None = None  # why it was stopped, over a limit
        self.code: int | None = None
        self._started, self._ended = threading.Event(), threading.Event()
        self._stop, self._wish = False, os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # to end, for who watches
        self._lock = threading.Lock()
        self._use = Use(0, 0, 0, 0.0)
        self._failed: BaseException | None = None
        threading.Thread(target=self._live, args=(command,), name="box", daemon=True).start()
        self._started.wait()
        if self._failed is not None:
            raise self._failed

    def _live(self, command: list[str]) -> None:
        try:
            with _made(self.box, command, subprocess.PIPE) as (process, watch):
                assert process.stdin and process.stdout and process.stderr  # they were asked for
                self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
                self.pid = process.pid
                self._started.set()
                self._watch(process, watch)
            self.code = process.returncode
        except BaseException as error:
            self._failed = error
        finally:
            self._started.set()
            self._ended.set()
            with self._lock:
                os.close(self._wish)
                self._wish = -1

    def _watch(self, process: subprocess.Popen[bytes], watch: Watch) -> None:
        seconds = self.box.limits.seconds
        end = None if seconds is None else time.monotonic() + seconds
        tick = _FIRST
        while not self._is_over(process, tick):
            tick = min(_TICK, 1.5 * tick)
            try:
                watch.check()
                self._use = watch.use
                if end is not None and time.monotonic() >= end:
                    message = _("It took longer than {seconds} seconds.").format(seconds=f"{seconds:g}")
                    raise MadangError("closed.time", message)
            except MadangError as error:
                self.error = error
                return
        if not self._stop:
            try:
                watch.check(ended=True)
            except MadangError as error:
                self.error = error

    def _is_over(self, process: subprocess.Popen[bytes], seconds: float) -> bool:
        """Wait at most so long for the end, or for somebody who wishes it; whether it came."""
        end = os.pidfd_open(process.pid)  # it is our child and was not waited for: the number is its own
        try:
            _ready((end, self._wish), seconds)
        finally:
            os.close(end)
        return self._stop or process.poll() is not None

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return not self._ended.is_set()

    @property
    def use(self) -> Use:
        """What it used when it was last looked at."""
        return self._use

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; whether it has ended."""
        return self._ended.wait(seconds)

    def stop(self) -> None:
        """End it, with all that is inside."""
        self._stop = True
        with self._lock:
            if self._wish >= 0:
                os.eventfd_write(self._wish, 1)
        self._ended.wait(10)
