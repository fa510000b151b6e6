"""Programs of others, run as processes: pipes between them, what they said where one fails, which version each is."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _

NEEDED = ("bwa", "samtools", "bcftools", "fastp")


def check_tools() -> None:
    """Errors: `sequencing.tools` where one of the programs is not installed."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        raise MadangError(
            "sequencing.tools",
            _("These programs are not installed: {names}.").format(names=", ".join(missing)),
            f"apt install {' '.join(missing)}",
        )


def versions() -> dict[str, str]:
    """The version of each program."""
    found = {}
    for name in NEEDED:
        asked = [name] if name == "bwa" else [name, "--version"]
        told = subprocess.run(asked, capture_output=True, check=False, text=True, errors="replace")
        match = re.search(r"\d+\.\d+[\w.+-]*", told.stdout + told.stderr)
        found[name] = match[0] if match else "?"
    return found


def run(*commands: Sequence[str], log: Path, output: Path | None = None) -> str:
    """Run commands, each reading what the one before writes; what the last one writes, unless `output` takes it.

    Errors: `sequencing.failed` with the end of what was said, where one fails.
    """
    running: list[subprocess.Popen[bytes]] = []
    with log.open("ab") as errors:
        begun = errors.tell()
        for place, command in enumerate(commands):
            last = place == len(commands) - 1
            out = output.open("wb") if last and output is not None else None
            try:
                process = subprocess.Popen(
                    list(command),
                    stdin=running[-1].stdout if running else subprocess.DEVNULL,
                    stdout=out or subprocess.PIPE,
                    stderr=errors,
                )
            finally:
                if out is not None:
                    out.close()
            if running:
                running[-1].stdout.close()  # type: ignore[union-attr]  # it is a pipe; who reads it has it now
            running.append(process)
        told = b"" if output is not None else running[-1].stdout.read()  # type: ignore[union-attr]  # it is a pipe
        codes = [process.wait() for process in running]
    failed = [command[0] for command, code in zip(commands, codes, strict=True) if code != 0]
    if failed:
        with log.open("rb") as file:
            file.seek(begun)
            said = file.read()[-2_000:].decode("utf-8", "replace").strip()
        lines = [line for line in said.splitlines() if line.strip()]
        raise MadangError(
            "sequencing.failed", _("{program} failed.").format(program=failed[0]), " / ".join(lines[-3:])[:500]
        )
    return told.decode("utf-8", "replace")
