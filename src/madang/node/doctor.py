"""What is wrong with an installation, each thing with a hint. Looks only: nothing is made, upgraded or repaired."""

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.node import closed
from madang.node.database import now
from madang.node.home import Home
from madang.node.jobs.models import Job
from madang.node.mail import Mail, check_server
from madang.node.node import Node, open_database
from madang.node.rooms import open_plans
from madang.node.settings import FILE, Settings, load_settings
from madang.node.upgrade import check_known, newest, revision_of

Level = Literal["good", "doubtful", "bad"]
_LITTLE = 1 << 30  # bytes free below which a disk is doubtful; bad below a tenth
_OLD = timedelta(days=8)  # since the last backup
_SKEW = timedelta(minutes=2)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, in a sentence, and what to do about it."""

    what: str
    level: Level
    message: str
    hint: str = ""


def examine(home: Home, *, thorough: bool = False, progress: Progress | None = None) -> Iterator[Finding]:
    """Look at everything, one finding after the other. `thorough` reads every byte of every dataset."""
    progress = progress or Silent()
    yield from _versions()
    try:
        settings = load_settings(home.path)
    except MadangError as error:
        yield Finding(_("settings"), "bad", error.message, error.hint)
        return
    yield Finding(_("settings"), "good", _("madang.toml and the environment can be read."))
    yield from _sandbox()
    if not home.path.exists():
        yield Finding(
            _("home"), "good", _("{folder} is not there yet; it is made at first use.").format(folder=home.path)
        )
        return
    yield from _folders(home, settings)
    yield from _disk(home)
    yield from _datasets(home, thorough, progress)
    yield from _node(home, settings)


def _versions() -> Iterator[Finding]:
    found = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    old = sys.version_info < (3, 11) or sqlite3.sqlite_version_info < (3, 37)
    yield Finding(
        _("versions"), "bad" if old else "good", found, _("Python 3.11 and SQLite 3.37 are needed.") if old else ""
    )


def _sandbox() -> Iterator[Finding]:
    what, hint = _("sandbox"), _("Install the package bubblewrap and allow user namespaces.")
    if shutil.which("bwrap") is None:
        yield Finding(what, "doubtful", _("bubblewrap is missing: asking by SQL in the portal is off."), hint)
        return
    if not closed.is_available():
        yield Finding(what, "doubtful", _("bubblewrap does not work: asking by SQL in the portal is off."), hint)
    else:
        yield Finding(what, "good", _("bubblewrap works."))


def _folders(home: Home, settings: Settings) -> Iterator[Finding]:
    closed = [home.path / name for name in ("keys", "restricted", "node.db", "files", "backups")]
    closed += sorted((home.path / "keys").glob("*.key"))
    if any(isinstance(value, str) and value for value in _secrets(settings)) and (home.path / FILE).exists():
        closed.append(home.path / FILE)
    open_ones = [path for path in closed if path.exists() and path.stat().st_mode & 0o077]
    for path in open_ones:
        mode = "700" if path.is_dir() else "600"
        yield Finding(
            _("permissions"),
            "bad",
            _("Others on this machine may look into {path}.").format(path=path),
            _("Run `chmod {mode} {path}`.").format(mode=mode, path=path),
        )
    if not open_ones:
        yield Finding(_("permissions"), "good", _("Nobody else on this machine can look into what is secret."))
    if not os.access(home.path, os.W_OK):
        yield Finding(_("permissions"), "bad", _("{path} cannot be written.").format(path=home.path))


def _secrets(settings: Settings) -> list[str]:
    return [
        settings.database_url.get_secret_value(),
        settings.mail.password.get_secret_value(),
        settings.openid.client_secret.get_secret_value(),
    ]


def _disk(home: Home) -> Iterator[Finding]:
    free = shutil.disk_usage(home.path).free
    level: Level = "bad" if free < _LITTLE / 10 else "doubtful" if free < _LITTLE else "good"
    message = _("{count:.1f} GB are free where the home is.").format(count=free / 1e9)
    yield Finding(_("disk"), level, message, "" if level == "good" else _("Free some space."))


def _datasets(home: Home, thorough: bool, progress: Progress) -> Iterator[Finding]:
    from madang.lake.verify import verify

    try:
        datasets = home.lake().datasets()
    except MadangError as error:
        yield Finding(_("datasets"), "bad", error.message, error.hint)
        return
    broken = 0
    for dataset in datasets:
        problems: list[str] = []
        try:
            if thorough:
                problems = [f"{found.path}: {found.problem}" for found in verify(dataset, progress=progress)]
            else:
                for number in dataset.versions():
                    for table in dataset.version(number).tables.values():
                        problems += [str(path) for path in table.paths if not path.is_file()]
        except MadangError as error:
            problems = [error.message]
        if problems:
            broken += 1
            yield Finding(
                _("datasets"),
                "bad",
                _("{name} is damaged: {problem}").format(name=dataset.name, problem=problems[0]),
                _("`madang datasets verify {name}` says more; restore it from a backup.").format(name=dataset.name),
            )
    if not broken:
        message = _("All {count} datasets can be read.").format(count=len(datasets))
        yield Finding(_("datasets"), "good", message)


def _node(home: Home, settings: Settings) -> Iterator[Finding]:
    """What can only be looked at with the database open."""
    if not settings.database_url.get_secret_value() and not (home.path / "node.db").exists():
        yield Finding(_("database"), "good", _("There is none yet; it is made at first use."))
        return
    try:
        node = Node(home, settings, open_database(home, settings))
    except MadangError as error:
        yield Finding(_("database"), "bad", error.message, error.hint)
        return
    try:
        yield from _opened(node)
    finally:
        node.close()


def _opened(node: Node) -> Iterator[Finding]:
    revision = None
    try:
        revision = revision_of(node.database)
        check_known(revision)
        yield from _sound(node)
    except MadangError as error:
        yield Finding(_("database"), "bad", error.message, error.hint)
        return
    if revision != newest():
        yield Finding(
            _("database"),
            "doubtful",
            _("An upgrade is needed (revision {found}, newest {newest}).").format(
                found=revision or "-", newest=newest()
            ),
            _("It happens at the next start, after a backup."),
        )
        return
    looks: list[tuple[str, Callable[[Node], Iterator[Finding]]]] = [
        (_("audit"), _audit),
        (_("clock"), _clock),
        (_("backup"), _backups),
        (_("jobs"), _jobs),
        (_("mail"), _mail),
        (_("provider"), _provider),
    ]
    looks += [(_(plan.title), plan.load(plan.doctor)) for plan in open_plans() if plan.doctor]
    for what, look in looks:
        try:
            yield from look(node)
        except MadangError as error:
            yield Finding(what, "bad", error.message, error.hint)


def _sound(node: Node) -> Iterator[Finding]:
    with node.read() as session:
        if node.database.is_sqlite:
            said = session.execute(text("PRAGMA quick_check(1)")).scalar()
            if said != "ok":
                raise MadangError(
                    "database.damaged", _("The database is damaged: {reason}.").format(reason=str(said).rstrip("."))
                )
            name = f"SQLite, {node.home.path / 'node.db'}"
        else:
            name = "PostgreSQL " + str(session.execute(text("SHOW server_version")).scalar())
    yield Finding(_("database"), "good", name)


def _audit(node: Node) -> Iterator[Finding]:
    report = node.audit.verify()
    for found in report.findings[:5]:
        where = _("event {number}").format(number=found.number) if found.number else _("the end")
        yield Finding(
            _("audit"),
            "bad",
            f"{where}: {found.problem}",
            _("`madang audit verify` lists them; compare with a backup."),
        )
    if not report.findings:
        yield Finding(_("audit"), "good", _("{count} events, none changed.").format(count=report.length))


def _clock(node: Node) -> Iterator[Finding]:
    at = now()
    with node.read() as session:
        events = node.audit.events(session, limit=1)
        moments = [datetime.fromisoformat(event.at) for event in events]
        if not node.database.is_sqlite:
            server = session.execute(select(func.now())).scalar_one().astimezone(UTC)
            if abs(server - at) > _SKEW:
                yield Finding(_("clock"), "bad", _("The database server's clock differs."), _("Set both by NTP."))
    if any(moment - at > _SKEW for moment in moments):
        yield Finding(
            _("clock"), "bad", _("The last event lies in the future: the clock went back."), _("Set it by NTP.")
        )
    else:
        yield Finding(_("clock"), "good", at.isoformat(timespec="seconds"))


def _backups(node: Node) -> Iterator[Finding]:
    hint = _("`madang backup TO` makes one.")
    with node.read() as session:
        last = node.audit.events(session, act="node.backup", limit=1)
    if not last:
        yield Finding(_("backup"), "doubtful", _("No backup was ever made."), hint)
        return
    at = datetime.fromisoformat(last[0].at)
    level: Level = "doubtful" if now() - at > _OLD else "good"
    message = _("The last one was made on {date}.").format(date=at.date())
    yield Finding(_("backup"), level, message, hint if level == "doubtful" else "")


def _jobs(node: Node) -> Iterator[Finding]:
    with node.read() as session:
        failed = _count(session, Job.id, Job.state == "failed")
        waiting = _count(session, Job.id, (Job.state == "waiting") & (Job.not_before < now() - timedelta(hours=1)))
    if waiting:
        yield Finding(
            _("jobs"),
            "doubtful",
            _("{count} have waited for an hour.").format(count=waiting),
            _("Is `madang serve` running?"),
        )
    yield Finding(_("jobs"), "good", _("{count} failed so far.").format(count=failed))


def _mail(node: Node) -> Iterator[Finding]:
    with node.read() as session:
        stuck = _count(session, Mail.id, Mail.sent.is_(None) & (Mail.attempts > 2))
    if stuck:
        yield Finding(_("mail"), "doubtful", _("{count} e-mails could not be sent.").format(count=stuck))
    check_server(node)
    where = node.settings.mail.server or node.home.path / "outbox"
    yield Finding(_("mail"), "good", _("E-mails go to {where}.").format(where=where))


def _provider(node: Node) -> Iterator[Finding]:
    from madang.node.people import openid

    if openid.is_offered(node):
        openid.check_provider(node)
        yield Finding(_("provider"), "good", node.settings.openid.issuer)


def _count(session: Session, column: InstrumentedAttribute[Any], condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count(column)).where(condition)) or 0
