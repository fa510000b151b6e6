"""What the holder does with an application: steps, questions, votes, and the tally that decides."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.text import clean_prose
from madang.services.access import acts, letters, procedure
from madang.services.access.models import Application, Vote, Word
from madang.services.access.service import conflicted, find, open_ready, people_of_committee, steps_of

CHOICES = ("approve", "conditional", "results-only", "refuse", "abstain")


@dataclass(frozen=True)
class Tally:
    """How the votes on the current edition stand. `outcome` is empty while nothing is decided."""

    members: int  # who may vote
    voted: int
    approve: int
    results_only: int
    refuse: int
    abstain: int
    quorum: int
    outcome: str
    conditions: tuple[str, ...]


def close_step(node: Node, actor: Actor, number: int, name: str, outcome: str = "done", note: str = "") -> None:
    """Close a step that is open: done, refused or left out. Errors: `access.step`.

    The vote of the committee is closed by `close_vote`. A step that is refused sends the application back.
    """
    if name not in procedure.NAMES or outcome not in ("done", "left-out"):
        raise MadangError("access.step", _("There is no step {name}.").format(name=name), ", ".join(procedure.NAMES))
    if name == "committee":
        raise MadangError("access.step", _("The committee's step is closed by its votes."), _("Close the vote."))
    with doing(node, actor, acts.STEP, lambda session: find(session, number)) as done:
        step = next((each for each in steps_of(done.thing) if each.name == name), None)
        if step is None or step.state != "open":
            raise MadangError(
                "access.step",
                _("The step {name} does not wait to be closed.").format(name=_(procedure.NAMES[name].title)),
                _("Look at the application: it says which step waits."),
            )
        step.state, step.closed, step.by_id = outcome, now(), actor.person_id
        step.note = clean_prose(note, _("The note"), 2_000)
        before = _committee_open(done.thing)
        open_ready(done.thing)
        if _committee_open(done.thing) and not before:
            letters.to_desk(
                node, done.session, done.thing, "committee", lambda: _("An application waits for your vote")
            )
        done.tell(step=name, outcome=outcome)


def ask_applicant(node: Node, actor: Actor, number: int, question: str) -> None:
    """Give an application back with a question or a wish: what is changed then is a new edition."""
    text = clean_prose(question, _("The question"), 5_000, required=True)
    with doing(node, actor, acts.RETURN, lambda session: find(session, number)) as done:
        done.thing.words.append(Word(person_id=actor.person_id, kind="question", text=text))
        letters.to_applicants(node, done.session, done.thing, lambda: _("There is a question about your application"))
        done.tell(reason=text[:200])


def _committee_open(application: Application) -> bool:
    return any(step.name == "committee" and step.state == "open" for step in steps_of(application))


def not_urgent(node: Node, actor: Actor, number: int, reason: str) -> None:
    """Say that an application can wait: it goes the usual way. A vote that has begun goes on.

    Errors: `access.urgent` for one that was never urgent.
    """
    text = clean_prose(reason, _("The reason"), 2_000, required=True)
    with doing(node, actor, acts.NOT_URGENT, lambda session: find(session, number)) as done:
        application = done.thing
        if not application.urgent:
            raise MadangError("access.urgent", _("The application is not an urgent one."))
        application.urgent = False
        voted = any(vote.edition == application.edition for vote in application.votes)
        states = {step.name: step.state for step in steps_of(application)}
        for step in steps_of(application):
            waits = any(states.get(need) in ("waiting", "open") for need in procedure.needs_of(step.name, urgent=False))
            if step.name == "committee" and step.state == "open" and waits and not voted:
                step.state, step.opened = "waiting", None
        application.words.append(Word(person_id=actor.person_id, kind="note", text=text))
        letters.to_applicants(node, done.session, application, lambda: _("Your application goes the usual way"))
        done.tell(reason=text[:200])


def vote(node: Node, actor: Actor, number: int, choice: str, words: str = "", edition: int | None = None) -> None:
    """Vote on the current edition; the newest vote of a member counts.

    Errors: `access.vote`, `access.conflict_of_interest`, `access.edited` if the application is not any more the
    edition that was read, `access.step` before the committee's step is open.
    """
    if choice not in CHOICES:
        raise MadangError("access.vote", _("There is no such vote."), ", ".join(CHOICES))
    said = clean_prose(words, _("The reasons"), 2_000, required=choice in ("conditional", "refuse", "results-only"))
    with doing(node, actor, acts.VOTE, lambda session: find(session, number)) as done:
        application = done.thing
        if actor.person_id is None or conflicted(done.session, application, actor.person_id):
            raise MadangError(
                "access.conflict_of_interest",
                _("You are part of what is asked for, so you do not vote on it."),
                _("The other members decide."),
            )
        if actor.person_id not in people_of_committee(done.session, application.organization_id):
            raise MadangError(
                "access.vote",
                _("Members of the committee vote themselves; the role in it is not handed to others for a vote."),
                _("An administrator can make you a member."),
            )
        if edition is not None and edition != application.edition:
            raise MadangError(
                "access.edited",
                _("The application was changed after you read it."),
                _("Read it again; your vote was not counted."),
            )
        step = next((each for each in steps_of(application) if each.name == "committee"), None)
        if step is None or step.state != "open":
            raise MadangError("access.step", _("The committee's step is not open."), _("Other steps come first."))
        application.votes.append(
            Vote(edition=application.edition, person_id=actor.person_id, choice=choice, words=said)
        )
        done.tell(edition=application.edition, choice=choice)


def tally(session: Session, application: Application) -> Tally:
    """Count the votes by the rules of the pack: a majority of the members takes part, a majority of those decides."""
    members = [
        person
        for person in people_of_committee(session, application.organization_id)
        if not conflicted(session, application, person)
    ]
    newest = {
        each.person_id: each
        for each in sorted(application.votes, key=lambda each: each.id or 0)
        if each.edition == application.edition and each.person_id in members
    }
    choices = [each.choice for each in newest.values()]
    approve = sum(choice in ("approve", "conditional") for choice in choices)
    results, refuse = choices.count("results-only"), choices.count("refuse")
    quorum = len(members) // 2 + 1
    outcome = ""
    if members and len(choices) >= quorum:
        needed = len(choices) // 2 + 1
        if approve >= needed:
            outcome = "closed-space"
        elif approve + results >= needed:
            outcome = "results-only"
        elif refuse >= needed or len(choices) == len(members):
            outcome = "refused"
    said = tuple(
        each.words for each in newest.values() if each.choice in ("conditional", "results-only") and each.words
    )
    return Tally(len(members), len(choices), approve, results, refuse, choices.count("abstain"), quorum, outcome, said)


def close_vote(node: Node, actor: Actor, number: int) -> str:
    """Close the committee's step by its votes: closed-space, results-only or refused. Errors: `access.undecided`."""
    with doing(node, actor, acts.DECIDE, lambda session: find(session, number)) as done:
        application = done.thing
        counted = tally(done.session, application)
        if not counted.outcome:
            raise MadangError(
                "access.undecided",
                _("Nothing is decided yet: {voted} of {members} members voted, {quorum} have to.").format(
                    voted=counted.voted, members=counted.members, quorum=counted.quorum
                ),
                _("Wait for the others; members who may not vote do not count."),
            )
        step = next(each for each in steps_of(application) if each.name == "committee")
        step.state = "refused" if counted.outcome == "refused" else "done"
        step.closed, step.by_id = now(), actor.person_id
        answer = counted.outcome
        if answer == "closed-space" and application.told.place == "results only":
            answer = "results-only"  # nobody gets more than they asked for
        application.answer, application.decided = answer, now()
        application.conditions = "\n".join(counted.conditions)
        refusals = [
            each.words for each in application.votes if each.edition == application.edition and each.choice == "refuse"
        ]
        application.reasons = "\n".join(refusals)
        if counted.outcome != "refused":
            open_ready(application)
        letters.to_applicants(node, done.session, application, lambda: _("Your application was decided"))
        done.become("refused" if counted.outcome == "refused" else "approved")
        done.tell(
            answer=answer,
            approve=counted.approve,
            refuse=counted.refuse,
            abstain=counted.abstain,
            members=counted.members,
        )
    return answer
