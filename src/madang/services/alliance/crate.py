"""An answer as an RO-Crate (Process Run Crate 0.5): the study, the answer, what was asked, and a seal of what was told.

Whoever holds it sees which question was asked of whom in which version, and can ask the same again with `study.json`.
What single sites told is in it by a keyed hash alone: a plain one of a small count could be guessed.
https://w3id.org/ro/wfrun/process/0.5
"""

import csv
import hashlib
import hmac
import io
import json
import zipfile
from typing import Any

from sqlalchemy import select

from madang import __version__
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.science.federated.study import study_of, words
from madang.services.alliance import answering
from madang.services.alliance.acts import SEE
from madang.services.alliance.models import AllianceStudy, StudyPart, StudyRound, StudySite

FILE = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
TITLES = {
    "study.json": ("application/json", "The study, as it was asked"),
    "answer.json": ("application/json", "The answer, with who is in it and who is not"),
    "questions.json": ("application/json", "The questions of all rounds, with their hashes"),
    "told.csv": ("text/csv", "Which site told what to which question, as a keyed hash that the asking node can open"),
    "README.md": ("text/markdown", "What this is, and how it is asked again"),
}


def crate_of(node: Node, actor: Actor, number: int) -> bytes:
    """The crate of an answered study, as a ZIP; the same bytes every time. Errors: `alliance.unanswered`."""
    check(actor, SEE)
    with node.read() as session:
        study = answering.found_study(session, number)
        rounds = session.scalars(
            select(StudyRound).where(StudyRound.study_id == number).order_by(StudyRound.number)
        ).all()
        sites = {
            each.id: each.partner.name
            for each in session.scalars(select(StudySite).where(StudySite.study_id == number))
        }
        parts = session.scalars(
            select(StudyPart).where(StudyPart.study_id == number, StudyPart.site_id.is_not(None)).order_by(StudyPart.id)
        ).all()
    if not study.answer:
        raise MadangError("alliance.unanswered", _("The study has no answer yet."))
    node.audit.read(actor, SEE.name, study.reference, {"crate": True})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["site", "step", "question", "hmac_sha256"])
    key = hashlib.sha256(b"madang alliance crate 1" + node.home.key("alliance") + study.uid.encode()).digest()
    seals = [hmac.new(key, each.body, "sha256").hexdigest() for each in parts]
    writer.writerows([sites[p.site_id or 0], p.step, p.digest, seal] for p, seal in zip(parts, seals, strict=True))
    questions = [{"number": r.number, "digest": r.digest, "question": json.loads(r.question)} for r in rounds]
    files = {
        "study.json": _json(json.loads(study.document)),
        "answer.json": _json(json.loads(study.answer)),
        "questions.json": _json(questions),
        "told.csv": text.getvalue().encode(),
        "README.md": _readme(study).encode(),
    }
    files = {FILE: _json(_metadata(study, files)), **files}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return sink.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def _readme(study: AllianceStudy) -> str:
    said = "\n".join(f"* {each}" for each in words(study_of(json.loads(study.document))))
    return (
        f"# {study.title}\n\n{said}\n\nStudy {study.uid}, SHA-256 of its canonical JSON: {study.digest}\n\n"
        "Asked again with `madang alliance ask study.json --json answer.json`, by a node whose partners share data\n"
        "of that name. `answer.json` has the hash of the data that each site used; the same data answer the same.\n"
    )


def _metadata(study: AllianceStudy, files: dict[str, bytes]) -> dict[str, Any]:
    answer, said = json.loads(study.answer), " ".join(words(study_of(json.loads(study.document))))
    when = study.created.isoformat()
    held: list[dict[str, Any]] = [
        {"@id": name, "@type": "File", "name": TITLES[name][1], "encodingFormat": TITLES[name][0],
         "contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]  # fmt: skip
    sites = [
        {"@id": f"#site-{place}", "@type": "Organization", "name": each["site"],
         "description": ", ".join(filter(None, [each["state"], each["way"], each["since"], each["reason"]]))}
        for place, each in enumerate(answer["sites"], 1)
    ]  # fmt: skip
    data = [
        {"@id": f"#data-{place}", "@type": "CreativeWork", "name": f"{answer.get('title', '')}: {each['site']}",
         "identifier": each["data"], "version": each["vocabulary"] or "unknown", "provider": {"@id": f"#site-{place}"}}
        for place, each in enumerate(answer["sites"], 1) if each["in"]
    ]  # fmt: skip
    action = {
        "@id": "#answer",
        "@type": "CreateAction",
        "name": study.title,
        "description": said,
        "instrument": {"@id": "#madang"},
        "agent": {"@id": "#asker"},
        "endTime": when,
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
        "object": [{"@id": "study.json"}, *({"@id": each["@id"]} for each in data)],
        "result": [{"@id": name} for name in ("answer.json", "questions.json", "told.csv")],
        "participant": [{"@id": each["@id"]} for each in sites],
    }
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": study.title,
        "description": "A study of an alliance with its answer: "
        + " ".join(words(study_of(json.loads(study.document)))),
        "datePublished": when,
        "license": "https://spdx.org/licenses/NOASSERTION",
        "conformsTo": {"@id": PROFILE},
        "hasPart": [{"@id": each["@id"]} for each in held],
        "mentions": {"@id": "#answer"},
    }
    head = {"@id": FILE, "@type": "CreativeWork", "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}}  # fmt: skip
    profile = {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    program = {"@id": "#madang", "@type": "SoftwareApplication", "name": "Madang", "softwareVersion": __version__}
    asker = {"@id": "#asker", "@type": "Organization", "name": answer.get("asker", "") or "The asking node"}
    return {"@context": CONTEXT, "@graph": [head, root, profile, action, program, asker, *sites, *data, *held]}
