"""Tables of long work: jobs, and what they said on the way."""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from madang.base.errors import MadangError
from madang.base.translate import _, kept_as_json, told
from madang.node.database import Base, now
from madang.node.text import Line, Machine

LONGEST = 200  # characters of a title, as it is kept


class Job(Base):
    """A piece of long work: which function, with what, as whom, how far."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_state", "state", "not_before"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    function: Mapped[str] = mapped_column(Machine)  # the job's stable name; module:name where no room lists it
    lane: Mapped[str] = mapped_column(Machine, default="short", server_default="short")  # short never waits for long
    arguments: Mapped[str] = mapped_column(Machine)  # JSON
    title: Mapped[str] = mapped_column(Line(LONGEST))  # `titled` made it; `named` tells it
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"), index=True)
    actor: Mapped[str] = mapped_column(Machine)  # JSON
    state: Mapped[str] = mapped_column(Machine, default="waiting")  # waiting, running, done, failed, cancelled
    cancel: Mapped[bool] = mapped_column(default=False)  # somebody asked to stop it
    created: Mapped[datetime] = mapped_column(default=now)
    not_before: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(Machine)  # who holds the lease, and ...
    lease: Mapped[datetime | None]  # ... until when
    result: Mapped[str | None] = mapped_column(Machine)  # JSON
    error: Mapped[str | None] = mapped_column(Machine)  # JSON: code, message, hint; `error_kept` made it
    output: Mapped[str] = mapped_column(Machine, default="")  # the end of what it printed

    @property
    def named(self) -> str:
        """The title in the reader's language."""
        return title_told(self.title)

    @property
    def why(self) -> str:
        """Why it failed and what to do, in the reader's language; empty where it did not."""
        return why_told(self.error or "")


def title_told(kept: str) -> str:
    """A title that `titled` made, in the reader's language; as it stands where an earlier release kept it."""
    try:
        text, values = json.loads(kept)
        return _(text).format(**values)
    except (ValueError, TypeError, LookupError, AttributeError):
        return kept


def titled(text: str, values: Mapping[str, str]) -> str:
    """A title that each reader is told in their language: a text marked with `later` and what is put into it, cut
    where the column is too short."""
    given = {name: " ".join(str(value).split()) for name, value in values.items()}
    while len(kept := json.dumps([str(text), given], ensure_ascii=False)) > LONGEST and any(given.values()):
        name = max(given, key=lambda each: len(given[each]))
        given[name] = given[name][:-2].rstrip("…") + "…" if len(given[name]) > 2 else ""
    return kept


def error_kept(error: MadangError) -> str:
    """An error as `Job.why` reads it: each reader is told it in their language."""
    said = {"code": error.code, "message": kept_as_json(error.message), "hint": kept_as_json(error.hint)}
    return json.dumps(said, ensure_ascii=False)


def why_told(kept: str) -> str:
    """Why a job came to nothing and what to do, in the reader's language: `Job.error`, or how it ended where that is
    empty, as a room kept it; as it stands where an earlier release kept a sentence."""
    if kept in ("failed", "cancelled"):
        return _("Stopped on request.") if kept == "cancelled" else _("It failed.")
    try:
        said = json.loads(kept) if kept.startswith("{") else {"message": kept}
        return " ".join(part for part in (told(said["message"]), told(said["hint"]) if "hint" in said else "") if part)
    except (ValueError, TypeError, LookupError, AttributeError):
        return kept


def why_kept(job: Job | None, state: str) -> str:
    """What a room keeps of why a job of its own came to nothing, for `why_told`: its error, or how it ended."""
    return (job.error if job is not None else None) or state


def text_kept(text: str) -> str:
    """What a job says, as `JobEvent.said` reads it."""
    kept = kept_as_json(text)
    return text if isinstance(kept, str) else json.dumps(kept, ensure_ascii=False)


class JobEvent(Base):
    """Something that a job said while it ran, in order; what a page shows as progress."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_job", "job_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(default=now)
    kind: Mapped[str] = mapped_column(Machine)  # started, begin, moved, end, done, failed, cancelled, waiting
    text: Mapped[str] = mapped_column(Machine, default="")  # `text_kept` made it; `said` tells it
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def said(self) -> str:
        """What it said, in the reader's language; as it stands where an earlier release kept it."""
        try:
            return told(json.loads(self.text)) if self.text.startswith("[") else self.text
        except (ValueError, TypeError, LookupError, AttributeError):
            return self.text
