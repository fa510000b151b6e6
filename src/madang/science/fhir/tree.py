"""The rows of a snapshot as a tree: an element, its children, and its slices with children of their own."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from madang.science.fhir.facts import Profile, Row


@dataclass
class Node:
    """One element of a profile. `name` is its name in the parent, without slice."""

    row: Row
    name: str
    profile: str = ""
    children: dict[str, "Node"] = field(default_factory=dict)
    slices: list["Node"] = field(default_factory=list)

    def walk(self) -> Iterator["Node"]:
        """This node, and all under it, slices included."""
        yield self
        for each in [*self.children.values(), *self.slices]:
            yield from each.walk()


def tree_of(profile: Profile) -> tuple[Node, dict[str, Node]]:
    """The root of a profile with a snapshot, and every node by element id."""
    nodes: dict[str, Node] = {}
    root = Node(profile.rows[0], profile.rows[0].path, profile.url)
    nodes[profile.rows[0].id] = root
    for row in profile.rows[1:]:
        above, _dot, last = row.id.rpartition(".")
        name = last.partition(":")[0]
        node = Node(row, name, profile.url)
        nodes[row.id] = node
        parent = nodes.get(above)
        if parent is None:
            continue
        if ":" in last:
            whole = nodes.get(f"{above}.{name}")
            if whole is not None:
                whole.slices.append(node)
        else:
            parent.children[name] = node
    return root, nodes
