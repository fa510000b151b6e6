"""The pages of studies: twins, foundry loops, good runs, runs that are recorded, and the transfer package."""

import json
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import jobs
from madang.node.people.projects import list_projects
from madang.node.permissions import may
from madang.services.manufacturing import handover, live, recording, studies
from madang.services.manufacturing.acts import BEGIN, STOP
from madang.services.manufacturing.models import Study
from madang.services.manufacturing.samples import LOOP, RECIPE
from madang.services.manufacturing.service import list_campaigns, list_equipment
from madang.services.manufacturing.views import (
    AlarmView,
    ChartView,
    FindingView,
    FoundryView,
    HeadView,
    LiveView,
    NewGolden,
    NewPackage,
    NewRecording,
    NewStudy,
    Readings,
    SignalView,
    StudiesView,
    StudyLine,
    TwinView,
    WatchView,
)
from madang.services.manufacturing.words import (
    axis_named,
    fate_named,
    finding_named,
    kind_named,
    note_named,
    state_named,
)
from madang.web import Done, Here, Room

room = Room("manufacturing", __package__)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Project = Annotated[str, Path(max_length=63)]


@room.page("/manufacturing/studies", "studies.html")
def list_studies(visit: Here) -> StudiesView:
    """Twins, foundry loops, good runs and recordings of your projects."""
    from madang.science.bioprocess.plant.faults import FAULTS

    if not visit.actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    found = studies.list_studies(visit.node, visit.actor)
    projects = [p for p in list_projects(visit.node, visit.actor) if p.state == "active" and may(visit.actor, BEGIN, p)]
    done = [each for each in found if each.state == "done" and each.kind != studies.RUN]
    return StudiesView(
        studies=[
            StudyLine(
                number=each.id,
                kind=each.kind,
                project=each.project.title,
                title=each.title,
                state=each.state,
                address=f"/manufacturing/{PLACES[each.kind]}/{each.id}",
            )
            for each in found
        ],
        projects=[(each.name, each.title) for each in projects],
        campaigns=[(str(each.id), each.title) for each in list_campaigns(visit.node, visit.actor)],
        equipment=[(str(each.id), each.name) for each in list_equipment(visit.node, visit.actor)],
        golden=[(str(each.id), each.title) for each in done if each.kind == studies.WATCH],
        done=[(str(each.id), each.title) for each in done],
        recipe=RECIPE,
        loop=LOOP,
        most_faults=list(FAULTS),
    )


PLACES = {studies.TWIN: "twins", studies.FOUNDRY: "foundry", studies.WATCH: "watch", studies.RUN: "live"}


@room.act("/manufacturing/twins", at=list_studies)
def compute(visit: Here, given: NewStudy) -> Done:
    """Compute a recipe."""
    text = given.description.replace("\r\n", "\n")
    made = studies.compute_twin(visit.node, visit.actor, given.project, given.title, text)
    return Done(see=f"/manufacturing/twins/{made.id}", message=_("It is being computed."))


@room.page("/manufacturing/twins/{number}", "twin.html")
def twin(visit: Here, number: Number) -> TwinView:
    """A twin: the course of a recipe, what if, what matters, the design space."""
    study = _study(visit, number, studies.TWIN)
    answer = json.loads(study.answer or "{}")
    asked = answer.get("what_if") or {}
    end = answer.get("end", {})
    return TwinView(
        head=_head(study),
        kinetics=answer.get("kinetics", ""),
        source=answer.get("source", ""),
        end=[(name, value, answer["units"].get(name, "")) for name, value in end.items()],
        batches=asked.get("batches", 0),
        probability=asked.get("probability"),
        standard_error=asked.get("error"),
        attributes=list(asked.get("attributes", ())),
        sensitivities=sorted(answer.get("sensitivities", ()), key=lambda each: -each["total"]),
        control=answer.get("control"),
        charts=_courses(answer),
        space=_spaces(answer),
    )


@room.act("/manufacturing/foundry", at=list_studies)
def begin_foundry(visit: Here, given: NewStudy) -> Done:
    """Run a foundry's rounds."""
    text = given.description.replace("\r\n", "\n")
    made = studies.run_foundry(visit.node, visit.actor, given.project, given.title, text, given.sequences)
    return Done(see=f"/manufacturing/foundry/{made.id}", message=_("The foundry works."))


@room.page("/manufacturing/foundry/{number}", "foundry.html")
def foundry(visit: Here, number: Number, well: Annotated[str, Query(max_length=5)] = "") -> FoundryView:
    """A loop of the foundry: rounds, the best construct, what failed, every well's history."""
    study = _study(visit, number, studies.FOUNDRY)
    answer = json.loads(study.answer or "{}")
    wells = [each for each in answer.get("history", ()) if not well or each["well"] == well.upper()]
    waiting = answer.get("waiting", "") if study.state == "done" else ""
    return FoundryView(
        head=_head(study),
        rounds=answer.get("rounds", 0),
        planned=answer.get("planned", 0),
        result=answer.get("result", ""),
        simulated=answer.get("simulated", False),
        best=answer.get("best", {}),
        reading=answer.get("best_reading"),
        found=answer.get("found"),
        fixed=answer.get("fixed"),
        fates=answer.get("wells", {}),
        notes=list(answer.get("notes", ())),
        waiting=waiting.rpartition("/foundry-rounds/")[2].partition("/")[0],
        charts=_rounds(answer),
        wells=wells[:400],
        well=well.upper(),
        gives=bool(waiting) and may(visit.actor, BEGIN, study.project),
    )


@room.bytes("/manufacturing/foundry/{number}/{round}/worklist.csv", "text/csv")
def worklist(visit: Here, number: Number, round: Annotated[str, Path(pattern=r"^round-\d\d\d?$")]) -> Response:
    """The worklist of a round, for a liquid handler."""
    _study(visit, number, studies.FOUNDRY)
    path = studies.folder_of(visit.node, number) / "foundry-rounds" / round / "worklist.csv"
    if not path.is_file():
        raise MadangError("study.none", _("There is nothing of this number."), _("Look at yours."))
    headers = {"content-disposition": f'attachment; filename="{round}.csv"'}
    return Response(path.read_bytes(), media_type="text/csv", headers=headers)


@room.act("/manufacturing/foundry/{number}/readings", at=foundry)
def give_readings(visit: Here, number: Number, given: Readings) -> Done:
    """Give a foundry the readings that it waits for."""
    data = given.file or given.text.replace("\r\n", "\n").encode()
    if not data:
        raise MadangError("foundry.readings", _("There is nothing to read."), _("Choose a file, or paste a table."))
    studies.give_readings(visit.node, visit.actor, number, data)
    return Done(see=f"/manufacturing/foundry/{number}", message=_("The foundry goes on."))


@room.act("/manufacturing/watch", at=list_studies)
def learn(visit: Here, given: NewGolden) -> Done:
    """Learn what good runs do."""
    names = given.runs.replace(",", " ").split()
    made = studies.learn_good_runs(visit.node, visit.actor, given.project, given.title, names)
    return Done(see=f"/manufacturing/watch/{made.id}", message=_("It is being learned."))


@room.page("/manufacturing/watch/{number}", "watch.html")
def watch(visit: Here, number: Number) -> WatchView:
    """Good runs, and the others held against them: when one leaves them, and which signals make that."""
    study = _study(visit, number, studies.WATCH)
    answer = json.loads(study.answer or "{}")
    golden, held = answer.get("golden", {}), answer.get("held", {})
    alarms = [_alarm(run, each) for run, told in held.items() for each in told["alarms"]]
    charts = [
        _chart(
            _("{run}: distance from the good runs over its limit").format(run=run),
            "ratio",
            told["hours"],
            told["ratio"],
        )
        for run, told in held.items()
        if told["alarms"]
    ]
    return WatchView(
        head=_head(study),
        runs=golden.get("runs", []),
        signals=golden.get("signals", []),
        alarms=alarms,
        quiet=[run for run, told in held.items() if not told["alarms"]],
        charts=charts[:6],
    )


@room.act("/manufacturing/live", at=list_studies)
def begin_recording(visit: Here, given: NewRecording) -> Done:
    """Record a run from equipment, which is only read."""
    faults = tuple(part for part in given.fault.replace(",", " ").split() if part)
    made = recording.begin_recording(
        visit.node, visit.actor, given.equipment, given.title, golden=given.golden, faults=faults
    )
    return Done(see=f"/manufacturing/live/{made.id}", message=_("The run is being recorded."))


@room.page("/manufacturing/live/{number}", "live.html")
def live_run(visit: Here, number: Number, unit: Annotated[str, Query(max_length=100)] = "") -> LiveView:
    """A run while it is recorded: trends, exceptions, and where it leaves what good runs did."""
    study = _study(visit, number, studies.RUN)
    asked, answer = json.loads(study.asked), json.loads(study.answer or "{}")
    golden = studies.see_study(visit.node, visit.actor, asked["golden"]) if asked["golden"] else None
    told = live.look(visit.node, study, golden, unit)
    held = told.held
    alarms = [_alarm(study.title, vars(each)) for each in held.alarms] if held is not None else []
    return LiveView(
        head=_head(study),
        equipment=asked["equipment"],
        address=asked["address"],
        simulated=asked["simulated"],
        speed=asked["speed"],
        hours=told.hours,
        readings=told.readings,
        units=list(told.units),
        unit=told.unit,
        golden=asked["golden"],
        alarms=alarms,
        missing=list(held.missing) if held is not None else [],
        findings=[FindingView(kind=f.kind, tag=f.tag, begin=f.begin, text=f.text) for f in told.findings[:40]],
        signals=[SignalView(name=s.name, unit=s.unit, count=s.count, newest=s.newest) for s in told.signals],
        charts=_trends(told, alarms),
        version=answer.get("version", ""),
        stops=study.state == "working" and may(visit.actor, STOP, study.project),
    )


@room.act("/manufacturing/live/{number}/stop", at=live_run)
def stop(visit: Here, number: Number) -> Done:
    """End a recording; it becomes a version of the lake."""
    recording.stop_recording(visit.node, visit.actor, number)
    return Done(see=f"/manufacturing/live/{number}", message=_("The recording ends."))


@room.act("/manufacturing/transfer", at=list_studies)
def hand_over(visit: Here, given: NewPackage) -> Response:
    """Make the transfer package of a project: one signed file with recipe, parameters, models and evidence."""
    numbers = given.studies.replace(",", " ").split()
    if not all(each.isdigit() and len(each) < 10 for each in numbers):
        raise MadangError("transfer.studies", _("Studies are named by their numbers."))
    chosen = tuple(int(each) for each in numbers)
    data, _digest = handover.hand_over(
        visit.node, visit.actor, given.project, given.title, campaign=given.campaign, studies=chosen
    )
    headers = {"content-disposition": f'attachment; filename="{given.project}-transfer.zip"'}
    return Response(data, media_type="application/zip", headers=headers)


def _study(visit: Here, number: int, kind: str) -> Study:
    found = studies.see_study(visit.node, visit.actor, number)
    if found.kind != kind:
        raise MadangError("study.none", _("There is nothing of this number."), _("Look at yours."))
    return found


def _head(study: Study) -> HeadView:
    return HeadView(
        number=study.id,
        kind=study.kind,
        title=study.title,
        project=study.project.name,
        state=study.state,
        error=jobs.why_told(study.error),
        job=study.job_id,
        asked=study.asked,
        use=_("Development use: confirm by experiment."),
    )


def _alarm(run: str, told: dict[str, Any]) -> AlarmView:
    signals = [(name, share) for name, share in told["signals"]]
    return AlarmView(run=run, begin=told["begin"], finish=told["finish"], worst=told["worst"], signals=signals)


def _chart(title: str, picture: str, *given: Any) -> ChartView:
    from madang.science.charts import svg
    from madang.services.manufacturing import pictures

    more = (title,) if picture == "ratio" else ()
    return ChartView(title=title, svg=svg(getattr(pictures, picture)(*given, *more), title))


def _pair(told: dict[str, Any]) -> tuple[list[float], list[float]]:
    return told["hours"], told["ratio"]


def _courses(answer: dict[str, Any]) -> list[ChartView]:
    charts = []
    for name, values in {**answer.get("states", {}), "pH": answer.get("pH", [])}.items():
        unit = answer["units"].get(name, "") if values else ""
        if values and max(values) > min(values):
            title = f"{name} ({unit})" if unit else name
            charts.append(_chart(title, "course", answer["hours"], values, title))
    return charts


def _spaces(answer: dict[str, Any]) -> list[ChartView]:
    space = answer.get("design_space")
    if not space:
        return []
    names = {name: axis_named(name) for name in space["axes"]}
    title = _("Probability that all limits hold")
    return [_chart(title, "space", space, names, title)]


def _rounds(answer: dict[str, Any]) -> list[ChartView]:
    best = answer.get("best_by_round", ())
    if not best:
        return []
    title = _("Best reading so far, by round")
    return [_chart(title, "progress", list(best), answer["result"], True)]


def _trends(told: live.Live, alarms: list[AlarmView]) -> list[ChartView]:
    """Signals that explain alarms first; where good runs are known, over their envelope."""
    charts = []
    if told.held is not None and len(told.held.hours):
        title = _("Distance from the good runs over its limit")
        charts.append(_chart(title, "ratio", told.held.hours.tolist(), told.held.ratio.tolist()))
    named = list(dict.fromkeys(name for alarm in alarms for name, _share in alarm.signals))
    order = sorted(told.signals, key=lambda each: named.index(each.name) if each.name in named else len(named))
    for signal in order[:8]:
        title = f"{signal.name} ({signal.unit})" if signal.unit not in ("", "-") else signal.name
        if told.golden is not None and signal.name in told.golden.signals:
            good = told.golden
            ends = good.axis <= max(told.hours, good.axis[1])
            band = [values[ends].tolist() for values in (good.axis, good.low(signal.name), good.high(signal.name))]
            charts.append(_chart(title, "against", *band, signal.hours, signal.values, title))
        else:
            charts.append(_chart(title, "course", signal.hours, signal.values, title))
    return charts


room.helpers |= {
    "kind_named": kind_named,
    "state_named": state_named,
    "finding_named": finding_named,
    "note_named": note_named,
    "fate_named": fate_named,
}
