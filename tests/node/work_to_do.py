"""Jobs for the tests of jobs; child processes import them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.jobs import Work, job
from madang.node.people import Organization


@job
def found(work: Work, *, name: str, die_in: str = "", hold: str = "") -> None:
    """Found an organization; die on the way as long as there is a file that says so, wait while another is there."""
    if hold:
        Path(hold).with_suffix(".begun").write_text(str(os.getpid()))
        while Path(hold).exists():
            work.check()
            time.sleep(0.02)
    if die_in and Path(die_in).exists():
        Path(die_in).unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    with work.finish({"name": name, "as": work.actor.reference}) as session:
        session.add(Organization(name=name, title=name))


@job
def chatter(work: Work, *, lines: int) -> dict[str, Any]:
    """Say things, some of them by another program."""
    with work.step("talking", lines) as progress:
        for number in range(lines):
            print("line", number)
            progress.advance()
    subprocess.run([sys.executable, "-c", "print('from a \\0 child')"], check=True)
    return {"lines": lines}


@job
def fail(work: Work, *, how: str) -> None:
    """Fail in one of several ways."""
    if how == "refused":
        raise MadangError("sample.refused", "This cannot be done.", "Do something else.")
    if how == "busy":
        raise MadangError("database.busy", "Busy.")
    raise ZeroDivisionError("by zero")


@job
def deaf(work: Work, *, begun: str) -> None:
    """Hear nothing."""
    Path(begun).touch()
    time.sleep(60)


def not_a_job(work: Work) -> None:
    """Nobody said that this is a job."""
    raise AssertionError


@job
def speak(work: Work) -> None:
    """Say something in a text of ours and something else, and fail in two more."""
    said = _("There is no job {number}.").format(number=7)
    with work.step(said), work.step("a file that we did not name"):
        raise MadangError("work.none", said, _("Ask who runs this installation."))
