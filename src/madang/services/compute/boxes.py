"""The commands of a task, one after the other, each in a closed box; on this machine, and on a cluster's nodes.

While they run, `use.json` beside what they print says what they use.
"""

import contextlib
import json
import os
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import closed
from madang.services.compute.definition import TOOLS, Definition, Executor

USE = "use.json"
LARGEST_LOG = 8_000_000  # bytes of each stream that are kept; a task that prints on is drained
_TICKS = os.sysconf("SC_CLK_TCK")
_POINTS = 400  # of the course of what it uses
_OURS = ("madang", TOOLS)  # images in which `python` is that of the environment
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")  # beside those of each
_STAND_IN = 2_100_000_000


@dataclass(frozen=True)
class Limits:
    """What a task may use; `gpus` are the files of devices that it is given."""

    cores: int
    memory: int
    disk: int
    seconds: int
    gpus: tuple[str, ...] = ()


@dataclass
class Ran:
    """What came of the commands: the logs of each as TES has them, the code of the last, what was used."""

    logs: list[dict[str, Any]] = field(default_factory=list)
    code: int | None = None
    reason: str = ""  # why it was ended, over a limit
    canceled: bool = False
    lost: bool = False  # who ran it is gone
    cpu: float = 0.0
    peak: int = 0
    use: list[tuple[float, float, int]] = field(default_factory=list)  # seconds, cores in use, bytes of memory


def run(
    definition: Definition,
    limits: Limits,
    environments: Sequence[str],
    read: dict[str, Path],
    write: dict[str, Path],
    folder: Path,
    stop: threading.Event,
    user: int = _STAND_IN,
) -> Ran:
    """Run every command; one that fails ends the task unless its error is to be ignored.

    `environments` are what stands for the image of each (see `environment_of`); what they print is put into `folder`.
    """
    ran, begun = Ran(), time.monotonic()
    for place, executor in enumerate(definition.executors):
        left = limits.seconds - (time.monotonic() - begun)
        if left <= 0:
            ran.reason = _("It took longer than {seconds} seconds.").format(seconds=limits.seconds)
            break
        start = datetime.now(UTC)
        box = _box(executor, environments[place], limits, left, read, write, user)
        command = [box.python if each == "python" and executor.image in _OURS else each for each in executor.command]
        out, err = folder / f"{place}.out", folder / f"{place}.err"
        try:
            code = _one(box, _redirected(executor, command), (out, err), stop, ran, begun)
        except MadangError as error:
            code, ran.reason = None, error.message
        ran.code = code
        log = {
            "start_time": _text(start),
            "end_time": _text(datetime.now(UTC)),
            "exit_code": -1 if code is None else code,
        }
        ran.logs.append(log)
        if stop.is_set():
            ran.canceled = True
            break
        if ran.reason or (code != 0 and not executor.ignore_error):
            break
        if place + 1 < len(definition.executors):
            ran.code = 0 if executor.ignore_error else code
    if ran.logs and ran.code and not ran.reason and definition.executors[len(ran.logs) - 1].ignore_error:
        ran.code = 0
    return ran


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _box(
    executor: Executor,
    environment: str,
    limits: Limits,
    seconds: float,
    read: dict[str, Path],
    write: dict[str, Path],
    user: int,
) -> closed.Box:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_MAX_THREADS"), str(limits.cores))
    where = executor.workdir or "/task"
    return closed.Box(
        closed.Limits(
            seconds=seconds,
            memory=limits.memory,
            disk=limits.disk,
            processes=64 + 32 * limits.cores,
            scratch=min(256 << 20, limits.memory // 4),
            open_files=4096,
        ),
        read=read,
        write=write,
        environment_folder=None if environment == "system" else Path(environment),
        variables=threads | {"MADANG_CORES": str(limits.cores)} | (executor.env or {}),
        programs=True,
        proc=environment != "system" or bool(limits.gpus),
        devices=(*limits.gpus, *_GPU_DEVICES) if limits.gpus else (),
        folder=where,
        name="task",
        user=user,
    )


def _redirected(executor: Executor, command: list[str]) -> list[str]:
    """The command with its streams to and from files inside, by a shell inside: no path of theirs is opened here."""
    parts = [("<", executor.stdin), (">", executor.stdout), ("2>", executor.stderr)]
    told = " ".join(f"{sign} {shlex.quote(path)}" for sign, path in parts if path)
    return ["/bin/sh", "-c", f'exec "$@" {told}', "task", *command] if told else command


def _one(
    box: closed.Box, command: list[str], streams: tuple[Path, Path], stop: threading.Event, ran: Ran, begun: float
) -> int | None:
    """Run one command; its code, None where it was ended. Errors: those of boxes."""
    running = box.start(command)
    running.stdin.close()
    readers = [
        threading.Thread(target=_drain, args=(source, path), daemon=True)
        for source, path in zip((running.stdout, running.stderr), streams, strict=True)
    ]
    for reader in readers:
        reader.start()
    looked, cpu = time.monotonic(), 0.0
    base = ran.cpu
    while not running.wait(0.2):
        if stop.is_set():
            running.stop()
        at, memory, used = time.monotonic(), running.use.memory, _cpu(running.pid)
        if at - looked >= 1.0:
            _note(ran, at - begun, max(0.0, used - cpu) / (at - looked), memory)
            _show(ran, streams[0].with_name(USE))
            looked, cpu = at, used
        ran.cpu, ran.peak = max(ran.cpu, base + used), max(ran.peak, memory)
    for reader in readers:
        reader.join(5)
    if running.error is not None and not stop.is_set():
        raise running.error
    return running.code


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process and all below it, those that are over and were waited for included."""
    total, waiting = 0, [pid]
    while waiting:
        current = waiting.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = Path(f"/proc/{current}/stat").read_text(errors="replace").rpartition(")")[2].split()
            total += sum(int(word) for word in words[11:15])
            for task in os.listdir(f"/proc/{current}/task"):
                waiting += map(int, Path(f"/proc/{current}/task/{task}/children").read_text().split())
    return total / _TICKS


def _note(ran: Ran, at: float, cores: float, memory: int) -> None:
    ran.use.append((round(at, 1), round(cores, 2), memory))
    if len(ran.use) > _POINTS:
        del ran.use[::2]


def _show(ran: Ran, path: Path) -> None:
    """Let others see the course so far; a full disk is no reason to end a task."""
    with contextlib.suppress(OSError):
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(ran.use), "utf-8")
        partial.replace(path)


def _drain(source: IO[bytes], path: Path, most: int = LARGEST_LOG) -> None:
    """Keep the start of what comes, and read on, so that nobody waits for us."""
    kept: Callable[[bytes], Any]
    with source, open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0) as file:
        kept, size = file.write, 0
        while block := source.read(1 << 16):
            if size < most:
                kept(block[: most - size])
                size += len(block)
                if size >= most:
                    kept(b"\n[cut]\n")
