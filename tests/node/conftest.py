"""Fixtures of the node's tests: an installation on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from madang.node.home import Home
from madang.node.node import Node
from postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A fresh installation, once on each database."""
    monkeypatch.setenv("MADANG_LANG", "en")
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        monkeypatch.setenv("MADANG_DATABASE_URL", server.url(server.fresh()))
    opened = Node.open(Home(tmp_path / "home"))
    yield opened
    opened.close()
