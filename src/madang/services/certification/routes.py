"""The pages of certificates: the public register, one certificate, and verifying one without an account."""

from datetime import datetime
from functools import partial

from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import Field
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.node import rooms, signing
from madang.node.acts import label
from madang.node.home import Home
from madang.services.certification import Entry, current_status_list, entry, of_version, photo, register
from madang.services.certification.scheme import load_scheme, shipped
from madang.services.certification.verification import Answer, Data, verify
from madang.web import Here, Room, View
from madang.web.headers import ALONE

room = Room("certification", __package__)


class CertificateView(View):
    """A certificate of the register."""

    number: str
    dataset: str
    scheme: str
    manifest: str
    report: str
    issuer: str
    valid_from: datetime
    valid_until: datetime
    state: str
    since: str
    reason: str


class Register(View):
    """All certificates that were issued here."""

    certificates: list[CertificateView]


class One(View):
    """A certificate with its text."""

    certificate: CertificateView
    text: str


class Check(View):
    """A certificate to be verified: its text, a file that holds it, or (in a form only) a picture of its QR code."""

    certificate: str = Field(default="", max_length=20_000, title="The certificate")
    file: bytes = Field(default=b"", max_length=photo.LARGEST, title="The file")


class Asked(View):
    """The page on which a certificate is verified."""

    issuer: str


class Answered(View):
    """What verification says."""

    issuer: str
    answer: str
    sentence: str
    certificate: CertificateView | None


def _dataset(of: Entry) -> str:
    return of.certificate.dataset.partition("@")[0]


def _view(of: Entry, is_public: bool = True) -> CertificateView:
    """A certificate for a page; of data that are not public yet without their name."""
    found = of.certificate
    return CertificateView(
        number=found.number,
        dataset=found.dataset if is_public else "",
        scheme=found.scheme,
        manifest=found.manifest,
        report=found.report,
        issuer=found.issuer,
        valid_from=found.valid_from,
        valid_until=found.valid_until,
        state=of.stands,
        since=of.since,
        reason=of.reason,
    )


@room.page("/certificates", "register.html")
def certificates(visit: Here) -> Register:
    """The public register: every certificate that was issued here, and whether it still holds."""
    entries = sorted(register(visit.node), key=lambda each: each.certificate.valid_from, reverse=True)
    return Register(certificates=[_view(each, rooms.may_be_known(visit.node, _dataset(each))) for each in entries])


@room.page("/certificates/verify", "verify.html")
def verify_page(visit: Here) -> Asked:
    """Where a certificate is verified, with no account."""
    return Asked(issuer=signing.issuer(visit.node.home))


@room.act("/certificates/verify", at=verify_page, largest=2 * photo.LARGEST)
def verify_one(visit: Here, given: Check) -> Answered:
    """Verify a certificate of this installation: signature, time, status, and the data that are here.

    No byte of the data is read for whoever asks: the files have to be there, and the answer says when they were read.
    """
    home = visit.node.home
    text = given.certificate
    if not text:
        text = (
            photo.text_in(given.file) if photo.is_picture(given.file) else given.file[:20_000].decode(errors="replace")
        )
    text, keys, listed = "".join(text.split()), signing.public_keys(home), current_status_list(visit.node)
    done = verify(text, keys, status=listed)
    said = done.certificate
    known = of_version(visit.node, said.manifest) if said is not None else []
    mine = next((each for each in known if said is not None and each.certificate.number == said.number), None)
    if done.answer in (Answer.DATA_NOT_CHECKED, Answer.STATUS_UNKNOWN):  # nothing weightier stands against it
        done = verify(text, keys, status=listed, data=_data(visit, mine))
    return Answered(
        issuer=signing.issuer(home),
        answer=done.answer.value,
        sentence=done.sentence,
        certificate=_view(mine) if mine else None,
    )


def _data(visit: Here, of: Entry | None) -> Data:
    """The version that a certificate of the register is about, and when the house last read it."""
    name, _at, number = of.certificate.dataset.rpartition("@") if of is not None else ("", "", "")
    folder = visit.node.home.lake().root / name
    looked = partial(rooms.last_hashed, visit.node)
    return Data((folder,), int(number), looked) if name and folder.is_dir() else Data((), None, looked)


@room.page("/certificates/{number}", "certificate.html")
def certificate(visit: Here, number: str) -> One:
    """One certificate: what it says, and whether it still holds."""
    found = entry(visit.node, number)
    is_public = rooms.may_be_known(visit.node, _dataset(found))
    return One(certificate=_view(found, is_public), text=found.text if is_public else "")


@room.bytes("/certificates/{number}/sheet", "text/html")
def sheet(visit: Here, number: str) -> Response:
    """The sheet with the QR code, for the wall."""
    found = entry(visit.node, number)
    if not rooms.may_be_known(visit.node, _dataset(found)):
        message = _("What is in these data is not public yet, so the sheet with their numbers is not shown.")
        raise MadangError("certificate.not_public", message, _("The certificate itself can be verified."))
    if not data_are_there(visit.node.home, found):
        message = _("The data of certificate {number} were removed, so its sheet is no longer shown.")
        hint = _("The certificate itself can still be verified.")
        raise MadangError("certificate.data_removed", message.format(number=number), hint)
    return Response(found.sheet, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": ALONE})


@room.bytes("/certificates/{number}/certificate.jwt", "application/jwt")
def jwt(visit: Here, number: str) -> Response:
    """The certificate itself, to be verified anywhere."""
    return PlainTextResponse(entry(visit.node, number).text, media_type="application/jwt")


@room.bytes("/issuer.jwk", "application/json")
def issuer(visit: Here) -> Response:
    """The public keys of this installation, as a JWK Set."""
    return JSONResponse({"keys": signing.public_keys(visit.node.home)})


@room.bytes("/status.jwt", "application/jwt")
def status(visit: Here) -> Response:
    """The signed list of what was revoked and suspended."""
    return PlainTextResponse(current_status_list(visit.node), media_type="application/jwt")


def data_are_there(home: Home, of: Entry) -> bool:
    """Whether the version that a certificate is about is in the lake, and nobody is being removed from it."""
    name, _at, number = of.certificate.dataset.partition("@")
    try:
        return home.lake().dataset(name).version(int(number)).digest == of.certificate.manifest
    except MadangError:
        return False


def answer_name(answer: str) -> str:
    """An answer in the reader's language."""
    return {
        Answer.ALTERED: _("altered"),
        Answer.NOT_TRUSTED: _("issuer not trusted"),
        Answer.REVOKED: _("revoked"),
        Answer.EXPIRED: _("expired"),
        Answer.NOT_YET_VALID: _("not yet valid"),
        Answer.SUSPENDED: _("suspended"),
        Answer.NOT_ABOUT: _("not about these data"),
        Answer.STATUS_UNKNOWN: _("status unknown"),
        Answer.DATA_NOT_CHECKED: _("data not checked"),
        Answer.VALID: _("valid"),
    }[Answer(answer)]


def scheme_named(reference: str) -> str:
    """The title of a scheme that ships; another one's name as certificates have it."""
    name = reference.partition("@")[0]
    if name not in shipped():
        return reference
    found = load_scheme(name)
    title = in_language(found.title.ko, found.title.en)
    return title if found.reference == reference else f"{title} ({reference})"


room.helpers |= {
    "scheme_named": scheme_named,
    "answer_name": answer_name,
    "certificate_state": partial(label, "certificate"),
}
