"""pack.toml: what is wrong is named with its line and, where possible, with what was meant."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_kit import SQL, TOML, make_pack, refusal, write_pack

from madang.base.errors import MadangError
from madang.science.standardize.pack import load_pack, pack_folders
from madang.science.standardize.pack_model import Entity, Event
from madang.science.standardize.toml_lines import key_lines

AT = "clinic/pack.toml:"

# (text of pack.toml to replace, by what, code, message after file name, hint)
MISTAKES = [
    ('name = "clinic"', 'name = "My clinic"', "bad_name",
     '1: The name "My clinic" has to be small letters and digits, with hyphens between.', ""),
    ('version = "1"', "", "missing_key", "1: pack.toml lacks the key version (text).", ""),
    ('version = "1"', "version = 1", "wrong_type", "2: version has to be text.", ""),
    ('license = "CC0-1.0"', 'licence = "CC0-1.0"', "missing_key", "1: pack.toml lacks the key license (text).", ""),
    ("[parameters]", 'titel = "x"\n[parameters]', "unknown_key", "5: pack.toml has no key titel.",
     'Did you mean "title"?'),
    ("2023-12-31", "[2023]", "wrong_type",
     "6: parameters.extract_date has to be a single value: text, number, true or false, or date.", ""),
    ('files = ["patient.csv"]', 'files = "patient.csv"', "wrong_type",
     "13: sources.patient.files has to be a list of texts.", ""),
    ('files = ["patient.csv"]', 'files = ["../patient.csv"]', "contradiction",
     '13: sources.patient.files: "../patient.csv" has to lie within the source folder, with / between folders.', ""),
    ('files = ["patient.csv"]', 'files = ["patient.csv"]\nencoding = "cp-949"', "unknown_value",
     '14: sources.patient.encoding cannot be "cp-949".', 'Did you mean "cp949"?'),
    ('key = ["PT"]\n[sources', 'key = ["P"]\n[sources', "contradiction",
     "14: sources.patient.key: P is not a column of this source.", 'Did you mean "PT"?'),
    ('key = ["PT"]\n[sources', 'key = ["PT_NAME"]\n[sources', "contradiction",
     "14: sources.patient.key: PT_NAME is a direct identifier, which never leaves the source.", ""),
    ('files = ["dx_{month}.csv"]', 'files = ["dx_{month}.csv"]\nkind = "delta"', "contradiction",
     "32: sources.dx.kind: a delta needs a key, by which its rows correct earlier ones.", ""),
    ('files = ["dx_{month}.csv"]', 'files = ["dx_{month}.csv"]\noperation = "CODES"', "contradiction",
     "32: sources.dx.operation: only a delta has an operation.", 'Say kind = "delta".'),
    ('files = ["dx_{month}.csv"]', 'files = ["dx_{month}.csv"]\nkind = "delta"\nkey = ["VISIT"]\noperation = "CODES"',
     "contradiction",
     "34: sources.dx.operation: operation and withdraw go together: the column, and its values that withdraw a row.",
     ""),
    ('files = ["dx_{month}.csv"]', 'files = ["dx_{month}.csv"]\nperiod = "year"', "contradiction",
     '32: sources.dx.period: every file pattern needs the capture "{year}".', ""),
    ('files = ["dx_{month}.csv"]', 'files = ["dx_{month}.csv"]\nwithin = true', "contradiction",
     "32: sources.dx.within: it needs a period.", ""),
    ('files = ["dx_{month}.csv"]', 'files = ["dx_{amt}.csv"]', "contradiction",
     '31: sources.dx.files: "{amt}" is the name of a column already.', ""),
    ('AMT = { type = "integer" }', 'AMT = { type = "int" }', "unknown_value",
     '35: sources.dx.columns.AMT.type cannot be "int".', 'Did you mean "integer"?'),
    ('AMT = { type = "integer" }', 'AMT = { type = "integer", format = "%d" }', "contradiction",
     "35: sources.dx.columns.AMT.format: only a date, time or datetime has a format, and this column is integer.", ""),
    ('AMT = { type = "integer" }', 'AMT = { type = "integer", path = "a.b" }', "contradiction",
     "35: sources.dx.columns.AMT.path: only an ndjson source has paths.",
     "Use header for the name in a csv or tsv file."),
    ('AMT = { type = "integer" }', 'AMT = { type = "integer" }\namt = { type = "text" }', "contradiction",
     "36: sources.dx.columns.amt and AMT differ only in case, which SQL does not tell apart.", ""),
    ('AMT = { type = "integer" }', '_row = { type = "integer" }', "bad_name",
     "35: sources.dx.columns._row: the name _row is kept for the engine.", ""),
    ('VISIT = { type = "text" }\nPT = { type = "text"', 'VISIT = { type = "text" }\nPT = { type = "integer"',
     "contradiction", "26: sources.visit.columns.PT: a pseudonym is text, and this column is integer.",
     'Say type = "text".'),
    ('table = "visit_occurrence"', 'table = "visit_occurence"', "unknown_table",
     '40: entities.stay: entities do not fill a table "visit_occurence".', 'Did you mean "visit_occurrence"?'),
    ("[entities.stay]", "[entities.dx]", "missing_file",
     "39: entities.dx needs the file entities/dx.sql, which is missing.", ""),
    ("[entities.stay]", "[entities.sty]", "missing_file",
     "39: entities.sty needs the file entities/sty.sql, which is missing.", 'Did you mean "stay"?'),
    ("[events.dx]", "[events.lab]", "missing_file",
     "44: events.lab needs the file events/lab.sql, which is missing.", ""),
    ('domain = "Condition"', 'domain = "Diagnosis"', "unknown_value",
     '45: events.dx.domain cannot be "Diagnosis".',
     "Known here: Condition, Drug, Procedure, Measurement, Observation, Device and Specimen."),
    ("items = 5", "items = 0", "out_of_range", "48: events.dx.items is 0, but has to be from 1 to 65536.", ""),
    ("items = 5", "items = true", "wrong_type", "48: events.dx.items has to be a whole number.", ""),
    ("items = 5", "fanout = 3", "unknown_key", "48: events.dx has no key fanout.", 'Did you mean "fan_out"?'),
    ("[cdm_source]", "[cdm_source", "unreadable",
     "9: this is not TOML: Expected ']' at the end of a table declaration.", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "code", "message", "hint"),
    MISTAKES,
    ids=[f"{m[2]}-{i}" for i, m in enumerate(MISTAKES)],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, code: str, message: str, hint: str
) -> None:
    assert old in TOML
    error = refusal(tmp_path, TOML.replace(old, new, 1))
    assert (error.code, error.message, error.hint) == (f"pack.{code}", AT + message, hint)


def test_an_sql_file_that_nothing_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MadangError, match=r"clinic/events/old\.sql is not named in pack\.toml"):
        load_pack(write_pack(tmp_path, sql={**SQL, "events/old.sql": "select 1"}))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path)
    (folder / "events" / "dx.sql").write_bytes("-- 진단".encode("cp949"))
    with pytest.raises(MadangError, match=r"pack\.toml:44: events/dx\.sql is not UTF-8 text \(byte 3\)"):
        load_pack(folder)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    folder = write_pack(tmp_path)
    before = load_pack(folder)
    for path in folder.rglob("*.*"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    after = load_pack(folder)
    assert (after.sources, after.entities, after.events) == (before.sources, before.entities, before.events)
    assert after.lines == before.lines
    assert after.sha256 != before.sha256  # of the bytes, whatever they mean


def test_a_pack_is_found_by_name_or_folder(tmp_path: Path) -> None:
    folder = write_pack(tmp_path)
    assert load_pack(folder) == load_pack("clinic", [tmp_path])
    assert pack_folders([tmp_path])["clinic"] == folder
    with pytest.raises(MadangError) as refused:
        load_pack("clinik", [tmp_path])
    assert refused.value.message == 'There is no pack "clinik".'
    assert 'Did you mean "clinic"?' in refused.value.hint


def test_values_have_their_defaults(tmp_path: Path) -> None:
    pack = make_pack(tmp_path)
    source = pack.sources["dx"]
    assert (source.encoding, source.delimiter, source.kind, source.extra_columns) == (
        "utf-8",
        ",",
        "snapshot",
        "refuse",
    )
    assert source.captures == ("month",)
    assert source.schema == {"VISIT": "VARCHAR", "CODES": "VARCHAR", "AMT": "BIGINT", "month": "VARCHAR"}
    assert "PT_NAME" not in pack.sources["patient"].schema
    assert isinstance(pack.entities["person"], Entity)
    assert pack.entities["person"].table == "person"
    assert isinstance(pack.events["dx"], Event)
    assert pack.events["dx"].fan_out == 8


def test_parameters_are_read_as_the_type_of_their_default(tmp_path: Path) -> None:
    pack = make_pack(tmp_path)
    changed = pack.with_parameters({"extract_date": "2024-06-30", "prefix": "X"})
    assert changed.parameters["extract_date"] == pack.parameters["extract_date"].replace(2024, 6, 30)  # type: ignore[union-attr]  # a date, as the pack says
    with pytest.raises(MadangError, match=r'"extract_date" is \'yesterday\', but it has to be a date like 2023-12-31'):
        pack.with_parameters({"extract_date": "yesterday"})
    with pytest.raises(MadangError) as refused:
        pack.with_parameters({"prefixx": "X"})
    assert refused.value.hint == 'Did you mean "prefix"?'


VALUES = st.recursive(
    st.sampled_from(["1", '"# [x] = {"', "'''\nk = 1\n'''", "2023-01-01T00:00:00", '"""a\\"b\nc"""']),
    lambda inner: st.lists(inner, max_size=3).map(lambda values: "[  # ] =\n" + ",\n".join(values) + "\n]"),
    max_leaves=4,
)


@given(st.lists(st.tuples(st.integers(0, 2), VALUES), max_size=6))
def test_every_key_is_found_on_its_line(parts: list[tuple[int, str]]) -> None:
    text, expected = "# first\n", {}
    for number, (blank, value) in enumerate(parts):
        text += "\n" * blank + f"[t{number}.x]\n"
        expected[f"t{number}", "x"] = text.count("\n")
        expected[f"t{number}", "x", "k"] = text.count("\n") + 1
        expected[f"t{number}", "x", "in"] = text.count("\n") + 1 + f"k = {value}\n".count("\n")
        expected[f"t{number}", "x", "in", "deep"] = expected[f"t{number}", "x", "in"]
        text += f"k = {value}\nin = {{ deep = 1 }}\n"
    lines = key_lines(text)
    assert {path: lines.get(path) for path in expected} == expected
