"""Events in words: what was done, to what, and where that is seen."""

from collections.abc import Collection

from sqlalchemy import select

from madang.base.translate import _, in_language, later
from madang.node import jobs
from madang.node.database import Base
from madang.node.node import Node
from madang.node.permissions import acts

# Area of a thing: its table, the columns of its title (Korean, English) and of its address, and the address.
_TABLES = {
    "record": ("records", "title", "title_en", "name", "/records/{}"),
    "project": ("projects", "title", "title", "name", "/projects/{}"),
    "person": ("persons", "name", "name", "login", "/people/{}"),
    "organization": ("organizations", "title", "title_en", "name", ""),
    "application": ("applications", "title", "title", "id", "/applications/{}"),
    "job": ("jobs", "title", "title", "id", "/jobs/{}"),
}
_SAID = {  # acts that are written down and are no acts of a room's table
    "account.codes_off": later("switch codes of a second factor off"),
    "account.codes_on": later("switch codes of a second factor on"),
    "account.invite": later("invite somebody"),
    "account.link": later("link an account with the organization's sign-in"),
    "account.recovery_codes": later("make recovery codes"),
    "account.refuse": later("fail to prove who one is"),
    "account.unlink": later("end the link with the organization's sign-in"),
    "deposit.list": later("list deposits"),
    "job.cancelled": later("cancel a job"),
    "job.done": later("end a job"),
    "job.failed": later("fail in a job"),
    "job.retry": later("begin a job again"),
    "job.start": later("begin a job"),
    "permit.try_recipes": later("try recipes for an extract"),
    "record.feed": later("read the list of all records"),
    "record.harvest": later("harvest the catalog"),
    "record.sitemap": later("read the list of pages"),
    "role.take": later("take a role away"),
    "session.refuse": later("try to sign in"),
    "study.hear": later("receive a message of a study"),
    "study.site": later("see how far a site of a study is"),
    "record.front": later("open the front page"),
    "record.search": later("search the catalog"),
    "record.ask": later("ask data by SQL"),
    "record.download": later("download data"),
    "record.profile": later("look at the pictures of data"),
    "record.quality": later("read a quality report"),
    "record.table": later("look at the columns of a table"),
    "audit.export": later("take all events away"),
    "session.begin": later("sign in"),
    "session.refused": later("try to sign in"),
}
_THINGS = {  # what has no title
    "application": later("application", "thing"),
    "award": later("award", "thing"),
    "brought": later("file brought in", "thing"),
    "campaign": later("campaign", "thing"),
    "certificate": later("certificate", "thing"),
    "class": later("class", "thing"),
    "cohort": later("cohort", "thing"),
    "conformance": later("conformance report", "thing"),
    "cultivation": later("cultivation", "thing"),
    "dataset": later("dataset", "thing"),
    "deposit": later("deposit", "thing"),
    "equipment": later("equipment", "thing"),
    "job": later("job", "thing"),
    "library": later("library of compounds", "thing"),
    "month": later("month", "thing"),
    "partner": later("partner", "thing"),
    "permit": later("permit", "thing"),
    "promise": later("promise", "thing"),
    "record": later("record", "thing"),
    "release": later("release", "thing"),
    "trial": later("test of a system", "thing"),
    "session": later("session", "thing"),
    "shortlist": later("shortlist", "thing"),
    "study": later("study", "thing"),
    "task": later("task", "thing"),
    "taskfile": later("file of a task", "thing"),
    "token": later("token", "thing"),
    "workspace": later("workspace", "thing"),
}


def said(act: str) -> str:
    """An act in the reader's language."""
    known = acts().get(act)
    if known is not None and known.title:
        return _(known.title)
    before, _dot, part = act.rpartition(".")
    if before in acts():  # an act that touches files says first what it is about to do
        if part == "begin":
            return _("{act} (about to begin)").format(act=said(before))
        if part == "withdraw":
            return _("{act} (taken back)").format(act=said(before))
    words = _SAID.get(act)
    return _(words) if words else area_named(act.partition(".")[0])


def area_named(area: str) -> str:
    """What a part of the house is called, where an act of it has no words of its own."""
    return {
        "record": _("something with a record"),
        "dataset": _("something with a dataset"),
        "session": _("something with a session"),
        "person": _("something with an account"),
        "certificate": _("something with a certificate"),
        "token": _("something with a token"),
        "job": _("something with a job"),
    }.get(area, _("something else"))


def routine() -> frozenset[str]:
    """Acts that only read and take nothing away: folded unless they are asked for."""
    reads = {act.name for act in acts().values() if act.reads}
    return frozenset((reads | {"record.front", "record.search", "record.table"}) - {"record.read", "record.download"})


def named(node: Node, things: Collection[str]) -> dict[str, tuple[str, str]]:
    """Title, in the reader's language, and address of each thing such as `record:7`."""
    wanted: dict[str, set[int]] = {}
    for thing in things:
        area, _colon, number = thing.partition(":")
        if area in _TABLES and number.isdigit():
            wanted.setdefault(area, set()).add(int(number))
    found = {}
    with node.read() as session:
        for area, numbers in wanted.items():
            name, korean, english, key, address = _TABLES[area]
            table = Base.metadata.tables.get(name)
            if table is None:
                continue
            columns = (table.c.id, table.c[korean], table.c[english], table.c[key])
            for number, title, other, place in session.execute(select(*columns).where(table.c.id.in_(numbers))):
                told = jobs.title_told(title) if area == "job" else in_language(title, other)
                found[f"{area}:{number}"] = (told, address.format(place) if address else "")
    for thing in things:
        found.setdefault(thing, (_in_words(thing), ""))
    return found


def who(actor: str, name: str) -> str:
    """Who did something: a person's name; what else acts here in the reader's language."""
    return {
        "stranger": _("not signed in"),
        "node": _("the portal itself"),
        "owner": _("the operator, by command ({name})").format(name=name),
    }.get(actor.partition(":")[0], name)


def _in_words(thing: str) -> str:
    """A thing that has no title: what it is, and its number or name."""
    area, _colon, which = thing.partition(":")
    word = _THINGS.get(area)
    return f"{_(word)} {which}".strip() if word else which
