"""What the doctor looks at: whether the courses of this installation can be read, and their data are there."""

from collections.abc import Iterator

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import closed
from madang.node.doctor import Finding
from madang.node.node import Node
from madang.science.grading.tasks import is_name
from madang.services.training import courses, data, service


def look(node: Node) -> Iterator[Finding]:
    """The findings about training."""
    what = _("training")
    count = bad = 0
    for place in courses.folders(service.home_of(node)):
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            if not is_name(folder.name) or not (folder / "course.toml").is_file():
                continue
            count += 1
            try:
                for lesson in courses.read_course(folder).lessons:
                    data.for_learners(node, lesson)
            except MadangError as error:
                bad += 1
                text = _("The course {name} cannot be used: {reason}").format(name=folder.name, reason=error.message)
                yield Finding(what, "doubtful", text, error.hint)
    if closed.why_not() is not None:
        yield Finding(what, "doubtful", _("Answers that are programs cannot be judged here."), _("Install bubblewrap."))
    elif not bad:
        yield Finding(what, "good", _("All {count} courses can be used.").format(count=count))
