"""A workspace in the demo: on its open synthetic insurer's data, with a notebook to begin with."""

from madang.base.progress import Progress
from madang.base.translate import _
from madang.node import closed
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.workspace import notebooks, service

_CELLS = (
    ("text", "A first look. The people are synthetic: nobody here ever lived."),
    ("code", "tables()"),
    ("code", 'table("person").head(10)'),
    (
        "code",
        'sql("SELECT year(observation_period_end_date) AS year, count(*) AS people\n'
        'FROM observation_period GROUP BY 1 ORDER BY 1").df()',
    ),
)


def make(node: Node, progress: Progress) -> None:
    """Open it, if a demo dataset is there and programs can be closed in on this machine."""
    names = [dataset.name for dataset in node.home.lake().datasets() if dataset.name.startswith("demo-")]
    if not names or not closed.is_available():
        return
    with progress.step(_("Opening a workspace")):
        made = service.open_workspace(node, Actor.owner(), sorted(names)[0])
        folder = service.folder_of(node, made.id) / "notebooks"
        if not notebooks.list_notebooks(folder):
            new = notebooks.create(folder, "first look")
            cells = [notebooks.new_cell(source, kind) for kind, source in _CELLS]
            notebooks.save(folder, "first look", new["version"], cells)
