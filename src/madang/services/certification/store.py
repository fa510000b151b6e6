"""Certificates as files: one folder each, their history, and the signed list of their status.

```
certificates/NNNNN/certificate.jwt   the certificate, exactly its bytes
certificates/NNNNN/report.json       the canonical JSON whose SHA-256 it names
certificates/NNNNN/sheet.html        the sheet with the QR code, for people
certificates/history.json            what was revoked, suspended and reinstated, when and why
certificates/status.jwt              the status list: a projection of the history, signed anew when it gets old
certificates/issuer.jwk              the public keys as a JWK Set, newest first: a copy of what is in keys/
```

A folder appears whole, by one rename: that is the issuing. The history is the truth about what came after.
"""

import contextlib
import datetime
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import PARTIAL, locked, put_instead, sentences, sync_folder, write_partial
from madang.node import signing
from madang.node.home import Home
from madang.services.certification import status_list, times
from madang.services.certification.credential import TYP, Certificate, number, read_credential

CERTIFICATE, REPORT, SHEET = "certificate.jwt", "report.json", "sheet.html"
HISTORY, STATUS, KEYS, LOCK = "history.json", "status.jwt", "issuer.jwk", "lock"
ACTS = {"revoke": "revoked", "suspend": "suspended", "reinstate": "issued"}


@dataclass(frozen=True)
class Entry:
    """One certificate of the register: what it says, where it is, and `state`: issued, suspended or revoked."""

    certificate: Certificate
    text: str
    folder: Path
    state: str
    since: str
    reason: str


class Store:
    """The certificates of one installation."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.path / "certificates"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let nobody else issue or change a status meanwhile; what a killed process left behind is removed."""
        folder = self.home.folder("certificates")
        busy = MadangError(
            "certificate.busy", _("Another process is working on the certificates."), _("Try again in a moment.")
        )
        with locked(folder / LOCK, exclusive=True, patience=30.0, busy=busy):
            for left in folder.glob(f"*{PARTIAL}"):
                with contextlib.suppress(OSError):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield

    def entries(self) -> list[Entry]:
        """All certificates, by number. Errors: `certificate.damaged`."""
        history = self._history()
        with sentences("list the certificates"):
            names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        return [self._entry(name, history) for name in names if len(name) == 5 and name.isdigit()]

    def entry(self, wanted: str) -> Entry:
        """The certificate with that number; leading zeros may be left out. Errors: `certificate.unknown`."""
        name = wanted.zfill(5)
        if not (name.isascii() and name.isdigit() and (self.folder / name).is_dir()):
            raise MadangError(
                "certificate.unknown",
                _("There is no certificate {number} here.").format(number=wanted),
                _("`madang certificate list` shows their numbers."),
            )
        return self._entry(name, self._history())

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

    def record(self, name: str, act: str, reason: str) -> None:
        """Write down what is done to a certificate, then sign the list anew."""
        history = self._history()
        event = {"act": act, "at": times.iso(times.now()), "reason": reason}
        history.setdefault(name, []).append(event)
        with sentences("write the history of certificates"):
            put_instead(self.folder / HISTORY, canonical_json(history), 0o644)
        self.refresh()

    def refresh(self) -> str:
        """The signed status list, as it has to be now: signed anew if it differs from the history or gets old."""
        path = self.folder / STATUS
        bits = set()
        for name, events in self._history().items():
            state = ACTS[events[-1]["act"]]
            if state != "issued":
                bits.add(2 * int(name) + (state == "suspended"))
        signer, issuer = signing.signer(self.home), signing.issuer(self.home)
        keys = canonical_json({"keys": signing.public_keys(self.home)})
        handed_out = self.folder / KEYS
        if not handed_out.is_file() or handed_out.read_bytes() != keys:
            with sentences("write the public keys"):
                put_instead(handed_out, keys, 0o644)
        now = times.now()
        with contextlib.suppress(OSError, UnicodeError, ValueError, KeyError, TypeError, signing.NotBelieved):
            kept = path.read_bytes().decode("ascii")
            document = signing.read_signed(kept, [signer.public], TYP)
            age = now - times.parse(document["validFrom"])
            fresh = datetime.timedelta(0) <= age < datetime.timedelta(days=status_list.DAYS / 2)
            if fresh and document["credentialSubject"]["encodedList"] == status_list.encode(bits):
                return kept
        text = signer.sign(status_list.make_list(issuer, self.url, bits, now), TYP, "vc")
        with sentences("write the status list"):
            put_instead(path, text.encode(), 0o644)
        return text

    @property
    def url(self) -> str:
        """The URI of the status list."""
        return f"{signing.issuer(self.home)}/1"

    def _history(self) -> dict[str, list[dict[str, str]]]:
        path = self.folder / HISTORY
        try:
            history: dict[str, list[dict[str, str]]] = json.loads(path.read_bytes())
            for name, events in history.items():
                if not name.isdigit() or events[-1]["act"] not in ACTS:
                    raise ValueError(name)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, LookupError, TypeError):
            raise _damaged(path) from None
        return history

    def _entry(self, name: str, history: Mapping[str, list[dict[str, str]]]) -> Entry:
        path = self.folder / name / CERTIFICATE
        try:
            text = path.read_bytes().decode("ascii")
            payload = signing.read_signed(text, signing.public_keys(self.home), TYP)
            certificate = read_credential(payload)
        except (OSError, ValueError, signing.NotBelieved):
            raise _damaged(path) from None
        last: Mapping[str, Any] = history.get(name, [{}])[-1]
        state = ACTS[last["act"]] if last else "issued"
        since = str(last.get("at", times.iso(certificate.valid_from)))
        return Entry(certificate, text, path.parent, state, since, str(last.get("reason", "")))


def _damaged(path: Path) -> MadangError:
    return MadangError(
        "certificate.damaged",
        _("{file} is damaged.").format(file=path),
        _("Restore the folder of certificates, and that of keys, from a backup."),
    )
