"""Is a certificate good? One answer of ten, by whoever has it and the issuer's public key, with nothing else running.

Where several answers fit, the first of `Answer` is given: what is certain before what is unknown, what is final before
what may change, and `valid` only where nothing else is left. docs/certificates.md says it for people.
"""

import datetime
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake import Dataset, Lake, Version
from madang.lake.dataset import VERSIONS
from madang.lake.manifest import read_document
from madang.lake.verify import changed_files, files_of_other_sizes
from madang.node.signing import Doubt, Jwk, NotBelieved, read_signed
from madang.services.certification import status_list, times
from madang.services.certification.credential import TYP, Certificate, read_credential

TOLERANCE = datetime.timedelta(minutes=5)  # that a beginning may lie in the future, because clocks differ


class Answer(StrEnum):
    """What verification says, the strongest first."""

    ALTERED = "altered"
    NOT_TRUSTED = "issuer not trusted"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    SUSPENDED = "suspended"
    NOT_ABOUT = "not about these data"
    STATUS_UNKNOWN = "status unknown"
    DATA_NOT_CHECKED = "data not checked"
    VALID = "valid"


@dataclass(frozen=True)
class Verification:
    """The answer, one sentence about it, and what the certificate says where its signature fits."""

    answer: Answer
    sentence: str
    certificate: Certificate | None = None


@dataclass(frozen=True)
class Data:
    """Where the data are that a certificate may be about: dataset folders; `number`: only that version of them.

    With `looked` no byte is read: files only have to be there in their sizes, and it says of a manifest when all of
    its files were last found whole, if ever.
    """

    folders: tuple[Path, ...]
    number: int | None = None
    looked: Callable[[str], datetime.datetime | None] | None = None


def data_in(folder: Path) -> Data:
    """The data in a folder: one dataset of a lake, or a lake of several. Errors: `certificate.no_data`."""
    if not folder.is_dir():
        raise MadangError(
            "certificate.no_data",
            _("There are no data at {place}.").format(place=folder),
            _("Give the name of a dataset, or a copy of its folder in the lake."),
        )
    if (folder / VERSIONS).is_dir():
        return Data((folder,))
    return Data(tuple(sorted(path.parent for path in folder.glob(f"*/{VERSIONS}"))))


def verify(
    text: str,
    keys: Iterable[Jwk],
    *,
    status: str | None = None,
    data: Data | None = None,
    at: datetime.datetime | None = None,
    progress: Progress | None = None,
) -> Verification:
    """What to think of the certificate `text`, if only `keys` are trusted.

    `status` is a status list as text, `data` what it should be about, `at` the time (now, if not given). Bad text of
    any kind is an answer, never an error.
    """
    now, trusted = at or times.now(), list(keys)
    try:
        certificate = read_credential(read_signed(text, trusted, TYP))
    except NotBelieved as doubt:
        answer = Answer.NOT_TRUSTED if doubt.doubt is Doubt.UNKNOWN_KEY else Answer.ALTERED
        return Verification(answer, doubt.message)
    except ValueError:
        return Verification(Answer.ALTERED, _("It is signed, but it is no certificate of a dataset."))
    known = _Status.read(status, certificate, trusted, now)
    if known.revoked:
        return Verification(Answer.REVOKED, _("The issuer has revoked it."), certificate)
    if now > certificate.valid_until:
        when = times.iso(certificate.valid_until)
        return Verification(Answer.EXPIRED, _("It was valid until {when}.").format(when=when), certificate)
    if now < certificate.valid_from - TOLERANCE:
        when = times.iso(certificate.valid_from)
        return Verification(Answer.NOT_YET_VALID, _("It is valid from {when}.").format(when=when), certificate)
    if known.suspended:
        return Verification(Answer.SUSPENDED, _("The issuer has suspended it for the time being."), certificate)
    problem = _data_problem(certificate, data, progress) if data else ""
    if problem:
        return Verification(Answer.NOT_ABOUT, problem, certificate)
    if known.doubt:
        return Verification(Answer.STATUS_UNKNOWN, known.doubt, certificate)
    if data is None:
        sentence = _("Everything else is in order, but nobody looked at the data.")
        return Verification(Answer.DATA_NOT_CHECKED, sentence, certificate)
    named = {"dataset": certificate.dataset, "scheme": certificate.scheme}
    if data.looked is None:
        sentence = _("{dataset} met {scheme}, and every byte of it is as it was.").format(**named)
        return Verification(Answer.VALID, sentence, certificate)
    read = data.looked(certificate.manifest)
    if read is None:
        sentence = _("It is genuine and holds, and its data are here; nobody has read every byte of them yet.")
        return Verification(Answer.DATA_NOT_CHECKED, sentence, certificate)
    sentence = _("{dataset} met {scheme}, and every byte of it was as it was when last read, at {when}.")
    return Verification(Answer.VALID, sentence.format(**named, when=times.iso(read)), certificate)


@dataclass(frozen=True)
class _Status:
    """What a status list says about a certificate; `doubt` is why it says nothing."""

    revoked: bool = False
    suspended: bool = False
    doubt: str = ""

    @classmethod
    def read(cls, text: str | None, certificate: Certificate, keys: list[Jwk], now: datetime.datetime) -> "_Status":
        if text is None:
            return cls(doubt=_("There is no status list, so it may have been revoked."))
        try:
            document = read_signed(text, keys, TYP)
        except NotBelieved as doubt:
            return cls(doubt=_("The status list cannot be believed. {why}").format(why=doubt.message))
        try:
            revoked, suspended, until = _bits(document, certificate, now)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(doubt=_("The status list is not the one that the certificate names."))
        if revoked:  # for good, so the age of the list does not matter
            return cls(revoked=True)
        if now > until:
            return cls(doubt=_("The status list was valid until {when} only.").format(when=times.iso(until)))
        return cls(suspended=suspended)


def _bits(
    document: dict[str, Any], certificate: Certificate, now: datetime.datetime
) -> tuple[bool, bool, datetime.datetime]:
    """Whether the list says revoked, suspended, and until when it holds; ValueError if it is not the list to ask."""
    if document["issuer"] != certificate.issuer or now < times.parse(document["validFrom"]) - TOLERANCE:
        raise ValueError("another issuer, or from the future")
    revoked, suspended = (status_list.status_of(entry, document) for entry in certificate.status)
    return revoked, suspended, times.parse(document["validUntil"])


def _data_problem(certificate: Certificate, data: Data, progress: Progress | None) -> str:
    """Why the certificate is not about these data; empty if it is, and every byte is as it was."""
    version = _version(certificate.manifest, data)
    if version is None:
        return _("None of the versions there has the manifest that the certificate names.")
    try:
        if data.looked is not None:
            changed = files_of_other_sizes(version)
        else:
            changed = [finding.path for finding in changed_files(version, progress)]
    except (MadangError, OSError) as error:
        return str(getattr(error, "message", error))
    if changed:
        where = changed[0].relative_to(version.dataset.folder)
        return _("{count} file(s) are not as they were, the first is {file}.").format(count=len(changed), file=where)
    return ""


def _version(manifest: str, data: Data) -> Version | None:
    """The version whose manifest has that SHA-256. Bytes are compared, so whatever else is there does not matter."""
    for folder in data.folders:
        dataset = Dataset(Lake(folder.parent), folder.name)
        for number in dataset.numbers():
            if data.number not in (None, number):
                continue
            path = dataset.manifest_path(number)
            try:
                content = path.read_bytes()
            except OSError:
                continue
            if hashlib.sha256(content).hexdigest() == manifest:
                return Version(dataset, number, read_document(content, path), manifest)
    return None
