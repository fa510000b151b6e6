"""Running the kit for a person: who signs in how, what is tested, what is shown, and the signed report."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.home import Home
from madang.science.fhir.kit.run import document_of, result_document, run
from madang.science.fhir.kit.session import Credentials, Session
from madang.science.fhir.run import Setup
from madang.science.fhir.server.messages import Request, Response
from madang.services.emr.signed import now, read_report, sealed

LARGEST_KEY = 20_000


def is_url(target: str) -> bool:
    """Whether a target is an address, and not a folder."""
    return target.startswith(("http://", "https://"))


def credentials_of(target: str, token: str | None, client: str | None, key: Path | None) -> Credentials | None:
    """How to sign in, from the options; for an endpoint that this home serves with the key that it keeps for it."""
    if token:
        return Credentials(token=token)
    if (client is None) != (key is None):
        raise MadangError("fhir.credentials", _("A client needs its key, and a key its client."), _("Give both."))
    if client is not None and key is not None:
        return Credentials(client=client, key=_private_key(key))
    if is_url(target):
        from madang.services.emr.serving import known_client

        return known_client(Home.find(), target.rstrip("/"))
    return None


def _private_key(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    return private_key(data, str(path))


def private_key(data: bytes | str, label: str) -> dict[str, Any]:
    """The private key in a JWK, or the first of a set; `label` names it in the error `fhir.credentials`."""
    try:
        read = json.loads(data) if len(data) <= LARGEST_KEY else None
    except (ValueError, RecursionError):
        read = None
    if isinstance(read, dict) and isinstance(read.get("keys"), list) and read["keys"]:
        read = read["keys"][0]
    if not isinstance(read, dict) or read.get("kty") not in ("EC", "RSA") or "d" not in read:
        raise MadangError(
            "fhir.credentials",
            _("{path} holds no private key.").format(path=label),
            _("A key is a JWK file of kind EC (P-384) or RSA."),
        )
    return read


def run_kit(
    target: str,
    setup: Setup,
    given: Credentials | None,
    authority: Path | None = None,
    only: tuple[str, ...] = (),
    resume: Path | None = None,
    challenge: Path | None = None,
) -> dict[str, Any]:
    """Run the kit against an endpoint or a folder; the report is signed by this node as a self-declaration."""
    from madang.base.console import ProgressBars

    definitions = setup.definitions()
    before = read_report(resume) if resume is not None else None
    if is_url(target):
        check_url(target)
        from madang.services.emr.client import Connection

        session = Session(target, Connection(authority), definitions, given, setup.guide)
    else:
        session = folder_session(target, definitions, setup.guide)
    if challenge is not None:
        _challenged(session, challenge)
    done = [each["id"] for each in before["tests"]] if before is not None and before["target"] == session.base else []
    with ProgressBars() as progress:
        results = run(session, only, done, progress)
    if not results and not done:
        raise MadangError(
            "fhir.no_test", _("There is no test of this name."), _("The report of a whole run lists their ids.")
        )
    earlier = before["tests"] if done and before is not None else []
    made = document_of([*earlier, *map(result_document, results)], session, now())
    if is_url(target) and not any(each["status"] for each in session.log) and results:
        raise MadangError(
            "fhir.no_endpoint",
            _("{url} does not answer.").format(url=target),
            _("Give the base URL of the endpoint, as https://hospital.example/fhir."),
        )
    return sealed(Home.find(), made)


def check_answers(session: Session, target: str) -> None:
    """Refuse an endpoint that does not answer at all."""
    if session.ask("GET", "metadata", signed=False).error:
        raise MadangError(
            "fhir.no_endpoint",
            _("{url} does not answer.").format(url=target),
            _("Give the base URL of the endpoint, as https://hospital.example/fhir."),
        )


def check_url(target: str) -> None:
    """Refuse what is no base URL of an endpoint."""
    try:
        parts = urlsplit(target)
        good = bool(parts.hostname) and not parts.query and not parts.fragment and parts.username is None
        _port = parts.port
    except ValueError:
        good = False
    if not good:
        raise MadangError(
            "fhir.url",
            _("{url} is no base URL of an endpoint.").format(url=target),
            _("It has no query, no user and no password; tokens are given with --token."),
        )


def _challenged(session: Session, path: Path) -> None:
    """Have the kit test for the records of a challenge as well."""
    from madang.lake.files import sentences
    from madang.services.emr.challenges import kit_part, read_challenge

    with sentences(f"read {path}"):
        session.drawn, session.challenge = kit_part(read_challenge(path.read_bytes()))


def folder_session(target: str, definitions: Any, guide: str) -> Session:
    """A session with the resources of a folder in place of an endpoint."""
    from madang.science.fhir.server.from_dataset import resources_in

    folder = Path(target)
    if not folder.is_dir():
        raise MadangError(
            "fhir.no_file",
            _("There is no file or folder {path}.").format(path=target),
            _("Give the base URL of an endpoint, or a folder with exported resources."),
        )

    def refuse(request: Request) -> Response:
        return Response(0, error="offline")

    session = Session("folder:" + folder.name, refuse, definitions, None, guide)
    session.hold(resources_in(folder))
    return session


def show_report(report: dict[str, Any]) -> None:
    """Print a report: by group, then what failed or was not shown, with its repair."""
    from madang.base.console import console, show_table
    from madang.science.fhir.kit.model import OUTCOMES
    from madang.services.emr.reading import open_tests

    names = outcome_names()
    groups: dict[str, dict[str, int]] = {}
    for each in report["tests"]:
        counts = groups.setdefault(each["group"], dict.fromkeys(OUTCOMES, 0))
        counts[each["outcome"]] += 1
    words = group_names()
    rows = [[words.get(name, name), *counts.values()] for name, counts in groups.items()]
    show_table(
        _("Tests of {target}").format(target=report["target"]), [_("group"), *(names[x] for x in OUTCOMES)], rows
    )
    out = console()
    place = ""
    for each in open_tests(report["tests"]):
        if each["place"] != place:
            place = each["place"]
            out.print(place, markup=False, style="bold")
        out.print(f"[{names[each['outcome']]}] {each['id']} ({each['expectation']}): {each['title']}", markup=False)
        out.print(f"    {each['got']} {each['repair']}", markup=False)
        for one in each["details"]:
            out.print(f"      {one['resource']} {one['path']}: {one['message']}", markup=False)
        out.print(f"    {each['clause']}", markup=False, style="dim")
    summary = report["summary"]
    text = _(
        "{tests} tests: {passed} passed, {failed} failed, {shown} not shown. A self-declaration, signed by this node."
    )
    out.print(
        text.format(tests=summary["tests"], passed=summary["pass"], failed=summary["fail"], shown=summary["not shown"]),
        markup=False,
    )


def group_names() -> dict[str, str]:
    """Groups of tests in words."""
    return {
        "metadata": _("Statement and formats", "tests"),
        "security": _("Security", "tests"),
        "errors": _("Errors", "tests"),
        "read": _("Read", "tests"),
        "profiles": _("Profiles", "tests"),
        "must-support": _("Must support", "tests"),
        "references": _("References", "tests"),
        "bulk": _("Bulk export", "tests"),
        "search": _("Search", "tests"),
        "paging": _("Pages", "tests"),
        "challenge": _("Challenge", "tests"),
    }


def outcome_names() -> dict[str, str]:
    """Outcomes in words."""
    return {
        "pass": _("passed", "test"),
        "fail": _("failed", "test"),
        "warning": _("warning", "test"),
        "not shown": _("not shown", "test"),
        "not applicable": _("not applicable", "test"),
    }


def junit_text(report: dict[str, Any]) -> str:
    """The results as JUnit XML."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    summary = report["summary"]
    lines.append(
        f'<testsuite name="madang fhir test" tests="{summary["tests"]}" failures="{summary["fail"]}"'
        f' skipped="{summary["not shown"] + summary["not applicable"]}">'
    )
    for each in report["tests"]:
        inner = ""
        if each["outcome"] == "fail":
            inner = f"<failure message={quoteattr(each['got'] + ' ' + each['repair'])}/>"
        elif each["outcome"] in ("not shown", "not applicable"):
            inner = f"<skipped message={quoteattr(each['got'])}/>"
        lines.append(
            f"  <testcase classname={quoteattr(each['group'])} name={quoteattr(each['id'])}>{inner}</testcase>"
        )
    return "\n".join([*lines, "</testsuite>", ""])
