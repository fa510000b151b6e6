"""Events in words: what was done, to what, and where that is seen."""

from collections.abc import Collection

from sqlalchemy import select

from madang.base.translate import _, in_language
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
    return {
        "account.codes_off": _("switch codes of a second factor off"),
        "account.codes_on": _("switch codes of a second factor on"),
        "account.invite": _("invite somebody"),
        "account.link": _("link an account with the organization's sign-in"),
        "account.recovery_codes": _("make recovery codes"),
        "account.refuse": _("fail to prove who one is"),
        "account.unlink": _("end the link with the organization's sign-in"),
        "deposit.list": _("list deposits"),
        "job.cancelled": _("cancel a job"),
        "job.done": _("end a job"),
        "job.failed": _("fail in a job"),
        "job.retry": _("begin a job again"),
        "job.start": _("begin a job"),
        "permit.try_recipes": _("try recipes for an extract"),
        "record.feed": _("read the list of all records"),
        "record.harvest": _("harvest the catalog"),
        "record.sitemap": _("read the list of pages"),
        "role.take": _("take a role away"),
        "session.refuse": _("try to sign in"),
        "study.hear": _("receive a message of a study"),
        "study.site": _("see how far a site of a study is"),
        "record.front": _("open the front page"),
        "record.search": _("search the catalog"),
        "record.ask": _("ask data by SQL"),
        "record.download": _("download data"),
        "record.profile": _("look at the pictures of data"),
        "record.quality": _("read a quality report"),
        "record.table": _("look at the columns of a table"),
        "audit.export": _("take all events away"),
        "session.begin": _("sign in"),
        "session.refused": _("try to sign in"),
    }.get(act) or area_named(act.partition(".")[0])


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
                found[f"{area}:{number}"] = (in_language(title, other), address.format(place) if address else "")
    for thing in things:
        found.setdefault(thing, (_in_words(thing), ""))
    return found


def _in_words(thing: str) -> str:
    """A thing that has no title: what it is, and its number or name."""
    area, _colon, which = thing.partition(":")
    word = {
        "application": _("application", "thing"),
        "award": _("award", "thing"),
        "brought": _("file brought in", "thing"),
        "campaign": _("campaign", "thing"),
        "certificate": _("certificate", "thing"),
        "class": _("class", "thing"),
        "cohort": _("cohort", "thing"),
        "conformance": _("conformance report", "thing"),
        "cultivation": _("cultivation", "thing"),
        "dataset": _("dataset", "thing"),
        "deposit": _("deposit", "thing"),
        "equipment": _("equipment", "thing"),
        "job": _("job", "thing"),
        "library": _("library of compounds", "thing"),
        "month": _("month", "thing"),
        "partner": _("partner", "thing"),
        "permit": _("permit", "thing"),
        "promise": _("promise", "thing"),
        "record": _("record", "thing"),
        "release": _("release", "thing"),
        "trial": _("test of a system", "thing"),
        "session": _("session", "thing"),
        "shortlist": _("shortlist", "thing"),
        "study": _("study", "thing"),
        "task": _("task", "thing"),
        "taskfile": _("file of a task", "thing"),
        "token": _("token", "thing"),
        "workspace": _("workspace", "thing"),
    }.get(area)
    return f"{word} {which}".strip() if word else which
