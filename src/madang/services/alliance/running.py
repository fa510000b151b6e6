"""A study that was asked on a page, run by a job."""

import contextlib

from madang.node import jobs
from madang.node.jobs import Work
from madang.services.alliance import coordinate


@jobs.job
def run_job(work: Work, *, study: int, wait: float = 3600.0) -> None:
    """Wait for decisions, then run the rounds."""
    with contextlib.suppress(coordinate.Waiting):  # then with those that have decided
        coordinate.wait_for_decisions(work.node, study, wait, work)
    answer = coordinate.run(work.node, work.actor, study, progress=work)
    with work.finish({"study": study, "sites": sum(each["in"] for each in answer["sites"])}):
        pass
