"""What an operator can set: `$MADANG_HOME/madang.toml`, and over it variables `MADANG_<TABLE>_<KEY>`.

Every field has a description; docs/reference/settings.md is written from them.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from madang.base.errors import MadangError
from madang.base.translate import _

FILE = "madang.toml"
# Variables of this name that are no settings.
NOT_SETTINGS = {
    *("MADANG_HOME", "MADANG_LANG", "MADANG_TOKEN", "MADANG_ENVIRONMENTS"),
    *("MADANG_SEED", "MADANG_WORKERS", "MADANG_SHARED_DATA", "MADANG_REVIEWER", "MADANG_FHIR_TOKEN"),
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Web(_Table):
    """Where the portal answers."""

    host: str = Field(default="127.0.0.1", description="Address that `madang serve` listens on.")
    port: int = Field(
        default=8460, ge=0, le=65535, description="Port that `madang serve` listens on; 0 takes a free one."
    )
    address: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+)?$",
        description="Address under which people reach the portal, such as `https://data.example.org`; for links in "
        "e-mails, QR codes and OpenID Connect. Empty: the host and port above.",
    )
    processes: int = Field(
        default=2,
        ge=1,
        le=64,
        description="How many processes answer, each with about 140 MB; as many as the machine has cores serve the "
        "most readers at once.",
    )
    proxies: int = Field(
        default=0,
        ge=0,
        le=5,
        description="How many reverse proxies of yours stand before the portal; their last "
        "`X-Forwarded-For` and `X-Forwarded-Proto` entries are then believed.",
    )


class SignIn(_Table):
    """How people prove who they are."""

    idle_minutes: int = Field(default=60, ge=1, description="A session ends after so many minutes without a request.")
    session_hours: int = Field(
        default=12, ge=1, description="A session ends so many hours after signing in, whatever happens."
    )
    require_code: bool = Field(
        default=False, description="Whether everybody who signs in with a password needs a one-time code too."
    )
    guarded_hours: int = Field(
        default=24,
        ge=0,
        le=720,
        description="After how many hours a change that needs a second person (an administrator's own role, the "
        "password of an auditor) is done if no administrator or auditor refused it; 0: never without a second person.",
    )
    invitation_days: int = Field(default=7, ge=1, le=60, description="How many days an invitation can be used.")
    account_attempts: int = Field(
        default=10, ge=1, description="Failed attempts for one account before it has to wait."
    )
    address_attempts: int = Field(
        default=50, ge=1, description="Failed attempts from one address before it has to wait."
    )
    attempt_minutes: int = Field(default=15, ge=1, description="How long failed attempts count, in minutes.")
    token_days: int = Field(default=90, ge=1, le=3650, description="The longest that an API token may live, in days.")


class OpenId(_Table):
    """The institution's own sign-in by OpenID Connect."""

    issuer: str = Field(
        default="", description="Address of the provider, whose `/.well-known/openid-configuration` is read."
    )
    client_id: str = Field(default="", description="What the provider calls this installation.")
    client_secret: SecretStr = Field(default=SecretStr(""), description="The secret that the provider gave out.")
    title: str = Field(default="", description="What the button says; empty: the issuer.")


class Mail(_Table):
    """How e-mail leaves. Without a server it is kept as files in `outbox/`."""

    server: str = Field(default="", description="SMTP server; empty: e-mails become files in `$MADANG_HOME/outbox`.")
    port: int = Field(default=587, ge=1, le=65535, description="Port of the SMTP server.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is kept private."
    )
    user: str = Field(default="", description="User name at the SMTP server; empty: none is given.")
    password: SecretStr = Field(default=SecretStr(""), description="Password at the SMTP server.")
    sender: str = Field(
        default="madang@localhost", pattern=r"^[^@\s<>]+@[^@\s<>]+$", description="From whom e-mails come."
    )


class Keeping(_Table):
    """How what is published stays whole."""

    hash_days: int = Field(
        default=7,
        ge=0,
        le=366,
        description="After how many days every file of what is published is hashed again; 0: never. A damaged one is "
        "withheld, and administrators are told.",
    )


class Jobs(_Table):
    """Long work in child processes."""

    workers: int = Field(default=1, ge=0, le=64, description="Most child processes at a time; 0 starts none.")
    lease_seconds: float = Field(
        default=30, ge=0.5, description="A job whose process gave no sign of life for so long is taken over by another."
    )
    grace_seconds: float = Field(
        default=20, ge=0, description="How long a job that was asked to stop may take before its process is ended."
    )
    attempts: int = Field(default=3, ge=1, description="How often a job is begun that dies without an answer.")


class Outgoing(_Table):
    """Where requests go to whose address a user gave; else to public addresses by https only."""

    hosts: str = Field(
        default="", description="Hosts (`name` or `name:port`, separated by blanks) that are reached wherever they are."
    )
    tested_hosts: str = Field(
        default="",
        description="Hosts (`name` or `name:port`, separated by blanks) of record systems that may be tested from the "
        "portal. No other is.",
    )


class Institution(_Table):
    """Who runs this installation, as the foot of every page says it."""

    name: str = Field(default="", description="The institution's name, in Korean.")
    name_en: str = Field(default="", description="The institution's name, in English; empty: the Korean one.")
    contact: str = Field(
        default="", description="Where people ask about data: a telephone number, an e-mail address, hours."
    )
    email: str = Field(
        default="", pattern=r"^([^@\s<>]+@[^@\s<>]+)?$", description="E-mail address of whoever helps with access."
    )
    privacy: str = Field(
        default="",
        pattern=r"^(https?://\S+|/\S*)?$",
        description="Address of the institution's privacy notice; empty: a page that says what the portal keeps.",
    )
    terms: str = Field(
        default="", pattern=r"^(https?://\S+|/\S*)?$", description="Address of the terms of use; empty: no link."
    )
    help: str = Field(default="/help", pattern=r"^(https?://\S+|/\S*)$", description="Address of the pages that help.")


class Datacite(_Table):
    """The institution's account at DataCite, by which published records get a DOI."""

    address: str = Field(
        default="https://api.datacite.org",
        pattern=r"^https?://[^\s/?#]+$",
        description="Address of its REST interface; `https://api.test.datacite.org` is the one to try.",
    )
    prefix: str = Field(
        default="", pattern=r"^(10\.[0-9]{4,9})?$", description="Prefix of the DOIs, such as `10.12345`."
    )
    repository: str = Field(default="", description="Name of the repository's account.")
    password: SecretStr = Field(default=SecretStr(""), description="Password of the repository's account.")


class Workspace(_Table):
    """Closed workspaces, and the gateway to their notebooks."""

    port: int = Field(
        default=8461, ge=0, le=65535, description="Port of the gateway to notebooks, on loopback; 0 takes a free one."
    )
    address: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+)?$",
        description="Address under which people reach notebooks, on a host name that is not the portal's, such as "
        "`https://notebooks.example.org`. Empty: `localhost` where the portal is 127.0.0.1, and the other way round.",
    )
    environment: str = Field(
        default="", description="Virtual environment of workspaces; empty: what `script/environment workspace` made."
    )
    memory_mb: int = Field(default=2048, ge=128, description="Memory of one workspace, in MB.")
    disk_mb: int = Field(default=2048, ge=16, description="Disk of one workspace, in MB.")
    idle_minutes: int = Field(default=30, ge=1, description="A workspace sleeps after so many minutes without a cell.")
    at_once: int = Field(default=20, ge=1, description="How many workspaces may be awake at a time.")
    shown_mb: int = Field(
        default=50, ge=1, description="How much a person may be shown in a workspace within an hour, in MB."
    )
    keep_days: int = Field(
        default=1825, ge=0, description="How long the code of a workspace that has ended is kept, in days."
    )
    review_files: bool = Field(
        default=True, description="Whether a data steward looks at files before they are in a workspace."
    )


class Atlas(_Table):
    """ATLAS in browsers on other machines."""

    port: int = Field(
        default=8462, ge=1, le=65535, description="Port of the door to ATLAS on loopback, where `address` is set."
    )
    address: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+)?$",
        description="Address under which people reach ATLAS from other machines, on a host name that is not the "
        "portal's, such as `https://atlas.example.org`. Empty: ATLAS opens only on the machine of the portal.",
    )


class Spark(_Table):
    """The second engine, for data that outgrow one machine."""

    master: str = Field(
        default="local[*]",
        pattern=r"^\S+$",
        description="Where Spark runs unless a command says otherwise: `local[*]` is this machine, "
        "`spark://host:7077` a standalone cluster that sees the lake under the same path.",
    )
    memory: str = Field(
        default="4g", pattern=r"^[1-9]\d*[mg]$", description="Memory of Spark's driver, and of each of its executors."
    )


class Settings(_Table):
    """The whole of madang.toml."""

    title: str = Field(default="Madang", description="Name of this installation, as people read it.")
    zone: str = Field(default="Asia/Seoul", description="Time zone of the institution: a day ends at its midnight.")
    language: Literal["ko", "en"] = Field(default="ko", description="Language for those whose browser names neither.")
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="`postgresql://user:password@host/name` for PostgreSQL; empty: SQLite in `$MADANG_HOME/node.db`.",
    )
    institution: Institution = Institution()
    web: Web = Web()
    sign_in: SignIn = SignIn()
    openid: OpenId = OpenId()
    mail: Mail = Mail()
    spark: Spark = Spark()
    jobs: Jobs = Jobs()
    keeping: Keeping = Keeping()
    outgoing: Outgoing = Outgoing()
    datacite: Datacite = Datacite()
    workspace: Workspace = Workspace()
    atlas: Atlas = Atlas()

    @property
    def named(self) -> str:
        """The name of this installation, ours in the reader's language where none was given."""
        return _("Madang") if self.title == "Madang" else self.title

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):
            raise ValueError("it is no time zone such as Asia/Seoul") from None
        return zone

    def local(self, moment: datetime) -> datetime:
        """A moment as the institution's clocks show it."""
        return moment.astimezone(ZoneInfo(self.zone))

    def end_of(self, day: date) -> datetime:
        """The moment at which a day is over, in the institution's zone."""
        return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(self.zone))

    def last_day_before(self, moment: datetime) -> date:
        """The last whole day before a moment, in the institution's zone: what `end_of` was made of."""
        return (moment.astimezone(ZoneInfo(self.zone)) - timedelta(microseconds=1)).date()


@dataclass(frozen=True)
class Setting:
    """One setting: its name in the file (`web.port`), its variable, what it is for, its value and from where."""

    name: str
    variable: str
    description: str
    default: Any
    value: Any = None
    source: str = "default"

    @cached_property
    def shown(self) -> str:
        """The value for a reader; secrets are not shown."""
        return shown(self.value)


def shown(value: Any) -> str:
    """A value as it may be printed: a secret only as being there."""
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def load_settings(folder: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of the home `folder`: defaults, over them its madang.toml, over that the variables.

    An unknown key or variable, or a value that cannot be, is a `MadangError` that names file and line.
    """
    path = folder / FILE
    variables = os.environ if environment is None else environment
    text, document = _read(path)
    known = {setting.variable: setting.name for setting in documented()}
    for variable in sorted(variables):
        if not variable.startswith("MADANG_") or variable in NOT_SETTINGS or variable.startswith("MADANG_TEST_"):
            continue
        if variable not in known:
            raise _unknown(_("the environment"), variable, list(known))
        _put(document, known[variable], variables[variable])
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        variable = _variable(name)
        where = variable if variable in variables else _place(path, text, name)
        if first["type"] == "extra_forbidden":
            raise _unknown(where, name, [setting.name for setting in documented()]) from None
        raise MadangError(
            "settings.value",
            _("{where}: {name} cannot be what it is: {reason}.").format(
                where=where, name=name, reason=first["msg"].rstrip(".")
            ),
            _("docs/reference/settings.md says what it can be."),
        ) from None


def effective(folder: Path, environment: Mapping[str, str] | None = None) -> list[Setting]:
    """Every setting of a home with its value and where that comes from."""
    variables = os.environ if environment is None else environment
    settings = load_settings(folder, variables)
    _text, document = _read(folder / FILE)
    found = []
    for setting in documented():
        value: Any = settings
        at: Any = document
        for part in setting.name.split("."):
            value = getattr(value, part)
            at = at.get(part) if isinstance(at, dict) else None
        source = setting.variable if setting.variable in variables else FILE if at is not None else "default"
        found.append(Setting(setting.name, setting.variable, setting.description, setting.default, value, source))
    return found


def documented(model: type[BaseModel] = Settings, prefix: str = "") -> list[Setting]:
    """Every setting that there is, in the order of the file."""
    return list(_walk(model, prefix))


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for key, field in model.model_fields.items():
        name = f"{prefix}{key}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk(field.annotation, f"{name}.")
        else:
            yield Setting(name, _variable(name), field.description or "", field.default)


def _variable(name: str) -> str:
    return "MADANG_" + name.replace(".", "_").upper()


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "", {}
    except (OSError, UnicodeDecodeError) as error:
        raise MadangError(
            "settings.file", _("{file} cannot be read: {reason}.").format(file=path, reason=error)
        ) from None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MadangError("settings.file", _("{file} is not TOML: {reason}.").format(file=path, reason=error)) from None


def _put(document: dict[str, Any], name: str, value: str) -> None:
    *tables, key = name.split(".")
    for table in tables:
        inner = document.setdefault(table, {})
        document = inner if isinstance(inner, dict) else {}
    document[key] = value


def _place(path: Path, text: str, name: str) -> str:
    """`madang.toml, line 4`: where the key `name` stands, as far as a look at the lines can say."""
    *tables, key = name.split(".")
    here = ""
    for number, line in enumerate(text.splitlines(), 1):
        heading = re.match(r"\s*\[([^\]]+)\]", line)
        if heading:
            here = heading[1].strip()
            if here == name:
                return _("{file}, line {line}").format(file=path, line=number)
        elif here == ".".join(tables) and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
            return _("{file}, line {line}").format(file=path, line=number)
    return str(path)


def _unknown(where: str, name: str, known: list[str]) -> MadangError:
    near = difflib.get_close_matches(name, known, 1)
    hint = _("Did you mean {name}?").format(name=near[0]) if near else _("docs/reference/settings.md lists them.")
    return MadangError(
        "settings.unknown", _("{where}: there is no setting {name}.").format(where=where, name=name), hint
    )
