"""The release desk: ask, judge, vote, question, take."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node import files as store
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import HOUSE, Actor
from madang.node.people.accounts import find_person
from madang.node.people.models import Person, Role
from madang.node.people.projects import find_project
from madang.node.permissions import Act, may, visible
from madang.node.permissions import check as permitted
from madang.node.text import clean_line, clean_prose
from madang.science.privacy.outputs.judge import Status
from madang.services.release import ledger
from madang.services.release.acts import ASK, CHECKER, HAND_OVER, JUDGE, QUESTION, SEE, TAKE, VOTE, WITHDRAW
from madang.services.release.asking import check_number, project_of, version_of
from madang.services.release.examine import Examined, Upload, examine
from madang.services.release.models import (
    Release,
    ReleaseFile,
    ReleaseQuestion,
    ReleaseRecipient,
    ReleaseVote,
)
from madang.services.release.policy import read_policy

LARGEST = 100 * 1024 * 1024  # bytes of one request


def ask(
    node: Node,
    actor: Actor,
    uploads: Sequence[Upload],
    *,
    project: str = "",
    dataset: str = "",
    purpose: str = "",
    recipients: Sequence[str] = (),
) -> int:
    """Ask for release of files; its number. What fails a rule is refused at once, with the reasons.

    `dataset` is NAME or NAME@VERSION that the results were made from; results of an extract are of the project that has
    its permit, whichever is named. `recipients` are accounts that may take them, who asks if none is named.
    Errors: `release.files`, `release.too_many`, `release.dataset`, `dataset.none`, `project.none`.
    """
    _check_size(uploads)
    version = version_of(node, actor, dataset)
    with node.read() as session:
        number = project_of(session, version, find_project(session, project).id if project else None)
        check_number(session, actor, number)
        permitted(actor, ASK, Release(project_id=number, owner_id=actor.person_id, organization_id=HOUSE))
        logins = list(dict.fromkeys(recipients))
        people = [find_person(session, login).id for login in logins]
    return _asked(node, actor, ASK, uploads, Wanted(number, version, purpose, actor.person_id, people))


def hand_over(
    node: Node,
    actor: Actor,
    files: Sequence[tuple[str, bytes]],
    *,
    project_id: int,
    version: Version,
    purpose: str,
    owner_id: int | None,
) -> int:
    """Hand results that a holder computed for a project to the desk; its number. `owner_id` asked for them.

    Errors: those of `ask`.
    """
    uploads = [Upload(name, content) for name, content in files]
    _check_size(uploads)
    return _asked(node, actor, HAND_OVER, uploads, Wanted(project_id, version, purpose, owner_id, []))


@dataclass(frozen=True)
class Wanted:
    """What a request is about, and for whom; without recipients for who asked."""

    project_id: int | None
    version: Version | None
    purpose: str
    owner_id: int | None
    recipients: Sequence[int]


def _check_size(uploads: Sequence[Upload]) -> None:
    if sum(len(each.content) for each in uploads) > LARGEST:
        raise MadangError("release.files", _("The files are too large."), _("Bring fewer at a time."))


def _asked(node: Node, actor: Actor, act: Act, uploads: Sequence[Upload], wanted: Wanted) -> int:
    version, policy = wanted.version, read_policy(node)
    with node.read() as session:
        last, before = ledger.entries(
            node,
            session,
            ledger.source(wanted.project_id, version),
            ledger.permit_in(version.dataset.name) if version is not None else "",
            policy.rules,
        )
    found = examine([_cleaned(each) for each in uploads], version, before, policy.rules)
    checkers, sampled = policy.drawn()
    refused = any(each.status is Status.FAIL for each in found)

    def new(session: Session) -> Release:
        release = Release(
            project_id=wanted.project_id,
            organization_id=_holder(session, wanted.project_id),
            owner_id=wanted.owner_id,
            dataset=f"{version.dataset.name}@{version.number}" if version is not None else "",
            purpose=clean_prose(wanted.purpose, _("The purpose"), 5_000),
            rules=json.dumps(policy.rules.document()),
            checkers=checkers,
            sampled=sampled,
            ledger=last,
            decided=now() if refused else None,
            files=[_kept(node, each) for each in found],
        )
        people = list(wanted.recipients) or ([] if wanted.owner_id is None else [wanted.owner_id])
        release.recipients = [ReleaseRecipient(person_id=person) for person in people]
        return release

    with doing(node, actor, act, new) as done:
        done.become("refused" if refused else "asked")
        told = [f"{each.name} {each.sha256}" for each in done.thing.files]
        done.tell(files=told, rules=policy.rules.identifier, refused_by_rule=refused)
    return done.thing.id


def _cleaned(upload: Upload) -> Upload:
    name = clean_line(upload.name.replace("\\", "/").rpartition("/")[2], _("The name"), 200, required=True)
    return Upload(name, upload.content, clean_prose(upload.says, _("What it is"), 1_000))


def _holder(session: Session, project: int | None) -> int:
    return HOUSE


def _kept(node: Node, each: Examined) -> ReleaseFile:
    return ReleaseFile(
        name=each.name,
        says=each.says,
        kind=each.kind,
        sha256=store.keep(node.home, each.original),
        leaves=store.keep(node.home, each.content),
        size=len(each.content),
        status=each.status.value,
        match=each.match,
        query=json.dumps(each.query) if each.query is not None else "",
        counts=json.dumps(each.counts) if each.counts is not None else "",
        findings=json.dumps([finding.document() for finding in each.findings], ensure_ascii=False),
        opens=json.dumps(each.opens, ensure_ascii=False),
        proposal=json.dumps(each.proposal, ensure_ascii=False) if each.proposal is not None else "",
    )


def find(session: Session, number: int) -> Release:
    """A request with everything of it. Errors: `release.none`."""
    found = session.scalar(
        select(Release)
        .where(Release.id == number)
        .options(
            selectinload(Release.files),
            selectinload(Release.votes).selectinload(ReleaseVote.checker),
            selectinload(Release.questions),
            selectinload(Release.recipients).selectinload(ReleaseRecipient.person),
            selectinload(Release.project),
            selectinload(Release.owner),
        )
    )
    if found is None:
        raise _none(number)
    return found


def _none(number: int) -> MadangError:
    return MadangError("release.none", _("There is no release {n}.").format(n=number), _("Look at the list."))


def see(node: Node, actor: Actor, number: int) -> Release:
    """A request; as if it were not there for who may not know of it. Errors: `release.none`."""
    with node.read() as session:
        found = find(session, number)
        named = actor.person_id is not None and any(r.person_id == actor.person_id for r in found.recipients)
        if not named and not may(actor, SEE, found):
            raise _none(number)
    node.audit.read(actor, SEE.name, f"release:{number}")
    return found


def listed(node: Node, actor: Actor) -> Sequence[Release]:
    """The requests that one may see, the newest first."""
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    with node.read() as session:
        named = select(ReleaseRecipient.release_id).where(ReleaseRecipient.person_id == actor.person_id)
        query = select(Release).where(or_(visible(actor, SEE, Release), Release.id.in_(named)))
        query = query.options(selectinload(Release.files), selectinload(Release.project), selectinload(Release.owner))
        return session.scalars(query.order_by(Release.id.desc()).limit(500)).all()


def judges(actor: Actor, release: Release) -> bool:
    """Whether one may see the cells that would open: a checker who is not of the applicant's side."""
    return may(actor, JUDGE, release) and not _partial(actor, release)


def _partial(actor: Actor, release: Release) -> bool:
    """Whether somebody is on the applicant's side: in the project, who asked, or of the applicant's institution."""
    if actor.person_id is not None and actor.person_id == release.owner_id:
        return True
    if release.project_id is not None and actor.projects.get(release.project_id):
        return True
    theirs = release.project.organization_id if release.project is not None else None
    return theirs is not None and theirs != release.organization_id and bool(actor.roles.get(theirs))


def fingerprint(release: Release) -> str:
    """One hash over the names and contents of all that would leave."""
    text = "\n".join(f"{each.name} {each.sha256} {each.leaves}" for each in release.files)
    return hashlib.sha256(text.encode()).hexdigest()


def vote(node: Node, actor: Actor, number: int, agrees: bool, words: str = "") -> str:
    """Vote on a request; the state that follows. Who refuses says why.

    With the last vote the counts are held against the ledger once more: something else may have left meanwhile. Errors:
    `release.conflict` for who is on the applicant's side, `release.voted`, `release.words`, `release.changed`.
    """
    words = clean_prose(words, _("The reason"), 2_000)
    if not agrees and not words:
        raise MadangError("release.words", _("Say why it may not leave."), _("The applicant reads it."))
    again = _held_again(node, number) if agrees else None
    with doing(node, actor, VOTE, lambda session: find(session, number)) as done:
        release = done.thing
        if _partial(actor, release):
            raise MadangError(
                "release.conflict",
                _("Checkers are not of the project, nor of the institution, that asks."),
                _("Somebody else has to vote."),
            )
        if any(each.checker_id == actor.person_id for each in release.votes):
            raise MadangError("release.voted", _("You have voted on this."), _("The other vote is somebody else's."))
        mark = fingerprint(release)
        if any(each.hashes != mark for each in release.votes):
            raise MadangError("release.changed", _("The files are not those that were voted on."), "")
        release.votes.append(ReleaseVote(checker_id=actor.person_id, agrees=agrees, words=words, hashes=mark))
        count = len(release.votes)
        decided = count >= release.checkers
        state = "asked"
        if decided:
            state = "approved" if all(each.agrees for each in release.votes) else "refused"
            if state == "approved":
                state = ledger.enter(done.session, release, again)
            release.decided = now()
        done.become(state)
        done.tell(votes=count, decided=decided)
    return state


def _held_again(node: Node, number: int) -> tuple[int, bool]:
    with node.read() as session:
        return ledger.held_again(node, session, find(session, number))


def say(node: Node, actor: Actor, number: int, text: str) -> None:
    """Ask the applicant something, or answer."""
    text = clean_prose(text, _("The text"), 2_000, required=True)
    with doing(node, actor, QUESTION, lambda session: find(session, number)) as done:
        by_checker = judges(actor, done.thing)
        done.thing.questions.append(ReleaseQuestion(author_id=actor.person_id, by_checker=by_checker, text=text))
        done.tell(by_checker=by_checker)


def withdraw(node: Node, actor: Actor, number: int) -> None:
    """Take a request back."""
    with doing(node, actor, WITHDRAW, lambda session: find(session, number)) as done:
        done.thing.decided = now()


def take(node: Node, actor: Actor, number: int) -> tuple[str, bytes]:
    """Take what was released, once: a name, and a ZIP of the files. Only people whom the request names may.

    Errors: `release.recipient`, `release.changed` where a file is not what was voted on, `act.state`.
    """

    def theirs(session: Session) -> Release:
        release = find(session, number)
        if actor.is_signed_in and not receives(actor, release):
            raise MadangError(
                "release.recipient", _("This is for somebody else."), _("Ask who is named in the request.")
            )
        return release

    with doing(node, actor, TAKE, theirs) as done:
        release = done.thing
        mark = fingerprint(release)
        if any(each.hashes != mark for each in release.votes):
            raise MadangError("release.changed", _("The files are not those that were voted on."), "")
        content = _parcel(node, release)
        release.taken, release.taken_by_id = now(), actor.person_id
        done.tell(files=[f"{each.name} {each.leaves}" for each in release.files])
    return f"release-{number}.zip", content


def receives(actor: Actor, release: Release) -> bool:
    """Whether somebody is named in a request; where nobody is, it is for the owner of the home, who asked."""
    named = {each.person_id for each in release.recipients}
    return actor.person_id in named if named else actor.kind == "owner"


def _parcel(node: Node, release: Release) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parcel:
        for each in release.files:
            parcel.writestr(each.name, store.read(node.home, each.leaves))
        parcel.writestr("RELEASE.json", json.dumps(record(release), ensure_ascii=False, indent=1))
    return out.getvalue()


def knows(actor: Actor, release: Release) -> bool:
    """Whether somebody may know what is in a request: who judges, and who brought the files.

    Results that a holder computed are nobody's until they are released, and a hash of a small table gives it away to
    who tries all that it could be.
    """
    return judges(actor, release) or not ledger.is_held(release) or release.state in ("approved", "taken")


def record(release: Release, known: bool = True) -> dict[str, object]:
    """The machine-readable record of a release: every criterion that was applied to every file, and the votes.

    `known` says whether who reads it `knows` what is in the files.
    """
    return {
        "release": release.id,
        "project": release.project.name if release.project is not None else "",
        "dataset": release.dataset,
        "state": release.state,
        "rules": json.loads(release.rules),
        "checkers": release.checkers,
        "second_checker_drawn": release.sampled,
        "asked": release.asked.isoformat(),
        "decided": release.decided.isoformat() if release.decided else None,
        "files": [
            {
                "name": each.name,
                "kind": each.kind,
                "sha256": each.leaves if known else "",
                "status": each.status,
                "declared_query": each.read("query"),
                "computed_again": each.match,
                "criteria": each.read("findings"),
            }
            for each in release.files
        ],
        "votes": [{"agrees": each.agrees, "reason": each.words} for each in release.votes]
        if release.state != "asked"
        else len(release.votes),
    }


def shown_file(node: Node, actor: Actor, number: int, place: int) -> tuple[ReleaseFile, bytes, bytes]:
    """A file of a request for who judges it: the file, what leaves, and what came. Errors: `release.none`."""
    release = see(node, actor, number)
    if not judges(actor, release) or not 0 < place <= len(release.files):
        raise _none(number)
    file = release.files[place - 1]
    return file, store.read(node.home, file.leaves), store.read(node.home, file.sha256)


def checkers_of(session: Session, organization: int) -> Sequence[Person]:
    """The people who may judge for a holder."""
    query = select(Person).join(Role, Role.person_id == Person.id)
    return session.scalars(query.where(Role.organization_id == organization, Role.role == CHECKER)).all()
