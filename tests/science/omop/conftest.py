import warnings
from collections.abc import Iterator

import pytest
from postgres import Postgres, binaries, running

from madang.lake.engine import Engine


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL; where none is installed the test is skipped, loudly."""
    programs = binaries()
    if programs is None:
        warnings.warn("NO POSTGRESQL HERE: its scripts are not tested on this machine.", stacklevel=1)
        pytest.skip("PostgreSQL is not installed")
    with running(programs) as server:
        yield server


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine for a file of tests, which make and drop their own tables."""
    with Engine(memory_limit="1GB", threads=1) as engine:
        yield engine
