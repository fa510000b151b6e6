"""Rows of a source that is only joined are used where a row that makes something joins them, and nowhere else."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from madang.lake import Lake
from madang.lake.engine import Engine
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.trace import Tracer

PACK = """
name = "joined"
version = "1"
license = "CC0-1.0"
[cdm_source]
cdm_source_name = "Joined (synthetic)"
[sources.people]
files = ["people.csv"]
key = ["PT"]
[sources.people.columns]
PT = { type = "text", required = true, identifier = "none" }
[sources.flags]
files = ["flags.csv"]
key = ["PT"]
[sources.flags.columns]
PT = { type = "text", required = true, identifier = "none" }
FLAG = { type = "text" }
[sources.drugs]
files = ["drugs_{part}.csv"]
kind = "delta"
key = ["DRUG"]
[sources.drugs.columns]
DRUG = { type = "text", required = true }
CODE = { type = "text" }
[sources.orders]
files = ["orders_{part}.csv"]
[sources.orders.columns]
PT = { type = "text", required = true, identifier = "none" }
DRUG = { type = "text" }
[entities.person]
key = ["PT"]
[events.orders]
domain = "Drug"
type_concept_id = 32817
vocabulary = "KDC"
"""
SQL = {
    "entities/person.sql": """
        with flagged as (select people.*, flags.FLAG as flag from people left join flags on flags.PT = people.PT)
        select PT, reject_when(flag = 'bad', 'flagged'), 1980 as year_of_birth, 0 as gender_concept_id,
            0 as race_concept_id, 0 as ethnicity_concept_id from flagged
    """,
    "events/orders.sql": """
        select reject_when(person.person_id is null, 'patient is unknown'), person.person_id,
            date '2020-01-01' as start_date, drugs.CODE as code
        from orders left join person on person.PT = orders.PT left join drugs on drugs.DRUG = orders.DRUG
    """,
}


def deliver(folder: Path, files: Mapping[str, Sequence[str]]) -> Standardized:
    headers = {"people": "PT", "flags": "PT,FLAG", "drugs": "DRUG,CODE", "orders": "PT,DRUG"}
    for name, text in {"pack.toml": PACK, **SQL}.items():
        path = folder / "joined" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, lines in files.items():
        path = folder / "in" / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join((headers[name.split("_")[0]], *lines)) + "\n", encoding="utf-8")
    lake = Lake(folder / "lake", folder / "restricted")
    return standardize(folder / "joined", folder / "in", starter_path(), lake.dataset("joined"))


def unused(result: Standardized) -> dict[str, int]:
    return {r.source: r.lines for r in result.report.reasons if r.reason == "joined by no row that made something"}


FIRST = {
    "people": ["a", "b", "c"],
    "flags": ["a,good", "b,bad", "z,good"],  # b is rejected, of z nobody asks
    "drugs_1": ["x,1", "y,2", "w,3"],
    "orders_1": ["a,x", "b,y"],  # of b nothing is made
}


def test_rows_that_no_row_that_made_something_joined_are_unused_and_traced(tmp_path: Path) -> None:
    result = deliver(tmp_path, FIRST)
    assert unused(result) == {"flags": 2, "drugs": 2}
    assert result.report.sources["flags"][1:] == (3, 1, 0, 2)
    with Engine() as engine:
        tracer = Tracer(result.version, engine)
        file = tracer.line("flags.csv", 2).file.number
        assert (tracer.fate(file, 2), tracer.joined_by(file, 2)) == (None, ("person",))
        assert tracer.fate(file, 4) == ("unused", "joined by no row that made something")
        assert tracer.joined_by(tracer.line("drugs_1.csv", 2).file.number, 2) == ("orders",)


def test_what_earlier_files_joined_stays_used(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST)
    result = deliver(tmp_path, {"orders_2": ["c,w"]})
    assert unused(result) == {"flags": 2, "drugs": 1}
    corrected = deliver(tmp_path, {"drugs_2": ["y,22"]})  # the line that is shown now is the one that is not joined
    assert unused(corrected) == {"flags": 2, "drugs": 1}
    assert sum(corrected.report.sources["drugs"][2:]) == 4
