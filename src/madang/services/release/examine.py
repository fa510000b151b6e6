"""Automatic findings: every file parsed, its declared query computed again, its counts held against the ledger."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.lake import Version
from madang.science.privacy.outputs.judge import Finding, Status, overall
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import from_document as retold
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.scan import Scan, scan
from madang.science.privacy.outputs.tables import CountTable, table_of
from madang.services.release import verify

MOST_FILES = 50
DECLARED = ".query.json"
COMPUTED = ("table", "figure", "workbook", "counts", "model", "genome-wide summary")  # again, or a person looks


@dataclass(frozen=True)
class Upload:
    """A file that somebody wants to take away, and what they say it is."""

    name: str
    content: bytes
    says: str = ""


@dataclass(frozen=True)
class Examined:
    """What was found in a file; `content` is what leaves in its place, under `name`."""

    name: str
    says: str
    kind: str
    original: bytes
    content: bytes
    findings: tuple[Finding, ...]
    match: str = ""
    query: Any = None
    counts: dict[str, Any] | None = None
    opens: tuple[dict[str, Any], ...] = ()
    proposal: dict[str, Any] | None = None
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The worst finding."""
        return overall(self.findings)


def examine(
    uploads: Sequence[Upload], version: Version | None, ledger: Sequence[CountTable], rules: Rules
) -> list[Examined]:
    """Look at all files of a request; files called NAME.query.json declare the query of NAME.csv or NAME.vl.json.

    Errors: `release.files` where there are none, too many, or two of one name.
    """
    declared = {each.name.removesuffix(DECLARED): each for each in uploads if each.name.endswith(DECLARED)}
    files = [each for each in uploads if not each.name.endswith(DECLARED)]
    if not files or len(files) > MOST_FILES or len({each.name for each in files}) != len(files):
        raise MadangError(
            "release.files",
            _("Bring 1 to {n} files, each with a name of its own.").format(n=MOST_FILES),
            _("NAME.query.json belongs to NAME.csv and is no file by itself."),
        )
    scans = [scan(each.name, each.content, rules) for each in files]
    found = [_plain(each, seen) for each, seen in zip(files, scans, strict=True)]
    found = _verified(found, scans, declared, version, rules)
    return _against_ledger(found, scans, ledger, rules)


def _plain(upload: Upload, seen: Scan) -> Examined:
    name, content = upload.name, seen.clean if seen.clean is not None else upload.content
    findings = list(seen.findings)
    if seen.kind == "figure" and seen.status is not Status.FAIL:
        try:
            name, content = _drawn(upload)
        except Exception:  # whatever the drawing program says of a specification that is none
            findings.append(Finding("drawing", Status.FAIL, said(later("The figure cannot be drawn."))))
    return Examined(name, upload.says, seen.kind, upload.content, content, tuple(findings))


def _drawn(upload: Upload) -> tuple[str, bytes]:
    from madang.science import charts

    stem = upload.name.removesuffix(".json").removesuffix(".vl")
    return f"{stem}.svg", charts.svg(json.loads(upload.content), stem, in_page=False).encode()


def _stem(name: str) -> str:
    for ending in (".csv", ".tsv", ".xlsx", ".vl.json", ".svg", ".json"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def _verified(
    found: list[Examined],
    scans: Sequence[Scan],
    declared: dict[str, Upload],
    version: Version | None,
    rules: Rules,
) -> list[Examined]:
    """Compute the declared queries of tables and figures again, all in one closed process."""
    items, places = [], []
    answers: dict[int, dict[str, Any]] = {}
    for place, (each, seen) in enumerate(zip(found, scans, strict=True)):
        if each.kind not in COMPUTED:
            continue
        given = declared.get(_stem(each.name))
        if given is None or len(seen.tables) != 1:
            answers[place] = verify.unverified(said(later("It declares no query.")))
            continue
        try:
            query = json.loads(given.content)
        except (ValueError, RecursionError):
            answers[place] = verify.unverified(said(later("The declared query cannot be read.")))
            continue
        if version is None:
            answers[place] = {**verify.unverified(said(later("It is not said which data it is of."))), "query": query}
            continue
        header, *rows = seen.tables[0]
        items.append({"query": query, "rows": [dict(zip(header, row, strict=False)) for row in rows]})
        places.append(place)
    if items and version is not None:
        for place, answer, item in zip(places, verify.held(version, items, rules), items, strict=True):
            answers[place] = {**answer, "query": item["query"]}
    return [_with_answer(each, answers[i]) if i in answers else each for i, each in enumerate(found)]


def _with_answer(each: Examined, answer: dict[str, Any]) -> Examined:
    match = answer["match"]
    worst = {"same": Status.PASS, "different": Status.FAIL}.get(match, Status.REVIEW)
    findings = [*_worst(each.findings), Finding("declared_query", worst, retold(answer["sentence"]))]
    for each_said in answer["findings"]:
        status = Status(each_said["status"])
        if status is Status.FAIL and answer["hidden"]:
            status = Status.PASS  # the numbers concerned were left out
        findings.append(Finding(each_said["criterion"], status, retold(each_said), ((),) * each_said["cells"]))
    known = {finding.criterion: finding for finding in findings}  # what was computed again replaces what was guessed
    return replace(
        each,
        findings=tuple(known.values()),
        match=match,
        query=answer.get("query"),
        counts=answer["counts"] if match == "same" else None,
    )


def _worst(findings: Sequence[Finding]) -> list[Finding]:
    """One finding of each criterion, the worst: a file may hold several tables, and the last says nothing of others."""
    found: dict[str, Finding] = {}
    for each in findings:
        before = found.get(each.criterion)
        if before is None or overall((before, each)) is not before.status:
            found[each.criterion] = each
    return list(found.values())


def _against_ledger(
    found: Sequence[Examined], scans: Sequence[Scan], ledger: Sequence[CountTable], rules: Rules
) -> list[Examined]:
    """Hold the counts of every file against all that left, and against the files before it in this request."""
    from madang.science.privacy.outputs.check import check
    from madang.science.privacy.outputs.propose import propose

    released, done = list(ledger), []
    for each in found:
        counts = each.counts
        if each.kind == "counts":
            counts = json.loads(each.original)
        if counts is None or each.status is Status.FAIL:
            done.append(each)
            continue
        table = table_of(counts, each.name, rules.minimum_count)
        verdict = check(table, released, rules)
        wrong = [Finding(reason.code, Status.FAIL, reason.sentence) for reason in verdict.reasons]
        good = Finding(
            "derivable", Status.PASS, said(later("Nothing can be worked out with what was released before."))
        )
        proposals = [] if verdict.released else propose(table, released, rules)
        done.append(
            replace(
                each,
                counts=counts,
                findings=(*each.findings, *(wrong or [good])),
                opens=tuple(cell.document() for cell in verdict.opens),
                proposal=proposals[0].document() if proposals else None,
            )
        )
        if verdict.released:
            released.append(table)
    return done
