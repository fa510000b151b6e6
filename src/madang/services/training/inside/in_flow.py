"""The process beside an answer that is a workflow: Snakemake, read ahead, makes what the workflow says in a new folder.

Each case is a process of its own, and whatever it leaves running is ended before the next one. Nothing here is to be
trusted, nor has to be, as in `learner`. It stands alone, since it is run by its path in the environment of engines.
"""

import contextlib
import importlib
import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_cli: Any = importlib.import_module("snakemake.cli")  # ahead, while the box waits: most of a small workflow's time
_PLACE, _LOG = Path("/tmp/case"), Path("/tmp/log")  # inside the box
_MOST, _LARGEST = 200, 1 << 20  # files that are told, bytes of all of them
_ENGINE = ["--cores", "1", "--nolock", "--scheduler", "greedy", "--force-use-threads", "--latency-wait", "0"]
_ENGINE += ["--nocolor", "--quiet", "rules", "progress", "host", "reason"]
_SAYS_NOTHING = re.compile(
    r"Assuming unrestricted|Building DAG|Using shell|Select jobs|Execute \d|Complete log|Elapsed time|Shutting down|"
    r"Exiting because|At least one job did not|RuleException:$|WorkflowError:$|"
    r"Traceback|Waiting at most|Removing output files|\[\w+ \w+ +\d+ "
)
_EARLIER = 100_000  # seconds ago, the first file of a case; each after it is ten seconds newer


class InFlow:
    """Snakemake, which waits for a workflow."""

    def __init__(self, encode: Callable[[Any], Any]) -> None:
        self.encode = encode

    def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Make what the first rule of `source` asks for beside `files` (path: text, the older first)."""
        shutil.rmtree(_PLACE, ignore_errors=True)
        _put(asked["files"])
        (_PLACE / "Snakefile").write_text(asked["source"], encoding="utf-8")
        code = _made()
        if code != 0:
            text, line = said_of(_LOG.read_text("utf-8", "replace"))
            return {"raised": ["Workflow"], "text": text, "line": line}
        return {"value": self.encode(_files())}


def _put(files: dict[str, str]) -> None:
    now = time.time() - _EARLIER
    for number, (name, text) in enumerate(files.items()):
        path = _PLACE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (now + 10 * number, now + 10 * number))


def _made() -> int:
    """Run Snakemake in a child; its exit code."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.chdir(_PLACE)
            log = os.open(_LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(2, 1)  # what rules print is what the answer prints
            os.dup2(log, 2)
            os.closerange(3, 256)
            _cli.main(_ENGINE)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        finally:
            os._exit(code)
    _number, status = os.waitpid(child, 0)
    if os.uname().nodename == "closed":  # the name of a box: elsewhere the next line would end everything
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all that is left in the box but this process and the first one
    return os.waitstatus_to_exitcode(status)


def _files() -> dict[str, str | None]:
    """The plain files that are there, those that were given among them; None for what is no text."""
    found: dict[str, str | None] = {}
    left = _LARGEST
    for place, folders, names in os.walk(_PLACE):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            told = path.relative_to(_PLACE).as_posix()
            status = path.lstat()
            if told == "Snakefile" or not stat.S_ISREG(status.st_mode):
                continue
            left -= status.st_size
            if left < 0 or len(found) == _MOST:
                return found
            try:
                found[told] = path.read_text("utf-8")
            except UnicodeDecodeError:
                found[told] = None
    return found


def said_of(log: str) -> tuple[str, int]:
    """What Snakemake and the tools said that helps, and the line of the workflow (0: none is named)."""
    lines = [line.strip() for line in log.splitlines()]
    found = re.search(rf'File "{_PLACE}/Snakefile", line (\d+)|Snakefile", line (\d+)', log)
    number = int(found[1] or found[2]) if found else 0
    wrong = [line for line in lines if line.startswith(("SyntaxError:", "IndentationError:"))]
    if wrong:
        return wrong[-1][:400], number
    kept = [line for line in lines if line and not _SAYS_NOTHING.match(line) and not line.startswith('File "/')]
    return " ".join(kept).replace(f"{_PLACE}/", "")[:400], number
