"""E-mail: written down together with the act that it tells of, sent afterwards.

Where the settings name no server, an e-mail becomes a file in `$MADANG_HOME/outbox`.
"""

import smtplib
import ssl
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import put_if_absent, sentences
from madang.node.database import Base, now
from madang.node.node import Node
from madang.node.text import Line, Prose, clean_line, clean_prose

_TIMEOUT = 20
_ATTEMPTS = 10


class Mail(Base):
    """An e-mail on its way, or sent."""

    __tablename__ = "mails"

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(Line(254))
    subject: Mapped[str] = mapped_column(Line(200))
    body: Mapped[str] = mapped_column(Prose())
    created: Mapped[datetime] = mapped_column(default=now)
    not_before: Mapped[datetime] = mapped_column(default=now)
    sent: Mapped[datetime | None] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Line(500), default="")


def write(session: Session, recipient: str, subject: str, body: str) -> None:
    """Have an e-mail sent once the changes of `session` are committed."""
    session.add(
        Mail(
            recipient=clean_line(recipient, _("The e-mail address"), 254, required=True),
            subject=clean_line(subject, _("The subject"), required=True),
            body=clean_prose(body, _("The text")),
        )
    )


def deliver(node: Node) -> int:
    """Send what is due, how many were sent. What fails is tried again later, up to ten times.

    An e-mail is marked as tried before it is handed over, so a crash sends it at most once more, not again and again.
    """
    count = 0
    while True:
        with node.write() as session:
            due = (
                select(Mail)
                .where(Mail.sent.is_(None), Mail.attempts < _ATTEMPTS, Mail.not_before <= now())
                .order_by(Mail.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            mail = session.scalar(due)
            if mail is None:
                return count
            mail.attempts += 1
            mail.not_before = now() + timedelta(minutes=2**mail.attempts)
        try:
            _hand_over(node, mail)
            error = ""
            count += 1
        except (OSError, smtplib.SMTPException, MadangError) as failed:
            error = " ".join("".join(c if c.isprintable() else " " for c in str(failed)).split())[:500]
        with node.write() as session:
            again = session.get(Mail, mail.id)
            if again is not None:
                again.error = error
                again.sent = None if error else now()


def check_server(node: Node) -> None:
    """Raise what hinders the SMTP server from being used; nothing is sent."""
    if node.settings.mail.server:
        try:
            with _server(node):
                pass
        except (OSError, smtplib.SMTPException) as error:
            raise MadangError(
                "mail.server",
                _("The mail server {server} does not answer as it should: {reason}.").format(
                    server=node.settings.mail.server, reason=" ".join(str(error).split()).rstrip(".")
                ),
                _("Look at the settings under [mail]."),
            ) from None


def _hand_over(node: Node, mail: Mail) -> None:
    message = EmailMessage(policy=SMTP)
    message["From"] = node.settings.mail.sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(now())
    message["Message-ID"] = make_msgid(domain=node.settings.mail.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    if not node.settings.mail.server:
        path = node.home.folder("outbox") / f"{mail.id:08}.eml"
        with sentences(f"write the e-mail {path}"):
            put_if_absent(path, bytes(message), 0o600)
        return
    with _server(node) as server:
        server.send_message(message)


def _server(node: Node) -> smtplib.SMTP:
    settings = node.settings.mail
    trust = ssl.create_default_context()
    server: smtplib.SMTP
    if settings.security == "tls":
        server = smtplib.SMTP_SSL(settings.server, settings.port, timeout=_TIMEOUT, context=trust)
    else:
        server = smtplib.SMTP(settings.server, settings.port, timeout=_TIMEOUT)
    try:
        if settings.security == "starttls":
            server.starttls(context=trust)
        if settings.user:
            server.login(settings.user, settings.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server
