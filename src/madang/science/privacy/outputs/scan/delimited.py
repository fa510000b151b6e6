"""Tables as text, and summary statistics of genome-wide studies, which are tables of a known kind."""

import csv
import io
import math

from madang.base.translate import later
from madang.science.privacy.outputs.judge import Finding, Status
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.scan import Scan, Table, refused
from madang.science.privacy.outputs.scan.signs import blocks, identifiers, identifying_column

MOST_ROWS = 2000
LONG_TEXT = 200
COUNT_NAMES = frozenset(
    "n count counts freq frequency events at_risk cases people patients persons 인원 명 건수".split()
)
FEW_ROWS = 30
DISTINCT = 0.95
GENOME = {"chromosome", "base_pair_location", "effect_allele", "other_allele"}


def scan_delimited(name: str, content: bytes, rules: Rules) -> Scan:
    """A CSV or TSV file, read in full: rows of equal length, a header, values that can be a result."""
    text = decoded(content)
    if text is None:
        return refused("table", "encoding", said(later("The file is not text in UTF-8 or CP949.")))
    if text.count("\n") > 5_000_000:
        return refused("table", "rows", said(later("The table has more than {n} rows."), n=MOST_ROWS))
    separator = "\t" if name.lower().endswith((".tsv", ".txt")) and "\t" in text else _separator(text)
    try:
        table: Table = [row for row in csv.reader(io.StringIO(text), delimiter=separator, strict=True) if row]
    except csv.Error as error:
        return refused("table", "content", said(later("The table cannot be read: {error}."), error=error))
    if table and {cell.strip().lower() for cell in table[0]} >= GENOME:
        return _genome(table, rules)
    return Scan("table", tuple(table_findings(table, rules)), (table,))


def decoded(content: bytes) -> str | None:
    """The text of a file in UTF-8 or CP949; None where it is neither, or has control characters."""
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if any(ord(letter) < 32 and letter not in "\t\r\n\f" for letter in text):
            return None
        return text
    return None


def _separator(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t|", key=first.count)


def table_findings(table: Table, rules: Rules) -> list[Finding]:
    """What the rules say of a table whose query is not known."""
    found = []
    width = {len(row) for row in table}
    shape = len(width) == 1 and len(table) > 1
    found.append(_is("shape", shape, said(later("All rows have as many columns as the header."))))
    found.append(_is("rows", len(table) - 1 <= MOST_ROWS, said(later("There are at most {n} rows."), n=MOST_ROWS)))
    if not shape:
        return found
    header, rows = table[0], table[1:]
    everything = "\n".join(" ".join(row) for row in table)
    named = [column for column in header if identifying_column(column)]
    kinds = identifiers(everything)
    found.append(_is("identifiers", not named and not kinds, said(later("No column and no cell identifies a person."))))
    found.append(_is("encoded", not blocks(everything), said(later("No cell holds encoded data."))))
    longest = max((len(cell) for row in rows for cell in row), default=0)
    found.append(
        Finding(
            "free_text",
            Status.REVIEW if longest > LONG_TEXT else Status.PASS,
            said(later("No cell is a long text.")),
        )
    )
    formula = any(
        cell[:1] in "=@" or (cell[:1] in "+-" and number(cell) is None) for row in rows for cell in row if cell
    )
    found.append(_is("formula", not formula, said(later("No cell starts a formula."))))
    small = _small(header, rows, rules)
    found.append(
        Finding(
            "minimum_count",
            Status.FAIL if small else Status.PASS,
            said(later("No count is below {n}."), n=rules.minimum_count),
            tuple(small),
        )
    )
    found.append(
        Finding(
            "one_row_each",
            Status.FAIL if _one_row_each(header, rows) else Status.PASS,
            said(later("Rows are results, not people.")),
        )
    )
    return found


def _is(criterion: str, good: bool, sentence: str) -> Finding:
    return Finding(criterion, Status.PASS if good else Status.FAIL, sentence)


def _formula(cell: str) -> bool:
    return cell[0] in "=@" or (cell[0] in "+-" and number(cell) is None and cell not in "+-")


def number(cell: str) -> float | None:
    """The number that a cell shows, None where it shows none."""
    try:
        value = float(cell.strip().replace(",", "").removesuffix("%"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _small(header: list[str], rows: Table, rules: Rules) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for place, column in enumerate(header):
        if column.strip().lower().split("(")[0].strip() in COUNT_NAMES:
            for row in rows:
                value = number(row[place])
                if value is not None and 0 < value < rules.minimum_count:
                    found.append((column, *row[:1]))
    return found


def _one_row_each(header: list[str], rows: Table) -> bool:
    """Many rows, nearly all different, with several columns of measured numbers: people rather than groups."""
    if len(rows) < FEW_ROWS:
        return False
    keys = {tuple(row) for row in rows}
    numeric = [
        place
        for place in range(len(header))
        if sum(number(row[place]) is not None for row in rows) >= DISTINCT * len(rows)
    ]
    counted = any(column.strip().lower() in COUNT_NAMES for column in header)
    return len(numeric) >= 3 and not counted and len(keys) >= DISTINCT * len(rows)


def _genome(table: Table, rules: Rules) -> Scan:
    """Summary statistics of a genome-wide study: enough people, and enough carriers, behind every line."""
    header = [cell.strip().lower() for cell in table[0]]
    place = {name: i for i, name in enumerate(header)}
    findings = [
        _is("shape", all(len(row) == len(header) for row in table), said(later("All rows have as many columns.")))
    ]
    people = place.get("n", place.get("sample_size"))
    share = place.get("effect_allele_frequency")
    if people is None or share is None:
        sentence = said(later("Every line says how many people and which allele frequency are behind it."))
        return Scan("genome-wide summary", (*findings, Finding("fields", Status.FAIL, sentence)), ())
    extra = set(header) - KNOWN
    findings.append(
        _is("fields", not extra, said(later("No column is unknown to the standard of summary statistics.")))
    )
    few: list[tuple[str, ...]] = []
    if findings[0].status is Status.PASS:
        for row in table[1:]:
            if _too_few(number(row[people]), number(row[share]), rules):
                few.append(tuple(row[:4]))
    sentence = said(later("At least {n} minor alleles are behind every line."), n=rules.minor_alleles)
    findings.append(Finding("minor_alleles", Status.FAIL if few else Status.PASS, sentence, tuple(few)))
    return Scan("genome-wide summary", tuple(findings), ())


def _too_few(people: float | None, frequency: float | None, rules: Rules) -> bool:
    if people is None or frequency is None or not 0 <= frequency <= 1:
        return True
    return people < rules.minimum_count or 2 * people * min(frequency, 1 - frequency) < rules.minor_alleles


KNOWN = GENOME | set(
    "beta odds_ratio hazard_ratio standard_error effect_allele_frequency p_value neg_log_10_p_value variant_id rsid "
    "ref_allele info ci_upper ci_lower n sample_size".split()
)
