"""What was said, as files: each certificate with its report and its sheet, and what is handed out to verifiers.

```
certificates/NNNNN/certificate.jwt   the certificate, exactly its bytes
certificates/NNNNN/report.json       the canonical JSON whose SHA-256 it names
certificates/NNNNN/sheet.html        the sheet with the QR code, for people
certificates/status.jwt              the status list: a projection of the register, signed anew when it gets old
certificates/issuer.jwk              the public keys as a JWK Set, newest first: a copy of what is in keys/
certificates/history.json            of a home from before the register was in the database; see `adopting`
```

A folder appears whole, by one rename. What became of a certificate since stands in the register (`models`), which
names the SHA-256 of its bytes, so that nothing has to be verified again to be read.
"""

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import PARTIAL, locked, sentences, sync_folder, write_partial
from madang.node import signing
from madang.node.home import Home
from madang.services.certification.credential import TYP, Certificate, number, read_credential

CERTIFICATE, REPORT, SHEET = "certificate.jwt", "report.json", "sheet.html"
HISTORY, STATUS, KEYS, LOCK = "history.json", "status.jwt", "issuer.jwk", "lock"


@dataclass(frozen=True)
class Store:
    """The files of the certificates of one installation."""

    home: Home

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.home.path / "certificates"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let nobody else issue or sign a list meanwhile; what a killed process left behind is removed."""
        folder = self.home.folder("certificates")
        with locked(folder / LOCK, exclusive=True, patience=30.0, busy=busy()):
            for left in folder.glob(f"*{PARTIAL}"):
                with contextlib.suppress(OSError):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield

    def numbers(self) -> list[str]:
        """The numbers of the certificates whose files are here, in order."""
        with sentences("list the certificates"):
            names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        return [name for name in names if len(name) == 5 and name.isascii() and name.isdigit()]

    def put(self, place: int, files: Mapping[str, bytes]) -> Path:
        """Keep a new certificate with its files, whole or not at all."""
        target = self.folder / number(place)
        with sentences("keep the certificate"):
            partial = self.folder / f"{uuid.uuid4().hex}{PARTIAL}"
            partial.mkdir(0o755)
            for name, data in files.items():
                os.rename(write_partial(partial, data, 0o444), partial / name)
            sync_folder(partial)
            os.rename(partial, target)
            sync_folder(self.folder)
        return target

    def drop(self, name: str) -> None:
        """Take the files of a certificate that came to nothing away, all at once."""
        with sentences("take the certificate away"), contextlib.suppress(FileNotFoundError):
            gone = self.folder / f"{uuid.uuid4().hex}{PARTIAL}"
            os.rename(self.folder / name, gone)
            shutil.rmtree(gone)

    def read(self, name: str) -> tuple[Certificate, str]:
        """A certificate, verified with the keys of this home, and its text. Errors: `certificate.damaged`."""
        path = self.folder / name / CERTIFICATE
        try:
            text = path.read_bytes().decode("ascii")
            certificate = read_credential(signing.read_signed(text, signing.public_keys(self.home), TYP))
        except (OSError, ValueError, signing.NotBelieved):
            raise damaged(path) from None
        if certificate.number != name:
            raise damaged(path)
        return certificate, text

    def bytes(self, name: str, file: str, sha256: str = "") -> bytes:
        """A file of a certificate, if it has that hash. Errors: `certificate.damaged`."""
        path = self.folder / name / file
        try:
            data = path.read_bytes()
        except OSError:
            raise damaged(path) from None
        if sha256 and hashlib.sha256(data).hexdigest() != sha256:
            raise damaged(path)
        return data

    @property
    def url(self) -> str:
        """The URI of the status list."""
        return f"{signing.issuer(self.home)}/1"


def busy() -> MadangError:
    """The sentence for whoever has to wait."""
    return MadangError(
        "certificate.busy", _("Another process is working on the certificates."), _("Try again in a moment.")
    )


def damaged(path: Path) -> MadangError:
    """The sentence about a file that is not there, or not what it was."""
    return MadangError(
        "certificate.damaged",
        _("{file} is damaged.").format(file=path),
        _("Restore the folder of certificates, and that of keys, from a backup."),
    )
