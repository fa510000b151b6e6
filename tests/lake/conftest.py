import os
from pathlib import Path

import pytest
from lakes import new_lake

from madang.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncing matters when the power fails, which no test does; test_lake_disk asks that it is done, and in order."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
