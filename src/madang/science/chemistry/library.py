"""Libraries: compounds as a versioned dataset of the lake. Every row of every file is a compound, a duplicate of one,
a reject with its reason, or unused by a written rule (blank lines and headings).

Tables of a version: `compound` (numbers are the library's own and never used twice), `fingerprint` (what the search
index is made from); in the restricted companion `fate` (what became of each row) and `given` (structures as they were
given, with the fields that came with them).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from madang.base.canonical import sha256_of_file
from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake import Dataset, Version
from madang.science.chemistry.properties import OwnAlert
from madang.science.chemistry.reading import kind_of, read_rows
from madang.science.chemistry.register import Registered, register_all

KIND = "library"
_GROUP = 8192  # rows of a Parquet row group: what is read to show one compound
_BATCH = 8192  # registered rows that are held before they are written
COMPOUND = pa.schema(
    [
        ("compound_id", pa.int64()),
        ("id", pa.string()),
        ("smiles", pa.string()),
        ("inchikey", pa.string()),
        ("parent_smiles", pa.string()),
        ("parent_inchikey", pa.string()),
        ("weight", pa.float64()),
        ("logp", pa.float64()),
        ("tpsa", pa.float64()),
        ("donors", pa.int32()),
        ("acceptors", pa.int32()),
        ("rotors", pa.int32()),
        ("qed", pa.float64()),
        ("fsp3", pa.float64()),
        ("rings", pa.int32()),
        ("heavy_atoms", pa.int32()),
        ("alerts", pa.string()),
        ("notes", pa.string()),
    ]
)
FINGERPRINT = pa.schema([("compound_id", pa.int64()), ("morgan", pa.binary()), ("pattern", pa.binary())])
FATE = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("fate", pa.string()),
        ("compound_id", pa.int64()),
        ("name", pa.string()),
        ("reason", pa.string()),
    ]
)
GIVEN = pa.schema([("compound_id", pa.int64()), ("structure", pa.string()), ("fields", pa.string())])
_SCHEMAS = {"compound": COMPOUND, "fingerprint": FINGERPRINT, "fate": FATE, "given": GIVEN}
_RESTRICTED = {"fate", "given"}


@dataclass(frozen=True)
class FileAccount:
    """What became of the rows of one file; rows = compounds + duplicates + rejects + unused."""

    file: str
    sha256: str
    rows: int = 0
    compounds: int = 0
    duplicates: int = 0
    rejects: int = 0
    unused: int = 0

    def adds_up(self) -> bool:
        """Whether no row is missing from the account."""
        return self.rows == self.compounds + self.duplicates + self.rejects + self.unused


@dataclass(frozen=True)
class Reject:
    """A row that became no compound."""

    file: str
    line: int
    name: str
    reason: str


@dataclass(frozen=True)
class Added:
    """The new version of a library, what became of every row, and its rejects."""

    version: Version
    accounts: tuple[FileAccount, ...]
    rejects: tuple[Reject, ...]


def add_files(
    dataset: Dataset,
    files: Sequence[Path],
    *,
    structure: str = "",
    identifier: str = "",
    own_alerts: Sequence[OwnAlert] = (),
    processes: int | None = None,
    progress: Progress | None = None,
) -> Added:
    """Add the molecules of files to a library, which is made if it is not there yet; one new version for all files."""
    progress = progress or Progress()
    for path in files:
        kind_of(path)
        if not path.is_file():
            raise MadangError("chemistry.no_file", _("There is no file {file}.").format(file=path))
    parent = newest(dataset) if dataset.exists else None
    known, next_id, names = _known(parent)
    accounts: list[FileAccount] = []
    rejects: list[Reject] = []
    with dataset.write(parent=parent) as writer:
        if parent is not None:
            writer.keep_all()
        output = _Output(writer)
        for path in files:
            account = FileAccount(path.name, sha256_of_file(path))
            rows = read_rows(path, structure, identifier)
            with progress.step(path.name, unit=_("rows")):
                for item in register_all(rows, own_alerts, progress, processes):
                    fate, number = _fate(item, known, next_id)
                    if fate == "compound" and number is not None:
                        output.compound(number, item, names, dataset.name)
                        next_id += 1
                    elif fate == "reject":
                        rejects.append(Reject(item.row.file, item.row.line, item.row.name, item.problem))
                    output.fate(item, fate, number, names)
                    account = _counted(account, fate)
            accounts.append(account)
        if not any(account.rows for account in accounts):
            names_ = ", ".join(account.file for account in accounts)
            raise MadangError("chemistry.empty", _("There is nothing in {file}.").format(file=names_))
        output.close()
        earlier = list(parent.info["files"]) if parent else []
        info = {
            "files": earlier + [asdict(account) for account in accounts],
            "compounds": (int(parent.info["compounds"]) if parent else 0) + sum(a.compounds for a in accounts),
            "next_id": next_id,
            "toolkit": _toolkit(),
        }
        version = writer.commit(kind=KIND, info=info, rebase=False)
    return Added(version, tuple(accounts), tuple(rejects))


def remove_compounds(dataset: Dataset, ids: Sequence[str]) -> tuple[Version, list[str]]:
    """A new version without these compounds (ids or numbers), and the ids that were not found. Their numbers are not
    given again; earlier versions keep them."""
    parent = newest(dataset)
    compounds = read_table(parent, "compound", ["compound_id", "id"])
    wanted = set(ids)
    pairs = list(zip(compounds["compound_id"].to_pylist(), compounds["id"].to_pylist(), strict=True))
    gone = {number for number, name in pairs if name in wanted or str(number) in wanted}
    met = {name for _number, name in pairs} | {str(number) for number, _name in pairs}
    missing = sorted(wanted - met)
    if not gone:
        raise MadangError("chemistry.no_compound", _("None of these compounds is in the library."))
    keys = pa.array(sorted(gone), pa.int64())
    with dataset.write(parent=parent) as writer:
        writer.keep_all()
        for name in ("compound", "fingerprint", "given"):
            restricted = name in _RESTRICTED
            for file in (parent.companion if restricted else parent.tables)[name].files:
                path = _folder(parent, name) / file.name
                table = pq.read_table(path)
                left = table.filter(pc.invert(pc.is_in(table["compound_id"], keys)))
                if len(left) == len(table):
                    continue
                writer.drop_file(name, file.name, restricted=restricted)
                new = writer.new_file(name, restricted=restricted)
                pq.write_table(left, new, compression="zstd", row_group_size=_GROUP)
                writer.add(name, new)
        info = dict(parent.info) | {
            "compounds": int(parent.info["compounds"]) - len(gone),
            "removed": int(parent.info.get("removed", 0)) + len(gone),
        }
        return writer.commit(kind=KIND, info=info, rebase=False), missing


def newest(dataset: Dataset) -> Version:
    """The newest version of a library; raises MadangError where the dataset is something else or is not there."""
    if not dataset.exists:
        raise dataset.missing()
    return checked(dataset.version())


def checked(version: Version) -> Version:
    """The version itself if it is one of a library."""
    if version.kind != KIND:
        raise MadangError(
            "chemistry.not_a_library",
            _("{name} is no library of molecules.").format(name=repr(version.dataset.name)),
            _("Choose another name; `madang discovery library list` lists the libraries."),
        )
    return version


def read_table(version: Version, name: str, columns: list[str] | None = None) -> pa.Table:
    """A table of a version of a library as an Arrow table, in the order of compound numbers where it has them."""
    table = (version.companion if name in _RESTRICTED else version.tables)[name]
    parts = [pq.read_table(path, columns=columns) for path in table.paths]
    whole = pa.concat_tables(parts) if parts else _SCHEMAS[name].empty_table()
    if "compound_id" in whole.column_names and name != "fate":
        whole = whole.sort_by("compound_id")
    return whole


def difference(before: Version, after: Version) -> dict[str, list[dict[str, Any]]]:
    """The compounds that are only in one of two versions of a library: `added` and `removed`."""
    columns = ["compound_id", "id", "smiles"]
    one, two = read_table(before, "compound", columns), read_table(after, "compound", columns)

    def without(table: pa.Table, other: pa.Table) -> list[dict[str, Any]]:
        left: list[dict[str, Any]] = table.filter(
            pc.invert(pc.is_in(table["compound_id"], other["compound_id"].combine_chunks()))
        ).to_pylist()
        return left

    return {"added": without(two, one), "removed": without(one, two)}


def rejects_of(version: Version, limit: int | None = None) -> Iterator[Reject]:
    """The rejected rows of all files of a library."""
    table = read_table(version, "fate").filter(pc.field("fate") == "reject")
    for row in table.slice(0, limit).to_pylist():
        yield Reject(row["file"], row["line"], row["name"], row["reason"])


def _folder(version: Version, name: str) -> Path:
    table = (version.companion if name in _RESTRICTED else version.tables)[name]
    return table.paths[0].parent


def _known(parent: Version | None) -> tuple[dict[str, int], int, dict[str, str]]:
    """Compounds by SMILES, the next number, and the structure that each name was given to."""
    if parent is None:
        return {}, 1, {}
    table = read_table(parent, "compound", ["compound_id", "id", "smiles"])
    smiles = table["smiles"].to_pylist()
    known = dict(zip(smiles, table["compound_id"].to_pylist(), strict=True))
    return known, int(parent.info["next_id"]), dict(zip(table["id"].to_pylist(), smiles, strict=True))


def _fate(item: Registered, known: dict[str, int], next_id: int) -> tuple[str, int | None]:
    if item.row.unused:
        return "unused", None
    if item.problem:
        return "reject", None
    smiles = str(item.values["smiles"])
    if smiles in known:
        return "duplicate", known[smiles]
    known[smiles] = next_id
    return "compound", next_id


_COUNTS = {"compound": "compounds", "duplicate": "duplicates", "reject": "rejects", "unused": "unused"}


def _counted(account: FileAccount, fate: str) -> FileAccount:
    name = _COUNTS[fate]
    return replace(account, rows=account.rows + 1, **{name: getattr(account, name) + 1})


class _Output:
    """The four tables in the making, each written a batch at a time."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._paths = {name: writer.new_file(name, restricted=name in _RESTRICTED) for name in _SCHEMAS}
        self._files = {
            name: pq.ParquetWriter(self._paths[name], schema, compression="zstd") for name, schema in _SCHEMAS.items()
        }
        self._rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in _SCHEMAS}

    def compound(self, number: int, item: Registered, names: dict[str, str], library: str) -> None:
        """A new compound. The name that it was given is its id, unless another structure has it already."""
        name = item.row.name
        values = dict(item.values)
        if name and names.get(name, values["smiles"]) != values["smiles"]:
            values["notes"] = "; ".join(filter(None, (str(values["notes"]), f"id {name} is also another structure's")))
            name = f"{name} ({number})"
        name = name or f"{library}-{number:06d}"
        names[name] = str(values["smiles"])
        self._put("compound", {"compound_id": number, "id": name, **values})
        self._put("fingerprint", {"compound_id": number, "morgan": item.morgan, "pattern": item.pattern})
        fields = json.dumps(item.row.fields, ensure_ascii=False) if item.row.fields else ""
        self._put("given", {"compound_id": number, "structure": item.row.given, "fields": fields})

    def fate(self, item: Registered, fate: str, number: int | None, names: dict[str, str]) -> None:
        """What became of a row, and why."""
        row = item.row
        reason = row.unused or item.problem
        clash = row.name and not reason and names.get(row.name, item.values["smiles"]) != item.values["smiles"]
        if clash:
            reason = "another structure has this id"
        told = {"file": row.file, "line": row.line, "fate": fate, "compound_id": number, "name": row.name}
        self._put("fate", told | {"reason": reason})

    def close(self) -> None:
        """Write the rest and hand the files over."""
        for name in _SCHEMAS:
            self._write(name)
            self._files[name].close()
            self._writer.add(name, self._paths[name])

    def _put(self, name: str, row: Mapping[str, Any]) -> None:
        self._rows[name].append(row)
        if len(self._rows[name]) >= _BATCH:
            self._write(name)

    def _write(self, name: str) -> None:
        rows = self._rows[name]
        if rows:
            self._files[name].write_table(pa.Table.from_pylist(rows, schema=_SCHEMAS[name]), row_group_size=_GROUP)
            self._rows[name] = []


def _toolkit() -> str:
    import rdkit

    return f"RDKit {rdkit.__version__}"
