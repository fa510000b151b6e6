"""Drafts the next revision; called by script/migration."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import Script

from madang.node import models, rooms
from madang.node.database import Database, sqlite_url
from madang.node.home import Home
from madang.node.upgrade import MIGRATIONS, configuration, revisions, upgrade


def main(room: str, message: str) -> None:
    """Compare the models with a database that all revisions made, and write the difference."""
    name = f"{room}_{re.sub(r'[^a-z0-9]+', '_', message.lower()).strip('_')}"
    rooms.load_models()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(sqlite_url(Path(folder) / "node.db"))
        if revisions():
            upgrade(Home(Path(folder)), database)
        with database.engine.begin() as connection:
            config = configuration(connection, models.Base.metadata)
            config.set_main_option("file_template", "%%(rev)s")
            script = command.revision(config, message, autogenerate=True, rev_id=name)
        database.close()
    assert isinstance(script, Script), "one revision was asked for"
    path = Path(script.path)
    subprocess.run(
        [Path(sys.executable).parent / "ruff", "check", "--fix", "-q", "--ignore", "E501", path], check=False
    )
    subprocess.run([Path(sys.executable).parent / "ruff", "format", "-q", path], check=False)
    print(path.relative_to(MIGRATIONS.parents[3]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit('script/migration ROOM "what changes"')
    main(sys.argv[1], sys.argv[2])
