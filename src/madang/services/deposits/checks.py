"""Having a deposit checked: at once where little has to be read, else by a job.

What was read of a file is written down as soon as it is known, and holds as long as its hash: a check that was stopped
goes on where it was, and one more costs what is new.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _, later
from madang.node import jobs
from madang.node.acts import doing, doing_in
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check as check_allowed
from madang.services.deposits import checking, lists, reading, registering, service, sources
from madang.services.deposits.acts import CHECK
from madang.services.deposits.models import Deposit, DepositFile

AT_ONCE = 128 << 20  # bytes that are read while a person waits


def check(node: Node, actor: Actor, name: str, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Look into every file and at everything together; what is found, each with file, severity and sentence."""
    deposit = service.see(node, actor, name)
    check_allowed(actor, CHECK, deposit)
    _read(node, deposit, progress or Silent())
    with doing(node, actor, CHECK, lambda session: service.find(session, actor, name)) as done:
        found = _conclude(node, done.thing)
        done.tell(**_counted(done.thing, found))
    return found


def check_quickly(node: Node, actor: Actor, name: str) -> list[dict[str, Any]]:
    """The same, where it does not take long. Errors: `deposit.unread` where much has to be read first."""
    deposit = service.see(node, actor, name)
    if takes_long(deposit):
        raise MadangError(
            "deposit.unread",
            _("The files were not read yet, which takes a while."),
            _("Have the deposit checked first: by its page, or by `madang deposit check`."),
        )
    return check(node, actor, name)


def takes_long(deposit: Deposit) -> bool:
    """Whether more has to be read than a person should wait for."""
    return sum(_rest(file) for file in deposit.files) > AT_ONCE


def begin(node: Node, actor: Actor, name: str) -> int | None:
    """Begin to check: done at once where little has to be read, and nothing is told; else the number of the job, which
    is the one that is on its way, where there is one."""
    deposit = service.see(node, actor, name)
    check_allowed(actor, CHECK, deposit)
    if not takes_long(deposit):
        check(node, actor, name)
        return None
    title = later("Check {name}")
    with node.write() as session:
        found = service.find(session, actor, name)
        job = session.get(jobs.Job, found.job_id) if found.job_id is not None else None
        if job is None or job.state not in ("waiting", "running"):
            found.job_id = jobs.start(session, node, actor, check_deposit, {"name": name}, title, name=name)
        return found.job_id


@jobs.job
def check_deposit(work: jobs.Work, *, name: str) -> None:
    """The job that checks a deposit."""
    node, actor = work.node, work.actor
    _read(node, service.see(node, actor, name), work)
    with work.finish() as session, doing_in(session, node, actor, CHECK, _found(actor, name)) as done:
        found = _conclude(node, done.thing)
        done.tell(**_counted(done.thing, found))


def _found(actor: Actor, name: str) -> Any:
    def find(session: Session) -> Deposit:
        return service.find(session, actor, name)

    return find


def _rest(file: DepositFile) -> int:
    """How many bytes of a file have to be read."""
    if not file.sha256:
        return 0
    return file.bytes if _is_unread(file) or not sources.is_as_it_was(file) else 0


def _is_unread(file: DepositFile) -> bool:
    return bool(file.sha256) and (not file.format or "file.unreadable" in file.findings)


def _read(node: Node, deposit: Deposit, progress: Progress) -> None:
    """Read what was not read yet, and write down what each file is as soon as it is known."""
    registering.look_again(node, deposit.files, progress)
    unread = [file for file in deposit.files if _is_unread(file) and sources.is_as_it_was(file)]
    if not unread:
        return
    with progress.step(_("read the files"), sum(file.bytes for file in unread), "B"):
        for group in reading.groups([(sources.path_of(node.home, file), file.name) for file in unread]):
            files, unread = unread[: len(group)], unread[len(group) :]
            _keep(node, files, reading.look_together(group))
            progress.advance(sum(file.bytes for file in files))
    with node.read() as session:
        deposit = session.get_one(Deposit, deposit.id)
        list(deposit.files)
    _compare(node, deposit, progress)


def _compare(node: Node, deposit: Deposit, progress: Progress) -> None:
    """Compare variants with a reference of the deposit that speaks of the same sequences, once for each pair."""
    for variants, reference in checking.to_compare(deposit):
        if not (sources.is_as_it_was(variants) and sources.is_as_it_was(reference)):
            continue
        with progress.step(_("compare {name} with its reference").format(name=variants.name)):
            found = reading.compare_closed(sources.path_of(node.home, variants), sources.path_of(node.home, reference))
        with node.write() as session:
            kept = session.get(DepositFile, variants.id)
            if kept is not None and kept.sha256 == variants.sha256:
                kept.findings = json.dumps([*json.loads(kept.findings), *found], ensure_ascii=False)
                kept.facts = json.dumps(json.loads(kept.facts) | {"compared": reference.sha256}, ensure_ascii=False)


def _keep(node: Node, files: Sequence[DepositFile], told: Sequence[dict[str, Any]]) -> None:
    with node.write() as session:
        for file, each in zip(files, told, strict=True):
            kept = session.get(DepositFile, file.id)
            if kept is not None and kept.sha256 == file.sha256:  # it may have been taken out meanwhile
                kept.format = each["format"]
                kept.facts = json.dumps(each["facts"], ensure_ascii=False)
                kept.findings = json.dumps(each["findings"], ensure_ascii=False)


def _conclude(node: Node, deposit: Deposit) -> list[dict[str, Any]]:
    """What is found when everything is seen together, within the act."""
    lists.compare(node.home, deposit)
    if not any(_is_unread(file) and not file.format for file in deposit.files):
        deposit.checked = now()
    return checking.findings(deposit)


def _counted(deposit: Deposit, found: list[dict[str, Any]]) -> dict[str, int]:
    return {"files": len(deposit.files), "wrong": sum(each["severity"] == "wrong" for each in found)}
