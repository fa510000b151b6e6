"""Output off a terminal: plain, aligned whatever the script of the text, sparse progress."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import madang.base.console
from madang.base.console import ProgressBars, show_table
from madang.base.errors import Cancelled


def printed(capsys: pytest.CaptureFixture[str], columns: list[str], rows: list[list[object]]) -> list[str]:
    show_table("Title", columns, rows)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    return out.splitlines()


def test_korean_and_latin_rows_end_in_the_same_column(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, ["테이블", "rows"], [["진단 기록", 12], ["drug_exposure", 3_456_789]])
    ends = {cell_len(line.rstrip()) for line in lines if line.rstrip().endswith(("12", "789", "rows"))}
    assert len(ends) == 1


def test_values_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    row = printed(capsys, list("abcde"), [["[bold]x[/bold]", None, True, 0.25, "x" * 300]])[-2]
    assert "[bold]x[/bold]" in row
    assert "true" in row
    assert "0.25" in row
    assert "x" * 300 in row


def test_progress_off_a_terminal_is_one_line_per_longer_step(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with ProgressBars() as progress, progress.step("short"):
        pass
    assert stream.getvalue() == ""
    monkeypatch.setattr(madang.base.console, "WORTH_A_LINE", 0.0)
    with ProgressBars() as progress, progress.step("reading", 1000, "rows"):
        for _ in range(10):
            progress.advance(100)
        with progress.step("inner"):
            pass
    inner, outer = stream.getvalue().splitlines()
    assert inner.startswith("  inner: ")
    assert outer.startswith("reading: 1,000 rows, ")


@given(before=st.lists(st.integers(0, 10**9), max_size=20))
def test_cancelled_work_stops_at_the_next_advance(before: list[int]) -> None:
    progress = ProgressBars()
    with progress.step("work"):
        for amount in before:
            progress.advance(amount)
        progress.cancel()
        with pytest.raises(Cancelled):
            progress.advance()
    with pytest.raises(Cancelled), progress.step("more"):
        pytest.fail("a step was opened after the work was stopped")
