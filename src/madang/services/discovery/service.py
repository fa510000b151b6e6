"""What people of a project do with a library: fill it, search it, read plates, close it."""

import hashlib
import hmac
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.projects import find_project
from madang.node.permissions import check, may, visible
from madang.node.text import clean_line
from madang.services.discovery.acts import CLOSE, FILL, MEASURE, SEARCH, SEE
from madang.services.discovery.models import MoleculeLibrary, PlateAssay

PATIENCE = 20  # seconds for a substructure search of a page
MOST_HITS = 200
MOST_RANKED = 500  # rows that a shortlist keeps
LARGEST_FILE_ROWS = 5_000  # rows of a file that a page takes; larger ones go by command
DECISIONS = ("make", "test", "hold", "drop")


def libraries(node: Node, actor: Actor) -> list[MoleculeLibrary]:
    """The libraries that one may see."""
    with node.read() as session:
        found = select(MoleculeLibrary).where(visible(actor, SEE, MoleculeLibrary))
        return list(
            session.scalars(found.options(selectinload(MoleculeLibrary.project)).order_by(MoleculeLibrary.name))
        )


def see(node: Node, actor: Actor, name: str) -> MoleculeLibrary:
    """A library; who may not see it is told that there is none. Errors: `library.none`."""
    with node.read() as session:
        found = _find(session, name)
    if not may(actor, SEE, found):
        raise _none(name)
    return found


def fill(
    node: Node, actor: Actor, name: str, project: str, files: Sequence[tuple[str, bytes]], title: str = ""
) -> tuple[MoleculeLibrary, Any]:
    """Add the molecules of files (name, bytes) to a library of a project, which is begun if there is none yet.

    Errors: `library.elsewhere` where the name belongs to something else, and those of reading.
    """
    from madang.science.chemistry.library import add_files

    dataset = node.home.lake().dataset(name)

    found = _found_or_new(actor, name, project, title)
    with node.read() as session:  # before anything is written; rule and state are asked again with the act
        thing = found(session)
        if not thing.id and dataset.exists:
            raise MadangError(
                "library.elsewhere", _("There is something else of this name."), _("Choose another name.")
            )
        if thing.id and not may(actor, SEE, thing):
            raise _none(name)
        check(actor, FILL, thing)
        if thing.id is not None and thing.state != "open":
            raise MadangError("library.state", _("The library is closed."), _("Begin another."))
    with tempfile.TemporaryDirectory(prefix="madang-library-") as folder:
        paths = []
        for given, data in files:
            path = Path(folder) / (Path(given).name[-120:] or "molecules.smi")
            path.write_bytes(data)
            paths.append(path)
        added = _account(add_files, dataset, paths)
    return _filled(node, actor, found, added.version), added


def adopt(node: Node, actor: Actor, name: str, project: str, title: str = "") -> MoleculeLibrary:
    """Give a library that was made by command to a project."""
    from madang.science.chemistry.library import newest

    version = newest(node.home.lake().dataset(name))

    return _filled(node, actor, _found_or_new(actor, name, project, title), version)


def _found_or_new(actor: Actor, name: str, project: str, title: str) -> Callable[[Session], MoleculeLibrary]:
    """What gives the library of this name, or begins one of the project."""

    def found(session: Session) -> MoleculeLibrary:
        kept = session.scalar(select(MoleculeLibrary).where(MoleculeLibrary.name == name))
        if kept is not None:
            return kept
        belongs = find_project(session, project)
        return MoleculeLibrary(
            name=name,
            title=clean_line(title, _("The title"), 300) or name,
            organization_id=belongs.organization_id,
            project_id=belongs.id,
            owner_id=actor.person_id,
            state="open",
        )

    return found


def _filled(node: Node, actor: Actor, found: Any, version: Any) -> MoleculeLibrary:
    with doing(node, actor, FILL, found) as done:
        done.session.add(done.thing)
        done.tell(name=done.thing.name, version=version.number, manifest=version.digest)
    return done.thing


def _account(add_files: Any, dataset: Any, paths: Sequence[Path]) -> Any:
    from madang.science.chemistry.reading import kind_of, text_of

    for path in paths:
        if kind_of(path) in ("smiles", "csv") and sum(1 for _line in text_of(path)) > LARGEST_FILE_ROWS:
            raise MadangError(
                "library.too_large",
                _("The file has more rows than a page takes."),
                _("Add it by command: `madang discovery library add`."),
            )
    return add_files(dataset, paths, processes=1)


@dataclass(frozen=True)
class Query:
    """What is looked for, all at once: similar to, contains (SMARTS), is (each SMILES or a molfile), properties."""

    similar: str = ""
    smarts: str = ""
    exact: str = ""
    where: str = ""

    def kinds(self) -> str:
        """Which of them are asked for, by name."""
        return "+".join(name for name, text in asdict(self).items() if text.strip())


def search(node: Node, actor: Actor, name: str, query: Query, top: int, threshold: float = 0.0) -> Any:
    """Search a library. The event of it has the query as a keyed hash only."""
    from madang.science.chemistry import search as molecules
    from madang.science.chemistry.library import newest
    from madang.services.discovery.command_search import index_folder

    found = see(node, actor, name)
    check(actor, SEARCH, found)
    said = "\0".join(f"{kind}\0{text.strip()}" for kind, text in asdict(query).items() if text.strip())
    key = hmac.new(node.home.key("queries"), said.encode(), hashlib.sha256).hexdigest()
    node.audit.read(actor, SEARCH.name, f"library:{found.id}", {"kind": query.kinds(), "query": key})
    version = newest(node.home.lake().dataset(name))
    top = min(max(top, 1), MOST_HITS)
    if query.smarts.strip():
        return _aside(node, version.name, query, top, threshold)
    index = molecules.Index(version, index_folder(node.home))
    return molecules.combined(
        index, similar_to=query.similar, structure=query.exact, where=query.where, top=top, threshold=threshold
    )


def _aside(node: Node, reference: str, query: Query, top: int, threshold: float) -> Any:
    """In a process of its own, which is ended if the pattern explodes."""
    from madang.science.chemistry.search import Found, Hit

    asked = {"home": str(node.home.path), "reference": reference, "top": top, "threshold": threshold, **asdict(query)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "madang.services.discovery.child"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MadangError(
            "chemistry.too_slow",
            _("The query takes longer than {seconds:.0f} seconds.").format(seconds=PATIENCE),
            _("Make the pattern more specific, with fewer wildcards and repeated groups."),
        ) from None
    if done.returncode:
        raise MadangError("chemistry.query", _("The query cannot be matched."))
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise MadangError(*answer["error"])
    hits = tuple(Hit(**hit) for hit in answer["hits"])
    return Found(hits, answer["compared"], answer["total"], answer["most"])


def measure(node: Node, actor: Actor, name: str, title: str, data: bytes) -> PlateAssay:
    """Read what was measured for a library, and keep it: a plate workbook (its curves), or a table of results."""
    check(actor, MEASURE, see(node, actor, name))
    found = _plates(data) if data[:2] == b"PK" else _table(data)
    digest = hashlib.sha256(data).hexdigest()
    with doing(node, actor, MEASURE, lambda session: _find(session, name)) as done:
        kept = PlateAssay(
            library_id=done.thing.id,
            title=clean_line(title, _("The title"), 300, required=True),
            sha256=digest,
            found=json.dumps(found, ensure_ascii=False),
            person_id=actor.person_id,
        )
        done.session.add(kept)
        done.tell(sha256=digest, curves=len(found["curves"]))
    return kept


def _plates(workbook: bytes) -> dict[str, Any]:
    from madang.science.chemistry.curves import controls, curves_of
    from madang.science.chemistry.plates import read_plates

    with tempfile.TemporaryDirectory(prefix="madang-plates-") as folder:
        path = Path(folder) / "plates.xlsx"
        path.write_bytes(workbook)
        plates = read_plates(path)
    curves = [asdict(curve) for plate in plates for curve in curves_of(plate)]
    return {"plates": [asdict(controls(plate)) for plate in plates], "curves": curves}


def _table(data: bytes) -> dict[str, Any]:
    from madang.services.discovery.tables import read_results

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp949", errors="replace")
    results, refused = read_results(text)
    return {"plates": [], "curves": [], "results": results, "refused": refused}


def assays(node: Node, actor: Actor, name: str) -> list[PlateAssay]:
    """The plates that were read for a library, the newest first."""
    found = see(node, actor, name)
    with node.read() as session:
        mine = select(PlateAssay).where(PlateAssay.library_id == found.id).order_by(PlateAssay.id.desc())
        return list(session.scalars(mine))


def sequences_of(node: Node, name: str) -> Any:
    """The dataset with the antibodies and peptides of a library."""
    return node.home.lake().dataset(f"{name}-sequences")


def add_sequences(node: Node, actor: Actor, name: str, text: str) -> tuple[Any, Any]:
    """Add antibodies and peptides to a library: the version, and what was refused with its reason."""
    from madang.science.chemistry import sequences

    found = see(node, actor, name)
    check(actor, FILL, found)
    if found.state != "open":
        raise MadangError("library.state", _("The library is closed."), _("Begin another."))
    version, refused = sequences.add_sequences(sequences_of(node, name), text)
    with doing(node, actor, FILL, lambda session: _find(session, name)) as done:
        done.tell(name=version.dataset.name, version=version.number, manifest=version.digest)
    return version, refused


def close(node: Node, actor: Actor, name: str) -> None:
    """Close a library: nothing is added any more."""
    see(node, actor, name)
    with doing(node, actor, CLOSE, lambda session: _find(session, name)):
        pass


def _find(session: Session, name: str) -> MoleculeLibrary:
    found = session.scalar(
        select(MoleculeLibrary).where(MoleculeLibrary.name == name).options(selectinload(MoleculeLibrary.project))
    )
    if found is None:
        raise _none(name)
    return found


def _none(name: str) -> MadangError:
    return MadangError("library.none", _("There is no library {name}.").format(name=name), _("Look at yours."))
