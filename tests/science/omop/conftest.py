from collections.abc import Iterator

import pytest
from postgres import Postgres, binaries, running

from madang.lake.engine import Engine
from support import needs


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL; where none is installed the test is skipped, which the run says at its end."""
    with running(binaries() or needs("initdb").parent) as server:
        yield server


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine for a file of tests, which make and drop their own tables."""
    with Engine(memory_limit="1GB", threads=1) as engine:
        yield engine
