"""Grades passed back to learning platforms (LTI Assignment and Grade Services 2.0), each in a job of its own."""

import json
import time
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.node import jobs
from madang.node.acts import told_of
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.training import courses, tokens
from madang.services.training.acts import PASS, Passed
from madang.services.training.lti import SCORE_SCOPE
from madang.services.training.models import Placed, Platform
from madang.services.training.service import home_of, standings

_PAUSES = (0.0, 2.0, 10.0)  # seconds before each try


def pass_back(session: Session, node: Node, person: int, course: str) -> int:
    """Have the grades of somebody in a course passed to wherever they are wanted; how many places there are."""
    wanted = select(Placed.id).join(Platform).where(Placed.person_id == person, Placed.course == course)
    found = session.scalars(wanted.where(Platform.state == "open")).all()
    for number in found:
        jobs.start(session, node, Actor.node(), pass_grade, {"placed": number}, later("Passing a grade back"))
    return len(found)


@jobs.job
def pass_grade(work: jobs.Work, *, placed: int) -> dict[str, Any]:
    """Pass the grade as it is now; what was passed already is not passed again."""
    node = work.node
    with node.read() as session:
        found = session.scalar(select(Placed).where(Placed.id == placed).options(selectinload(Placed.platform)))
    if found is None or found.platform.state != "open":
        return {"passed": False}
    score, largest, waiting = _score(node, found)
    if found.sent == score and not waiting:
        return {"passed": False}
    for number, pause in enumerate(_PAUSES):
        time.sleep(pause)
        work.check()
        try:
            _send(node, found, score, largest, waiting)
            break
        except MadangError:
            if number + 1 == len(_PAUSES):
                raise
    with work.finish({"score": score, "largest": largest}) as session:
        session.get_one(Placed, placed).sent = score
        details = Passed(platform=found.platform.issuer, course=found.course, score=score, largest=largest)
        told_of(session, node, Actor.node(), PASS, f"person:{found.person_id}", details.model_dump())
    return {"passed": True}


def _score(node: Node, found: Placed) -> tuple[float, float, bool]:
    """Points, the most that there are, and whether a teacher still has to read something."""
    course = courses.find_course(found.course, home_of(node))
    standing = standings(node, course.name, [found.person_id])[found.person_id]
    fits = [
        (standing.get((lesson.name, task.name)), task)
        for lesson, task in course.tasks()
        if found.lesson in ("", lesson.name) and found.task in ("", task.name)
    ]
    got = sum(min(each.score, task.largest) for each, task in fits if each is not None)
    return got, sum(task.largest for _each, task in fits), any(each.waiting for each, _task in fits if each is not None)


def _send(node: Node, found: Placed, score: float, largest: float, waiting: bool) -> None:
    told = {
        "userId": found.subject,
        "scoreGiven": score,
        "scoreMaximum": largest,
        "activityProgress": "Completed" if score >= largest else "InProgress",
        "gradingProgress": "PendingManual" if waiting else "FullyGraded",
        "timestamp": now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    headers = {
        "Authorization": f"Bearer {_leave(node, found.platform)}",
        "Content-Type": "application/vnd.ims.lis.v1.score+json",
    }
    parts = urlsplit(found.lineitem)
    url = urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/scores", parts.query, ""))
    tokens.ask(found.platform, "POST", url, headers=headers, body=json.dumps(told).encode())


def _leave(node: Node, platform: Platform) -> str:
    """The platform's leave to pass grades, for an assertion that our key signed (RFC 7523)."""
    import secrets

    at = int(time.time())
    claims = {"iss": platform.client, "sub": platform.client, "aud": platform.tokens, "iat": at, "exp": at + 300}
    assertion = tokens.sign(node.home, claims | {"jti": secrets.token_urlsafe(16)})
    asked = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
        "scope": SCORE_SCOPE,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer = tokens.ask(platform, "POST", platform.tokens, headers=headers, body=urlencode(asked).encode())
    try:
        return str(json.loads(answer.body)["access_token"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MadangError(
            "lti.platform_error", _("The learning platform {title} gives no leave.").format(title=platform.title)
        ) from None
