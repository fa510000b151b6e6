"""`madang extract`: exactly what the signed permit says, as a version of a dataset that only this permit opens."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.lake.removal import remove_versions
from madang.node.acts import Intent, intending, withdraw
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.science.privacy.extract import BEFORE, MEMORY, SCHEMA, Wanted, make
from madang.science.privacy.recipe import Recipe, recipe_of
from madang.science.privacy.utility import as_json, movement
from madang.services.access import acts
from madang.services.access.asking import grant_of
from madang.services.access.models import Grant
from madang.services.access.people import population_in
from madang.services.access.permits import checked_terms


@dataclass(frozen=True)
class Extracted:
    """What was made: the dataset's name and version, rows by table, and the report of risk and loss."""

    dataset: str
    version: int
    rows: dict[str, int]
    report: dict[str, Any]


def extract(node: Node, actor: Actor, number: str, progress: Progress | None = None) -> Extracted:
    """Make the extract of a permit in force; the next version of it, with the same pseudonyms, if there is one.

    Errors: `access.none`, `access.not_in_force`, `access.altered`, `access.results_only`.
    """
    with node.read() as session:
        grant = grant_of(session, number)
        terms = checked_terms(node, grant)
    if terms["answer"] == "results-only":
        raise MadangError(
            "access.results_only",
            _("The permit {number} gives results only: no rows leave the holder.").format(number=number),
            _("Run the study that the project handed in: madang access permit {number} --run N.").format(number=number),
        )
    return _made(node, actor, grant, terms, terms["dataset"], progress or Silent())


def held_rows(node: Node, actor: Actor, number: str, progress: Progress | None = None) -> Version:
    """The permitted rows of a permit for results only, in a dataset that no permit opens; made anew where the source
    or the permit has changed. Errors: those of `extract`, `access.rows`."""
    with node.read() as session:
        grant = grant_of(session, number)
        terms = checked_terms(node, grant)
    if terms["answer"] != "results-only":
        raise MadangError("access.rows", _("The permit {number} gives data, not results only.").format(number=number))
    dataset = node.home.lake().dataset(held_name(number))
    if dataset.exists:
        newest, source = dataset.version(), node.home.lake().find(terms["source"])
        if (newest.info.get("serial"), newest.info.get("source")) == (terms["serial"], source.name):
            return newest
    done = _made(node, actor, grant, terms, dataset.name, progress or Silent())
    return dataset.version(done.version)


def held_name(number: str) -> str:
    """The dataset that holds the rows of a permit for results only."""
    return f"held-{number}"


def _made(node: Node, actor: Actor, grant: Grant, terms: Mapping[str, Any], into: str, progress: Progress) -> Extracted:
    number = grant.permit.number
    with intending(node, actor, acts.EXTRACT, f"permit:{number}", {"dataset": into}, about=grant) as intent:
        source = node.home.lake().find(terms["source"])
        recipe = recipe_of(terms["recipe"])
        dataset = node.home.lake().dataset(into)
        parent = dataset.version() if dataset.exists else None
        with _engine(node) as (engine, _folder), dataset.write(parent) as writer:
            source.attach(engine)
            wanted = Wanted(terms["tables"], population_in(engine, source, terms["population"]))
            files = {}

            def new_file(table: str) -> Any:
                files[table] = writer.new_file(table)
                return files[table]

            rows = make(engine, wanted, recipe, node.home.key(grant.key_name), new_file, progress)
            persons = rows.get("person", 0)
            report = _report(engine, list(rows), recipe, progress)
            for table, path in files.items():
                writer.add(table, path)
            version = writer.commit(
                "extract",
                {"permit": number, "serial": terms["serial"], "source": source.name, "report": _texts(report)},
            )
        report |= {"rows": rows, "source": source.name, "made": date.today().isoformat()}
        with intent.done(version=version.number, persons=persons) as session:
            kept = grant_of(session, number)
            over = kept.permit.state == "destroyed"  # meanwhile: what was made now goes as well
            before = json.loads(kept.report) if kept.report else {}
            if into == kept.permit.dataset and not over:  # else nobody may open it
                kept.version = version.number
            stays = {name: before[name] for name in ("recipes", "studies") if name in before}
            kept.report = json.dumps(report | stays, ensure_ascii=False)
    if over:
        remove_versions(dataset, [version.number], f"permit {number} is over")
        forget_key(node, grant.key_name)
        raise MadangError(
            "access.not_in_force",
            _("The permit {number} was destroyed while its extract was made; that is removed as well.").format(
                number=number
            ),
            "",
        )
    return Extracted(version.dataset.name, version.number, rows, report)


def forget_key(node: Node, name: str) -> bool:
    """Overwrite and remove a key of pseudonyms; whether there was one."""
    path = node.home.path / "keys" / f"{name}.key"
    if not path.exists():
        return False
    path.write_bytes(bytes(path.stat().st_size))
    path.unlink()
    return True


@contextmanager
def _engine(node: Node) -> Iterator[tuple[Engine, Path]]:
    """An engine that holds little in memory, and a folder of the home that is closed to others, gone afterwards."""
    with TemporaryDirectory(dir=node.home.folder("run")) as name, Engine(MEMORY, spill=Path(name) / "spill") as engine:
        yield engine, Path(name)


def _report(engine: Engine, tables: list[str], recipe: Recipe, progress: Progress) -> dict[str, Any]:
    """Risk per person before and after the recipe, and how far the answers of ten questions move."""
    report: dict[str, Any] = {"recipe": recipe.document()}
    if "person" in tables and int(engine.value(f"SELECT count(*) FROM {SCHEMA}.person")):
        from madang.science.privacy.persons import person_risk

        report["before"] = person_risk(engine, tables, BEFORE, progress=progress).document()
        report["after"] = person_risk(engine, tables, SCHEMA, progress=progress).document()
    report["utility"] = as_json(movement(engine, BEFORE, SCHEMA, tables))
    return report


def _texts(value: Any) -> Any:
    """The report as canonical JSON takes it: shares as text, so that every reader writes them alike."""
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, dict):
        return {name: _texts(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(each) for each in value]
    return value


def compare(node: Node, number: str, recipes: list[str], progress: Progress | None = None) -> list[dict[str, Any]]:
    """Try recipes against each other on the permitted rows; nothing is kept. Risk and loss of each."""
    from madang.science.privacy.recipe import read_recipe

    with node.read() as session:
        grant = grant_of(session, number)
        terms = checked_terms(node, grant)
        key_name = grant.key_name
    source = node.home.lake().find(terms["source"])
    found = []
    for name in recipes:
        with _engine(node) as (engine, folder):
            source.attach(engine)
            wanted = Wanted(terms["tables"], population_in(engine, source, terms["population"]))
            recipe = read_recipe(name)
            rows = make(engine, wanted, recipe, node.home.key(key_name), _in_folder(folder))
            found.append({"name": name, **_report(engine, list(rows), recipe, progress or Silent())})
    return found


def try_recipes(node: Node, actor: Actor, number: str, recipes: list[str], progress: Progress | None = None) -> None:
    """Try recipes against each other, and keep what was found with the permit, to be looked at in pictures."""
    with node.read() as session:
        check(actor, acts.EXTRACT, grant_of(session, number))
    found = compare(node, number, recipes, progress)
    with node.write() as session:
        kept = grant_of(session, number)
        report = json.loads(kept.report) if kept.report else {}
        kept.report = json.dumps({**report, "recipes": found}, ensure_ascii=False)
        node.audit.record(session, actor, "permit.try_recipes", kept.reference, {"recipes": ", ".join(recipes)})


def _in_folder(folder: Path) -> Callable[[str], Path]:
    return lambda table: folder / f"{table}.parquet"


def settle(node: Node, intent: Intent) -> None:
    """After a kill: what was half written is swept by the lake; the extract is made again by whoever wants it."""
    withdraw(node, Actor.node(), intent.id, "the process ended before the extract was finished")
