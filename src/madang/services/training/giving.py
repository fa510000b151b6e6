"""Badges of an installation: given to whoever passed, shown, taken back, listed."""

import secrets
import uuid
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import signing
from madang.node.acts import doing
from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE, Organization, Person
from madang.services.training import badges, courses
from madang.services.training.acts import GIVE, REVOKE
from madang.services.training.models import Badge
from madang.services.training.service import home_of, share, standing_of

LASTS = timedelta(days=3 * 365)


def give(node: Node, actor: Actor, course: str, origin: str = "") -> str:
    """Give whoever passed a course its badge; its identifier. One that is in force for this very version stays.

    Errors: `badge.not_passed`, `badge.account`.
    """
    known = courses.find_course(course, home_of(node))
    if actor.person_id is None:
        raise MadangError("badge.account", _("A badge is for people with an account."), _("Sign in with an account."))
    standing = standing_of(node, actor, course)
    reached = share(known, standing)
    if reached < known.pass_share:
        raise MadangError(
            "badge.not_passed",
            _("{reached:.0%} of the points are reached; {needed:.0%} are needed.").format(
                reached=reached, needed=known.pass_share
            ),
            _("Go on with the tasks that are open."),
        )
    before = next((each for each in of_person(node, actor) if each.digest == known.digest and _holds(each)), None)
    if before is not None:
        return before.uid
    signer = signing.signer(node.home)
    begins = now().replace(microsecond=0)

    def make(session: Session) -> Badge:
        person = session.get_one(Person, actor.person_id)
        house = session.get_one(Organization, HOUSE)
        taken = set(session.scalars(select(Badge.place)))
        place = next(p for p in iter(lambda: secrets.randbelow(badges.BITS), None) if p not in taken)
        earned = badges.Earned(
            uid=str(uuid.uuid4()),
            holder=person.name,
            course=known.name,
            title=known.title["en"],
            description=known.summary["en"],
            digest=known.digest,
            skills=known.skills,
            ncs=known.ncs,
            scores=tuple(
                (f"{lesson.name}/{task.name}", standing[lesson.name, task.name].score, task.largest)
                for lesson, task in known.tasks()
                if (lesson.name, task.name) in standing
            ),
            issuer_name=house.title,
            begins=begins,
            until=begins + LASTS,
            place=place,
            status_list=f"{origin or 'urn:madang'}/training/badges/status.jwt",
        )
        token = signer.sign(badges.credential(earned, signer.public), badges.TYP, badges.CTY)
        return Badge(
            uid=earned.uid,
            place=place,
            owner_id=actor.person_id,
            organization_id=HOUSE,
            course=known.name,
            digest=known.digest,
            token=token,
            issued=begins,
            until=earned.until,
        )

    with doing(node, actor, GIVE, make) as done:
        done.tell(course=known.name, digest=known.digest)
        return done.thing.uid


def _holds(badge: Badge) -> bool:
    return badge.state == "valid" and badge.until > now()


def of_person(node: Node, actor: Actor) -> list[Badge]:
    """One's own badges, newest first."""
    if actor.person_id is None:
        return []
    with node.read() as session:
        wanted = select(Badge).where(Badge.owner_id == actor.person_id).order_by(Badge.id.desc())
        return list(session.scalars(wanted))


def find(session: Session, uid: str) -> Badge:
    """A badge by its identifier. Errors: `badge.none`."""
    found = session.scalars(select(Badge).where(Badge.uid == uid)).first()
    if found is None:
        raise MadangError("badge.none", _("There is no such badge."))
    return found


def see(node: Node, uid: str) -> tuple[Badge, badges.Answer]:
    """A badge and what can be said of it now; whoever has its address may see it. Errors: `badge.none`."""
    with node.read() as session:
        found = find(session, uid)
    keys = signing.public_keys(node.home)
    return found, badges.verify(found.token, keys, now(), revoked=found.state == "revoked")


def revoke(node: Node, actor: Actor, uid: str, reason: str) -> None:
    """Take a badge back."""
    with doing(node, actor, REVOKE, lambda session: find(session, uid)) as done:
        done.thing.reason = reason
        done.tell(course=done.thing.course, digest=done.thing.digest, reason=reason)


def withdraw_version(node: Node, actor: Actor, digest: str, reason: str) -> int:
    """Take back every badge of a version of a course that turned out to be wrong; how many."""
    with node.read() as session:
        found = list(session.scalars(select(Badge.uid).where(Badge.digest == digest, Badge.state == "valid")))
    for uid in found:
        revoke(node, actor, uid, reason)
    return len(found)


def status_list(node: Node, origin: str = "") -> str:
    """The signed list of what was taken back, good for 30 days."""
    signer = signing.signer(node.home)
    with node.read() as session:
        places = list(session.scalars(select(Badge.place).where(Badge.state == "revoked")))
    url = f"{origin or 'urn:madang'}/training/badges/status.jwt"
    return signer.sign(
        badges.status_credential(badges.did_key(signer.public), url, places, now()), badges.TYP, badges.CTY
    )


def trusted(with_skill: str, node: Node, person: int) -> bool:
    """Whether somebody holds a badge in force that names a skill: what a project asks for, or a permit requires."""
    with node.read() as session:
        mine = list(session.scalars(select(Badge).where(Badge.owner_id == person, Badge.state == "valid")))
    known = {each.name: each for each in courses.all_courses(home_of(node))}
    return any(_holds(each) and each.course in known and with_skill in known[each.course].skills for each in mine)


def register_says(home: Home, uid: str) -> bool | None:
    """Whether the register of this computer's installation has taken a badge back; None where it does not know it."""
    if not (Path(home.path) / "node.db").is_file() and not (Path(home.path) / "madang.toml").is_file():
        return None
    from madang.node.node import opened

    with opened() as node, node.read() as session:
        state = session.scalars(select(Badge.state).where(Badge.uid == uid)).first()
    return None if state is None else state == "revoked"
