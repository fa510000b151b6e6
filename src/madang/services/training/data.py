"""The data of a lesson: files of its folder, and a version of a dataset of the lake that whoever signs in may read."""

from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Lake, Version
from madang.node.node import Node
from madang.services.training.courses import Course, Lesson

Shown = dict[str, Path]  # path inside a box: path here


def data_of(lesson: Lesson, lake: Lake | None) -> Shown:
    """What the lesson's code sees below /data. Errors: `lesson.data` where its dataset is not there."""
    shown: Shown = {}
    if lesson.data is not None:
        shown = {f"/data/{path.name}": path for path in sorted(lesson.data.iterdir()) if path.is_file()}
    if lesson.dataset:
        shown |= tables_of(_version(lesson, lake))
    return shown


def tables_of(version: Version) -> Shown:
    """The open tables of a version as files below /data: NAME.parquet, or NAME/0.parquet and so on."""
    shown: Shown = {}
    for name, table in version.tables.items():
        for number, path in enumerate(table.paths):
            shown[f"/data/{name}.parquet" if len(table.paths) == 1 else f"/data/{name}/{number}.parquet"] = path
    return shown


def _version(lesson: Lesson, lake: Lake | None) -> Version:
    try:
        if lake is not None:
            return lake.find(lesson.dataset)
    except MadangError:
        pass
    raise MadangError(
        "lesson.data",
        _("The lesson {lesson} needs the dataset {dataset}, which is not here.").format(
            lesson=lesson.name, dataset=lesson.dataset
        ),
        _("Make it, or name another version in course.toml."),
    )


def for_learners(node: Node, lesson: Lesson) -> Shown:
    """The same for people who learn: only data that everybody who signed in may have. Errors: `lesson.data`."""
    from madang.services.catalog import holder_of

    if lesson.dataset:
        with node.read() as session:
            held = holder_of(session, lesson.dataset.partition("@")[0])
        if held is None or not held.open:
            raise MadangError(
                "lesson.data",
                _("The data of the lesson {lesson} are not open to everybody.").format(lesson=lesson.name),
                _("A lesson uses data that are published as open or registered."),
            )
    return data_of(lesson, node.home.lake())


def of_course(node: Node, course: Course) -> Shown:
    """The data of all lessons of a course, as its workspace shows them.

    Files of the same name in two lessons are shown below the lesson's own name, /data/LESSON/NAME, as all of them are.
    """
    shown: Shown = {}
    for lesson in course.lessons:
        for inside, path in for_learners(node, lesson).items():
            shown.setdefault(inside, path)
            if lesson.data is not None and path.parent == lesson.data:
                shown[f"/data/{lesson.name}/{path.name}"] = path
    return shown
