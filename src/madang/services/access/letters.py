"""E-mails about applications and permits, written in the transaction of what they tell of; in both languages."""

from collections.abc import Callable, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.translate import _, speaking
from madang.node import mail
from madang.node.node import Node
from madang.node.people.models import Person, Role
from madang.node.people.projects import people_of
from madang.services.access.models import Application

Sentence = Callable[[], str]  # said in each language


def to_applicants(node: Node, session: Session, application: Application, sentence: Sentence) -> None:
    """Tell everybody in the project."""
    _send(node, session, people_of(session, application.project_id), application, sentence)


def to_desk(node: Node, session: Session, application: Application, role: str, sentence: Sentence) -> None:
    """Tell the data stewards, or the committee, of the holder."""
    query = (
        select(Person)
        .join(Role, Role.person_id == Person.id)
        .where(Role.role == role, Role.organization_id == application.organization_id, Person.disabled.is_(None))
    )
    _send(node, session, session.scalars(query.distinct().order_by(Person.id)), application, sentence)


def _send(node: Node, session: Session, people: Iterable[Person], application: Application, sentence: Sentence) -> None:
    """One e-mail to each who has an address. What was said in confidence (votes, reasons) stays on the page."""
    said = []
    for language in ("ko", "en"):
        with speaking(language):
            text = _("Urgent: {sentence}").format(sentence=sentence()) if application.urgent else sentence()
            said.append((text, _("See it here, after you signed in: {address}")))
    web = node.settings.web
    place = f"{(web.address or f'http://{web.host}:{web.port}').rstrip('/')}/applications/{application.id}"
    subject = " / ".join(dict.fromkeys(text for text, _where in said))[:200]
    body = "\n\n".join(f"{application.title}\n{text}\n{where.format(address=place)}" for text, where in said)
    for address in dict.fromkeys(person.email for person in people if person.email):
        mail.write(session, address, subject, body)
