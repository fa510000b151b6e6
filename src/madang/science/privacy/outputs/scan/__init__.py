"""Files that somebody wants to take away: parsed for real, told apart by what they hold and not by their name.

Nothing is executed and nothing is unpickled. What cannot be parsed is refused; what leaves is written anew where the
format could carry more than what is seen (`clean`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from madang.base.translate import later
from madang.science.privacy.outputs.judge import Finding, Status, overall
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import said

LARGEST = 50 * 1024 * 1024
Table = list[list[str]]


@dataclass(frozen=True)
class Scan:
    """What a file is, what was found in it, the tables in it, and the bytes that may leave in its place.

    `clean` is None where the file itself may leave; `kind` is empty where nothing that the rules know was recognized.
    """

    kind: str
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...] = ()
    clean: bytes | None = None
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The worst finding."""
        return overall(self.findings)


def refused(kind: str, criterion: str, sentence: str) -> Scan:
    """A file that may not leave for one reason."""
    return Scan(kind, (Finding(criterion, Status.FAIL, sentence),))


def scan(name: str, content: bytes, rules: Rules) -> Scan:
    """Parse a file by its ending and its first bytes, which have to agree, and look for what must not leave."""
    if len(content) > LARGEST:
        return refused("", "size", said(later("The file is larger than {n} MB."), n=LARGEST // 2**20))
    if not content:
        return refused("", "empty", said(later("The file is empty.")))
    ending = name.lower().rpartition(".")[2] if "." in name else ""
    held = _held(content)
    if held == "serialized" or ending in SERIALIZED:
        return refused(
            "object",
            "object",
            said(later("A serialized object can hold anything; write the model as a known kind of JSON.")),
        )
    reader = _READERS.get(ending)
    if reader is None:
        return refused(
            "", "kind", said(later("Files of this kind do not leave; bring a table, a figure or a program."))
        )
    expected = "zip" if ending == "xlsx" else "png" if ending == "png" else "text"
    if ending == "gz":
        expected = "gzip"
    if held != expected:
        return refused("", "content", said(later("The content is not what the name of the file says.")))
    return reader(name, content, rules)


SERIALIZED = frozenset(
    "pkl pickle joblib rds rda rdata pt pth h5 hdf5 npz npy feather parquet sas7bdat dta sav mat onnx".split()
)


def _held(content: bytes) -> str:
    """What the first bytes say: text, zip, png, gzip, serialized or other."""
    if content.startswith(b"PK\x03\x04"):
        return "serialized" if b"data.pkl" in content[:4096] or b".npy" in content[:4096] else "zip"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\x1f\x8b"):
        return "gzip"
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "serialized"
    if content.startswith((b"RDX", b"RDA", b"X\n\x00", b"\x89HDF", b"\x93NUMPY", b"PAR1", b"ARROW1")):
        return "serialized"
    return "other" if b"\x00" in content else "text"


def _delimited(name: str, content: bytes, rules: Rules) -> Scan:
    from madang.science.privacy.outputs.scan.delimited import scan_delimited

    return scan_delimited(name, content, rules)


def _workbook(name: str, content: bytes, rules: Rules) -> Scan:
    from madang.science.privacy.outputs.scan.workbooks import scan_workbook

    return scan_workbook(content, rules)


def _picture(name: str, content: bytes, rules: Rules) -> Scan:
    from madang.science.privacy.outputs.scan.pictures import scan_picture

    return scan_picture(name, content)


def _program(name: str, content: bytes, rules: Rules) -> Scan:
    from madang.science.privacy.outputs.scan.programs import scan_program

    return scan_program(name, content)


def _notebook(name: str, content: bytes, rules: Rules) -> Scan:
    from madang.science.privacy.outputs.scan.notebooks import scan_notebook

    return scan_notebook(content)


def _json(name: str, content: bytes, rules: Rules) -> Scan:
    from madang.science.privacy.outputs.scan.documents import scan_document

    return scan_document(content, rules)


def _compressed(name: str, content: bytes, rules: Rules) -> Scan:
    import gzip
    import io
    import zlib

    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            inner = file.read(4 * LARGEST + 1)
    except (OSError, EOFError, zlib.error):
        return refused("", "content", said(later("The content is not what the name of the file says.")))
    if len(inner) > 4 * LARGEST:
        return refused("", "size", said(later("The file is larger than {n} MB."), n=4 * LARGEST // 2**20))
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    if ending not in ("tsv", "csv", "txt") or _held(inner) != "text":
        return refused(
            "", "kind", said(later("Files of this kind do not leave; bring a table, a figure or a program."))
        )
    return _delimited(name.removesuffix(".gz"), inner, rules)


def _tree(name: str, content: bytes, rules: Rules) -> Scan:
    if content.startswith(b"tree\n"):
        from madang.science.privacy.outputs.scan.documents import scan_trees

        return scan_trees(content, rules)
    return _delimited(name, content, rules)


_READERS: dict[str, Callable[[str, bytes, Rules], Scan]] = {
    "csv": _delimited,
    "tsv": _delimited,
    "txt": _tree,
    "xlsx": _workbook,
    "svg": _picture,
    "png": _picture,
    **dict.fromkeys(("py", "r", "sas", "sql", "do", "jl", "sh"), _program),
    "ipynb": _notebook,
    "json": _json,
    "gz": _compressed,
}
