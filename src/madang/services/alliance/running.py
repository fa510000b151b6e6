"""A study that was asked on a page, run by a job."""

from madang.node import jobs
from madang.node.jobs import Work
from madang.services.alliance import coordinate


@jobs.job
def run_job(work: Work, *, study: int, wait: float = 3600.0) -> None:
    """Wait for decisions, then run the rounds with those that have approved."""
    answer = coordinate.decided_and_run(work.node, work.actor, study, wait, progress=work)
    with work.finish({"study": study, "sites": sum(each["in"] for each in answer["sites"])}):
        pass
