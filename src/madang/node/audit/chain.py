"""How events are chained, and how a chain is checked.

    digest(n) = SHA-256(digest(n - 1) in hex + text(n)), digest(0) = 64 zeros
    mac(n)    = HMAC-SHA-256(key, digest(n) in hex)

So anybody who has the texts can compute the digest that an anchor names, and only the key's holder can add to a chain.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from madang.base.translate import _

START = "0" * 64  # the digest before the first event


@dataclass(frozen=True)
class Event:
    """One event: who (`actor`, as `person:12`, and their name) did what (`act`) to what (`thing`, as `record:7`)."""

    number: int
    at: str
    act: str
    actor: str
    name: str
    thing: str
    via: str
    address: str
    details: dict[str, Any]
    stands_for: str = ""  # whose role they acted in, where somebody had handed it to them

    @classmethod
    def from_text(cls, text: str) -> Self:
        """An event from its canonical JSON."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True)
class Finding:
    """Something that was changed: at which event (None: the end of the chain), and what."""

    number: int | None
    problem: str


@dataclass
class Report:
    """What a check of the chain found: its length, the digest of its last event, and the findings."""

    length: int = 0
    digest: str = START
    findings: list[Finding] = field(default_factory=list)

    def found(self, number: int | None, problem: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(number, problem))


def link(previous: str, text: str) -> str:
    """The digest of the event `text` after the event with the digest `previous`."""
    return hashlib.sha256(f"{previous}{text}".encode()).hexdigest()


def mac(key: bytes, digest: str) -> str:
    """The signature of a digest with the installation's key."""
    return hmac.digest(key, digest.encode(), "sha256").hex()


def check_quickly(
    batches: Iterable[Sequence[Sequence[Any]]], key: bytes, wanted: frozenset[int] = frozenset()
) -> tuple[Report, dict[int, str]] | None:
    """Check rows of (text, digest, mac, number): as `check_chain` where nothing was changed, None where something was.

    What was changed `check_chain` says; that the columns follow the text the database has been asked.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.hmac import HMAC

    keyed = HMAC(key, SHA256())
    sha256 = hashlib.sha256
    seen: dict[int, str] = {}
    previous, length = START, 0
    for batch in batches:
        for text, digest, signature, number in batch:
            length += 1
            signed = keyed.copy()
            signed.update(digest.encode())
            follows = sha256(f"{previous}{text}".encode()).hexdigest() == digest
            if number != length or not follows or signed.finalize().hex() != signature:
                return None
            previous = digest
            if number in wanted:
                seen[number] = digest
    return Report(length, previous), seen


def check_chain(
    rows: Iterable[Sequence[Any]], key: bytes, wanted: frozenset[int] = frozenset()
) -> tuple[Report, dict[int, str]]:
    """Check, plainly, rows of (text, digest, mac, number, at, act, actor, thing) in order of number.

    Gives the report, and the digests of the events numbered `wanted`.
    """
    report = Report()
    seen: dict[int, str] = {}
    previous, expected = START, 0
    for text, digest, signature, *columns in rows:
        expected += 1
        number = columns[0]
        if number != expected:
            report.found(number, _("{count} event(s) before it are gone.").format(count=_gap(number, expected)))
            expected = number if isinstance(number, int) else expected
        if link(previous, text) != digest:
            report.found(number, _("It does not follow from the event before it."))
        if mac(key, digest) != signature:
            report.found(number, _("It was not signed with the key of this installation."))
        try:
            event = orjson.loads(text)
            told = [event["number"], event["at"], event["act"], event["actor"], event["thing"]]
        except (ValueError, KeyError, TypeError):
            told = []
        if told != columns:
            report.found(number, _("Its columns do not say what its text says."))
        if number in wanted:
            seen[number] = digest
        previous = digest
    report.length, report.digest = expected, previous
    return report, seen


def _gap(number: Any, expected: int) -> Any:
    return number - expected if isinstance(number, int) else "?"
