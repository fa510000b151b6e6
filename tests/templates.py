"""Installations that are made once in each process of a test run, and copied for each test.

Making one runs every migration; a copy of the finished folder (and, on PostgreSQL, of the finished database by the
server's own templates) takes a twentieth of it. Copies share their keys: a test that needs two installations which are
strangers to each other opens the second one itself.
"""

import functools
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from madang.node.home import Home
from madang.node.node import Node
from postgres import Postgres

DATABASE = "MADANG_DATABASE_URL"


class Templates:
    """The finished installations of this process, by who made them and on which database."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="madang-templates-"))
        self.made: dict[tuple[Callable[[Node], None], Postgres | None], tuple[Path, str | None]] = {}
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def copied(
        self, fill: Callable[[Node], None], at: Path, server: Postgres | None, monkeypatch: pytest.MonkeyPatch
    ) -> Node:
        """An installation at `at` as `fill` leaves a fresh one, on SQLite or on a database of the server."""
        if (fill, server) not in self.made:
            self.made[fill, server] = self._make(fill, server, monkeypatch)
        home, database = self.made[fill, server]
        shutil.copytree(home, at)
        if server is not None:
            monkeypatch.setenv(DATABASE, server.url(server.fresh(database or "template0")))
        return Node.open(Home(at))

    def _make(
        self, fill: Callable[[Node], None], server: Postgres | None, monkeypatch: pytest.MonkeyPatch
    ) -> tuple[Path, str | None]:
        home = self.folder / str(len(self.made))
        database = server.fresh() if server is not None else None
        with monkeypatch.context() as patch:
            if server is not None and database is not None:
                patch.setenv(DATABASE, server.url(database))
            node = Node.open(Home(home))
            try:
                fill(node)
            finally:
                node.close()
        return home, database


@functools.cache
def templates() -> Templates:
    """Those of this process."""
    return Templates()
