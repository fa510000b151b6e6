"""E-mail: written down together with the act that it tells of, sent afterwards."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from madang.node.database import Base, now
from madang.node.text import Line, Prose


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
