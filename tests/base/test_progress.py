"""Stopping: at the next check, or at once where the work says how it can be interrupted."""

import pytest

from madang.base.errors import Cancelled
from madang.base.progress import Silent


def test_cancel_interrupts_only_what_is_open() -> None:
    progress, interrupted = Silent(), []
    with progress.interruptible(lambda: interrupted.append("closed")):
        pass
    with (
        progress.interruptible(lambda: interrupted.append("outer")),
        progress.interruptible(lambda: interrupted.append("inner")),
    ):
        progress.cancel()
    assert interrupted == ["outer", "inner"]


def test_nothing_interruptible_starts_after_a_stop() -> None:
    progress, interrupted = Silent(), []
    progress.cancel()
    with pytest.raises(Cancelled), progress.interruptible(lambda: interrupted.append("called")):
        pytest.fail("work went on after the stop")
    assert interrupted == []
