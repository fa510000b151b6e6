"""Long work in child processes, claimed by lease and heartbeat in the database.

A job is a function marked with `@job`, its arguments as JSON, and the actor as whom it runs. It is started together
with the act that asks for it; child processes come on demand and go when there is nothing to do. A process that dies
loses its lease, and another begins the job anew. What a job does to the database it does in `work.finish()`, in the
transaction that says that it is done: so it happens once.
"""

from madang.node.jobs.keeper import Keeper
from madang.node.jobs.models import Job, JobEvent, title_told, why_kept, why_told
from madang.node.jobs.queue import cancel, events_after, find, job, list_jobs, retry, start
from madang.node.jobs.work import Work

__all__ = [
    "Job",
    "JobEvent",
    "Keeper",
    "Work",
    "cancel",
    "events_after",
    "find",
    "job",
    "list_jobs",
    "retry",
    "start",
    "title_told",
    "why_kept",
    "why_told",
]
