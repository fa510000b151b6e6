"""Free-text results of the laboratory, any that somebody may type, against a plain reader of one text."""

import csv
import random
from decimal import Decimal
from pathlib import Path

from hospital_run import make_hospital, run_pack

from madang.science.synthesis.hospital.layout import layout
from madang.science.synthesis.hospital.results import NO_RESULT, VALUE_CONCEPTS

SIGNS = {"<": 4171756, "<=": 4171754, "≤": 4171754, ">": 4172704, ">=": 4171755, "≥": 4171755}


def typed(chance: random.Random) -> str:
    """A result as somebody types it: mostly numbers in all kinds of spelling, some words, some rubbish."""
    number = chance.choice(
        [
            *(str(chance.randrange(10 ** chance.randrange(1, 8))), f"{chance.uniform(0, 2000):,.2f}", "0", "-1.5"),
            *(f"{chance.randrange(10**7):,}", "1,23", "12,3456", "1,234,5", ".5", "5.", "1e5", "1 000", "--3", "1.2.3"),
        ]
    )
    sign = chance.choice(["", "", *SIGNS, "=<", "<<"]) + chance.choice(["", " "])
    words = [*VALUE_CONCEPTS, *NO_RESULT, "NEGATIVE", "음 성", "5+", "<", "측정불가", "", "1+ (재검)", "１２"]
    return (sign + number if chance.random() < 0.7 else chance.choice(words)).strip()


def read(text: str) -> tuple[float | None, int | None, int | None]:
    """Number, operator concept and value concept of a text, one character after the other."""
    sign = next((sign for sign in sorted(SIGNS, key=len, reverse=True) if text.startswith(sign)), "")
    rest = text.removeprefix(sign).strip(" ")
    digits = rest.removeprefix("-")
    whole, dot, fraction = digits.partition(".")
    groups = whole.split(",")
    plain = all(group.isascii() and group.isdigit() for group in groups)
    grouped = len(groups) == 1 or (len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]))
    if plain and grouped and (not dot or (fraction.isascii() and fraction.isdigit())):
        return float(Decimal(rest.replace(",", ""))), SIGNS.get(sign), None
    concepts = {word.lower(): concept for word, concept in VALUE_CONCEPTS.items()}
    return None, None, concepts.get(text.lower(), 0)


def test_results_are_read_as_the_plain_reader_reads_them(tmp_path: Path) -> None:
    source = make_hospital(tmp_path, persons=40)
    with (source / "PATIENT_201301.csv").open(encoding="cp949", newline="") as lines:
        patient = next(csv.DictReader(lines))["환자번호"]
    chance = random.Random(7)
    texts = [typed(chance) for _ in range(1500)]
    for path in source.glob("LAB_*.csv"):
        header = [column.header for column in layout()["LAB"]]
        with path.open("w", encoding="cp949", newline="", errors="strict") as out:
            writer = csv.writer(out)
            writer.writerow(header)
            if path.stem == "LAB_201301":
                for n, text in enumerate(texts):
                    cells = {"변경구분": "I", "결과번호": n, "환자번호": patient, "검사코드": f"T{n}"}
                    cells |= {"채취일자": "20130105", "검사결과": text}
                    writer.writerow([cells.get(name, "") for name in header])
    done = run_pack(source).sql(
        "SELECT measurement_source_value, value_as_number, operator_concept_id, value_as_concept_id, "
        "value_source_value FROM measurement WHERE measurement_source_value SIMILAR TO 'T[0-9]+'"
    )
    found = {row["measurement_source_value"]: tuple(row.values())[1:] for row in done.to_pylist()}
    expected = {f"T{n}": (*read(text), text) for n, text in enumerate(texts) if text and text not in NO_RESULT}
    assert found == expected
    assert len({concept for _, concept, _, _ in found.values()}) == 5
