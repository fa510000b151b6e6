"""The pages on which a live system is tested from this node: begin, watch, stop, go on, hand in, bring records in."""

import json
from datetime import datetime
from typing import Any

from pydantic import Field
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import jobs
from madang.node.permissions import may
from madang.services.emr import bringing, challenges, running
from madang.services.emr.acts import ASSESS, BRING, GO_ON, RUN
from madang.services.emr.models import ConformanceRun
from madang.services.emr.reading import Group, by_class, by_group, open_tests
from madang.services.emr.testing import group_names, outcome_names
from madang.web import Done, Here, Number, Room, View

room = Room("emr", __package__)


class RunLine(View):
    """A test of a live system in a list."""

    number: int
    product: str
    version: str
    target: str
    kind: str
    state: str
    state_name: str
    begun: datetime


class StartPage(View):
    """Where a test begins: the hosts that may be tested, and the challenges that one may answer."""

    hosts: list[str]
    challenges: list[tuple[int, str]]
    may_assess: bool


class SignInFields(View):
    """What the kit signs in with; sealed while the test lasts, and erased at its end."""

    token: str = Field(default="", max_length=10_000, title="A ready access token")
    client: str = Field(default="", max_length=500, title="The client of SMART backend services")
    key: str = Field(default="", max_length=20_000, title="Its private key, a JWK")

    def sign_in(self) -> running.SignIn:
        """The same for the kit."""
        return running.SignIn(self.token, self.client, self.key)


class Start(SignInFields):
    """A system to test."""

    target: str = Field(min_length=1, max_length=200, title="Base URL of the endpoint")
    product: str = Field(min_length=1, max_length=200, title="The product")
    version: str = Field(min_length=1, max_length=100, title="The version")
    challenge: int = Field(default=0, title="The number of a challenge, or 0")
    assess: str = Field(default="", max_length=5, title="`yes` for an assessment by the body")


class Again(SignInFields):
    """What to run again: a test or a group; empty for all that is left."""

    only: str = Field(default="", max_length=200, title="A test, or the beginning of its name")


class Bring(SignInFields):
    """The dataset that the records are to become."""

    dataset: str = Field(min_length=1, max_length=60, title="Name of the dataset")
    vocabulary: str = Field(default="starter", max_length=100, title="A loaded vocabulary, or `starter`")


class RunView(View):
    """A test of a live system: how far it is, what came out so far, and what can be done with it."""

    number: int
    product: str
    version: str
    target: str
    kind: str
    challenge: int | None
    state: str
    state_name: str
    begun: datetime
    job: int | None
    job_state: str
    text: str
    done: int | None
    total: int | None
    error: str
    outcomes: list[str]
    groups: list[Group]
    classes: list[Group]
    open: list[dict[str, Any]]
    tests: int
    again: list[str]
    has_report: bool
    mine: bool
    may_go_on: bool
    signs_in: bool
    may_bring: bool
    brought: dict[str, Any]


@room.page("/emr/run", "emr_start.html")
def start_page(visit: Here) -> StartPage:
    """Where a live system is tested from this node."""
    mine = [
        (each.id, f"{each.id}: {each.product} {each.version}")
        for each in challenges.challenges(visit.node, visit.actor)
        if each.state == "open"
    ]
    hosts = visit.node.settings.outgoing.tested_hosts.split() if visit.actor.is_signed_in else []
    return StartPage(hosts=hosts, challenges=mine, may_assess=may(visit.actor, ASSESS))


@room.act("/emr/run", at=start_page)
def start(visit: Here, given: Start) -> Done:
    """Begin to test a live system."""
    made = running.start(
        visit.node,
        visit.actor,
        given.target,
        given.product,
        given.version,
        given.sign_in(),
        given.challenge or None,
        given.assess == "yes",
    )
    return Done(see=f"/emr/runs/{made.id}", message=_("The test begins."))


@room.page("/emr/runs/{number}", "emr_run.html")
def run(visit: Here, number: Number) -> RunView:
    """A test of a live system: how far it is, what came out so far."""
    found = running.see(visit.node, visit.actor, number)
    tests = json.loads(found.results)
    return RunView(
        **run_line(found).model_dump(),
        challenge=found.challenge_id,
        job=found.job_id,
        **_job(visit, found),
        outcomes=list(outcome_names().values()),
        groups=by_group(tests),
        classes=by_class(tests),
        open=open_tests(tests),
        tests=len(tests),
        again=[*group_names(), *(each["id"] for each in tests)],
        has_report=bool(found.document),
        mine=found.owner_id == visit.actor.person_id,
        may_go_on=found.state in GO_ON.frm and may(visit.actor, GO_ON, found),
        signs_in=running.signed_in_before(found),
        may_bring=found.state in BRING.frm and may(visit.actor, BRING, found),
        brought=json.loads(found.brought),
    )


def _job(visit: Here, found: ConformanceRun) -> dict[str, Any]:
    """How far the job of a run is, for those who may see it."""
    said: dict[str, Any] = {"job_state": "", "text": "", "done": None, "total": None, "error": ""}
    if found.job_id is None:
        return said
    try:
        job = jobs.find(visit.node, visit.actor, found.job_id)
        events = jobs.events_after(visit.node, visit.actor, found.job_id)
    except MadangError:
        return said  # whose the job is not: an assessor sees the results alone
    last = next((each for each in reversed(events) if each.total), None)
    return said | {
        "job_state": job.state,
        "error": job.why,
        "text": last.said if last else "",
        "done": last.done if last else None,
        "total": last.total if last else None,
    }


@room.bytes("/emr/runs/{number}/report.json", "application/json")
def run_document(visit: Here, number: Number) -> Response:
    """The signed report of a test that is over."""
    found = running.see(visit.node, visit.actor, number)
    if not found.document:
        raise MadangError("conformance.none", _("This test has no report yet."))
    return Response(found.document, media_type="application/json")


@room.act("/emr/runs/{number}/again", at=run)
def again(visit: Here, number: Number, given: Again) -> Done:
    """Go on with a test that was stopped, or run one test of it again."""
    running.go_on(visit.node, visit.actor, number, given.only, given.sign_in())
    return Done(see=f"/emr/runs/{number}", message=_("The test goes on."))


@room.act("/emr/runs/{number}/hand-in", at=run)
def hand_in_run(visit: Here, number: Number) -> Done:
    """Hand in the report of a test."""
    made = running.hand_in_run(visit.node, visit.actor, number)
    return Done(see=f"/emr/reports/{made.id}", message=_("The report was handed in."))


@room.act("/emr/runs/{number}/bring", at=run)
def bring(visit: Here, number: Number, given: Bring) -> Done:
    """Bring the records of a tested system in, and standardize those that conform."""
    bringing.bring(visit.node, visit.actor, number, given.dataset, given.vocabulary, given.sign_in())
    return Done(see=f"/emr/runs/{number}", message=_("The records are being brought in."))


def run_line(each: ConformanceRun) -> RunLine:
    """A run in a list."""
    return RunLine(
        number=each.id,
        product=each.product,
        version=each.version,
        target=each.target,
        kind=each.kind,
        state=each.state,
        state_name=_(RUN.labels[each.state]),
        begun=each.begun,
    )


__all__ = ["RunLine", "room", "run_line"]
