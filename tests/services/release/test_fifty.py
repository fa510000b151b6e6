"""Fifty requests that were written down before the rules: nearly all are decided without a person's eyes on a table."""

import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from test_scan import book, model, notebook, png

from madang.lake import Lake, Version
from madang.lake.engine import Engine
from madang.node import closed
from madang.research.study import output_of
from madang.science.privacy.outputs.compute import compute
from madang.science.privacy.outputs.queries import query_of
from madang.science.privacy.outputs.rules import Rules
from madang.services.release.examine import Upload, examine

RULES = Rules()
PEOPLE = """SELECT range + 1 AS person_id, CASE WHEN range % 3 = 0 THEN 'F' ELSE 'M' END AS sex,
    CASE WHEN range < 160 THEN 'north' WHEN range < 310 THEN 'south' ELSE 'island' END AS region,
    CASE WHEN range % 10 < 7 THEN 'I' ELSE 'II' END AS stage, (20 + range % 50)::INTEGER AS age,
    100.0 + (range * 37) % 101 AS pressure, (1 + range % 60)::INTEGER AS followed, range % 4 = 0 AS died
    FROM range(317)"""
CODE = b"import sys\nfor line in sys.stdin:\n    print(line.strip())\n"
DATA = ("x = [" + ", ".join(str(i * 3.7) for i in range(80)) + "]\n").encode()

QUERIES: list[tuple[dict[str, Any], str]] = [
    *(({"by": [name]}, "pass") for name in ("sex", "stage")),
    ({"by": ["region"]}, "fail"),  # the island is hidden, and the table by sex tells how many people there are
    ({"by": ["sex", "stage"]}, "pass"),
    ({"by": ["region", "sex"]}, "fail"),
    *(({"kind": "mean", "variable": "age", "by": [name]}, "pass") for name in ("sex", "stage")),
    ({"kind": "mean", "variable": "pressure", "by": ["sex"]}, "pass"),
    ({"kind": "sum", "variable": "age", "by": ["stage"]}, "pass"),
    ({"kind": "standard deviation", "variable": "age", "by": ["sex"]}, "pass"),
    ({"kind": "quantiles", "variable": "age", "quantiles": [0.25, 0.5, 0.75], "by": ["sex"]}, "pass"),
    ({"kind": "quantiles", "variable": "age", "quantiles": [0, 1]}, "fail"),
    ({"kind": "linear regression", "outcome": "pressure", "terms": ["age", "sex"]}, "pass"),
    ({"kind": "survival", "time": "followed", "event": "died", "by": ["sex"]}, "pass"),
    ({"kind": "count", "by": ["sex"], "where": {"stage": ["I"]}}, "pass"),
]


def made(number: int, query: dict[str, Any]) -> list[Upload]:
    document = {"kind": "count", "source": "person", "person": "person_id"} | query
    with Engine() as engine:
        engine.execute(f"CREATE TABLE person AS {PEOPLE}")
        output = output_of(compute(engine, query_of(document), RULES), RULES)
    declared = json.dumps(output.query.document()).encode()
    return [Upload(f"t{number}.csv", output.csv().encode()), Upload(f"t{number}.query.json", declared)]


def requests() -> list[tuple[list[Upload], str]]:
    """Each request with what has to come of it: pass, fail, or a person."""
    results = [(made(i, query), wanted) for i, (query, wanted) in enumerate(QUERIES)]
    forged = []
    for i in range(5):
        table, query = made(100 + i, QUERIES[i % 4][0])
        forged.append(([Upload(table.name, table.content.rstrip() + b"0\n"), query], "fail"))
    small = [([Upload(f"s{i}.csv", f"group,count\nA,{i + 1}\nB,70\n".encode())], "fail") for i in range(5)]
    people = b"person_id,age\n" + b"".join(b"%d,%d\n" % (i, i % 90) for i in range(50))
    plain = [([Upload(f"p{i}.csv", f"group,count\nA,{i + 40}\nB,70\n".encode())], "person") for i in range(4)]
    programs = [([Upload(f"code.{ending}", CODE)], "pass") for ending in ("py", "R", "sas", "sql", "do")]
    bad = [([Upload(f"data.{ending}", DATA)], "fail") for ending in ("py", "R", "sas")]
    others = [
        ([Upload("n.ipynb", notebook([]).encode())], "pass"),
        ([Upload("m.ipynb", notebook([{"output_type": "stream", "text": "1"}]).encode())], "fail"),
        ([Upload("w.xlsx", book(hidden=True))], "fail"),
        ([Upload("v.xlsx", book(comment=True))], "fail"),
        ([Upload("f.png", png())], "fail"),
        ([Upload("g.png", png(tail=b"rows"))], "fail"),
        ([Upload("h.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")], "fail"),
        ([Upload("m.pkl", pickle.dumps({}))], "fail"),
        ([Upload("m.csv", pickle.dumps({}))], "fail"),
        ([Upload("m.json", model().encode())], "person"),
        ([Upload("few.json", model(people=11, free=9).encode())], "fail"),
        ([Upload("rows.csv", people)], "fail"),
        ([Upload("archive.7z", b"7z\xbc\xaf'\x1c" + bytes(40))], "fail"),
    ]
    return [*results, *forged, *small, *plain, *programs, *bad, *others]


@pytest.fixture
def version(tmp_path: Path) -> Version:
    dataset = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("extract")
    with Engine() as engine, dataset.write() as writer:
        path = writer.new_file("person")
        engine.copy_to_parquet(PEOPLE, path)
        writer.add("person", path)
        return writer.commit("import", {"report": {}})


@pytest.mark.skipif(not closed.is_available(), reason="missing: bubblewrap")
def test_fifty_requests(version: Version) -> None:
    from madang.science.privacy.outputs.tables import table_of

    given, ledger, outcomes = requests(), [], Counter[str]()
    assert len(given) == 50
    for uploads, wanted in given:
        (found,) = examine(uploads, version, ledger, RULES)
        outcome = {"review": "person"}.get(found.status.value, found.status.value)
        assert outcome == wanted, (found.name, [f.document() for f in found.findings if f.status != "pass"])
        outcomes[outcome] += 1
        if outcome == "pass" and found.counts is not None:
            ledger.append(table_of(found.counts, found.name, RULES.minimum_count))
    assert outcomes["pass"] + outcomes["fail"] >= 45
