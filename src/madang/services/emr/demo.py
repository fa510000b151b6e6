"""The room's part of the demo: a report of a synthetic export, handed in."""

from sqlalchemy import select

from madang.base.progress import Progress
from madang.node.node import Node
from madang.node.people import Actor, Person
from madang.services.emr.models import ConformanceReport

PRODUCT = "마당 가상 EMR / Madang synthetic EMR"


def make(node: Node, progress: Progress) -> None:
    """Test a folder of synthetic resources and hand in the report, if none is there."""
    with node.read() as session:
        if session.scalar(select(ConformanceReport.id).limit(1)) is not None:
            return
        session.scalar(select(Person.id).limit(1))
    import orjson

    from madang.science.fhir.definitions import shipped
    from madang.science.fhir.kit.run import document, run
    from madang.science.fhir.kit.session import Session
    from madang.science.fhir.server.made_up import made_up_lives, resources
    from madang.science.fhir.server.messages import Response
    from madang.services.emr import service
    from madang.services.emr.signed import now, sealed

    kit = Session("folder:demo-emr", lambda request: Response(0, error="offline"), shipped("kr-core"))
    some = [each for each in resources(made_up_lives(3)) if each["resourceType"] != "Immunization"]
    for each in some:
        if each["resourceType"] == "Encounter":
            each["status"] = "over"  # something for the reader to see
    kit.hold(some)
    report = sealed(node.home, document(run(kit, progress=progress), kit, now()))
    service.hand_in(node, Actor.owner(), orjson.dumps(report), PRODUCT, "1.0")
