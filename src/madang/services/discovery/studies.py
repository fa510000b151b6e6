"""Models and dockings of a library: asked for on a page, done by a job, kept with what was found.

A model is a folder `models/LIBRARY.NAME` with a version per training, a docking a folder `docking/study-N`. What they
say of the compounds of the library is a property of these from then on: `predicted NAME` and `docked NAME`.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.lake.files import make_folder, put_instead
from madang.node import jobs
from madang.node.acts import doing
from madang.node.jobs.models import Job
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check, may
from madang.node.text import clean_line
from madang.services.discovery.acts import SEARCH, SEE, STUDY
from madang.services.discovery.models import MoleculeLibrary, Study
from madang.services.discovery.service import _find, see

MODEL, DOCKING = "model", "docking"
MOST_DOCKED = 20_000  # compounds that a docking of a page takes
MOST_PREDICTED = 200  # molecules that a page predicts at once
MOST_OF_LIBRARY = 200_000  # compounds that a model is asked for after its training
KEPT = 200  # ligands of a docking that the database keeps; all are in its folder
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SUFFIXES = (".csv", ".xlsx", ".parquet")


def train(
    node: Node,
    actor: Actor,
    library: str,
    name: str,
    *,
    table: bytes = b"",
    kind: str = "csv",
    structure: str = "smiles",
    value: str = "pic50",
    date: str = "",
    light: bool = False,
) -> Study:
    """Have a model trained, from a table that is given or, without one, from what was measured for the library.

    The same name again makes the next version of that model. Errors: `chemistry.model_name`, those of assay tables.
    """
    _checked(name)
    suffix = f".{kind}"
    if suffix not in _SUFFIXES:
        raise MadangError("chemistry.model_table", _("A table is CSV, XLSX or Parquet."))
    if not table:
        table, suffix, structure, value, date = _measured(node, actor, library), ".csv", "smiles", "pic50", "measured"
    asked = {"name": name, "structure": structure, "value": value, "date": date, "light": light, "suffix": suffix}
    return _begin(node, actor, library, MODEL, name, asked, {f"table{suffix}": table}, train_job)


def dock(
    node: Node,
    actor: Actor,
    library: str,
    name: str,
    *,
    receptor: bytes,
    receptor_kind: str = "pdb",
    ligand: bytes = b"",
    ligand_kind: str = "sdf",
    residues: str = "",
    chains: str = "",
    exhaustiveness: int = 8,
    limit: int = 0,
) -> Study:
    """Have a library docked into a receptor (PDB or mmCIF), around a known ligand or residues; 0 takes all compounds.

    The receptor and the ligand are read now, so that what is wrong with them is said at once.
    """
    from madang.science.docking.whole import find_site

    _checked(name)
    files = {f"receptor.{receptor_kind}": receptor} | ({f"ligand.{ligand_kind}": ligand} if ligand else {})
    asked = {"name": name, "files": sorted(files), "residues": residues, "chains": chains, "limit": limit}
    asked["exhaustiveness"] = exhaustiveness
    check(actor, STUDY, see(node, actor, library))
    import tempfile

    with tempfile.TemporaryDirectory(prefix="madang-dock-") as place:
        for file, data in files.items():
            (Path(place) / file).write_bytes(data)
        find_site(*_paths(Path(place), asked), residues, chains)
    return _begin(node, actor, library, DOCKING, name, asked, files, dock_job)


def studies(node: Node, actor: Actor, library: str, kind: str) -> list[Study]:
    """The models or dockings of a library, the newest first."""
    found = see(node, actor, library)
    with node.read() as session:
        mine = select(Study).where(Study.library_id == found.id, Study.kind == kind).order_by(Study.id.desc())
        return list(session.scalars(mine))


def see_study(node: Node, actor: Actor, library: str, number: int) -> Study:
    """A model or docking. Errors: `study.none`, also where one may not know of it."""
    with node.read() as session:
        found = session.get(Study, number, options=[selectinload(Study.library).selectinload(MoleculeLibrary.project)])
        if found is None or found.library.name != library or not may(actor, SEE, found.library):
            raise MadangError("study.none", _("There is nothing of this number."), _("Look at the library."))
    return found


def card_of(node: Node, study: Study) -> dict[str, Any]:
    """The card of a trained model."""
    found = json.loads(study.found)
    card: dict[str, Any] = json.loads(
        (_model_folder(node, found["model"]) / str(found["version"]) / "card.json").read_text()
    )
    return card


def predict(node: Node, actor: Actor, library: str, number: int, text: str, level: float = 0.9) -> list[dict[str, Any]]:
    """What a model says of molecules, one SMILES a line; the event of it has them as a keyed hash only."""
    from madang.science.chemistry.model import load

    study = see_study(node, actor, library, number)
    check(actor, SEARCH, study.library)
    _done(study)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or len(lines) > MOST_PREDICTED:
        raise MadangError(
            "chemistry.too_many", _("Give 1 to {most} molecules, one a line.").format(most=MOST_PREDICTED)
        )
    key = hmac.new(node.home.key("queries"), f"predict\0{text.strip()}".encode(), hashlib.sha256).hexdigest()
    node.audit.read(actor, SEARCH.name, f"library:{study.library_id}", {"kind": "predict", "query": key})
    found = json.loads(study.found)
    model = load(_model_folder(node, found["model"]), found["version"])
    said = model.predict([line.split()[0] for line in lines], processes=1, level=level)
    return [{"given": line[:200], **asdict(one)} for line, one in zip(lines, said, strict=True)]


def file_of(node: Node, actor: Actor, library: str, number: int, name: str) -> Path:
    """A file that a finished docking wrote, or the predictions for the library of a model."""
    study = see_study(node, actor, library, number)
    check(actor, SEE, study.library)
    _done(study)
    node.audit.read(actor, SEE.name, f"library:{study.library_id}")
    path = (_docking_folder(node, study) if study.kind == DOCKING else _trained(node, study)) / name
    if not path.is_file():
        raise MadangError("study.none", _("There is nothing of this number."), _("Look at the library."))
    return path


def properties_of(node: Node, actor: Actor, library: str) -> dict[str, dict[str, float | None]]:
    """What models and dockings say of the compounds of a library, by property and compound; the newest of each name
    counts. A prediction out of the domain of its model is left out."""
    import csv

    found: dict[str, dict[str, float | None]] = {}
    for kind, word in ((MODEL, "predicted"), (DOCKING, "docked")):
        for study in studies(node, actor, library, kind):
            name = f"{word} {json.loads(study.asked)['name']}"
            if study.state != "done" or name in found:
                continue
            path = (
                _docking_folder(node, study) / "scores.csv"
                if kind == DOCKING
                else _trained(node, study) / "library.csv"
            )
            if not path.is_file():
                continue
            column = "score" if kind == DOCKING else "value"
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            kept = [row for row in rows if row[column] and row.get("in_domain", "true") == "true"]
            found[name] = {row["id"]: float(row[column]) for row in kept}
    return found


@jobs.job
def train_job(work: jobs.Work, *, study: int) -> None:
    """The job that trains a model, keeps it as a version, and asks it for the compounds of the library."""
    from madang.science.chemistry.assay import read_assay
    from madang.science.chemistry.model import save
    from madang.science.chemistry.model import train as learn

    node, asked, library = work.node, *_asked(work.node, study)
    folder = _model_folder(node, f"{library}.{asked['name']}")
    table = _inputs(node, study) / f"table{asked['suffix']}"
    assay = read_assay(table, asked["structure"], asked["value"], asked["date"])
    model = learn(f"{library}.{asked['name']}", assay, light=asked["light"], progress=work)
    before = _main_of(folder)
    number, digest = save(model, folder)
    with work.step(_("Predictions for the library")):
        predicted = _predict_library(node, library, model, folder / str(number), work)
    found = {"model": folder.name, "version": number, "hash": digest, "predicted": predicted, "before": before}
    found["now"] = _main_of(folder)
    _finish(work, study, found)


@jobs.job
def dock_job(work: jobs.Work, *, study: int) -> None:
    """The job that docks a library; started again it goes on behind the last ligand that was done."""
    from madang.science.chemistry.library import newest, read_table
    from madang.science.docking.run import Ligand
    from madang.science.docking.whole import Settings, find_site
    from madang.science.docking.whole import dock as dock_into

    node, asked, library = work.node, *_asked(work.node, study)
    site = find_site(*_paths(_inputs(node, study), asked), asked["residues"], asked["chains"])
    version = newest(node.home.lake().dataset(library))
    table = read_table(version, "compound", ["compound_id", "id", "smiles"])
    table = table.slice(0, min(asked["limit"] or MOST_DOCKED, MOST_DOCKED))
    ligands = [Ligand(row["id"], row["smiles"]) for row in table.to_pylist()]
    settings = Settings(asked["exhaustiveness"], cpu=1)
    done = dock_into(site, ligands, node.home.folder("docking") / f"study-{study}", settings, work)
    report = done.report()
    failed = [one for one in report["ligands"] if one["score"] is None]
    counts = {"docked": len(ligands) - len(failed), "failed": len(failed), "library": version.name}
    report |= counts | {"ligands": report["ligands"][:KEPT], "no_control": done.no_control}
    report["problems"] = failed[:KEPT]
    _finish(work, study, report)


def study_failed(session: Session, node: Node, state: str, *, study: int) -> None:
    """Called where a job of this room came to nothing: why is kept with the study."""
    found = session.get(Study, study)
    if found is None or found.state != "working":
        return
    job = session.get(Job, found.job_id) if found.job_id else None
    found.state = "failed"
    found.error = jobs.why_kept(job, state)


def _begin(
    node: Node, actor: Actor, library: str, kind: str, name: str, asked: Any, files: dict[str, bytes], job: Any
) -> Study:
    see(node, actor, library)
    with doing(node, actor, STUDY, lambda session: _find(session, library)) as done:
        thing = done.thing
        made = Study(
            library_id=thing.id,
            organization_id=thing.organization_id,
            project_id=thing.project_id,
            owner_id=actor.person_id,
            kind=kind,
            title=clean_line(name, _("The name"), 40, required=True),
            asked=json.dumps(asked),
        )
        done.session.add(made)
        done.session.flush()
        folder = _inputs(node, made.id)
        make_folder(folder, 0o700)
        for file, data in files.items():
            put_instead(folder / file, data, 0o600)
        title = later("Train {name}") if kind == MODEL else later("Dock {name}")
        made.job_id = jobs.start(done.session, node, actor, job, {"study": made.id}, title, name=name)
        done.tell(kind=kind, name=name)
    return made


def _finish(work: jobs.Work, study: int, found: dict[str, Any]) -> None:
    with work.finish() as session:
        kept = session.get(Study, study)
        if kept is not None:
            kept.state, kept.found = "done", json.dumps(found, ensure_ascii=False)


def _asked(node: Node, study: int) -> tuple[dict[str, Any], str]:
    with node.read() as session:
        kept = session.get(Study, study, options=[selectinload(Study.library)])
        if kept is None:
            raise MadangError("study.none", _("There is nothing of this number."))
        return json.loads(kept.asked), kept.library.name


def _predict_library(node: Node, library: str, model: Any, folder: Path, work: jobs.Work) -> int:
    """What the model says of the compounds of the library, as a CSV file beside it; how many."""
    import csv
    import io

    from madang.science.chemistry.library import newest, read_table

    table = read_table(newest(node.home.lake().dataset(library)), "compound", ["compound_id", "id", "smiles"])
    rows = table.slice(0, MOST_OF_LIBRARY).to_pylist()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "smiles", "value", "low", "high", "in_domain", "nearest", "similarity", "problem"])
    for start in range(0, len(rows), 500):
        some = rows[start : start + 500]
        for row, one in zip(some, model.predict([row["smiles"] for row in some], processes=1), strict=True):
            told = [one.value, one.low, one.high, str(one.in_domain).lower(), one.nearest, one.similarity, one.problem]
            writer.writerow([row["id"], row["smiles"], *told])
        work.check()
    put_instead(folder / "library.csv", out.getvalue().encode(), 0o600)
    return len(rows)


def _measured(node: Node, actor: Actor, library: str) -> bytes:
    """The measured values of a library as a table."""
    import csv
    import io

    from madang.services.discovery.tables import activity

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["smiles", "pic50", "measured"])
    for row in activity(node, actor, library).rows:
        if row["pic50"] is None:  # other things were measured of it
            continue
        exact = row["operator"] == "="
        writer.writerow([row["smiles"], row["pic50"] if exact else f"{row['operator']}{row['pic50']}", row["measured"]])
    return out.getvalue().encode()


def _main_of(folder: Path) -> dict[str, Any] | None:
    """The figure by clusters of the newest version of a model, to compare the next one with."""
    from madang.science.chemistry.model import versions

    numbers = versions(folder)
    if not numbers:
        return None
    card = json.loads((folder / str(numbers[-1]) / "card.json").read_text())
    main = "auroc" if card["kind"] == "classes" else "pearson_r"
    figures = card["splits"]["cluster"]["model"]
    return {
        "version": numbers[-1],
        "measure": main,
        "value": figures.get(main),
        "compounds": card["assay"]["compounds"],
    }


def _paths(folder: Path, asked: dict[str, Any]) -> tuple[Path, Path | None]:
    """Receptor and known ligand among the files that were given."""
    receptor = next(folder / name for name in asked["files"] if name.startswith("receptor."))
    return receptor, next((folder / name for name in asked["files"] if name.startswith("ligand.")), None)


def _model_folder(node: Node, name: str) -> Path:
    return node.home.folder("models") / name


def _trained(node: Node, study: Study) -> Path:
    found = json.loads(study.found)
    return _model_folder(node, found["model"]) / str(found["version"])


def _docking_folder(node: Node, study: Study) -> Path:
    return node.home.folder("docking") / f"study-{study.id}"


def _inputs(node: Node, study: int) -> Path:
    return node.home.folder("docking") / f"given-{study}"


def _done(study: Study) -> None:
    if study.state != "done":
        raise MadangError("study.state", _("This is not done yet."), _("Look again later."))


def _checked(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise MadangError(
            "chemistry.model_name",
            _("{name} cannot name a model.").format(name=repr(name)),
            _("Begin with a small letter; use small letters, digits and hyphens, at most 40."),
        )


def names_of(found: Sequence[Study]) -> list[str]:
    """The names of studies, each once."""
    return list(dict.fromkeys(json.loads(each.asked)["name"] for each in found))


def how_far(node: Node, study: Study) -> tuple[int, int]:
    """How many ligands of a docking are done, and of how many."""
    from madang.science.chemistry.library import newest

    if study.state == "done":
        found = json.loads(study.found)
        return found["docked"] + found["failed"], found["docked"] + found["failed"]
    count = int(newest(node.home.lake().dataset(study.library.name)).info["compounds"])
    total = min(count, json.loads(study.asked)["limit"] or MOST_DOCKED, MOST_DOCKED)
    path = _docking_folder(node, study) / "results.jsonl"
    return (path.read_bytes().count(b"\n") if path.exists() else 0), total
