"""`madang certificate`: issue, verify, revoke; list and show; hand out the public key and the status list."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _
from madang.node.second_engine import Master, OnEngine, chosen_engine, second_engine

if TYPE_CHECKING:
    from madang.base.progress import Progress
    from madang.lake import Version
    from madang.node.home import Home
    from madang.services.certification import Entry, Outcome, Verification
    from madang.services.certification.verification import Data

app = typer.Typer(no_args_is_help=True, add_completion=False)

NOT_VALID = 3  # exit status of every answer but `valid`
LARGEST = 1_000_000  # bytes of a certificate, key or list that anybody reads

Number = Annotated[str, typer.Argument(help=_("Number of the certificate."))]
Reason = Annotated[str, typer.Option(help=_("Why, for the register."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]
Out = Annotated[Path | None, typer.Option(help=_("Write here instead of printing."))]


@app.command("issue")
def issue_command(
    reference: Annotated[str, typer.Argument(help=_("NAME, or NAME@VERSION."))],
    scheme: Annotated[str, typer.Option(help=_("Name of a scheme, or the path of its TOML file."))] = "omop-ready",
    as_json: AsJson = False,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """Assess a version and certify it if it meets every criterion of the scheme."""
    from madang.base.console import ProgressBars, console
    from madang.node.home import Home
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.certification import check_for_data, hold_against, in_force, issue, load_scheme

    chosen_engine(engine)
    version = Home.find().lake().find(reference)
    rules = load_scheme(scheme)
    check_for_data(rules)
    with opened() as node:
        entry, new = in_force(node, version, rules), False
        if entry is None or entry.state != "issued":
            with ProgressBars() as progress:
                quality = _assessed(version, engine, master, progress)
            outcomes = hold_against(rules, version, quality)
            if not as_json:
                show_outcomes(outcomes)
            issued = issue(node, commander(node), version, rules, quality)
            entry, new = issued.entry, issued.new
    if as_json:
        print(json.dumps(_row(entry) | {"new": new, "folder": str(entry.folder)}, ensure_ascii=False))
        return
    text = _("Certificate {number} of {version} by {scheme}, valid until {until}: {folder}")
    if not new:
        text = _("Nothing new: certificate {number} of {version} by {scheme} is valid until {until}: {folder}")
    named = entry.certificate
    console().print(
        text.format(
            number=named.number,
            version=version.name,
            scheme=named.scheme,
            until=f"{named.valid_until:%Y-%m-%d}",
            folder=entry.folder,
        ),
        markup=False,
    )


@app.command("verify")
def verify_command(
    file: Annotated[Path, typer.Argument(help=_("The certificate, a .jwt file; - reads standard input."))],
    key: Annotated[
        Path | None, typer.Option(help=_("Public key of the issuer (JWK or JWK Set); else the keys of this home."))
    ] = None,
    status: Annotated[
        Path | None, typer.Option(help=_("Status list of the issuer; else that of this home if it issued."))
    ] = None,
    data: Annotated[str, typer.Option(help=_("NAME or NAME@VERSION of this home, or a folder with the dataset."))] = "",
    as_json: AsJson = False,
) -> int:
    """Say whether a certificate is good: one answer and a sentence. Ends with 0 if it is valid, else with 3."""
    from madang.base.console import ProgressBars, console
    from madang.node import signing
    from madang.node.home import Home
    from madang.services.certification import Answer, verify

    home = Home.find()
    text = _read(file).decode("utf-8", errors="replace").strip(" \r\n\t")
    keys = signing.read_keys(_read(key), key.name) if key else signing.public_keys(home)
    listed = _read(status).decode("utf-8", errors="replace").strip(" \r\n\t") if status else _own_status(home)
    with ProgressBars() as progress:
        found = verify(text, keys, status=listed, data=_data(home, data) if data else None, progress=progress)
    if as_json:
        print(json.dumps(_verification(found), ensure_ascii=False))
    else:
        label, named = _answers()[found.answer], found.certificate
        console().print(f"{label}: {found.sentence}", markup=False, style="bold")
        if named:
            line = _("Certificate {number} of {dataset} by {scheme}, issued by {issuer} on {day}.").format(
                number=named.number,
                dataset=named.dataset,
                scheme=named.scheme,
                issuer=named.issuer,
                day=f"{named.valid_from:%Y-%m-%d}",
            )
            console().print(line, markup=False)
    return 0 if found.answer is Answer.VALID else NOT_VALID


@app.command("revoke")
def revoke_command(number: Number, reason: Reason = "", as_json: AsJson = False) -> None:
    """Take a certificate back for good."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.certification import revoke

    with opened() as node:
        _say_state(revoke(node, commander(node), number, reason), as_json)


@app.command("suspend")
def suspend_command(number: Number, reason: Reason = "", as_json: AsJson = False) -> None:
    """Let a certificate not hold until it is reinstated."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.certification import suspend

    with opened() as node:
        _say_state(suspend(node, commander(node), number, reason), as_json)


@app.command("reinstate")
def reinstate_command(number: Number, reason: Reason = "", as_json: AsJson = False) -> None:
    """Let a suspended certificate hold again."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.certification import reinstate

    with opened() as node:
        _say_state(reinstate(node, commander(node), number, reason), as_json)


@app.command("adopt")
def adopt_command(as_json: AsJson = False) -> None:
    """Take certificates into the register whose signed files are here and that it does not have."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.certification import adopt

    with opened() as node:
        numbers = adopt(node, commander(node))
    if as_json:
        print(json.dumps({"adopted": numbers}))
    elif not numbers:
        console().print(_("There is none that can be read and that the register does not have."), markup=False)
    else:
        console().print(_("In the register now: {numbers}.").format(numbers=", ".join(numbers)), markup=False)


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the certificates that were issued here."""
    from madang.base.console import console, show_table
    from madang.node.node import opened
    from madang.services.certification import register

    with opened() as node:
        entries = register(node)
    if as_json:
        print(json.dumps([_row(entry) for entry in entries], ensure_ascii=False))
    elif not entries:
        console().print(_("No certificate was issued here yet; `madang certificate issue` does it."), markup=False)
    else:
        columns = [_("number"), _("dataset"), _("scheme"), _("issued"), _("valid until"), _("state"), _("reason")]
        show_table(_("Certificates"), columns, [[*_row(entry, _state(entry)).values()][:7] for entry in entries])


@app.command("show")
def show_command(number: Number, as_json: AsJson = False) -> None:
    """Show one certificate: what it says, what was measured, where its files are."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.services.certification import entry as entry_of

    with opened() as node:
        entry = entry_of(node, number)
    report = entry.report
    if as_json:
        outcomes = {"outcomes": report["outcomes"], "folder": str(entry.folder), "certificate": entry.text}
        print(json.dumps(_row(entry) | outcomes, ensure_ascii=False))
        return
    named = entry.certificate
    out = console()
    rows = {
        _("number"): named.number,
        _("dataset"): named.dataset,
        _("scheme"): named.scheme,
        _("issuer"): named.issuer,
        _("issued"): f"{named.valid_from:%Y-%m-%d %H:%M} UTC",
        _("valid until"): f"{named.valid_until:%Y-%m-%d %H:%M} UTC",
        _("state"): _state(entry),
        _("reason"): entry.reason,
        _("manifest"): named.manifest,
        _("report"): named.report,
        _("folder"): entry.folder,
    }
    for name, value in rows.items():
        if value:
            out.print(f"{name}: {value}", markup=False)
    for outcome in report["outcomes"]:
        out.print(f"  {outcome['criterion']}: {outcome['verdict']} ({outcome['observed']})", markup=False)


@app.command("key")
def key_command(
    out: Out = None,
    all_keys: Annotated[bool, typer.Option("--all", help=_("Older keys too, as a JWK Set."))] = False,
    rotate: Annotated[bool, typer.Option("--rotate", help=_("Make a new key first; it signs from now on."))] = False,
) -> None:
    """Hand out the public key, by which anyone verifies what was signed here."""
    from madang.node import signing
    from madang.node.home import Home
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.certification import rotate_key

    home = Home.find()
    if rotate:
        with opened() as node:
            rotate_key(node, commander(node))
    else:
        signing.signer(home)
    keys = signing.public_keys(home)
    _write(json.dumps({"keys": keys} if all_keys else keys[0], indent=2) + "\n", out)


@app.command("status")
def status_command(out: Out = None) -> None:
    """Hand out the list of what is revoked or suspended, signed for the next 30 days."""
    from madang.node.node import opened
    from madang.services.certification import current_status_list

    with opened() as node:
        listed = current_status_list(node)
    _write(listed + "\n", out)


@app.command("schemes")
def schemes_command(as_json: AsJson = False) -> None:
    """List the schemes that come with Madang."""
    from madang.base.console import show_table
    from madang.services.certification import load_scheme
    from madang.services.certification.scheme import shipped

    schemes = [load_scheme(name) for name in shipped()]
    if as_json:
        print(json.dumps([scheme.model_dump(mode="json") for scheme in schemes], ensure_ascii=False))
        return
    for scheme in schemes:
        rows = [[str(scheme.divisions[each.division].title), each.id, str(each.text)] for each in scheme.criteria]
        show_table(f"{scheme.reference}: {scheme.title}", [_("division"), _("criterion"), _("rule")], rows)


def show_outcomes(outcomes: "list[Outcome]") -> None:
    """Print what became of every criterion."""
    from madang.base.console import show_table
    from madang.services.certification.evaluate import Verdict

    labels = {
        Verdict.MET: _("met"),
        Verdict.NOT_MET: _("not met"),
        Verdict.UNKNOWN: _("unknown"),
        Verdict.OPEN: _("open"),
    }
    rows = [[labels[each.verdict], str(each.criterion.text), each.shown] for each in outcomes]
    show_table(_("Criteria"), [_("verdict"), _("criterion"), _("measured")], rows)


def _assessed(version: "Version", engine: str, master: str, progress: "Progress") -> dict[str, Any]:
    """The document of a fresh assessment of the version, by the standard checks and thresholds; the same by either
    engine but for when and how long."""
    from madang.science.omop.release import mapped_with
    from madang.science.quality import assess_all
    from madang.science.quality.document import report_document

    words = mapped_with(version.dataset.lake, version)
    with second_engine(engine, master, words, version) as second:
        [done] = assess_all(version, words, cohorts=[], progress=progress, second=second)
    return report_document(done)


def _read(path: Path) -> bytes:
    from madang.base.errors import MadangError

    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise MadangError("certificate.file", _("{file} cannot be read: {why}.").format(file=path, why=why)) from None
    return data


def _write(text: str, out: Path | None) -> None:
    from madang.base.errors import MadangError

    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text)
    except OSError as error:
        why = error.strerror or str(error)
        raise MadangError("certificate.file", _("{file} cannot be written: {why}.").format(file=out, why=why)) from None


def _own_status(home: "Home") -> str | None:
    """The status list of this home, if anything was ever certified here."""
    from madang.node.node import opened
    from madang.services.certification import current_status_list

    if not (home.path / "certificates").is_dir():
        return None
    with opened(home) as node:
        return current_status_list(node)


def _data(home: "Home", where: str) -> "Data":
    """What `--data` means: a dataset of this home if there is one of that name, else a folder."""
    from madang.services.certification import data_in
    from madang.services.certification.verification import Data

    name, _at, number = where.partition("@")
    folder = home.path / "lake" / name
    if "/" not in where and where != "." and folder.is_dir():
        return Data((folder,), home.lake().find(where).number if number else None)
    return data_in(Path(where).absolute())


def _answers() -> dict[str, str]:
    return {
        "altered": _("altered"),
        "issuer not trusted": _("issuer not trusted"),
        "revoked": _("revoked"),
        "expired": _("expired"),
        "not yet valid": _("not yet valid"),
        "suspended": _("suspended"),
        "not about these data": _("not about these data"),
        "status unknown": _("status unknown"),
        "data not checked": _("data not checked"),
        "valid": _("valid"),
    }


def _verification(found: "Verification") -> dict[str, Any]:
    row: dict[str, Any] = {"answer": found.answer.value, "sentence": found.sentence}
    named = found.certificate
    if named:
        row |= {
            "number": named.number,
            "dataset": named.dataset,
            "scheme": named.scheme,
            "issuer": named.issuer,
            "manifest": named.manifest,
            "report": named.report,
            "valid_from": f"{named.valid_from:%Y-%m-%dT%H:%M:%SZ}",
            "valid_until": f"{named.valid_until:%Y-%m-%dT%H:%M:%SZ}",
        }
    return row


def _row(entry: "Entry", state: str = "") -> dict[str, Any]:
    named = entry.certificate
    return {
        "number": named.number,
        "dataset": named.dataset,
        "scheme": named.scheme,
        "issued": f"{named.valid_from:%Y-%m-%d}",
        "valid_until": f"{named.valid_until:%Y-%m-%d}",
        "state": state or entry.stands,
        "reason": entry.reason,
        "manifest": named.manifest,
        "report": named.report,
    }


def _state(entry: "Entry") -> str:
    from madang.node.acts import label

    return label("certificate", entry.stands)


def _say_state(entry: "Entry", as_json: bool) -> None:
    from madang.base.console import console

    if as_json:
        print(json.dumps(_row(entry), ensure_ascii=False))
        return
    text = _("Certificate {number} is {state}. Hand out the status list again: madang certificate status")
    console().print(text.format(number=entry.certificate.number, state=_state(entry)), markup=False)
