"""What can be applied for, and who holds it: data with a published record in the catalog, and nothing else."""

from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.accounts import find_organization
from madang.node.people.actor import Actor


@dataclass(frozen=True)
class Source:
    """A dataset of the lake, and the organization whose committee decides about it."""

    dataset: str
    organization_id: int


def source_of(node: Node, actor: Actor, dataset: str, organization: str = "") -> Source:
    """The data that an application asks for.

    Whoever could name the holder would choose who decides: the record says it. Only the owner of the home may name the
    holder of data without a record. What cannot be applied for, and what one may not know of, get the same answer.
    Errors: `access.dataset`.
    """
    from madang.services.catalog import holder_of
    from madang.services.catalog.service import see

    name = dataset.partition("@")[0]
    with node.read() as session:
        holding = holder_of(session, name)
        named = find_organization(session, organization).id if organization else None
        house = find_organization(session, "house").id
    if holding is None:
        if actor.kind != "owner" or not _is_source(node, name):
            raise _none(name)
        return Source(name, house if named is None else named)
    try:
        record = see(node, actor, holding.record)
    except MadangError:
        raise _none(name) from None
    if (record.state != "published" and actor.kind != "owner") or not _is_source(node, name):
        raise _none(name)
    if named not in (None, holding.organization_id):
        raise MadangError(
            "access.dataset",
            _("The data {name} are held by somebody else than {organization}.").format(
                name=name, organization=organization
            ),
            _("Leave the organization out: the record says who holds them."),
        )
    return Source(name, holding.organization_id)


def _is_source(node: Node, name: str) -> bool:
    """Whether a dataset is one that extracts are made of, and not an extract itself."""
    dataset = node.home.lake().dataset(name)
    return dataset.exists and dataset.version().kind != "extract"


def _none(name: str) -> MadangError:
    return MadangError(
        "access.dataset",
        _("There are no data {name} that can be applied for.").format(name=repr(name)[:80]),
        _("The catalog shows what there is; the name is that of the dataset on the record's page."),
    )
