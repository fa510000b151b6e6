"""What the doctor looks at: whether workspaces can be opened here, and how their limits are held."""

from collections.abc import Iterator

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.closed import cgroup, why_not
from madang.node.doctor import Finding
from madang.node.node import Node
from madang.services.workspace.environment import find_environment


def look(node: Node) -> Iterator[Finding]:
    """The findings about workspaces."""
    what = _("workspaces")
    reason = why_not()
    if reason is not None:
        yield Finding(
            what,
            "doubtful",
            _("No workspace can be opened: programs cannot be closed in ({reason}).").format(reason=reason),
            _("Install the package bubblewrap and allow user namespaces."),
        )
        return
    try:
        find_environment(node)
    except MadangError as error:
        yield Finding(what, "doubtful", error.message, error.hint)
        return
    held = _("the kernel (a control group)") if cgroup.delegated() else _("a supervisor of this installation")
    yield Finding(what, "good", _("Workspaces can be opened; their memory is held by {holder}.").format(holder=held))
