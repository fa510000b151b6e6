"""The e-mail that a task is over, for who asked to hear of it, in both languages: an account has none of its own."""

from sqlalchemy.orm import Session

from madang.base.translate import _, speaking
from madang.node import mail
from madang.node.acts import label
from madang.node.node import Node
from madang.node.people.models import Person
from madang.services.compute.definition import MAIL, Definition
from madang.services.compute.models import Task


def tell_end(session: Session, node: Node, task: Task) -> None:
    """Write to the owner of a task that it ended, where its tag asks for that and there is an address."""
    wanted = (Definition.model_validate_json(task.definition).tags or {}).get(MAIL)
    person = session.get(Person, task.owner_id) if wanted and task.owner_id else None
    if person is None or not person.email:
        return
    address = (
        f"{node.settings.web.address or f'http://{node.settings.web.host}:{node.settings.web.port}'}/compute/{task.id}"
    )
    parts, subjects = [], []
    for language in ("ko", "en"):
        with speaking(language):
            state = label("task", task.state)
            subjects.append(_("Task {number}: {state}").format(number=task.id, state=state))
            told = [subjects[-1], " ".join(task.name.split())[:200]]
            told += [_("exit code {code}").format(code=task.code)] if task.code is not None else []
            parts.append("\n".join([*told, address]))
    mail.write(session, person.email, " / ".join(subjects)[:190], "\n\n".join(parts))
