"""`madang trace dataset:NAME@N`: the chain of evidence of a version."""

from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check, may
from madang.services.datasets.acts import ASSESS, TRACE
from madang.services.datasets.chain import Link, chain_of


def trace(node: Node, actor: Actor, name: str) -> list[Link]:
    """The links of a version, down to a raw line for who may see the source."""
    check(actor, ASSESS)
    reference = name.partition(":")[2]
    node.audit.read(actor, TRACE.name, name)
    return list(chain_of(node, reference, lines=may(actor, TRACE)))
