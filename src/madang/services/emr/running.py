"""Tests of live systems from this node: begun in the portal, run as a job, stopped, gone on with, handed in.

Only hosts that an administrator entered are reached. What the kit signs in with lies sealed while the run lasts and is
erased when it ends, however it ends.
"""

import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.node import jobs
from madang.node.acts import Doing, doing
from madang.node.node import Node
from madang.node.outgoing import Outgoing
from madang.node.people.actor import Actor
from madang.node.permissions import Act, check, visible
from madang.node.sealing import seal, unseal
from madang.node.text import clean_line
from madang.science.fhir.definitions import shipped
from madang.science.fhir.kit.session import Credentials, Session
from madang.services.emr.acts import ASSESS, GO_ON, SEE_RUN, TEST
from madang.services.emr.challenges import drawn_for, kit_part
from madang.services.emr.models import ConformanceChallenge, ConformanceReport, ConformanceRun
from madang.services.emr.signed import now, sealed
from madang.services.emr.testing import check_answers, check_url, private_key

MOST = 100  # runs of a list
SAVED_EVERY = 1.0  # seconds between two looks that a page can have


@dataclass(frozen=True)
class SignIn:
    """What the kit signs in with, as somebody typed it: a token, or a client and its key as JWK."""

    token: str = ""
    client: str = ""
    key: str = ""

    def credentials(self) -> Credentials | None:
        """The same for the kit; None where nothing was given. Errors: `fhir.credentials`."""
        token, client, key = self.token.strip(), self.client.strip(), self.key.strip()
        if token:
            return Credentials(token=token)
        if not client and not key:
            return None
        if not client or not key:
            raise MadangError("fhir.credentials", _("A client needs its key, and a key its client."), _("Give both."))
        return Credentials(client=client, key=private_key(key, _("The field")))


NOTHING = SignIn()


def outgoing_of_tests(node: Node) -> Outgoing:
    """The hosts that may be tested from here: those that an administrator entered, and no others."""
    return Outgoing(frozenset(node.settings.outgoing.tested_hosts.lower().split()), only_listed=True)


def check_host(node: Node, target: str) -> None:
    """Refuse what is no base URL, and a host that nobody entered. Errors: `fhir.url`, `conformance.host`."""
    check_url(target)
    try:
        outgoing_of_tests(node).check(target)
    except MadangError as error:
        raise MadangError(
            "conformance.host",
            _("{url} cannot be tested from here.").format(url=target[:200]),
            error.hint
            if error.code != "outgoing.address"
            else _("Ask an administrator to enter its host, or run `madang fhir test` on your own machine."),
        ) from None


def start(
    node: Node,
    actor: Actor,
    target: str,
    product: str,
    version: str,
    sign_in: SignIn = NOTHING,
    challenge: int | None = None,
    assess: bool = False,
) -> ConformanceRun:
    """Begin to test a system. An assessor may do it as an assessment; of anybody else it is a self-declaration."""
    target = target.strip().rstrip("/")
    check_host(node, target)
    given = sign_in.credentials()

    def make(session: Transaction) -> ConformanceRun:
        named = drawn_for(session, actor, challenge, product, version) if challenge is not None else None
        made = ConformanceRun(
            owner_id=actor.person_id,
            product=clean_line(product, _("The product")),
            version=clean_line(version, _("The version")),
            target=target,
            kind="assessment" if assess else "self-declaration",
            challenge_id=named.id if named is not None else None,
        )
        session.add(made)
        session.flush()
        return made

    with doing(node, actor, ASSESS if assess else TEST, make) as done:
        _begin(done, actor, given, "")
        return done.thing


def go_on(node: Node, actor: Actor, number: int, only: str = "", sign_in: SignIn = NOTHING) -> ConformanceRun:  # frozen
    """Run what is left of a run that was stopped, or one test (or group of tests) again."""
    given = sign_in.credentials()
    only = only.strip()
    with doing(node, actor, GO_ON, lambda session: find(session, number)) as done:
        check_host(node, done.thing.target)
        check_signed(done.thing, given)
        _begin(done, actor, given, only)
        return done.thing


def _begin(done: Doing[ConformanceRun], actor: Actor, given: Credentials | None, only: str) -> None:
    run, session, node = done.thing, done.session, done.node
    run.secret = b""
    if given is not None:
        secret = {"token": given.token, "client": given.client, "key": given.key}
        run.secret = seal(node.home, json.dumps(secret).encode(), _purpose(run.id))
    title = later("Test {target}")
    run.job_id = jobs.start(session, node, actor, test_job, {"run": run.id, "only": only}, title, target=run.target)
    done.tell(target=run.target, kind=run.kind, only=only)


def signed_in_before(run: ConformanceRun) -> bool:
    """Whether the kit signed in when it tested this system."""
    return any(sent.get("signed") for each in json.loads(run.results) for sent in each["requests"])


def check_signed(run: ConformanceRun, given: Credentials | None) -> None:
    """Refuse to ask a system without what it was asked with before: every answer would be another one."""
    if given is None and signed_in_before(run):
        raise MadangError(
            "conformance.sign_in",
            _("The test signed in before, and what it signed in with was erased."),
            _("Give the token, or the client and its key, again."),
        )


def _purpose(number: int) -> str:
    return f"trial:{number}"


def credentials_in(node: Node, run: ConformanceRun) -> Credentials | None:
    """What a run signs in with, unsealed."""
    if not run.secret:
        return None
    return Credentials(**json.loads(unseal(node.home, run.secret, _purpose(run.id))))


def kit_of(
    node: Node, target: str, given: Credentials | None, challenge: Mapping[str, Any] | None = None
) -> tuple[Session, Any]:
    """The kit's session with a system under test, and the connection to close; refuses one that does not answer."""
    from madang.services.emr.client import Connection

    connection = Connection(outgoing=outgoing_of_tests(node))
    kit = Session(target, connection, shipped("kr-core"), given)
    if challenge:
        kit.drawn, kit.challenge = kit_part(challenge)
    try:
        check_answers(kit, target)
    except MadangError:
        connection.close()
        raise
    return kit, connection


@jobs.job
def test_job(work: jobs.Work, *, run: int, only: str) -> None:
    """The job that tests a system: each result is kept as it comes, the signed report at the end."""
    from madang.science.fhir.kit.model import Result
    from madang.science.fhir.kit.run import document_of, result_document
    from madang.science.fhir.kit.run import run as run_tests

    node = work.node
    with node.read() as session:
        found = find(session, run)
        if found.state != "running":
            raise MadangError("conformance.over", _("This test is over."), _("Go on with it from its page."))
        kept = {each["id"]: each for each in json.loads(found.results)}
        drawn = session.get(ConformanceChallenge, found.challenge_id) if found.challenge_id else None
        challenge = json.loads(drawn.document) if drawn is not None else None
        target, kind, given = found.target, found.kind, credentials_in(node, found)
    kit, connection = kit_of(node, target, given, challenge)
    saved = time.monotonic()

    def told(result: Result) -> None:
        nonlocal saved
        kept[result.test.id] = result_document(result)
        if time.monotonic() - saved >= SAVED_EVERY:
            _save(node, run, kept)
            saved = time.monotonic()

    with closing(connection):
        try:
            results = run_tests(kit, (only,) if only else (), () if only else list(kept), work, told)
        finally:
            _save(node, run, kept)
    if only and not results:
        raise MadangError("fhir.no_test", _("There is no test of this name."), _("Choose one that the page lists."))
    made = document_of(list(kept.values()), kit, now()) | {"kind": kind}
    report = orjson.dumps(sealed(node.home, made)).decode()
    with work.finish({"tests": len(kept)}) as session:
        found = find(session, run)
        found.state, found.document, found.secret = "over", report, b""


def _save(node: Node, run: int, kept: Mapping[str, Any]) -> None:
    with node.write() as session:
        find(session, run).results = orjson.dumps(list(kept.values())).decode()


def test_ended(session: Transaction, node: Node, state: str, *, run: int, only: str) -> None:
    """Called where a test failed or was stopped: what it had stays, what it signed in with goes."""
    found = session.get(ConformanceRun, run)
    if found is not None:
        found.secret = b""
        if found.state == "running":
            found.state = "stopped"


def find(session: Transaction, number: int) -> ConformanceRun:
    """A run by its number."""
    found = session.get(ConformanceRun, number)
    if found is None:
        raise MadangError("conformance.none", _("There is no test {number}.").format(number=number))
    return found


def see(node: Node, actor: Actor, number: int, act: Act = SEE_RUN) -> ConformanceRun:
    """A run, for whom it is theirs and for assessors."""
    with node.read() as session:
        found = find(session, number)
        check(actor, act, found)
        session.expunge(found)
    return found


def runs(node: Node, actor: Actor) -> list[ConformanceRun]:
    """The runs that somebody may see, the newest first."""
    if not actor.is_signed_in:
        return []
    with node.read() as session:
        query = select(ConformanceRun).where(visible(actor, SEE_RUN, ConformanceRun))
        found = list(session.scalars(query.order_by(ConformanceRun.id.desc()).limit(MOST)))
        for each in found:
            session.expunge(each)
    return found


def hand_in_run(node: Node, actor: Actor, number: int) -> ConformanceReport:
    """Hand in the report of a run that is over."""
    from madang.services.emr import service

    found = see(node, actor, number)
    if not found.document:
        raise MadangError("conformance.not_over", _("This test has no report yet."), _("Wait until it is over."))
    return service.hand_in(node, actor, found.document.encode(), found.product, found.version)
