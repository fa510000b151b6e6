"""Courses as folders: course.toml, a folder for each lesson with its text in two languages, a folder for each task.

    my-course/course.toml                       title, summary, roles, level, skills, [[lesson]] name and tasks
    my-course/first-lesson/lesson.en.md         and lesson.ko.md; the first heading is the title
    my-course/first-lesson/data/*.csv           shown to the lesson's code and its tasks as /data
    my-course/first-lesson/mean-age/task.toml   and reference.py, wrong-empty.py, ...

The shelf that comes with Madang and the courses in $MADANG_HOME/training are read alike; nothing outside a course's own
folder is.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.science.grading import tasks
from madang.science.grading.tasks import LANGUAGES, Task, Text, in_language
from madang.services.training.boxes import SHELF

ROLES = (
    "data-engineer",
    "clinical-researcher",
    "bioprocess-engineer",
    "medicinal-chemist",
    "bioinformatician",
    "data-steward",
)
MOST_FILES = 2_000


@dataclass(frozen=True)
class Lesson:
    """A lesson: its text (Markdown) in each language, its tasks, the folder with its data if it has any.

    `dataset` is NAME@VERSION of the lake, whose tables its code sees as well.
    """

    name: str
    title: Text
    text: Text
    tasks: tuple[Task, ...]
    data: Path | None
    dataset: str = ""

    def task(self, name: str) -> Task:
        """A task by its name. Errors: `task.none`."""
        found = next((each for each in self.tasks if each.name == name), None)
        if found is None:
            raise MadangError(
                "task.none", _("There is no task {name} in {lesson}.").format(name=name, lesson=self.name)
            )
        return found


@dataclass(frozen=True)
class Course:
    """A course: what it is called and for whom, its lessons, and `digest`, the hash of all its files."""

    name: str
    title: Text
    summary: Text
    roles: tuple[str, ...]
    level: int
    skills: tuple[str, ...]
    ncs: tuple[str, ...]
    pass_share: float
    lessons: tuple[Lesson, ...]
    digest: str
    folder: Path

    @property
    def version(self) -> str:
        """A short name of exactly these files."""
        return self.digest[:12]

    @property
    def largest(self) -> float:
        """The sum of the largest scores of all its tasks."""
        return sum(task.largest for lesson in self.lessons for task in lesson.tasks)

    def lesson(self, name: str) -> Lesson:
        """A lesson by its name. Errors: `lesson.none`."""
        found = next((each for each in self.lessons if each.name == name), None)
        if found is None:
            raise MadangError(
                "lesson.none", _("There is no lesson {name} in {course}.").format(name=name, course=self.name)
            )
        return found

    def tasks(self) -> Iterator[tuple[Lesson, Task]]:
        """Every task with its lesson, in order."""
        for lesson in self.lessons:
            for task in lesson.tasks:
                yield lesson, task


_read: dict[tuple[str, str], Course] = {}  # by folder and state of its files


def read_course(folder: Path) -> Course:
    """The course in a folder; read again only once its files change. Errors: `course.*`, `task.*`, `lesson.*`."""
    if folder.is_symlink() or not (folder / "course.toml").is_file():
        raise MadangError(
            "course.none",
            _("There is no course {name}.").format(name=folder.name),
            _("A course is a folder with a course.toml."),
        )
    files = _files(folder)
    key = (str(folder), hashlib.sha256(repr(files).encode()).hexdigest())
    if key not in _read:
        for old in [each for each in _read if each[0] == key[0]]:
            del _read[old]
        _read[key] = _course(folder, [name for name, _size, _time in files])
    return _read[key]


def _files(folder: Path) -> list[tuple[str, int, int]]:
    """Every file of a course (name, bytes, time). Errors: `course.path` for a link or a device, `course.large`."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        for name in sorted([*folders, *files]):
            path = Path(place, name)
            told = path.lstat()
            if not stat.S_ISREG(told.st_mode) and not stat.S_ISDIR(told.st_mode):
                raise MadangError(
                    "course.path",
                    _("{name} is no plain file in the folder {folder}.").format(name=name, folder=folder.name),
                    _("A course has all its files in its own folder, and no links."),
                )
            if stat.S_ISREG(told.st_mode):
                found.append((path.relative_to(folder).as_posix(), told.st_size, told.st_mtime_ns))
        if len(found) > MOST_FILES:
            raise MadangError("course.large", _("The course has more than {count} files.").format(count=MOST_FILES))
    return found


def _course(folder: Path, files: list[str]) -> Course:
    label = f"{folder.name}/course.toml"
    document = tasks.read_toml(folder, "course.toml", "course.none")
    lessons = document.get("lesson")
    if not isinstance(lessons, list) or not lessons:
        raise _wrong(label, _("it has no [[lesson]]"))
    level, share = document.get("level", 1), document.get("pass", 0.7)
    if level not in (1, 2, 3) or not isinstance(share, (int, float)) or not 0 < share <= 1:
        raise _wrong(label, _("level is 1, 2 or 3, and pass a share between 0 and 1"))
    roles = _names(document, "roles", label)
    if not roles or not set(roles) <= set(ROLES):
        raise _wrong(label, _("roles have to be of {roles}").format(roles=", ".join(ROLES)))
    hashes = {name: hashlib.sha256(tasks.plain_file(folder, name)).hexdigest() for name in files}
    return Course(
        name=folder.name,
        title=tasks.text_of(document, "title", label),
        summary=tasks.text_of(document, "summary", label),
        roles=roles,
        level=level,
        skills=_names(document, "skills", label),
        ncs=_names(document, "ncs", label),
        pass_share=float(share),
        lessons=tuple(_lesson(folder, each, label) for each in lessons),
        digest=hashlib.sha256(canonical_json(hashes)).hexdigest(),
        folder=folder,
    )


def largest_of(course: Course, lesson: str = "", task: str = "") -> float:
    """The most points of a course, of one lesson of it, or of one task."""
    return sum(each.largest for place, each in course.tasks() if lesson in ("", place.name) and task in ("", each.name))


def _lesson(course: Path, given: Any, label: str) -> Lesson:
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or not tasks.is_name(name):
        raise _wrong(label, _("a lesson is named by small letters, digits and hyphens"))
    folder = course / name
    wanted = given.get("tasks", [])
    if not isinstance(wanted, list) or not all(isinstance(each, str) and tasks.is_name(each) for each in wanted):
        raise _wrong(label, _("a task is named by small letters, digits and hyphens"))
    if not folder.is_dir():
        raise MadangError(
            "lesson.none", _("There is no lesson {name} in {course}.").format(name=name, course=course.name)
        )
    text = {each: tasks.plain_file(folder, f"lesson.{each}.md").decode("utf-8", "replace") for each in LANGUAGES}
    title = {each: _title(text[each], f"{name}/lesson.{each}.md") for each in LANGUAGES}
    data, dataset = folder / "data", given.get("dataset", "")
    if not isinstance(dataset, str) or (dataset and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*@[1-9][0-9]*", dataset)):
        raise _wrong(label, _("dataset of a lesson has to be a name and a version, as demo@1"))
    read = tuple(tasks.read_task(folder / each) for each in wanted)
    return Lesson(name, title, text, read, data if data.is_dir() else None, dataset)


def _title(text: str, label: str) -> str:
    found = re.match(r"# (.{1,120})\n", text)
    if not found:
        raise _wrong(label, _("it has to begin with a heading"))
    return found[1].strip()


def _names(document: dict[str, Any], key: str, label: str) -> tuple[str, ...]:
    found = document.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and 0 < len(each) <= 80 for each in found):
        raise _wrong(label, _("{key} has to be a list of texts").format(key=key))
    return tuple(found)


def _wrong(label: str, what: str) -> MadangError:
    return MadangError(
        "course.toml",
        _("{file} cannot be used: {what}.").format(file=label, what=what),
        _("How a course is written is in docs/training.md."),
    )


def folders(home: Path | None) -> list[Path]:
    """Where courses are: on the shelf, and in the home of the installation."""
    return [SHELF, *([home / "training"] if home is not None else [])]


def all_courses(home: Path | None) -> list[Course]:
    """Every course that can be read, by level and title; one of the home hides one of the shelf of the same name."""
    found: dict[str, Course] = {}
    for place in folders(home):
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            if tasks.is_name(folder.name) and (folder / "course.toml").is_file():
                try:
                    found[folder.name] = read_course(folder)
                except MadangError:
                    continue  # `madang training check` says what is wrong with it
    return sorted(found.values(), key=lambda each: (each.level, in_language(each.title, language())))


def find_course(name: str, home: Path | None) -> Course:
    """A course by its name, or by the path of its folder. Errors: `course.none` and those of `read_course`."""
    if "/" in name or name in (".", ".."):
        return read_course(Path(name))
    if tasks.is_name(name):
        for place in reversed(folders(home)):
            if (place / name / "course.toml").is_file():
                return read_course(place / name)
    if (Path(name) / "course.toml").is_file():
        return read_course(Path(name))
    known = ", ".join(each.name for each in all_courses(home))
    raise MadangError("course.none", _("There is no course {name}.").format(name=name), known)


def find_task(name: str, home: Path | None) -> tuple[Task, Lesson | None]:
    """A task as COURSE/LESSON/TASK, or by the path of its folder, with its lesson where a course has it.

    Errors: `task.none`, `course.none`, `lesson.none`.
    """
    path = Path(name)
    if (path / "task.toml").is_file():
        return tasks.read_task(path), _lesson_around(path.resolve())
    parts = name.split("/")
    if len(parts) == 3 and all(map(tasks.is_name, parts)):
        lesson = find_course(parts[0], home).lesson(parts[1])
        return lesson.task(parts[2]), lesson
    raise MadangError(
        "task.none",
        _("There is no task {name}.").format(name=name),
        _("Name it as COURSE/LESSON/TASK, or give its folder."),
    )


def _lesson_around(task: Path) -> Lesson | None:
    """The lesson of a task's folder; None where it lies in no course."""
    if not (task.parent.parent / "course.toml").is_file():
        return None
    known = read_course(task.parent.parent)
    return next((each for each in known.lessons if each.name == task.parent.name), None)
