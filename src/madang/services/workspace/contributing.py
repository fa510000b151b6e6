"""What workspaces add to the account of how data were used."""

from collections.abc import Iterator

from sqlalchemy import or_, select

from madang.node.node import Node
from madang.services.contributions import Use
from madang.services.workspace.models import Workspace


def uses(node: Node, dataset: str) -> Iterator[Use]:
    """Workspaces that were opened on a dataset."""
    of = or_(Workspace.dataset == dataset, Workspace.dataset.startswith(f"{dataset}@", autoescape=True))
    with node.read() as session:
        found = session.execute(select(Workspace.id, Workspace.created).where(of)).all()
    for number, created in found:
        yield Use(created, "workspace", f"workspace:{number}")
