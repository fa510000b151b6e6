"""Vocabularies are loaded from downloads, whole ones only, and looked up."""

import datetime
import zipfile
from pathlib import Path

import pytest

from madang.base.errors import Cancelled, MadangError
from madang.base.progress import Silent
from madang.lake import Lake
from madang.lake.engine import Engine
from madang.science.omop.athena import VOCABULARY_TABLES
from madang.science.omop.cdm import TABLES
from madang.science.omop.vocabulary import Vocabulary, load_vocabulary

CONCEPTS = [
    "1\tSugar sickness\tCondition\tSNOMED\tDisorder\tS\t100\t19700101\t20991231\t",
    "2\tSugar sickness, second kind\tCondition\tSNOMED\tDisorder\tS\t101\t20020131\t20991231\t",
    '3\tSo-called "type 2", 2형\tCondition\tKCD7\tcode\t\tE11\t20160101\t20201231\tU',
    "4\tNA\tMetadata\tNone\tUndefined\t\tNULL\t19700101\t20991231\t",
]
RELATIONSHIPS = [
    "3\t2\tMaps to\t20160101\t20991231\t",
    "3\t1\tMaps to\t20160101\t20991231\tD",
    "3\t1\tMaps to value\t20160101\t20991231\t",
]
HEADS = {
    "concept": "concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code "
    "valid_start_date valid_end_date invalid_reason",
    "concept_relationship": "concept_id_1 concept_id_2 relationship_id valid_start_date valid_end_date invalid_reason",
    "concept_ancestor": "ancestor_concept_id descendant_concept_id min_levels_of_separation max_levels_of_separation",
    "vocabulary": "vocabulary_id vocabulary_name vocabulary_reference vocabulary_version vocabulary_concept_id",
}
ROWS = {
    "concept": CONCEPTS,
    "concept_relationship": RELATIONSHIPS,
    "concept_ancestor": ["1\t1\t0\t0", "1\t2\t1\t1", "2\t2\t0\t0"],
    "vocabulary": ["None\tOMOP\tOMOP generated\tv5.0 01-JAN-26\t4", "KCD7\tkorean\t\t\t4"],
}


def write(folder: Path, table: str) -> None:
    folder.mkdir(exist_ok=True)
    lines = [HEADS[table].replace(" ", "\t"), *ROWS[table]]
    (folder / f"{table.upper()}.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """A small whole download."""
    for table in HEADS:
        write(tmp_path / "download", table)
    return tmp_path / "download"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", tmp_path / "restricted")


def load(source: Path, lake: Lake, engine: Engine):
    return load_vocabulary(source, lake.dataset("vocabulary"), engine)


def refused(source: Path, lake: Lake, engine: Engine) -> str:
    """The sentence with which a download is refused; nothing of it may stay in the lake."""
    with pytest.raises(MadangError) as caught:
        load(source, lake, engine)
    assert not lake.dataset("vocabulary").exists
    assert not list(lake.root.rglob("*.parquet"))
    assert caught.value.code.startswith("vocabulary.")
    assert caught.value.message.count("\n") == 0
    with pytest.raises(MadangError) as from_folder, Engine() as other:
        Vocabulary.from_folder(other, source)
    if source.is_dir():
        assert from_folder.value.message == caught.value.message
    return caught.value.message


def test_a_download_becomes_a_version_with_its_release(download: Path, lake: Lake, engine: Engine) -> None:
    version = load(download, lake, engine)
    assert version.info["release"] == "v5.0 01-JAN-26"
    assert set(version.tables) == set(VOCABULARY_TABLES)
    rows = {name: table.rows for name, table in version.tables.items()}
    assert rows == {**dict.fromkeys(VOCABULARY_TABLES, 0), **{table: len(rows) for table, rows in ROWS.items()}}
    for name, table in version.tables.items():
        assert [column for column, _ in table.schema] == list(TABLES[name].names)


@pytest.mark.parametrize("schema", ["vocab", "odd name"])
def test_from_the_lake_and_from_a_folder_the_look_ups_are_the_same(download: Path, lake: Lake, schema: str) -> None:
    with Engine() as one, Engine() as two:
        here = Vocabulary.from_version(one, load(download, lake, one), schema)
        there = Vocabulary.from_folder(two, download, schema)
        for vocabulary in (here, there):
            assert vocabulary.release == "v5.0 01-JAN-26"
            concept = vocabulary.concept(3)
            assert concept is not None
            assert (concept.name, concept.code) == ('So-called "type 2", 2형', "E11")
            assert concept.valid_to == datetime.date(2020, 12, 31)
            assert vocabulary.concept(99) is None
            assert vocabulary.find("KCD7", "E11", datetime.date(2025, 1, 1)) == concept
            assert vocabulary.find("KCD7", "E12") is None
            assert [target.concept_id for target in vocabulary.maps_to(3)] == [2]
            assert [target.concept_id for target in vocabulary.maps_to_value(3)] == [1]
            assert [above.concept_id for above in vocabulary.ancestors(2)] == [1, 2]
            assert [below.concept_id for below in vocabulary.descendants(1)] == [1, 2]
            assert [found.concept_id for found in vocabulary.search("SUGAR")] == [1, 2]
            assert [found.concept_id for found in vocabulary.search("E11")] == [3]
            assert vocabulary.find("None", "NULL") is not None


def test_a_zip_of_lower_case_windows_files_with_iso_dates_says_the_same(
    download: Path, tmp_path: Path, lake: Lake, engine: Engine
) -> None:
    first = load(download, lake, engine)
    odd = tmp_path / "odd"
    odd.mkdir()
    iso = {"19700101": "1970-01-01", "20991231": "2099-12-31", "20160101": "2016-01-01"}
    iso |= {"20201231": "2020-12-31", "20020131": "2002-01-31"}
    for table in HEADS:
        text = "".join(f"{line}\tmore\r\n" for line in [HEADS[table].replace(" ", "\t"), *ROWS[table]])
        for plain_date, iso_date in iso.items():
            text = text.replace(f"\t{plain_date}\t", f"\t{iso_date}\t")
        (odd / f"{table}.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in odd.iterdir():
            archive.write(path, f"download/{path.name}")
        archive.writestr("readme.txt", "hello")
    second = load(tmp_path / "odd.zip", lake, engine)
    assert (first.number, second.number) == (1, 2)
    assert {n: t.content for n, t in first.tables.items()} == {n: t.content for n, t in second.tables.items()}


def test_a_release_that_is_not_stated_is_unknown(tmp_path: Path, lake: Lake, engine: Engine) -> None:
    for table in ("concept", "concept_relationship"):
        write(tmp_path / "small", table)
    version = load(tmp_path / "small", lake, engine)
    assert version.info["release"] == "unknown"
    assert version.tables["concept_ancestor"].rows == 0


def test_concepts_lie_in_the_order_of_look_ups(download: Path, lake: Lake, engine: Engine) -> None:
    version = load(download, lake, engine)
    [path] = version.tables["concept"].paths
    order = engine.rows(f"SELECT vocabulary_id, concept_code FROM read_parquet('{path}')")
    assert order == sorted(order)


def test_damaged_files_are_refused_in_one_sentence(download: Path, lake: Lake, engine: Engine) -> None:
    path = download / "CONCEPT.csv"
    whole = path.read_bytes()
    cases = {
        whole[:-30]: "CONCEPT.csv does not end with a line break, so it is probably cut off.",
        whole[: whole.rindex(b"\t", 0, -20)] + b"\n": "CONCEPT.csv has in line 5 6 values instead of 10.",
        whole.replace(b"20201231", b"2020"): "CONCEPT.csv has in line 4 '2020' as valid_end_date.",
        whole.replace(b"20201231", b"20201301"): "CONCEPT.csv has in line 4 '20201301' as valid_end_date.",
        whole.replace(b"20020131", b""): "CONCEPT.csv has a row without valid_start_date.",
        whole.replace("2형".encode(), "2형".encode("cp949")): "CONCEPT.csv has in line 4 bytes that are not UTF-8.",
        whole.decode().encode("utf-16"): "CONCEPT.csv is not UTF-8 text.",
        whole.replace(b"\t", b","): "CONCEPT.csv is separated by commas, not by tabs.",
        whole + whole: "CONCEPT.csv has in line 6 'concept_id' as concept_id.",
        whole + whole.partition(b"\n")[2].upper(): "CONCEPT.csv has concept_id 1 more than once.",
        whole.replace(b"\tconcept_code", b"\tkode"): "CONCEPT.csv lacks the column concept_code.",
        whole.replace(b"\tinvalid_reason", b"\tconcept_id"): "CONCEPT.csv names a column twice.",
        b"": "CONCEPT.csv is empty.",
        whole.replace(
            b"\n3\t", b"\n9999999999999999999\t"
        ): "CONCEPT.csv has in line 4 '9999999999999999999' as concept_id.",
        whole + b"\0\0\n": "CONCEPT.csv is not UTF-8 text.",
    }
    for data, sentence in cases.items():
        path.write_bytes(data)
        assert refused(download, lake, engine) == sentence


def test_incomplete_and_doubled_downloads_are_refused(download: Path, lake: Lake, engine: Engine) -> None:
    (download / "concept.csv").write_bytes((download / "CONCEPT.csv").read_bytes())
    assert "has the table concept twice" in refused(download, lake, engine)
    (download / "concept.csv").unlink()
    (download / "CONCEPT_RELATIONSHIP.csv").unlink()
    assert refused(download, lake, engine).endswith("has no CONCEPT_RELATIONSHIP.csv.")
    assert "There is no vocabulary at" in refused(download / "nowhere", lake, engine)


def test_a_broken_zip_is_refused(download: Path, lake: Lake, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in download.iterdir():
            archive.write(file, file.name)
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:60] + b"\0\0\0\0" + whole[64:], b"", b"not a zip"):
        path.write_bytes(data)
        assert "is not a whole zip file" in refused(path, lake, engine)


def test_stopping_leaves_nothing_behind(download: Path, lake: Lake, engine: Engine) -> None:
    class Stops(Silent):
        def begin(self, name: str, total: int | None, unit: str) -> None:
            if name == "concept_ancestor":
                self.cancel()

    with pytest.raises(Cancelled):
        load_vocabulary(download, lake.dataset("vocabulary"), engine, Stops())
    assert not lake.dataset("vocabulary").exists
    assert not list(lake.root.rglob("*.parquet"))


def test_a_dataset_that_is_no_vocabulary_is_refused(lake: Lake, engine: Engine) -> None:
    dataset = lake.dataset("people")
    with dataset.write() as writer:
        path = writer.new_file("person")
        engine.copy_to_parquet("SELECT 1 AS person_id", path)
        writer.add("person", path)
        version = writer.commit(kind="standardize")
    with pytest.raises(MadangError, match="has no table concept"):
        Vocabulary.from_version(engine, version)


def test_a_synonym_over_two_lines_is_joined_and_told(download: Path, lake: Lake, engine: Engine) -> None:
    path = download / "CONCEPT_SYNONYM.csv"
    header = "concept_id\tconcept_synonym_name\tlanguage_concept_id\n"
    path.write_text(f"{header}1\tbroken\nname\t4180186\n2\twhole\t4180186\nnonsense\n3\tlast\t4180186\n", "utf-8")
    version = load(download, lake, engine)
    relation = f"read_parquet('{version.tables['concept_synonym'].paths[0]}')"
    rows = engine.rows(f"SELECT concept_id, concept_synonym_name FROM {relation} ORDER BY ALL")
    assert rows == [(1, "broken name"), (2, "whole"), (3, "last")]
    (hole,) = version.info["holes"]
    assert "1 rows were broken over several lines and are joined, 1 lines are no rows" in hole


def test_what_mapping_needs_is_never_mended(download: Path, lake: Lake, engine: Engine) -> None:
    path = download / "CONCEPT_RELATIONSHIP.csv"
    path.write_text(path.read_text("utf-8") + "1\t2\n", "utf-8")
    assert "values instead of" in refused(download, lake, engine)


def test_holes_of_a_download_are_told(download: Path, lake: Lake, engine: Engine) -> None:
    path = download / "CONCEPT_RELATIONSHIP.csv"
    line = path.read_text("utf-8").splitlines()[1].split("\t")
    columns = path.read_text("utf-8").splitlines()[0].lower().split("\t")
    line[columns.index("concept_id_2")] = "99999999"
    path.write_text(path.read_text("utf-8") + "\t".join(line) + "\n", "utf-8")
    (download / "CONCEPT_CPT4.csv").write_text("concept_id\n", "utf-8")
    holes = load(download, lake, engine).info["holes"]
    assert [hole.partition(":")[0] for hole in holes] == [
        "CPT4 is not merged",
        "1 relationships lead from or to concepts that are not in the download.",
    ]


def test_rows_that_repeat_another_one_are_left_out_and_told(download: Path, lake: Lake, engine: Engine) -> None:
    for table in ("CONCEPT", "CONCEPT_RELATIONSHIP"):
        path = download / f"{table}.csv"
        lines = path.read_text("utf-8").splitlines()
        again = next(line for line in lines[1:] if table == "CONCEPT" or "\tMaps to\t" in line)
        path.write_text("\n".join([*lines, again]) + "\n", "utf-8")
        kept = len(lines) - 1
        with Engine() as other:
            folder = Vocabulary.from_folder(other, download)
            assert other.value(f"SELECT count(*) FROM {folder.table(table.lower())}") == kept
    version = load(download, lake, engine)
    assert [hole.partition(":")[0] for hole in version.info["holes"]] == ["CONCEPT.csv", "CONCEPT_RELATIONSHIP.csv"]
    assert all("1 rows that repeat another one" in hole for hole in version.info["holes"])
    assert version.tables["concept_relationship"].rows == kept


def test_a_zip_or_folder_within_the_folder_is_found(download: Path, lake: Lake, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    with zipfile.ZipFile(tmp_path / "outer" / "vocabulary_download_v5.zip", "w") as archive:
        for file in download.iterdir():
            archive.write(file, file.name)
    one = load(tmp_path / "outer", lake, engine)
    (tmp_path / "outer2").mkdir()
    download.rename(tmp_path / "outer2" / "unpacked")
    two = load(tmp_path / "outer2", lake, engine)
    assert {t: v.rows for t, v in one.tables.items()} == {t: v.rows for t, v in two.tables.items()}
    (tmp_path / "outer2" / "again").mkdir()
    (tmp_path / "outer2" / "again" / "CONCEPT.csv").write_text("x", "utf-8")
    with pytest.raises(MadangError, match="holds several downloads: again, unpacked"):
        load(tmp_path / "outer2", lake, engine)
