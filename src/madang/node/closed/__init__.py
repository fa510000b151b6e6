"""The box: where programs run that nobody here wrote. No network, no files but those given, nothing left when it ends.

One box for questions in SQL, workspaces, graders, what reads uploaded files, and compute tasks. It is made by
bubblewrap as an ordinary user, never as root: namespaces of its own (user, mount, pid, network, ipc, uts, cgroup), no
capability, no new privilege, no further namespace, a filter of system calls, an empty environment, limits of memory,
disk, processes, time and output. Where it cannot be made nothing runs; there is no weaker way.

    box = Box(read={"/data/person.parquet": path}, limits=Limits(seconds=20, memory=1 << 30))
    finished = box.run([box.python, "-P", "-m", "madang.some.module"], given=b"...")
"""

from madang.node.closed.box import Box, Limits, is_available, why_not
from madang.node.closed.inside import copy_out, everything_inside, files_inside, open_inside, remove_inside
from madang.node.closed.running import Finished, Running, Use

__all__ = [
    "Box",
    "Finished",
    "Limits",
    "Running",
    "Use",
    "copy_out",
    "everything_inside",
    "files_inside",
    "is_available",
    "open_inside",
    "remove_inside",
    "why_not",
]
