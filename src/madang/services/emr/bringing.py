"""Records of a tested system on their way into a dataset: what conforms goes on to the pack fhir-r4.

Nothing is left out in silence: what does not conform is counted by type and rule, types that the pack does not read
are named, and the account of standardizing says what became of every line.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _, later
from madang.lake.files import sentences
from madang.node import jobs
from madang.node.acts import doing
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.sealing import seal
from madang.services.datasets import STANDARDIZE, begun_by
from madang.services.emr.acts import BRING
from madang.services.emr.models import ConformanceRun
from madang.services.emr.running import NOTHING, SignIn, check_host, check_signed, credentials_in, find, kit_of

if TYPE_CHECKING:
    from madang.lake import Version
    from madang.science.fhir.validator import Validator
    from madang.science.standardize import Standardized

PACK, STARTER = "fhir-r4", "starter"
NAME = re.compile(r"[a-z][a-z0-9-]{1,60}")
RULES = 20  # kinds of findings that are shown


@dataclass
class Sorted:
    """Records by what becomes of them: those that conform lie in files by type."""

    folder: Path
    passed: Counter[str]
    left_out: Counter[str]
    rules: Counter[str]

    def as_json(self, read: Iterable[str]) -> dict[str, Any]:
        """The same for a page; `read` are the types that the pack reads."""
        known = set(read)
        return {
            "passed": dict(sorted(self.passed.items())),
            "left_out": dict(sorted(self.left_out.items())),
            "rules": [[rule, count] for rule, count in self.rules.most_common(RULES)],
            "not_read": {name: count for name, count in sorted(self.passed.items()) if name not in known},
        }


def sort_records(records: Iterable[dict[str, Any]], validator: "Validator", folder: Path) -> Sorted:
    """Write the records that have no error into `folder`, a file per type; count the others."""
    made = Sorted(folder, Counter(), Counter(), Counter())
    files: dict[str, Any] = {}
    with sentences(f"write into {folder}"):
        folder.mkdir(parents=True, mode=0o700)
        try:
            for each in records:
                verdict = validator.validate(each)
                if not verdict.valid or not verdict.type:
                    made.left_out[verdict.type or "?"] += 1
                    made.rules.update({f"{x.path} ({x.rule})" for x in verdict.findings if x.severity == "error"})
                    continue
                made.passed[verdict.type] += 1
                if verdict.type not in files:
                    files[verdict.type] = (folder / f"{verdict.type}.ndjson").open("wb")
                files[verdict.type].write(orjson.dumps(each) + b"\n")
        finally:
            for file in files.values():
                file.close()
    return made


def types_read() -> tuple[str, ...]:
    """The resource types that the pack reads, by the names of its files."""
    from madang.science.standardize import load_pack

    names = [pattern for source in load_pack(PACK).sources.values() for pattern in source.files]
    return tuple(dict.fromkeys(found.group(0) for name in names if (found := re.match(r"[A-Z][A-Za-z]+", name))))


def standardize_folder(
    home: Home, folder: Path, dataset: str, base: str, vocabulary: str, progress: Progress
) -> "Standardized":
    """Turn the files of a folder into the next version of a dataset; all of them, since ids may come again."""
    from madang.science.omop.starter import starter_path
    from madang.science.standardize import standardize

    named: Version | Path = Path(starter_path()) if vocabulary == STARTER else home.lake().find(vocabulary)
    return standardize(
        PACK,
        folder,
        named,
        home.lake().dataset(dataset),
        parameters={"base": base} if base else {},
        key=home.key("pseudonym"),
        rebuild=True,
        progress=progress,
    )


def check_name(dataset: str) -> str:
    """The name of a dataset that can be made. Errors: `conformance.dataset`."""
    name = dataset.strip()
    if not NAME.fullmatch(name):
        raise MadangError(
            "conformance.dataset",
            _("{name} is no name of a dataset.").format(name=name[:80]),
            _("Use small letters, digits and hyphens, beginning with a letter."),
        )
    return name


def bring(
    node: Node, actor: Actor, number: int, dataset: str, vocabulary: str = STARTER, sign_in: SignIn = NOTHING
) -> ConformanceRun:
    """Fetch the records of a tested system and standardize those that conform, as a job."""
    name, given = check_name(dataset), sign_in.credentials()
    named = vocabulary.strip() or STARTER
    if named != STARTER:
        node.home.lake().find(named)
    with doing(node, actor, BRING, lambda session: find(session, number)) as done:
        run = done.thing
        check_host(node, run.target)
        check_signed(run, given)
        run.secret = b""
        if given is not None:
            secret = {"token": given.token, "client": given.client, "key": given.key}
            run.secret = seal(node.home, json.dumps(secret).encode(), f"trial:{run.id}")
        arguments = {"run": run.id, "dataset": name, "vocabulary": named}
        title, values = later("Bring records of {target} into {name}"), {"target": run.target, "name": name}
        job = jobs.start(done.session, node, actor, bring_job, arguments, title, **values)
        run.brought = json.dumps({"state": "running", "job": job, "dataset": name})
        done.tell(dataset=name)
        return run


@jobs.job
def bring_job(work: jobs.Work, *, run: int, dataset: str, vocabulary: str) -> None:
    """The job that fetches the records of a system, sorts them, and standardizes what conforms."""
    from madang.science.fhir.kit.basics import sign_in
    from madang.science.fhir.kit.collecting import collected

    node = work.node
    with node.read() as session:
        found = find(session, run)
        target, given = found.target, credentials_in(node, found)
    kit, connection = kit_of(node, target, given)
    folder = _fresh(node.home, run)
    with closing(connection), work.step(_("fetch records")):
        sign_in(kit)
        made = sort_records(_watched(collected(kit), work), kit.validator, folder)
    if not made.passed["Patient"]:
        raise _no_records()
    about = f"pack {PACK}"
    with begun_by(node, work.actor, STANDARDIZE, dataset, source=target, detail=about) as begun:
        done = standardize_folder(node.home, folder, dataset, target, vocabulary, work)
        begun.made(done.version)
    said = {"state": "done", "dataset": done.version.name, **made.as_json(types_read()), **account(done)}
    with work.finish({"dataset": done.version.name}) as session:
        found = find(session, run)
        found.brought, found.secret = json.dumps(said, ensure_ascii=False), b""


def account(done: "Standardized") -> dict[str, Any]:
    """What became of the lines, by source, and how many rows each table has."""
    return {
        "sources": {name: list(counts) for name, counts in done.report.sources.items() if counts[1]},
        "tables": {name: rows for name, rows in sorted(done.report.tables.items()) if rows},
        "reasons": [[each.source, each.reason, each.lines] for each in done.report.reasons][:50],
    }


def bring_here(
    target: str, into: str, vocabulary: str, given: Any, authority: Path | None, progress: Progress
) -> dict[str, Any]:
    """The same on one's own machine, of an endpoint or a folder, as whom the command line acts."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.science.fhir.definitions import shipped
    from madang.science.fhir.kit.basics import sign_in
    from madang.science.fhir.kit.collecting import collected
    from madang.science.fhir.kit.session import Session
    from madang.services.emr.client import Connection
    from madang.services.emr.testing import check_answers, check_url, folder_session, is_url

    name, definitions = check_name(into), shipped("kr-core")
    with opened() as node:
        if is_url(target):
            check_url(target)
            kit = Session(target, Connection(authority), definitions, given)
            check_answers(kit, target)
            sign_in(kit)
        else:
            kit = folder_session(target, definitions, "kr-core")
        with progress.step(_("fetch records")):
            made = sort_records(_watched(collected(kit), progress), kit.validator, _fresh(node.home, 0))
        if not made.passed["Patient"]:
            raise _no_records()
        base = kit.base if is_url(target) else ""
        with begun_by(node, commander(node), STANDARDIZE, name, source=target, detail=f"pack {PACK}") as begun:
            done = standardize_folder(node.home, made.folder, name, base, vocabulary, progress)
            begun.made(done.version)
    return {"dataset": done.version.name, **made.as_json(types_read()), **account(done)}


def show_brought(said: dict[str, Any]) -> None:
    """Print what was brought in and what was not."""
    from madang.base.console import console, show_table

    names = sorted({*said["passed"], *said["left_out"]})
    rows = [
        [
            name,
            said["passed"].get(name, 0),
            said["left_out"].get(name, 0),
            _("no") if name in said["not_read"] or name not in said["passed"] else _("yes"),
        ]
        for name in names
    ]
    title = _("Records for {dataset}").format(dataset=said["dataset"])
    show_table(title, [_("type"), _("conform"), _("left out"), _("read by the pack")], rows)
    for rule, count in said["rules"]:
        console().print(_("Left out: {rule} {count}").format(rule=rule, count=count), markup=False)
    columns = [_("source"), _("lines"), _("used"), _("rejected"), _("unused")]
    show_table(_("Source rows in"), columns, [[name, *counts[1:]] for name, counts in said["sources"].items()])
    for source, reason, lines in said["reasons"]:
        console().print(f"{source}: {reason} ({lines:,})", markup=False)


def _no_records() -> MadangError:
    return MadangError(
        "conformance.no_records",
        _("No Patient of the system conforms, so there is nothing to make a dataset of."),
        _("The report of the test says what is wrong."),
    )


def _watched(records: Iterable[dict[str, Any]], work: Progress) -> Iterable[dict[str, Any]]:
    for each in records:
        work.check()
        work.advance()
        yield each


def _fresh(home: Home, run: int) -> Path:
    """A folder that is not there yet; the files of earlier versions stay, so that a row can be traced to its line."""
    above = home.folder("emr")
    numbers = [int(each.name.rpartition("-")[2]) for each in above.glob(f"run-{run}-*")]
    return above / f"run-{run}-{max(numbers, default=0) + 1}"


def bring_failed(session: Any, node: Node, state: str, *, run: int, dataset: str, vocabulary: str) -> None:
    """Called where bringing records in failed or was stopped."""
    found = session.get(ConformanceRun, run)
    if found is not None:
        found.secret = b""
        found.brought = json.dumps({"state": state, "dataset": dataset, "job": json.loads(found.brought).get("job")})
