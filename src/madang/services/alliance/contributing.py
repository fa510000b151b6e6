"""What the alliance adds to statements of use: the sites that answered a study."""

from madang.node.node import Node
from madang.node.people import Actor
from madang.node.permissions import may
from madang.services.alliance.acts import SEE
from madang.services.alliance.models import AllianceStudy, Partner
from madang.services.contributions import Link, Thing


def of_study(node: Node, reference: str, actor: Actor | None = None) -> list[Link]:
    """The links of `study:N`: each site that takes part; with an actor only if they may see studies."""
    kind, _colon, number = reference.partition(":")
    if kind != "study" or not number.isascii() or not number.isdigit() or len(number) > 9:
        return []
    with node.read() as session:
        found = session.get(AllianceStudy, int(number))
        if found is None or (actor is not None and not may(actor, SEE, found)):
            return []
        sites = [session.get_one(Partner, each.partner_id) for each in found.sites if each.state == "approved"]
    return [Link(reference, Thing(f"site:{site.name}", site.name), "by") for site in sites]
