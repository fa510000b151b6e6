"""HDF5 and what stands in it: AnnData (h5ad), matrices of 10x; by h5py.

A file may point to others (external links and storage): those are said and never followed.
"""

from pathlib import Path
from typing import Any

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, wrong
from madang.science.formats.people import is_person_number

PIECE = 64 << 20  # bytes of a dataset that are read at a time
MOST = 100_000  # things in a file


def look_hdf5(path: Path) -> Told:
    """Every dataset is read once, so that damage is found; of AnnData its shapes have to agree."""
    import h5py

    found: list[Finding] = []
    with h5py.File(path, "r") as file:
        sets, strange, links = _walk(file)
        if links:
            message = _("It points to other files ({name}); they do not come with it.").format(name=links[0])
            found.append(wrong("hdf5.external", message))
        if strange:
            found.append(wrong("hdf5.many", _("There are more things in the file than are looked at.")))
        people = False
        for name, data in sets.items():
            if data.external:
                message = _("It points to other files ({name}); they do not come with it.").format(name=name)
                found.append(wrong("hdf5.external", message))
                continue
            try:
                people = _read(data) or people
            except (OSError, RuntimeError, ValueError) as error:
                message = _("The dataset {name} cannot be read: {why}").format(name=name, why=str(error)[:120])
                found.append(wrong("file.cut", message))
        if people:
            found.append(wrong("people.numbers", _("There are numbers that look like resident registration numbers.")))
        if file.attrs.get("encoding-type") == "anndata" or {"X", "obs", "var"} <= set(file):
            facts, more = _anndata(file)
            return Told("h5ad", True, facts, tuple(found + more))
        kind = "10x HDF5" if "matrix" in file and "barcodes" in file["matrix"] else "HDF5"
        facts = {"datasets": len(sets), "bytes": int(sum(data.nbytes for data in sets.values()))}
        return Told(kind, True, facts, tuple(found))


def _walk(file: Any) -> tuple[dict[str, Any], bool, list[str]]:
    """All datasets by name; whether there were too many; names that lead to other files. Each is seen once: a group
    that holds itself by a second name does not go on for ever."""
    import h5py

    sets: dict[str, Any] = {}
    links: list[str] = []
    seen = {file.id.__hash__()}
    waiting = [("", file)]
    while waiting:
        prefix, group = waiting.pop()
        for name in group:
            path = f"{prefix}/{name}"
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                links.append(path)
                continue
            if isinstance(link, h5py.SoftLink):
                continue  # what it leads to is found by its own name
            thing = group[name]
            if isinstance(thing, h5py.Dataset):
                sets[path] = thing
            elif isinstance(thing, h5py.Group) and thing.id.__hash__() not in seen:
                seen.add(thing.id.__hash__())
                waiting.append((path, thing))
            if len(sets) + len(waiting) + len(seen) > MOST:
                return sets, True, links
    return sets, False, links


def _read(data: Any) -> bool:
    """Read a dataset piece by piece; whether a text in it has the shape of a person's number."""
    import numpy as np

    if data.shape is None:
        return False
    if data.ndim == 0:
        return _has_person(data[()])
    whole = data.nbytes // data.shape[0] if data.shape[0] else 0
    rows = max(1, PIECE // max(1, whole, data.dtype.itemsize))
    people = False
    for start in range(0, data.shape[0], rows):
        piece = data[start : start + rows]
        if data.dtype.kind in "OSU":
            people = people or any(_has_person(each) for each in np.ravel(piece))
    return people


def _has_person(value: Any) -> bool:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""
    return is_person_number(text)


def _anndata(file: Any) -> tuple[dict[str, Any], list[Finding]]:
    found: list[Finding] = []
    cells, genes = _length(file, "obs"), _length(file, "var")
    facts: dict[str, Any] = {"cells": cells, "genes": genes, "layers": sorted(file.get("layers", {}))[:50]}
    shape = _shape(file["X"]) if "X" in file else None
    if cells is None or genes is None:
        found.append(wrong("h5ad.names", _("The tables of cells (obs) and genes (var) have no index.")))
    elif shape is not None and shape != (cells, genes):
        message = _("X has {rows} x {columns} values, but there are {cells} cells and {genes} genes.")
        message = message.format(rows=shape[0], columns=shape[1], cells=cells, genes=genes)
        found.append(wrong("h5ad.shape", message))
    return facts, found


def _length(file: Any, name: str) -> int | None:
    import h5py

    table = file.get(name)
    if isinstance(table, h5py.Dataset):
        return int(table.shape[0])  # as early versions wrote it
    if not isinstance(table, h5py.Group):
        return None
    index = table.attrs.get("_index", "_index")
    column = table.get(index.decode() if isinstance(index, bytes) else str(index))
    return int(column.shape[0]) if isinstance(column, h5py.Dataset) else None


def _shape(matrix: Any) -> tuple[int, int] | None:
    """The shape of X, dense or sparse; None where it is not told."""
    import h5py

    told = (
        matrix.shape
        if isinstance(matrix, h5py.Dataset)
        else matrix.attrs.get("shape", matrix.attrs.get("h5sparse_shape"))
    )
    return (int(told[0]), int(told[1])) if told is not None and len(told) == 2 else None
