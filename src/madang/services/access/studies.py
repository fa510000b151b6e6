"""Results only: a project hands in questions, the holder runs them over the permitted rows, checked results leave.

A study is a file of declared queries, as `madang.research` writes them, by the names of their results. Nobody of the
project sees a row, or a result before the release desk has let it out.
"""

import json
import re
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake import Version
from madang.node import closed
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.text import clean_prose
from madang.science.privacy.outputs.queries import query_of
from madang.services.access import acts, letters
from madang.services.access.asking import grant_of
from madang.services.access.extracting import held_rows
from madang.services.access.models import Grant
from madang.services.access.permits import checked_terms

MOST = 50  # queries of a study
LARGEST = 1 << 20  # bytes of its file
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_MEMORY, _SECONDS, _OUTPUT = 1 << 30, 300.0, 32 << 20


def of(grant: Grant) -> list[dict[str, Any]]:
    """The studies of a permit, the oldest first."""
    report = json.loads(grant.report) if grant.report else {}
    return list(report.get("studies", []))


def read_study(content: bytes) -> dict[str, Any]:
    """The queries of a study by name. Errors: `access.study`, `outputs.query` with the name before it."""
    try:
        given = json.loads(content) if len(content) <= LARGEST else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not 0 < len(given) <= MOST or not all(map(_NAME.fullmatch, given)):
        raise MadangError(
            "access.study",
            _("This is no study: a JSON object with 1 to {most} queries by name.").format(most=MOST),
            _('Such as {example}; `study.table(...).save("sex")` writes one as sex.query.json.').format(
                example='{"sex": {"kind": "count", "source": "person", "by": ["gender_concept_id"]}}'
            ),
        )
    for name, each in given.items():
        try:
            query_of(each)
        except MadangError as error:
            raise MadangError(error.code, f"{name}: {error.message}", error.hint) from None
    return given


def hand_in(node: Node, actor: Actor, number: str, content: bytes, purpose: str = "") -> int:
    """Hand a study in, to be run by the holder; its number within the permit. Errors: `access.study`, `access.rows`."""
    queries = read_study(content)
    text = clean_prose(purpose, _("The purpose"), 2_000)
    with doing(node, actor, acts.STUDY, lambda session: grant_of(session, number)) as done:
        _check_results_only(node, done.thing)
        kept = of(done.thing)
        study = {
            "number": len(kept) + 1,
            "by": actor.name,
            "by_id": actor.person_id,
            "at": now().isoformat(),
            "purpose": text,
            "queries": queries,
            "state": "asked",
            "release": None,
            "failed": {},
        }
        _keep(done.thing, [*kept, study])
        letters.to_desk(node, done.session, done.thing.application, "steward", _waits_to_be_run)
        done.tell(study=len(kept) + 1, queries=len(queries))
    return len(kept) + 1


def _waits_to_be_run() -> str:
    return _("A study waits to be run")


def run(node: Node, actor: Actor, number: str, study: int, progress: Progress | None = None) -> int | None:
    """Run a study over the permitted rows in a closed process, and ask for the release of its results.

    The number of the release; None where no query could be computed. Errors: `access.study` where it is not there or
    has been run, `access.rows`, those of extracts and of the release desk.
    """
    from madang.services.release import hand_over

    with node.read() as session:
        grant = grant_of(session, number)
        check(actor, acts.RUN, grant)
        _check_results_only(node, grant)
        found = _waiting(grant, study)
        project = grant.permit.project_id
    version = held_rows(node, actor, number, progress)
    results, failed = _computed(version, found["queries"])
    release = None
    if results:
        purpose = found["purpose"] or _("Study {study} of the permit {number}").format(study=study, number=number)
        release = hand_over(
            node, actor, results, project_id=project, version=version, purpose=purpose, owner_id=found["by_id"]
        )

    def ran(session: Session) -> Grant:
        kept = grant_of(session, number)
        _waiting(kept, study)
        return kept

    with doing(node, actor, acts.RUN, ran) as done:
        told = {**found, "state": "run", "release": release, "failed": failed, "rows": version.name}
        _keep(done.thing, [told if each["number"] == study else each for each in of(done.thing)])
        letters.to_applicants(node, done.session, done.thing.application, lambda: _("Your study was run"))
        done.tell(study=study, results=len(results), failed=len(failed), release=release or 0)
    return release


def _waiting(grant: Grant, study: int) -> dict[str, Any]:
    found = next((each for each in of(grant) if each["number"] == study and each["state"] == "asked"), None)
    if found is None:
        raise MadangError(
            "access.study", _("No study {number} waits to be run.").format(number=study), _("Look at the permit.")
        )
    return found


def _check_results_only(node: Node, grant: Grant) -> None:
    if checked_terms(node, grant)["answer"] != "results-only":
        raise MadangError(
            "access.rows",
            _("The permit {number} gives data, not results only.").format(number=grant.permit.number),
            _("Work with its extract in a workspace."),
        )


def _keep(grant: Grant, studies: list[dict[str, Any]]) -> None:
    report = json.loads(grant.report) if grant.report else {}
    grant.report = json.dumps({**report, "studies": studies}, ensure_ascii=False)


def _computed(version: Version, queries: dict[str, Any]) -> tuple[list[tuple[str, bytes]], dict[str, str]]:
    """The files of each result, and why others could not be computed."""
    files: dict[str, Path] = {}
    tables: dict[str, list[str]] = {}
    for name, table in version.tables.items():
        inside = {f"/data/{len(files) + place}.parquet": path for place, path in enumerate(table.paths)}
        tables[name] = list(inside)
        files |= inside
    limits = closed.Limits(_SECONDS, 3 * _MEMORY, _OUTPUT, address=3 * _MEMORY)
    box = closed.Box(limits, read=files)
    question = json.dumps({"tables": tables, "queries": queries, "memory": _MEMORY}).encode()
    ended = box.run([box.python, "-P", "-s", "-m", "madang.services.access.child"], question)
    if ended.code:
        raise MadangError(
            "access.study", _("The study could not be run."), _("It may need more memory or time than there is.")
        )
    answers = json.loads(ended.output)
    results = [(file, text.encode()) for each in answers if not each["error"] for file, text in each["files"].items()]
    return results, {each["name"]: each["error"] for each in answers if each["error"]}
