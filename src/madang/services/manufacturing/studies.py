"""What is computed for a project by jobs: twins, loops of the foundry, good runs that others are held against."""

import json
import math
import tempfile
import tomllib
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
from madang.node.people import Actor
from madang.node.people.projects import find_project
from madang.node.permissions import may, visible
from madang.node.text import clean_line
from madang.services.manufacturing.acts import SEE_STUDY, STUDY
from madang.services.manufacturing.models import Cultivation, Study

TWIN, FOUNDRY, WATCH, RUN = "twin", "foundry", "watch", "run"
_TITLES = {TWIN: later("Twin: {title}"), FOUNDRY: later("Foundry: {title}"), WATCH: later("Good runs: {title}")}
LARGEST = 2_000_000  # characters of a description or a table
PARTS = "parts.fasta"  # the one file that a foundry's description may name
MOST_BATCHES = 200_000  # of what-if batches and of the design space together


def compute_twin(node: Node, actor: Actor, project: str, title: str, recipe: str) -> Study:
    """Have a recipe computed: its course, what if, what matters, the design space. Errors: those of recipes."""
    from madang.science.bioprocess.twin.recipe import read_recipe

    told = _toml(recipe)
    space, asked = told.get("design_space", {}), told.get("what_if", {})
    try:
        axes = len(space.get("axes", {}))
        count = int(asked.get("batches", 10_000) if asked else 0)
        count += int(space.get("grid", 15)) ** axes * int(space.get("draws", 200)) if axes else 0
    except (TypeError, ValueError, AttributeError):
        count = 0  # what is wrong is said when the recipe is read
    if count > MOST_BATCHES:
        text = _("{count} batches are more than a page computes ({most}).").format(count=count, most=MOST_BATCHES)
        raise MadangError("twin.batches", text, _("Ask for a smaller grid, fewer draws or batches."))
    section = _section(recipe)
    read_recipe(section)
    return _begin(node, actor, project, TWIN, title, recipe, {}, twin_job)


def run_foundry(node: Node, actor: Actor, project: str, title: str, description: str, sequences: str = "") -> Study:
    """Have the rounds of a foundry closed. With `mode = "files"` it stops where it waits for readings."""
    from madang.science.bioprocess.foundry.description import read_foundry

    told = _toml(description)
    if "folder" in told or told.get("sequences", PARTS) != PARTS:
        raise MadangError("foundry.file", _("A description of a project names no files but {file}.").format(file=PARTS))
    if told.get("devices", {}).get("address"):
        raise MadangError("foundry.address", _("A description of a project names no addresses of stations."))
    files = {"foundry.toml": description} | ({PARTS: sequences} if sequences else {})
    with tempfile.TemporaryDirectory(prefix="madang-foundry-") as place:
        for name, text in files.items():
            (Path(place) / name).write_text(text)
        read_foundry(Path(place) / "foundry.toml")
    return _begin(node, actor, project, FOUNDRY, title, description, files, foundry_job)


def give_readings(node: Node, actor: Actor, number: int, data: bytes) -> None:
    """Give the readings that a foundry waits for (CSV or XLSX); it goes on with them."""
    study = see_study(node, actor, number)
    answer = json.loads(study.answer or "{}")
    if study.kind != FOUNDRY or not answer.get("waiting"):
        raise MadangError("foundry.waiting", _("This foundry waits for no readings."))
    name = "readings.xlsx" if data[:2] == b"PK" else "readings.csv"
    round_ = Path(answer["waiting"]).parent.name
    with doing(node, actor, STUDY, lambda session: _found(session, number).project) as done:
        thing = _found(done.session, number)
        put_instead(folder_of(node, number) / "foundry-rounds" / round_ / name, data, 0o600)
        thing.state = "working"
        thing.job_id = jobs.start(
            done.session, node, actor, foundry_job, {"study": number}, _TITLES[FOUNDRY], title=thing.title
        )
        done.tell(name=thing.title)


def learn_good_runs(node: Node, actor: Actor, project: str, title: str, names: Sequence[str]) -> Study:
    """Learn from good past runs of a project (all of them if none is named); the others are held against them."""
    held = runs_of(node, actor, project)
    wanted = [name for name in names if name]
    unknown = [name for name in wanted if name not in held]
    if unknown:
        raise MadangError("cultivation.none", _("The project has no run {name}.").format(name=unknown[0]))
    asked = json.dumps({"runs": wanted or list(held)})
    return _begin(node, actor, project, WATCH, title, asked, {}, watch_job)


def see_study(node: Node, actor: Actor, number: int) -> Study:
    """A study. Errors: `study.none`, also where one may not know of it."""
    with node.read() as session:
        found = session.get(Study, number, options=[selectinload(Study.project)])
        if found is None or not may(actor, SEE_STUDY, found.project):
            raise _none()
    node.audit.read(actor, SEE_STUDY.name, f"study:{number}")
    return found


def list_studies(node: Node, actor: Actor, kind: str = "", project: int | None = None) -> Sequence[Study]:
    """The studies that one may see, the newest first."""
    with node.read() as session:
        query = select(Study).where(visible(actor, SEE_STUDY, Study)).order_by(Study.id.desc())
        if kind:
            query = query.where(Study.kind == kind)
        if project is not None:
            query = query.where(Study.project_id == project)
        return session.scalars(query.options(selectinload(Study.project))).all()


def runs_of(node: Node, actor: Actor, project: str) -> dict[str, Any]:
    """The past runs of a project by name, as cultivations."""
    from madang.services.manufacturing.service import project_of

    with node.read() as session:
        of = project_of(session, actor, project)
        return _cultivations(session, of.id)


def folder_of(node: Node, number: int) -> Path:
    """Where the files of a study are."""
    return node.home.folder("studies") / str(number)


@jobs.job
def twin_job(work: jobs.Work, *, study: int) -> None:
    """The job that computes a recipe."""
    from madang.services.manufacturing.commands_twin import computed

    asked = _asked(work.node, study)
    with work.step(_("Twin")):
        answer = computed(_section(asked))
    _finish(work, study, answer)


@jobs.job
def foundry_job(work: jobs.Work, *, study: int) -> None:
    """The job that closes rounds until all are done or readings are missing; begun again it goes on where it was."""
    from madang.science.bioprocess import DEVELOPMENT_USE
    from madang.science.bioprocess.foundry.description import read_foundry
    from madang.science.bioprocess.foundry.loop import history, run

    plan = read_foundry(folder_of(work.node, study) / "foundry.toml")
    done = run(plan, progress=work)
    plain = {name: (None if isinstance(v, float) and not math.isfinite(v) else v) for name, v in vars(done).items()}
    plain["best_by_round"] = [value if math.isfinite(value) else None for value in done.best_by_round]
    wells = history(plan) if done.rounds else []
    told = {"use": DEVELOPMENT_USE, "simulated": plan.simulated, "result": plan.result, "planned": plan.rounds}
    _finish(work, study, told | plain | {"history": wells})


@jobs.job
def watch_job(work: jobs.Work, *, study: int) -> None:
    """The job that learns good runs, and holds all others of the project against them."""
    from madang.science.bioprocess import DEVELOPMENT_USE
    from madang.science.bioprocess.runs.golden import hold, learn

    with work.node.read() as session:
        kept = _found(session, study)
        asked, held = json.loads(kept.asked), _cultivations(session, kept.project_id)
    golden = learn([held[name] for name in asked["runs"] if name in held])
    others = {}
    for name, run in held.items():
        if name not in asked["runs"] and set(run.signals) & set(golden.signals):
            told = hold(golden, run)
            others[name] = {
                "alarms": [asdict(each) for each in told.alarms],
                "hours": told.hours.tolist(),
                "ratio": told.ratio.tolist(),
                "missing": list(told.missing),
            }
        work.check()
    _finish(work, study, {"use": DEVELOPMENT_USE, "golden": golden.as_json(), "held": others})


def study_failed(session: Session, node: Node, state: str, *, study: int) -> None:
    """Called where a job came to nothing: why is kept with the study."""
    found = session.get(Study, study)
    if found is None or found.state != "working":
        return
    job = session.get(Job, found.job_id) if found.job_id else None
    found.state = "failed"
    found.error = jobs.why_kept(job, state)


def _begin(
    node: Node, actor: Actor, project: str, kind: str, title: str, asked: str, files: dict[str, str], job: Any
) -> Study:
    named = clean_line(title, _("The title"), 300, required=True)
    with doing(node, actor, STUDY, lambda session: find_project(session, project)) as done:
        made = Study(project_id=done.thing.id, owner_id=actor.person_id, kind=kind, title=named, asked=asked)
        done.session.add(made)
        done.session.flush()
        folder = folder_of(node, made.id)
        make_folder(folder, 0o700)
        for name, text in files.items():
            put_instead(folder / name, text.encode(), 0o600)
        made.job_id = jobs.start(done.session, node, actor, job, {"study": made.id}, _TITLES[kind], title=named)
        done.tell(name=named)
    return made


def _finish(work: jobs.Work, study: int, answer: dict[str, Any]) -> None:
    with work.finish() as session:
        kept = session.get(Study, study)
        if kept is not None:
            kept.state, kept.answer = "done", json.dumps(answer, ensure_ascii=False)


def _found(session: Session, number: int) -> Study:
    found = session.get(Study, number, options=[selectinload(Study.project)])
    if found is None:
        raise _none()
    return found


def _none() -> MadangError:
    return MadangError("study.none", _("There is nothing of this number."), _("Look at yours."))


def _asked(node: Node, study: int) -> str:
    with node.read() as session:
        return _found(session, study).asked


def _cultivations(session: Session, project: int) -> dict[str, Any]:
    from madang.science.bioprocess.runs.compare import read_runs

    held = session.scalars(select(Cultivation).where(Cultivation.project_id == project).order_by(Cultivation.id)).all()
    with tempfile.TemporaryDirectory(prefix="madang-runs-") as place:
        paths = [Path(place) / f"{each.name}.csv" for each in held]
        for path, each in zip(paths, held, strict=True):
            path.write_text(each.table)
        return {run.name: run for run in read_runs(paths)}


def _toml(text: str) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise MadangError("manufacturing.size", _("This text is too long."))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MadangError("toml.syntax", _("The description is no TOML: {error}").format(error=error)) from None


def _section(text: str) -> Any:
    from madang.science.bioprocess.toml import read_toml

    with tempfile.TemporaryDirectory(prefix="madang-twin-") as place:
        path = Path(place) / "recipe.toml"
        path.write_text(text)
        return read_toml(path)
