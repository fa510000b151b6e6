"""Sites without a node: the asking node gives out a form, somebody fills it in, and the table is taken in by hand.

A form has one line for each number, `item,value`. What can be asked so takes one round (as by courier); who told the
numbers is written down, since no key has signed them.
"""

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.text import clean_line
from madang.science.federated.study import Study, study_of
from madang.services.alliance import answering, partners, wire
from madang.services.alliance.acts import ASK, JOIN
from madang.services.alliance.answering import question_digest
from madang.services.alliance.bell import ASKER, ring
from madang.services.alliance.courier import steps
from madang.services.alliance.models import AllianceStudy, Partner, StudyPart, StudySite

if TYPE_CHECKING:
    from madang.science.federated.rounds import Part

WAY, LARGEST = "hand", 1_000_000


def add_site(node: Node, actor: Actor, name: str) -> Partner:
    """Write down a site that has no node and answers by hand. Errors: `alliance.taken`."""
    made = Partner(name=clean_line(name, _("The name"), 80, required=True), way=WAY)
    with doing(node, actor, JOIN, lambda session: partners._unused(session, made)) as done:
        done.tell(partner=made.name, reason="by hand")
    return made


def items(study: Study) -> list[str]:
    """The lines of a form. Errors: `alliance.rounds`, and `alliance.form` where levels would have to be known."""
    from madang.science.federated.rounds import TENTHS, cell_columns, combinations, design_of

    e = study.estimator
    steps(study)
    if study.kind == "count":
        return ["n"]
    if study.kind == "feasibility":
        return ["fits"]
    if study.kind == "moments":
        return [f"{name}.{what}" for name in e["columns"] for what in ("n", "mean", "variance")]
    if study.kind == "calibration":
        return [f"{what}.{place + 1}" for place in range(TENTHS) for what in ("n", "events", "risk")]
    if study.kind == "meta":
        names = design_of(study, {"levels": {k: list(v) for k, v in study.levels().items()}}, e["of"]).names()
        return ["n", *(f"{what}.{name}" for name in names for what in ("estimate", "error"))]
    columns = cell_columns(study)
    stated = [list(study.levels()[name]) for name in columns]
    return [" ".join(f"{n}={v}" for n, v in zip(columns, key, strict=True)) for key in combinations(stated)]


def form(node: Node, actor: Actor, number: int) -> str:
    """The form of a study, CSV. Errors: as `items`."""
    check(actor, ASK)
    with node.read() as session:
        study = answering.found_study(session, number)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["item", "value"])
    writer.writerows([item, ""] for item in items(study_of(json.loads(study.document))))
    return text.getvalue()


def read_form(study: Study, data: bytes) -> dict[str, float]:
    """The numbers of a filled form: all of its items, once each, and nothing else. Errors: `alliance.form`."""
    if len(data) > LARGEST:
        raise MadangError("alliance.form", _("The form is too large."))
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error):
        raise MadangError("alliance.form", _("The form cannot be read."), _("Save it as CSV in UTF-8.")) from None
    found: dict[str, float] = {}
    for row in rows[1:] if rows and rows[0][:1] == ["item"] else rows:
        if not row:
            continue
        try:
            name, value = row[0].strip(), float(row[1])
        except (IndexError, ValueError):
            raise MadangError(
                "alliance.form", _("{item} has no number.").format(item=row[0][:80] or "-"), _("Fill every line in.")
            ) from None
        if name in found or not math.isfinite(value):
            raise MadangError("alliance.form", _("{item} stands twice, or is no number.").format(item=name[:80]))
        found[name] = value
    wanted = items(study)
    if set(found) != set(wanted):
        lost = [each for each in wanted if each not in found] or [each for each in found if each not in wanted]
        raise MadangError(
            "alliance.form", _("The form and the study differ, in {item} for instance.").format(item=lost[0][:80])
        )
    return found


def part_of_form(study: Study, told: dict[str, float]) -> "Part":
    """What a site by line would have told. Errors: `federated.answer`."""
    import numpy as np

    from madang.science.federated.rounds import TENTHS, Part, cell_columns, check_part

    e = study.estimator
    sums: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    if study.kind == "count":
        sums = {"n": told["n"]}
    elif study.kind == "feasibility":
        facts = {"fits": int(told["fits"] // 10 * 10)}
    elif study.kind == "moments":
        for name in e["columns"]:
            n, mean, variance = (told[f"{name}.{what}"] for what in ("n", "mean", "variance"))
            sums |= {f"{name}.n": n, f"{name}.sum": n * mean, f"{name}.squares": (n - 1) * variance + n * mean * mean}
    elif study.kind == "calibration":
        sums = {what: [told[f"{what}.{k + 1}"] for k in range(TENTHS)] for what in ("n", "events", "risk")}
    elif study.kind == "meta":
        names = [item.removeprefix("estimate.") for item in told if item.startswith("estimate.")]
        facts = {"coef": {n: told[f"estimate.{n}"] for n in names}, "se": {n: told[f"error.{n}"] for n in names}}
        facts["n"] = told["n"]
    else:
        shape = tuple(len(study.levels()[name]) for name in cell_columns(study))
        sums = {"cells": np.array([told[item] for item in items(study)]).reshape(shape)}
    (step, given), *_more = steps(study)
    part = Part({name: (np.asarray(value, float), np.zeros(np.shape(value))) for name, value in sums.items()}, facts)
    check_part(study, step, given, part)
    return part


def taken(node: Node, actor: Actor, number: int, name: str, data: bytes, source: str) -> AllianceStudy:
    """Take a filled form in for a site; `source` says who told the numbers, and how. A second one takes its place.

    Errors: `alliance.form`, `federated.answer`, `alliance.late`.
    """
    import hashlib

    check(actor, ASK)
    who = clean_line(source, _("The source"), 300, required=True)
    with node.read() as session:
        study = answering.found_study(session, number)
        partner = partners.find(session, name)
    if study.partner_id is not None or study.state not in ("open", "running", "stopped"):
        raise MadangError("alliance.late", _("The study is answered already."))
    asked = study_of(json.loads(study.document))
    (step, given), *_more = steps(asked)
    part = part_of_form(asked, read_form(asked, data))
    digest = question_digest({"study": study.uid, "step": step, "told": given})
    arrays = {f"{each}.{k}": value[k] for each, value in part.sums.items() for k in (0, 1)}
    meta = {"kind": "answer", "study": study.uid, "digest": digest, "facts": dict(part.facts)}
    with node.write() as session:
        site = session.scalar(
            select(StudySite).where(StudySite.study_id == study.id, StudySite.partner_id == partner.id)
        )
        if site is None or site.way != WAY:
            raise MadangError(
                "alliance.no_study", _("{name} does not answer this study by hand.").format(name=partner.name)
            )
        site.state, site.at = "approved", now()
        site.told = json.dumps({"source": who})
        held = session.scalar(select(StudyPart).where(StudyPart.site_id == site.id, StudyPart.digest == digest))
        if held is None:
            held = StudyPart(study_id=study.id, site_id=site.id, digest=digest, step=step, body=b"")
            session.add(held)
        held.body = wire.pack(meta, arrays)
        node.audit.record(session, actor, "study.hear", f"study:{study.id}",
                          {"partner": partner.name, "way": WAY, "source": who, "digest": study.digest,
                           "sha256": hashlib.sha256(held.body).hexdigest()})  # fmt: skip
    ring(node, ASKER)
    return study


__all__ = ["add_site", "form", "items", "part_of_form", "read_form", "taken"]
