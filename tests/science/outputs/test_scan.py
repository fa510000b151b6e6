"""Files that somebody wants to take away."""

import io
import json
import pickle
import random
import struct
import zipfile
import zlib

import pytest
import xlsxwriter

from madang.science.privacy.outputs.judge import Status
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.scan import Scan, scan

RULES = Rules()


def failed(name: str, content: bytes | str) -> set[str]:
    found = scan(name, content.encode() if isinstance(content, str) else content, RULES)
    return {finding.criterion for finding in found.findings if finding.status is Status.FAIL}


GOOD = "group,count,mean\nA,40,1.5\nB,62,1.7\n"


def test_a_small_table_of_results_passes() -> None:
    assert failed("t.csv", GOOD) == set()
    assert failed("t.csv", GOOD.encode("utf-8-sig")) == set()
    assert failed("표.csv", "구분,인원\n가,40\n나,62\n".encode("cp949")) == set()


def test_tables_that_are_people() -> None:
    pick = random.Random(1)
    rows = "\n".join(f"{i},{pick.random():.3f},{pick.random():.3f},{pick.random():.3f}" for i in range(60))
    assert "one_row_each" in failed("t.csv", "a,b,c,d\n" + rows)
    assert "identifiers" in failed("t.csv", "person_id,count\n1,40\n")
    assert "identifiers" in failed("t.csv", "group,note\nA,900101-1234567\n")
    assert "minimum_count" in failed("t.csv", "group,n\nA,4\n")
    assert "rows" in failed("t.csv", "group,n\n" + "A,40\n" * 3000)
    assert "encoded" in failed("t.csv", "group,n\n" + "QUJD" * 60 + ",40\n")
    assert "formula" in failed("t.csv", "group,n\n=cmd|' /C calc'!A0,40\n")


@pytest.mark.parametrize("content", [b"", b"a,b\n1\n", b"\xff\xfe\x00", b'a,b\n"x', b"a\x00b", b"\n\n", b"PK\x03\x04"])
def test_tables_that_cannot_be_read_are_refused(content: bytes) -> None:
    assert failed("t.csv", content)


def book(hidden: bool = False, comment: bool = False, formula: bool = False) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as workbook:
        workbook.set_properties({"author": "Somebody"})
        sheet = workbook.add_worksheet("results")
        for i, row in enumerate([["group", "count"], ["A", 40], ["B", 62]]):
            sheet.write_row(i, 0, row)
        if comment:
            sheet.write_comment(0, 0, "person 17")
        if formula:
            sheet.write_formula(3, 1, "=SUM(B2:B3)", value=102)
        if hidden:
            other = workbook.add_worksheet("rows")
            other.write_row(0, 0, ["person_id", "x"])
            other.write_row(1, 0, [1, 2])
            other.hide()
    return out.getvalue()


def test_a_workbook_leaves_as_its_cells_alone() -> None:
    content = book(formula=True)
    found = scan("t.xlsx", content, RULES)
    assert found.status is Status.PASS and found.clean
    assert b"Somebody" in zipfile.ZipFile(io.BytesIO(content)).read("docProps/core.xml")
    with zipfile.ZipFile(io.BytesIO(found.clean)) as parcel:
        everything = b"".join(parcel.read(name) for name in parcel.namelist())
    assert b"Somebody" not in everything and b"<f>" not in everything
    assert scan("t.xlsx", found.clean, RULES).tables == found.tables


def test_what_a_workbook_hides_is_named() -> None:
    assert {"hidden_sheets", "identifiers"} <= failed("t.xlsx", book(hidden=True))
    assert "comments" in failed("t.xlsx", book(comment=True))
    assert failed("t.xlsx", b"PK\x03\x04 nothing") == {"content"}


def png(*extra: tuple[bytes, bytes], tail: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = [
        chunk(b"IHDR", head),
        *(chunk(*each) for each in extra),
        chunk(b"IDAT", zlib.compress(b"\0\0")),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + tail


def test_pictures_are_asked_for_as_their_specification() -> None:
    assert failed("f.png", png()) == {"specification"}
    assert failed("f.svg", "<svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>") == {"specification"}


def test_what_a_picture_hides_is_named() -> None:
    assert "hidden" in failed("f.png", png((b"tEXt", b"data\0" + b"1,2,3" * 50)))
    assert "hidden" in failed("f.png", png(tail=b"person_id,x\n1,2\n"))
    for inside in (
        "<script/>",
        "<image href='data:image/png;base64,AAAA'/>",
        "<metadata>1,2</metadata>",
        "<rect onload='x'/>",
    ):
        assert "hidden" in failed("f.svg", f"<svg xmlns='http://www.w3.org/2000/svg'>{inside}</svg>")
    assert "content" in failed("f.svg", "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>")


def test_a_figure_is_judged_by_the_data_in_it() -> None:
    figure = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": [{"group": "A", "count": 40}, {"group": "B", "count": 62}]},
        "mark": "bar",
    }
    assert failed("f.vl.json", json.dumps(figure)) == set()
    figure["data"] = {"values": [{"group": "A", "count": 4}, {"group": "B", "count": 62}]}
    assert failed("f.vl.json", json.dumps(figure)) == {"minimum_count"}
    figure["data"] = {"url": "data.csv"}
    assert failed("f.vl.json", json.dumps(figure)) == {"addresses"}


PROGRAM = """
# Table 1, by age group
import sys
def main(threshold=10, bins=(0, 18, 40, 65, 80, 120)):
    for name, value in sorted({"a": 1, "b": 2}.items()):
        print(name, value, round(value / 3, 2))
    return 0
if __name__ == "__main__":
    sys.exit(main())
"""


def test_programs_pass_unless_data_are_inside() -> None:
    assert failed("t.py", PROGRAM) == set()
    assert failed("t.sql", "SELECT a, count(*) FROM t WHERE b IN (1, 2, 3) GROUP BY a") == set()
    numbers = ", ".join(str(i * 1.7) for i in range(60))
    assert failed("t.py", PROGRAM + f"x = [{numbers}]\n") == {"numbers"}
    assert "numbers" in failed("t.R", f"x <- c({numbers})")
    rows = "\n".join(f"# {i},F,{i * 2},2020-01-{i % 28 + 1:02d}" for i in range(30))
    assert "data_lines" in failed("t.py", PROGRAM + rows), "in a comment"
    assert "encoded" in failed("t.py", PROGRAM + "x = '" + "QUJDRA+/" * 40 + "'")
    assert "identifiers" in failed("t.sas", "* patient 900101-1234567;")


def notebook(outputs: list[object], source: str = "x = 1") -> str:
    cell = {"cell_type": "code", "metadata": {"secret": 1}, "source": source, "execution_count": 1}
    cells = [{**cell, "outputs": outputs}]
    return json.dumps({"cells": cells, "metadata": {"k": 1}, "nbformat": 4, "nbformat_minor": 5})


def test_notebooks_leave_without_what_was_computed() -> None:
    found = scan("n.ipynb", notebook([]).encode(), RULES)
    assert found.status is Status.PASS and found.clean and b"secret" not in found.clean and b"x = 1" in found.clean
    assert failed("n.ipynb", notebook([{"output_type": "stream", "text": "1,2"}])) == {"outputs"}
    assert failed("n.ipynb", "{}") == {"content"}


def test_serialized_objects_are_never_opened() -> None:
    assert failed("m.pkl", pickle.dumps([1])) == {"object"}
    assert failed("m.csv", pickle.dumps([1], protocol=4)) == {"object"}, "under another name"
    assert failed("m.rds", b"\x1f\x8b") == {"object"}
    assert failed("m.exe", b"MZ") == {"kind"}


def model(people: int = 400, free: int = 398, **more: object) -> str:
    coefficients = [{"term": "(intercept)", "estimate": 1.0, "standard_error": 0.1}, {"term": "age", "estimate": 2.0}]
    document = {"kind": "linear regression", "coefficients": coefficients, "people": people, "degrees_of_freedom": free}
    return json.dumps({**document, **more})


def test_models_of_known_kinds() -> None:
    assert failed("m.json", model()) == set()
    assert failed("m.json", model(people=11, free=9)) == {"degrees_of_freedom"}
    assert failed("m.json", model(residuals=[1, 2])) == {"fields"}
    assert failed("m.json", model(people=500)) == {"parameters"}
    trees = "tree\nversion=v4\nfeature_infos=none\nTree=0\nleaf_count=40 62\n\npandas_categorical:null\n"
    assert failed("m.txt", trees) == set()
    assert failed("m.txt", trees.replace("40 62", "4 62")) == {"leaf_size"}
    assert failed("m.txt", trees.replace("none", "[18.5:103]")) == {"extremes"}


FIELDS = (
    "chromosome base_pair_location effect_allele other_allele beta standard_error effect_allele_frequency p_value n"
)
HEADER = "\t".join(FIELDS.split()) + "\n"


def test_summary_statistics_of_a_genome_wide_study() -> None:
    assert failed("g.tsv", HEADER + "1\t100\tA\tG\t0.1\t0.05\t0.2\t0.01\t5000\n") == set()
    assert failed("g.tsv", HEADER + "1\t100\tA\tG\t0.1\t0.05\t0.0001\t0.01\t5000\n") == {"minor_alleles"}
    assert failed("g.tsv", HEADER.replace("\tn\n", "\tgenotypes\n") + "1\t1\tA\tG\t1\t1\t0.2\t1\t0101\n") == {"fields"}


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx", "svg", "png", "py", "ipynb", "json", "txt", "gz"])
def test_noise_is_refused_or_judged_and_never_breaks(ending: str) -> None:
    pick = random.Random(7)
    for size in (1, 10, 1000):
        content = pick.randbytes(size)
        assert isinstance(scan(f"x.{ending}", content, RULES), Scan)
        assert isinstance(scan(f"x.{ending}", b"{[" * size, RULES), Scan)
        assert isinstance(scan(f"x.{ending}", b"\x1f\x8b" + content, RULES), Scan)
