"""What the doctor looks at: whether tasks can run, where they run, what stands in for images, and the disk."""

import shutil
from collections.abc import Iterator

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import closed
from madang.node.doctor import Finding
from madang.node.node import Node
from madang.services.compute.cluster import Cluster, cluster_of, told_of
from madang.services.compute.definition import GB, TOOLS, environment_of, graphics, machine

_LITTLE = 10 * GB  # bytes free below which tasks with the disk that they may fill by default find no room


def look(node: Node) -> Iterator[Finding]:
    """The findings about tasks."""
    what = _("tasks")
    try:
        cluster = cluster_of(node.home)
        has = machine()
    except MadangError as error:
        yield Finding(what, "bad", error.message, error.hint)
        return
    reason = closed.why_not()
    if cluster is not None:
        yield _of_cluster(node, cluster)
    elif reason is not None:
        message = _("No task can run: programs cannot be closed in ({reason}).").format(reason=reason)
        yield Finding(what, "doubtful", message, _("Install the package bubblewrap and allow user namespaces."))
    else:
        text = _("Tasks run on this machine: {cores} cores, {memory} GB of memory, {gpus} GPUs.")
        shown = text.format(cores=has.cores, memory=has.memory // GB, gpus=len(graphics()))
        yield Finding(what, "good", shown)
    try:
        environment_of("alpine")
        environment_of(TOOLS)
    except MadangError as error:
        yield Finding(_("workflows"), "doubtful", error.message, error.hint)
    else:
        yield Finding(_("workflows"), "good", _("Snakemake and cwltool are installed."))
    free = shutil.disk_usage(node.home.path).free
    if free < _LITTLE:
        message = _("{free} GB are free where tasks work and leave their files.").format(free=f"{free / GB:.1f}")
        yield Finding(what, "doubtful", message, _("Free some space; old tasks keep what they left."))


def _of_cluster(node: Node, cluster: Cluster) -> Finding:
    what = _("cluster")
    if shutil.which("sbatch") is None:
        message = _("Tasks are to run on a cluster, and sbatch is not installed.")
        return Finding(what, "bad", message, _("Install Debian's slurm-client, and the cluster's configuration."))
    if not cluster.folder.is_dir():
        message = _("The folder {path}, through which tasks go to the cluster, is not there.")
        return Finding(what, "bad", message.format(path=cluster.folder), _("Mount it, or make it."))
    said = told_of(node.home).said
    if said:
        return Finding(what, "doubtful", said)
    text = _("Tasks run on a cluster, at most {jobs} jobs at a time, in {path}.")
    return Finding(what, "good", text.format(jobs=cluster.jobs, path=cluster.folder))
