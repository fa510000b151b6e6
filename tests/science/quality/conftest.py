"""Fixtures of the tests of quality."""

from pathlib import Path

import pytest

from madang.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", tmp_path / "restricted")
