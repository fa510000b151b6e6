"""What waits for somebody: texts that a teacher reads, people who are stuck; a class that ends, a badge to take."""

from datetime import timedelta

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import may
from madang.services.training import courses, giving, service, teaching
from madang.services.training.acts import LIST, OVERRIDE
from madang.web.cards import Card

_SOON = timedelta(days=14)
_RENEW = timedelta(days=60)
_MOST = 20  # classes that are looked at


def waiting(node: Node, actor: Actor) -> list[Card]:
    """The cards of a person's start page."""
    cards = [*_of_teacher(node, actor)] if may(actor, LIST) else []
    return cards + (_of_learner(node, actor) if actor.person_id is not None else [])


def _of_teacher(node: Node, actor: Actor) -> list[Card]:
    cards = []
    for each in teaching.list_classes(node, actor)[:_MOST]:
        if each.state != "open" or not may(actor, OVERRIDE, each):
            continue
        with node.read() as session:
            found = teaching.find_class(session, each.id)
            session.expunge_all()
        at = f"/training/classes/{each.id}"
        try:
            texts, people = len(teaching.unread(node, found)), len({one.number for one in teaching.stuck(node, found)})
        except MadangError:
            continue  # its course is not there any more
        if texts:
            cards.append(
                Card(_("Texts wait for a teacher"), _("{title}: {count}").format(title=each.title, count=texts), at)
            )
        if people:
            cards.append(
                Card(_("Learners are stuck"), _("{title}: {count}").format(title=each.title, count=people), at)
            )
    return cards


def _of_learner(node: Node, actor: Actor) -> list[Card]:
    begun = service.begun(node, actor)
    badges = giving.of_person(node, actor)
    held = {each.course for each in badges if each.state == "valid" and each.until > now()}
    cards = [
        Card(_("A badge ends soon"), each.course, f"/badges/{each.uid}", until=each.until)
        for each in badges
        if each.state == "valid" and now() < each.until < now() + _RENEW
    ]
    for course in courses.all_courses(service.home_of(node)) if begun else []:
        if course.name not in begun:
            continue
        at, title = f"/training/courses/{course.name}", service.titled(course)
        if (
            course.name not in held
            and service.share(course, service.standing_of(node, actor, course.name)) >= course.pass_share
        ):
            cards.append(Card(_("A badge can be taken"), title, at))
    for each in service.classes_of(node, actor):
        if each.ends is not None and now() < each.ends < now() + _SOON and each.course not in held:
            cards.append(Card(_("A class ends soon"), each.title, f"/training/courses/{each.course}", until=each.ends))
    return cards
