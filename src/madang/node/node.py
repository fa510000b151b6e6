"""One installation, opened: its home, settings, database and audit."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy.orm import Session

from madang.lake.files import make_folder, sentences
from madang.node.audit import Audit
from madang.node.database import Database, sqlite_url
from madang.node.editions import Answers
from madang.node.home import Home
from madang.node.people.actor import add_house
from madang.node.people.models import HOUSE, Organization
from madang.node.settings import Settings, load_settings
from madang.node.upgrade import upgrade


@dataclass
class Node:
    """What every function of a room gets first. Safe to use from several threads."""

    home: Home
    settings: Settings
    database: Database
    audit: Audit = field(init=False)
    answers: Answers = field(init=False, default_factory=Answers)

    def __post_init__(self) -> None:
        self.audit = Audit(self.home, self.database)

    @classmethod
    def open(cls, home: Home | None = None) -> Self:
        """Open the installation in `home` (by default the one that the environment names).

        Makes or upgrades its database where that is needed.
        """
        home = home or Home.find()
        settings = load_settings(home.path)
        database = open_database(home, settings)
        node = cls(home, settings, database)
        try:
            upgrade(home, database)
            with node.read() as session:
                is_new = session.get(Organization, HOUSE) is None
            if is_new:
                with node.write() as session:
                    add_house(session, settings.title)
        except BaseException:
            database.close()
            raise
        return node

    def read(self) -> AbstractContextManager[Session]:
        """A short transaction that changes nothing; see `Database.read`."""
        return self.database.read()

    def write(self) -> AbstractContextManager[Session]:
        """A short transaction whose changes and audit events commit together; see `Database.write`."""
        return self.database.write()

    def close(self) -> None:
        """Give its connections back."""
        self.database.close()


@contextmanager
def opened(home: Home | None = None) -> Iterator[Node]:
    """An installation for the length of a block."""
    node = Node.open(home)
    try:
        yield node
    finally:
        node.close()


def open_database(home: Home, settings: Settings) -> Database:
    """The database that the settings name, as it is: not upgraded. A SQLite file is made, for its owner alone."""
    url = settings.database_url.get_secret_value()
    if url:
        return Database(url)
    path = home.path / "node.db"
    with sentences(f"make the database {path}"):
        make_folder(home.path, 0o755)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # its companions -wal and -shm get the same mode
    return Database(sqlite_url(path))
