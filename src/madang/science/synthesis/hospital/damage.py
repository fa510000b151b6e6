"""What goes wrong with lines of the hospital's files: decided per line, then done to its text.

A decision says what it does to the record (`refused`, `read`), and `spoiled` does it to the text; the truth is written
from the decision.
"""

from madang.science.synthesis.chance import stream
from madang.science.synthesis.damage import EXTRA, LEVELS, REJECTING, WHOLE_LINE, spoil_line
from madang.science.synthesis.hospital.records import Facts, Line

_ANY = WHOLE_LINE
_PERSON = ("missing person", "unknown person")
POSSIBLE = {
    "PATIENT": (*_ANY, "missing person", "impossible date"),
    "DEPT": ("blank line after", "exact duplicate"),
    "DOCTOR": ("cut off", "blank line after", "exact duplicate"),
    "LABCODE": ("blank line after", "exact duplicate"),
    "DRUGCODE": ("extra field", "blank line after", "exact duplicate"),
    "VISIT": (*_ANY, *_PERSON, "impossible date", "broken optional"),
    "DIAG": (*_ANY, *_PERSON, "impossible date", "undecodable", "unknown code"),
    "ORDER": (*_ANY, *_PERSON, "impossible date", "broken optional", "undecodable", "unknown code"),
    "EXEC": (*_ANY, *_PERSON, "impossible date", "broken optional"),
    "LAB": (*_ANY, *_PERSON, "impossible date", "undecodable", "unknown code"),
    "VITAL": (*_ANY, *_PERSON, "impossible date", "broken optional"),
    "PROC": (*_ANY, *_PERSON, "broken optional", "undecodable", "unknown code"),
    "DEATH": (*_ANY, "impossible date"),
}
"""What can happen to lines of each table."""

DATE = {
    "PATIENT": "BIRTH_DT",
    "VISIT": "IN_DT",
    "DIAG": "DX_DT",
    "ORDER": "ORD_DT",
    "EXEC": "EXEC_DT",
    "LAB": "SPC_DT",
    "VITAL": "VS_DT",
    "DEATH": "DTH_DT",
}
OPTIONAL = {"VISIT": "OUT_DT", "ORDER": "DAYS", "EXEC": "QTY", "VITAL": "SBP", "PROC": "QTY"}
CODE = {"DIAG": "KCD", "ORDER": "DRUG_CD", "LAB": "LAB_CD", "PROC": "EDI_CD"}
UNKNOWN_CODES = {"DIAG": "ZZZ99", "ORDER": "Z-NONE", "LAB": "L9999", "PROC": "ZZ999"}
NOBODY = "9999999-X"
"""A number that no patient has."""


def plan(seed: int, file: str, table: str, lines: list[Line], dirt: int) -> None:
    """Decide what happens to each line of a file."""
    if dirt:
        rng = stream(seed, 0, f"damage {file}")
        for line, u in zip(lines, rng.random(len(lines)).tolist(), strict=True):
            if u < LEVELS[dirt]:
                line.damage = POSSIBLE[table][int(rng.integers(0, len(POSSIBLE[table])))]


def refused(line: Line) -> str:
    """Why a line cannot be read (a class of reasons); empty for a line that can. An unknown person is read."""
    return "" if line.damage == "unknown person" else REJECTING.get(line.damage, "")


def follows(line: Line) -> str:
    """The class of reasons for which a line that comes after this one, by its damage, is rejected; else empty."""
    return EXTRA.get(line.damage, "")


def read(table: str, line: Line) -> Facts:
    """What a line tells after its damage."""
    match line.damage:
        case "unknown person":
            return line.facts | {"PT_NO": NOBODY}
        case "broken optional":
            return line.facts | {OPTIONAL[table]: None}
        case "unknown code":
            unknown = {"_code": None, "_drug": None, "_test": None, "_service": None}
            return (
                line.facts
                | {name: value for name, value in unknown.items() if name in line.facts}
                | {CODE[table]: UNKNOWN_CODES[table]}
            )
        case _:
            return line.facts


def spoiled(table: str, line: Line, columns: list[str], cells: list[bytes], end: bytes) -> bytes:
    """The text of one line, with its line end and what comes after it, by its damage."""

    def put(column: str, value: bytes) -> bytes:
        changed = list(cells)
        changed[columns.index(column)] = value
        return b",".join(changed) + end

    match line.damage:
        case "":
            return b",".join(cells) + end
        case "missing person":
            return put("PT_NO", b"")
        case "unknown person":
            return put("PT_NO", NOBODY.encode())
        case "impossible date":
            return put(DATE[table], cells[columns.index(DATE[table])][:4] + b"0231")
        case "undecodable":
            return put(CODE[table], cells[columns.index(CODE[table])][:2] + b"\xff\xfe")
        case "broken optional":
            return put(OPTIONAL[table], b"#VALUE!")
        case "unknown code":
            return put(CODE[table], UNKNOWN_CODES[table].encode())
        case _:
            return spoil_line(cells, line.damage, end)
