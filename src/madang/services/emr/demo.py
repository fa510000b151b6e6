"""The room's part of the demo: a report of an export handed in, a challenge, and a test of a system that is over."""

import json
from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from madang.base.progress import Progress
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people import HOUSE, Actor
from madang.node.people.demo import demo_person
from madang.science.fhir.definitions import shipped
from madang.science.fhir.kit.session import Session
from madang.science.fhir.server.messages import Request, Response
from madang.services.emr import acts, challenges, service
from madang.services.emr.models import ConformanceChallenge, ConformanceReport, ConformanceRun
from madang.services.emr.signed import now, sealed

PRODUCT, VERSION = "마당 가상 EMR / Madang synthetic EMR", "1.0"
TARGET = "https://emr.demo.invalid/fhir"  # a name that nobody can have: the system stands in this process
ASSESSOR, VENDOR = "demo-emr-assessor", "demo-emr-vendor"


def make(node: Node, progress: Progress) -> None:
    """Make each part, if it is not there."""
    _exported(node, progress)
    with node.read() as session:
        if session.scalar(select(ConformanceChallenge.id).limit(1)) is not None:
            return
    vendor = demo_person(node, VENDOR, "member")
    demo_person(node, ASSESSOR, acts.ASSESSOR, HOUSE)
    drawn = challenges.draw(node, _actor(node, ASSESSOR), VENDOR, PRODUCT, VERSION, days=30, persons=1)
    _tested(node, _actor(node, VENDOR), vendor, drawn, progress)


def _actor(node: Node, login: str) -> Actor:
    from madang.node.people.accounts import find_person

    with node.read() as session:
        return Actor.person(session, find_person(session, login).id)


def _exported(node: Node, progress: Progress) -> None:
    """A report of a folder of synthetic resources, with something in it for the reader to see."""
    from madang.science.fhir.kit.run import document, run
    from madang.science.fhir.server.made_up import made_up_lives, resources

    with node.read() as session:
        if session.scalar(select(ConformanceReport.id).limit(1)) is not None:
            return
    kit = Session("folder:demo-emr", lambda request: Response(0, error="offline"), shipped("kr-core"))
    some = [each for each in resources(made_up_lives(3)) if each["resourceType"] != "Immunization"]
    for each in some:
        if each["resourceType"] == "Encounter":
            each["status"] = "over"
    kit.hold(some)
    report = sealed(node.home, document(run(kit, progress=progress), kit, now()))
    service.hand_in(node, Actor.owner(), orjson.dumps(report), PRODUCT, VERSION)


def _tested(node: Node, actor: Actor, owner: int, drawn: ConformanceChallenge, progress: Progress) -> None:
    """A test of a system that gives the records of a challenge back and refuses one search parameter."""
    from madang.science.fhir.kit.run import document, result_document, run

    challenge = json.loads(drawn.document)
    kit = Session(TARGET, system_of(challenge["records"]), shipped("kr-core"))
    kit.drawn, kit.challenge = challenges.kit_part(challenge)
    results = run(kit, progress=progress)
    report = sealed(node.home, document(results, kit, now()))

    def make(session: Transaction) -> ConformanceRun:
        made = ConformanceRun(owner_id=owner, product=PRODUCT, version=VERSION, target=TARGET, kind="self-declaration")
        made.challenge_id = drawn.id
        session.add(made)
        session.flush()
        return made

    with doing(node, actor, acts.TEST, make) as done:
        done.tell(target=TARGET, kind=done.thing.kind)
        number = done.thing.id
    with node.write() as session:
        kept = session.get_one(ConformanceRun, number)
        kept.results = orjson.dumps([result_document(each) for each in results]).decode()
        kept.state, kept.document = "over", orjson.dumps(report).decode()


def system_of(records: Iterable[dict[str, Any]]) -> Any:
    """A system with these records, without a network; it refuses to search by sex."""
    from madang.science.fhir.server.endpoint import Endpoint

    endpoint = Endpoint(TARGET, shipped("kr-core"), list(records), None)

    def send(request: Request) -> Response:
        url = request.url.removeprefix(TARGET).replace("gender=", "_unheard=")
        return endpoint(Request(request.method, url, request.headers, request.body))

    return send
