from collections.abc import Iterator

import pytest

from madang.lake.engine import Engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine for a file of tests, which make and drop their own tables."""
    with Engine(memory_limit="1GB", threads=1) as engine:
        yield engine
