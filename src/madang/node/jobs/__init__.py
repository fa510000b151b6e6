"""Long work in child processes, claimed by lease and heartbeat in the database."""

from madang.node.jobs.models import Job, JobEvent

__all__ = ["Job", "JobEvent"]
