"""R in a notebook: a cell that begins with %%R runs in one R of its own, which keeps what it made from cell to cell.

    %%R person visit_occurrence
    summary(person)

Tables that are named on the first line are handed over as data frames. Pictures are PNG, as those of Python.
`install.packages("NAME")` takes sources from /r-packages (an approved folder) and /brought, with what they need of
there, into /workspace/.r, which stays.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCES = ("/r-packages", "/brought")  # of packages, as NAME_VERSION.tar.gz
LIBRARY = "/workspace/.r"


class R:
    """One R process; `text` is told what it prints, `picture` gets the bytes of each PNG."""

    def __init__(self, text: Callable[[str], None], picture: Callable[[bytes], None]) -> None:
        self.text, self.picture = text, picture
        self.process: subprocess.Popen[str] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="r-"))
        self.offered: list[str] = []

    def run(self, code: str, tables: dict[str, Any]) -> None:
        """Run code, with these pandas frames handed over. Errors: RuntimeError where R is missing, ends, or says so."""
        if shutil.which("R") is None:
            raise RuntimeError("R is not installed on this machine")
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                ["R", "--vanilla", "--no-echo"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, "TMPDIR": "/tmp", "LANG": "C.UTF-8", "R_LIBS": LIBRARY},  # inside the box
            )
            self.offered = []
        given = self._offer()
        for name, frame in tables.items():
            path = self.folder / f"{name}.csv"
            frame.to_csv(path, index=False)
            given.append(f"{_quoted(name)} <- utils::read.csv('{path}', stringsAsFactors = FALSE)")
        cell, mark = self.folder / "cell.R", secrets.token_hex(8)
        cell.write_text(code, encoding="utf-8")
        pictures = self.folder / "picture-%03d.png"
        steps = [*given, f"grDevices::png('{pictures}', width = 700, height = 480)"]
        steps.append(
            f"tryCatch(source('{cell}', print.eval = TRUE, encoding = 'UTF-8'), "
            f"error = function(e) cat('{mark} error', conditionMessage(e), '\\n'), "
            f"interrupt = function(e) cat('{mark} error', 'interrupted', '\\n'))"
        )
        steps += ["while (grDevices::dev.cur() > 1) grDevices::dev.off()", f"cat('{mark} done\\n')"]
        self._tell("\n".join(steps) + "\n")
        try:
            failed = self._hear(mark)
        except KeyboardInterrupt:
            self.process.kill()  # R may be deep in a computation; what it held is lost, which is better than waiting
            self.process = None
            raise
        for path in sorted(self.folder.glob("picture-*.png")):
            self.picture(path.read_bytes())
            path.unlink()
        if failed is not None:
            raise RuntimeError(failed)

    def _offer(self) -> list[str]:
        """What R has to be told so that it finds the packages that are there now; nothing where that is known."""
        found = [path for place in SOURCES for path in sorted(Path(place).glob("**/*.tar.gz"))]
        if [str(path) for path in found] == self.offered:
            return []
        self.offered = [str(path) for path in found]
        shelf = Path(tempfile.mkdtemp(prefix="shelf-", dir=self.folder))
        contrib = shelf / "src" / "contrib"
        contrib.mkdir(parents=True)
        os.makedirs(LIBRARY, exist_ok=True)
        for path in found:
            if not (contrib / path.name).exists():  # the approved one comes first
                (contrib / path.name).symlink_to(path)
        return [
            f".libPaths(c('{LIBRARY}', .libPaths()))",
            f"options(repos = c(approved = 'file://{shelf}'))",
            f"invisible(tools::write_PACKAGES('{contrib}', type = 'source'))",
        ]

    def _tell(self, lines: str) -> None:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(lines)
        self.process.stdin.flush()

    def _hear(self, mark: str) -> str | None:
        """Pass on what R prints until it is done; what went wrong, if something did."""
        assert self.process is not None and self.process.stdout is not None
        failed = None
        for line in self.process.stdout:
            before, found, after = line.partition(mark)
            if before:
                self.text(before)
            if found and after.strip() == "done":
                return failed
            if found:
                failed = after.strip().removeprefix("error").strip()
        self.process = None
        return "R has ended"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "") + "`"
