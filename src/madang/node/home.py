"""The home folder of one installation: `$MADANG_HOME`, by default `~/.local/share/madang`."""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from madang.base.errors import MadangError
from madang.lake.files import make_folder, put_if_absent, sentences
from madang.node.rooms import plans

if TYPE_CHECKING:
    from madang.lake import Lake

KEY_BYTES = 32
_KEY_NAME = re.compile(r"[a-z][a-z0-9-]*")
_FOLDERS = {  # of a home, with their modes; rooms have more
    "keys": 0o700,
    "restricted": 0o700,
    "sources": 0o755,
    "files": 0o700,
    "logs": 0o700,
    "outbox": 0o700,
    "backups": 0o700,
    "workspaces": 0o700,
    "run": 0o700,
}


def folder_modes() -> dict[str, int]:
    """Every folder of a home by its name, those of rooms too, with its mode."""
    return _FOLDERS | {name: mode for plan in plans() for name, mode in plan.folders.items()}


@dataclass(frozen=True)
class Home:
    """The folders of one installation. Nothing is made before it is needed."""

    path: Path

    @classmethod
    def find(cls) -> Self:
        """The home that the environment names: MADANG_HOME, otherwise `~/.local/share/madang`."""
        named = os.environ.get("MADANG_HOME")
        if named:
            return cls(Path(named).expanduser().absolute())
        return cls(Path.home() / ".local" / "share" / "madang")

    def lake(self) -> "Lake":
        """The lake of this home, with its restricted companions; its folders are made by the first writer."""
        from madang.lake import Lake

        restricted = self.path / "restricted"
        self._check_closed(restricted)
        return Lake(self.path / "lake", restricted)

    def sources(self) -> Path:
        """Where raw data that Madang makes itself (the synthetic demo) are put."""
        return self.folder("sources")

    def key(self, name: str) -> bytes:
        """The secret key of that name: 32 random bytes, made at first use, readable by the owner alone.

        A key is never replaced: what was made with it could not be made again. Two processes that ask at once get the
        same key.
        """
        if not _KEY_NAME.fullmatch(name):
            raise MadangError("home.key_name", f"{name!r} cannot name a key.", "Use small letters, digits and -.")
        path = self.folder("keys") / f"{name}.key"
        with sentences(f"read or make the key {name!r}"):
            if not path.exists():
                put_if_absent(path, secrets.token_bytes(KEY_BYTES), 0o600)
            key = path.read_bytes()
            open_to_others = path.stat().st_mode & 0o077
        if len(key) != KEY_BYTES:
            raise MadangError(
                "home.key_damaged",
                f"The key {path} has {len(key)} bytes instead of {KEY_BYTES}.",
                "Restore it from a backup; a new key would make other pseudonyms.",
            )
        if open_to_others:
            raise MadangError(
                "home.key_open", f"Others on this machine may read the key {path}.", f"Run `chmod 600 {path}`."
            )
        return key

    def folder(self, name: str) -> Path:
        """A folder of this home (`files`, `logs`, `outbox`, ...), made if needed; closed to others where it must be."""
        path, mode = self.path / name, folder_modes()[name]
        with sentences(f"make the folder {path}"):
            try:
                make_folder(path, mode)
            except (FileExistsError, NotADirectoryError):
                raise MadangError("home.not_a_folder", f"{path} cannot be a folder: a file is in the way.") from None
        if mode == 0o700:
            self._check_closed(path)
        return path

    def _check_closed(self, path: Path) -> None:
        """Refuse to work with secrets in a folder that others may look into."""
        with sentences(f"look at the folder {path}"):
            if path.exists() and path.stat().st_mode & 0o077:
                raise MadangError(
                    "home.folder_open", f"Others on this machine may look into {path}.", f"Run `chmod 700 {path}`."
                )
