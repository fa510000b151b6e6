"""Reports held against schemes for products: what a test shows by itself, what people note, what is still a slot.

A scheme is data: the frame that ships, or a file in `schemes/` of the home in which the body has put the criteria
that are not public. Only a run by the body, or one on a challenge that it drew, shows a criterion.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import database
from madang.node.acts import doing
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.text import clean_prose
from madang.services.certification import Automatic, Outcome, Scheme, Slot, Verdict, load_scheme, outcomes_of
from madang.services.emr.acts import NOTE
from madang.services.emr.models import ConformanceReport

FRAME = "emr-korea"
NOTED = (Verdict.MET.value, Verdict.NOT_MET.value)


@dataclass(frozen=True)
class Held:
    """What became of one criterion: by the report (`counts`: as evidence), or by what an assessor noted."""

    outcome: Outcome
    verdict: str
    shown: str
    counts: bool
    note: str = ""


def schemes(home: Home) -> dict[str, Scheme]:
    """The schemes for products by name: the frame that ships, and those of the home, which stand in its place."""
    found = {FRAME: frame()}
    folder = home.path / "schemes"
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        read = load_scheme(str(path))
        if read.about == "product":
            found[read.name] = read
    return found


def frame() -> Scheme:
    """The frame as it ships."""
    return load_scheme(FRAME)


def scheme_of(home: Home, name: str) -> Scheme:
    """A scheme for products. Errors: `scheme.unknown`."""
    found = schemes(home)
    if name not in found:
        raise MadangError(
            "scheme.unknown",
            _("There is no scheme {name}.").format(name=name),
            _("It is one of {names}.").format(names=", ".join(found)),
        )
    return found[name]


def basis_of(report: ConformanceReport) -> str:
    """How a report came about: `assessment` by this node, on a `challenge` that it drew, or a `self-declaration`."""
    if report.kind == "assessment" and report.known:
        return "assessment"
    return "challenge" if report.challenge_id is not None else "self-declaration"


def held_against(scheme: Scheme, report: ConformanceReport) -> list[Held]:
    """What became of every criterion of a scheme by a report and by what assessors noted of it."""
    basis = basis_of(report)
    document: dict[str, Any] = orjson.loads(report.document) | {"basis": basis}
    notes = json.loads(report.assessed).get(scheme.reference, {})
    made = []
    for outcome in outcomes_of(scheme, document):
        noted = notes.get(outcome.criterion.id)
        if noted is not None and not isinstance(outcome.criterion, Automatic | Slot):
            made.append(Held(outcome, noted["verdict"], "", True, noted["text"]))
            continue
        counts = outcome.verdict in (Verdict.MET, Verdict.NOT_MET) and basis != "self-declaration"
        made.append(Held(outcome, outcome.verdict.value, outcome.shown, counts))
    return made


def note(
    node: Node, actor: Actor, number: int, scheme: str, criterion: str, verdict: str, text: str
) -> ConformanceReport:
    """Note how a criterion is shown that people look at: documents, a place, a decision."""
    from madang.services.emr.service import find

    chosen = scheme_of(node.home, scheme)
    asked = next((each for each in chosen.criteria if each.id == criterion), None)
    if asked is None or verdict not in NOTED:
        raise MadangError("conformance.criterion", _("There is no such criterion or verdict."))
    if isinstance(asked, Automatic | Slot):
        raise MadangError(
            "conformance.criterion",
            _("This criterion cannot be noted by hand."),
            _("A slot waits for its text, and an automatic criterion is shown by the report alone."),
        )
    with doing(node, actor, NOTE, lambda session: find(session, number)) as done:
        kept = json.loads(done.thing.assessed)
        kept.setdefault(chosen.reference, {})[criterion] = {
            "verdict": verdict,
            "text": clean_prose(text, _("The reason")),
            "by": actor.name,
            "when": database.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        done.thing.assessed = json.dumps(kept, ensure_ascii=False)
        done.tell(criterion=criterion, verdict=verdict)
        return done.thing


def shown_words() -> dict[str, str]:
    """How criteria are shown, in words."""
    return {
        "automatic": _("by the test", "criterion"),
        "document": _("by documents", "criterion"),
        "on-site": _("on site", "criterion"),
        "decision": _("by decision", "criterion"),
        "slot": _("the body fills it in", "criterion"),
    }


def verdict_words() -> dict[str, str]:
    """Verdicts in words."""
    return {
        "met": _("met", "criterion"),
        "not met": _("not met", "criterion"),
        "unknown": _("not measured", "criterion"),
        "open": _("open", "criterion"),
    }


def scheme_bytes(home: Home, name: str) -> bytes:
    """The file of a scheme, for the body to fill in."""
    from importlib.resources import files

    scheme_of(home, name)
    own = home.path / "schemes" / f"{name}.toml"
    if own.is_file():
        return own.read_bytes()
    return (files("madang.services.certification") / "schemes" / f"{name}.toml").read_bytes()


def show_scheme(home: Home, name: str, report: Path | None) -> None:
    """Print a scheme, and what a report shows of it."""
    from madang.base.console import console, show_table
    from madang.services.emr.signed import read_report

    scheme, out = scheme_of(home, name), console()
    document = read_report(report) | {"basis": "self-declaration"} if report is not None else None
    outcomes = outcomes_of(scheme, document) if document is not None else []
    verdicts, ways = verdict_words(), shown_words()
    shown = {each.criterion.id: f"{verdicts[each.verdict.value]} {each.shown}" for each in outcomes}
    for fact in scheme.facts:
        out.print(f"{fact.text} [{fact.source}]", markup=False)
    rows = [
        [str(scheme.divisions[each.division].title), str(each.text), ways[each.shown], shown.get(each.id, "")]
        for each in scheme.criteria
    ]
    show_table(f"{scheme.reference}: {scheme.title}", [_("division"), _("criterion"), _("shown"), _("outcome")], rows)
    if scheme.slots:
        text = _("{count} criteria wait for their text, which is not public.").format(count=scheme.slots)
        out.print(text, markup=False)
    if document is not None:
        out.print(_("A report from your own machine informs; it shows no criterion."), markup=False)
