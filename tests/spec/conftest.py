"""`example`: what a specification test shows and proves."""

from pathlib import Path

import pytest

from examples import Example


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)
