"""Fixtures of the node's tests: an installation on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from madang.node.node import Node
from templates import templates


def empty(node: Node) -> None:
    """A fresh installation with nobody in it."""


@pytest.fixture(params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A fresh installation, once on each database."""
    monkeypatch.setenv("MADANG_LANG", "en")
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    opened = templates().copied(empty, tmp_path / "home", server, monkeypatch)
    yield opened
    opened.close()
