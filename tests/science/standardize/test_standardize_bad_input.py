"""Broken files, full disks, closed folders and wrong settings: one clear sentence, and the last good version stays."""

import gzip
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_clinic import HEADERS, PACK, SQL, run, write_files, write_pack

from madang.base.errors import MadangError
from madang.base.progress import Silent
from madang.lake import Dataset, Lake
from madang.lake.verify import verify
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from support import ordinary_user, small_file_system

JANUARY = {
    "patients": ["p1,1980-02-03,M", "p2,1990-05-06,F"],
    "visits_201301": ["1,p1,20130104,", "2,p2,20130128,s1"],
    "dx_201301": ["1,1,I109", "2,1,E119"],
    "sv_201301": ["1,1,650000100,30,10"],
}
FEBRUARY = {"visits_201302": ["3,p2,20130202,s1"], "dx_201302": ["3,1,E119"], "sv_201302": ["3,1,C3750,,20"]}


def clinic(folder: Path) -> Dataset:
    return Lake(folder / "lake", folder / "restricted").dataset("clinic")


def again(folder: Path, **options: Any) -> Standardized:
    """Standardize what lies in the folder."""
    return standardize(folder / "pack", folder / "in", starter_path(), clinic(folder), **options)


def refused(folder: Path, **options: Any) -> MadangError:
    """The sentence with which the next version is refused; version 1 is untouched."""
    before = clinic(folder).version().digest
    with pytest.raises(MadangError) as caught:
        again(folder, **options)
    check_untouched(folder, before)
    return caught.value


def check_untouched(folder: Path, digest: str) -> None:
    dataset = clinic(folder)
    assert dataset.versions() == [1]
    assert dataset.version().digest == digest
    assert verify(dataset, content=True) == []


def many(lines: int) -> list[str]:
    """Services that no codec can make small."""
    return [f"3,{i},{hashlib.sha256(str(i).encode()).hexdigest()[:32]},,{i}" for i in range(lines)]


def reasons(done: Standardized, source: str) -> dict[str, int]:
    return {r.reason: r.lines for r in done.report.reasons if r.source == source}


def whole(folder: Path, name: str, content: bytes) -> Standardized:
    """A run in which one file has these bytes, with every line accounted for."""
    write_pack(folder)
    path = write_files(folder / "in", JANUARY) / f"{name}.csv"
    path.write_bytes(content)
    done = again(folder)
    for files, lines, used, rejected, unused in done.report.sources.values():
        assert lines == used + rejected + unused
        assert files >= 0
    return done


# Files that can be read in part


def test_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    lines = "\r\n".join([HEADERS["patients"], *JANUARY["patients"], ""])
    plain = run(tmp_path / "plain", JANUARY)
    other = whole(tmp_path / "other", "patients", b"\xef\xbb\xbf" + lines.encode())
    contents = [{name: table.content for name, table in done.version.tables.items()} for done in (plain, other)]
    assert contents[0] == contents[1]


def test_a_last_line_without_its_end_is_read_and_a_cut_one_is_rejected(tmp_path: Path) -> None:
    done = whole(tmp_path / "whole", "patients", b"PT,BORN,SEX\np1,1980-02-03,M\np2,1990-05-06,F")
    assert done.report.tables["person"] == 2
    done = whole(tmp_path / "cut", "patients", b"PT,BORN,SEX\np1,1980-02-03,M\np2,1990")
    assert reasons(done, "patients") == {"the line has too few fields": 1}


def test_columns_in_another_order_are_found_by_their_names(tmp_path: Path) -> None:
    done = whole(tmp_path, "patients", b"SEX,PT,BORN\nM,p1,1980-02-03\nF,p2,1990-05-06\n")
    assert done.table("person")["gender_concept_id"].to_pylist() == [8507, 8532]


def test_a_wrong_encoding_spoils_only_the_lines_that_have_it(tmp_path: Path) -> None:
    done = whole(tmp_path, "patients", "PT,BORN,SEX\np1,1980-02-03,M\n홍길동,1990-05-06,F\n".encode("cp949"))
    assert done.report.tables["person"] == 1
    assert sum(reasons(done, "patients").values()) == 1


def test_an_unbalanced_quote_takes_one_line_with_it(tmp_path: Path) -> None:
    done = whole(tmp_path, "patients", b'PT,BORN,SEX\np1,"1980-02-03,M\np2,1990-05-06,F\n')
    assert done.report.tables["person"] == 1
    assert sum(reasons(done, "patients").values()) == 1


def test_a_file_with_a_header_only_has_no_lines(tmp_path: Path) -> None:
    done = whole(tmp_path, "dx_201301", b"VISIT,NO,CODE\n")
    assert done.report.sources["diagnoses"][1:] == (0, 0, 0, 0)


def test_an_optional_column_that_is_missing_is_empty(tmp_path: Path) -> None:
    done = whole(tmp_path, "patients", b"PT,BORN\np1,1980-02-03\n")
    assert done.table("person")["gender_concept_id"].to_pylist() == [0]


def test_an_unreadable_optional_field_is_emptied_and_told(tmp_path: Path) -> None:
    done = whole(tmp_path, "sv_201301", b"VISIT,NO,CODE,DAYS,AMOUNT\n1,1,650000100,many,10\n")
    assert done.report.repairs == {"services.DAYS": 1}
    assert done.table("drug_exposure")["days_supply"].to_pylist() == [None]


# Files that stop the run


def test_a_file_that_is_not_what_the_pack_says_stops_the_run(tmp_path: Path) -> None:
    run(tmp_path, JANUARY)
    for content, said in (
        (b"", "empty"),
        (b"PT,SEX\np1,M\n", "BORN"),
        (b"PT,BORN,SEX,NAME\np1,1980-02-03,M,x\n", "NAME"),
        (b"PT,BORN,SEX,SEX\np1,1980-02-03,M,F\n", "SEX"),
        (b"\x00\x01\x02\xff\xfe", "patients.csv"),
    ):
        (tmp_path / "in" / "patients.csv").write_bytes(content)
        error = refused(tmp_path, rebuild=True)
        assert said in str(error), content
        assert "patients.csv" in str(error), content


def test_a_gzip_that_ends_early_stops_the_run(tmp_path: Path) -> None:
    toml = PACK.replace('"dx_{month}.csv"', '"dx_{month}.csv.gz"')
    write_pack(tmp_path, toml)
    folder = write_files(tmp_path / "in", JANUARY)
    (folder / "dx_201301.csv").unlink()
    packed = gzip.compress(b"VISIT,NO,CODE\n" + b"".join(b"1,%d,I109\n" % i for i in range(5000)))
    (folder / "dx_201301.csv.gz").write_bytes(packed)
    assert again(folder.parent).report.sources["diagnoses"][1] == 5000
    write_files(folder, JANUARY | FEBRUARY)
    (folder / "dx_201301.csv").unlink()
    (folder / "dx_201302.csv").unlink()
    (folder / "dx_201302.csv.gz").write_bytes(packed[: len(packed) // 2])
    assert "dx_201302.csv.gz" in str(refused(tmp_path))


def test_a_broken_line_of_json_is_rejected_by_itself(tmp_path: Path) -> None:
    toml = PACK.replace('files = ["dx_{month}.csv"]', 'files = ["dx_{month}.ndjson"]\nformat = "ndjson"')
    write_pack(tmp_path, toml)
    folder = write_files(tmp_path / "in", JANUARY)
    lines = [
        '{"VISIT": 1, "NO": 1, "CODE": "I109"}',
        '{"VISIT": 2, "NO": 1, "CO',
        '{"VISIT": 2, "NO": 2, "CODE": "E119"}',
    ]
    (folder / "dx_201301.ndjson").write_text("\n".join(lines))
    done = again(tmp_path)
    assert done.report.sources["diagnoses"] == (1, 3, 2, 1, 0)
    assert done.report.tables["condition_occurrence"] == 2


class Growing(Silent):
    """Appends to a file at the moment when a step begins."""

    def __init__(self, step: str, path: Path) -> None:
        super().__init__()
        self._step, self._path = step, path

    def step(self, name: str, total: int | None = None, unit: str = "") -> Any:
        if name == self._step:
            with self._path.open("a") as file:
                file.write("9,1,I109\n")
        return super().step(name, total, unit)


@pytest.mark.parametrize(("step", "name"), [("read", "visits_201302"), ("map", "dx_201302")])
def test_a_source_file_that_grows_during_the_run_stops_it(tmp_path: Path, step: str, name: str) -> None:
    run(tmp_path, JANUARY)
    write_files(tmp_path / "in", JANUARY | FEBRUARY)
    error = refused(tmp_path, progress=Growing(step, tmp_path / "in" / f"{name}.csv"))
    assert error.code == "source.changed"
    assert f"{name}.csv" in str(error)


def test_a_source_file_that_goes_away_during_the_run_stops_it(tmp_path: Path) -> None:
    class Vanishing(Growing):
        def step(self, name: str, total: int | None = None, unit: str = "") -> Any:
            if name == "map":
                self._path.unlink()
            return Silent.step(self, name, total, unit)

    run(tmp_path, JANUARY)
    write_files(tmp_path / "in", JANUARY | FEBRUARY)
    assert "dx_201302.csv" in str(refused(tmp_path, progress=Vanishing("", tmp_path / "in" / "dx_201302.csv")))


# The machine


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB; skipped where nobody may mount one."""
    with small_file_system(tmp_path / "small", "2m") as folder:
        yield folder


@pytest.mark.root
def test_a_full_disk_below_the_lake_is_one_sentence(tmp_path: Path, small_disk: Path) -> None:
    write_pack(small_disk)
    (small_disk / "in").symlink_to(tmp_path / "in")
    write_files(tmp_path / "in", JANUARY)
    before = again(small_disk).version.digest
    services = many(120_000)
    write_files(tmp_path / "in", JANUARY | FEBRUARY | {"sv_201302": services})
    with pytest.raises(MadangError) as caught:
        again(small_disk)
    assert caught.value.code in ("engine.disk_full", "lake.disk_full"), caught.value
    check_untouched(small_disk, before)
    write_files(tmp_path / "in", JANUARY | FEBRUARY)
    assert again(small_disk).version.number == 2


def limited(folder: Path, limit: Callable[[], None], *options: str) -> subprocess.CompletedProcess[str]:
    """The run in a process of its own, which some limit holds down."""
    code = (
        "import sys; from pathlib import Path; "
        "from test_standardize_bad_input import again; from madang.base.errors import MadangError\n"
        f"try: again(Path(sys.argv[1]), threads=1, {', '.join(options)})\n"
        "except MadangError as error: print(error.code); sys.exit(2)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_limit_on_the_size_of_files_is_one_sentence(tmp_path: Path) -> None:
    before = run(tmp_path, JANUARY).version.digest
    services = many(60_000)
    write_files(tmp_path / "in", JANUARY | FEBRUARY | {"sv_201302": services})
    done = limited(tmp_path, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    check_untouched(tmp_path, before)


def test_too_little_memory_is_one_sentence(tmp_path: Path) -> None:
    before = run(tmp_path, JANUARY).version.digest
    services = many(60_000)
    write_files(tmp_path / "in", JANUARY | FEBRUARY | {"sv_201302": services})
    done = limited(tmp_path, lambda: None, "memory_limit='8MB'")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert done.stdout.strip().startswith("engine."), done.stdout
    check_untouched(tmp_path, before)


@pytest.mark.parametrize("closed", ["in/visits_201302.csv", "lake", "lake/clinic/person"])
def test_a_closed_file_or_folder_is_one_sentence(closed: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # beside the folders of the tests, which are closed to ordinary users
        folder = Path(name)
        before = run(folder, JANUARY).version.digest
        write_files(folder / "in", JANUARY | FEBRUARY)
        with ordinary_user(folder):
            path = folder / closed
            mode = path.stat().st_mode
            path.chmod(0o000)
            with pytest.raises(MadangError):
                again(folder)
            path.chmod(mode)
        check_untouched(folder, before)


# Packs and settings


def test_a_pack_that_rejects_everything_says_so_and_loses_nothing(tmp_path: Path) -> None:
    sql = SQL["entities/person.sql"].replace("SEX = '?'", "true")
    done = run(tmp_path, JANUARY, {"entities/person.sql": sql})
    assert reasons(done, "patients") == {"sex is unknown": 2}
    assert {name: rows for name, rows in done.report.tables.items() if rows} == {"cdm_source": 1}
    for _, lines, used, rejected, unused in done.report.sources.values():
        assert (used, unused) == (0, 0)
        assert lines == rejected


def test_more_targets_than_the_pack_allows_stop_the_run(tmp_path: Path) -> None:
    toml = PACK.replace('domain = "Procedure"\n', 'domain = "Procedure"\nfan_out = 1\n')
    write_pack(tmp_path, toml)
    folder = write_files(tmp_path / "in", JANUARY)
    vocabulary = tmp_path / "vocabulary"
    vocabulary.mkdir()
    for path in Path(starter_path()).glob("*.csv"):
        (vocabulary / path.name).write_bytes(path.read_bytes())
    with (vocabulary / "CONCEPT_RELATIONSHIP.csv").open("a") as file:  # a glucose test that is also one of creatinine
        file.write("2000000207\t3016723\tMaps to\t19700101\t20991231\t\n")
    write_files(folder, JANUARY | {"sv_201301": ["1,1,C3711,,10"]})
    with pytest.raises(MadangError, match="C3711 has 2 standard concepts in measurement") as caught:
        standardize(tmp_path / "pack", folder, vocabulary, clinic(tmp_path))
    assert caught.value.code == "standardize.fan_out"
    assert not clinic(tmp_path).exists


def test_a_vocabulary_without_its_tables_is_refused(tmp_path: Path) -> None:
    write_pack(tmp_path)
    write_files(tmp_path / "in", JANUARY)
    (tmp_path / "vocabulary").mkdir()
    (tmp_path / "vocabulary" / "CONCEPT.csv").write_bytes((Path(starter_path()) / "CONCEPT.csv").read_bytes())
    for folder in (tmp_path / "vocabulary", tmp_path / "in", tmp_path / "nowhere"):
        with pytest.raises(MadangError) as caught:
            standardize(tmp_path / "pack", tmp_path / "in", folder, clinic(tmp_path))
        assert caught.value.code.startswith("vocabulary.")
    assert not clinic(tmp_path).exists


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    run(tmp_path, JANUARY)
    settings: list[tuple[dict[str, Any], str]] = [
        ({"parameters": {"extract_date": 5.5, "nothing": 1}}, "pack.unknown_parameter"),
        ({"memory_limit": "much"}, "engine.syntax"),
        ({"threads": 0}, "engine.failed"),
    ]
    for options, code in settings:
        assert refused(tmp_path, **options).code == code


def test_a_parameter_of_another_type_is_refused(tmp_path: Path) -> None:
    write_pack(tmp_path, PACK.replace('extract_date = "2013-12-31"', "extract_date = 2013-12-31\nleast = 3"))
    write_files(tmp_path / "in", JANUARY)
    for parameters in ({"extract_date": "yesterday"}, {"extract_date": 7}, {"least": "few"}, {"least": 1.5}):
        with pytest.raises(MadangError) as caught:
            again(tmp_path, parameters=parameters)
        assert caught.value.code == "pack.bad_parameter"


def test_an_unmarked_identifier_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    run(tmp_path, JANUARY)
    write_pack(
        tmp_path, PACK.replace('SEX = { type = "text" }', 'SEX = { type = "text" }\nPATIENT_NAME = { type = "text" }')
    )
    assert refused(tmp_path).code == "pack.unmarked_identifier"


def test_a_folder_that_is_no_folder_or_empty_is_refused(tmp_path: Path) -> None:
    write_pack(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("empty", "file", "nowhere"):
        with pytest.raises(MadangError) as caught:
            standardize(tmp_path / "pack", tmp_path / name, starter_path(), clinic(tmp_path))
        assert caught.value.code.startswith("source.")


# People who leave


def test_a_patient_who_is_withdrawn_later_leaves_with_all_that_hangs_on_them(tmp_path: Path) -> None:
    toml = PACK.replace(
        'files = ["patients.csv"]\nkey = ["PT"]',
        'files = ["patients_{when}.csv"]\nperiod = "when"\nkey = ["PT"]\nkind = "delta"\n'
        'operation = "SEX"\nwithdraw = ["X"]',
    )
    write_pack(tmp_path, toml)
    folder = write_files(tmp_path / "in", JANUARY | {"patients_1": JANUARY["patients"]})
    assert again(tmp_path).report.tables["person"] == 2
    write_files(folder, JANUARY | {"patients_2": ["p2,1990-05-06,X"], "dx_201302": []})
    earlier = (folder / "dx_201301.csv").rename(tmp_path / "elsewhere")
    assert refused(tmp_path).code == "standardize.files_needed"
    earlier.rename(folder / "dx_201301.csv")
    grown = again(tmp_path)
    assert grown.version.number == 2
    assert grown.table("person")["person_source_value"].to_pylist() == ["p1"]
    at_once = standardize(tmp_path / "pack", folder, starter_path())
    gone = {
        table: grown.sql(f"select count(*) n from {table} where person_id not in (select person_id from person)")["n"][
            0
        ].as_py()
        for table in ("condition_occurrence", "drug_exposure", "visit_detail", "condition_era", "observation_period")
    }
    assert set(gone.values()) == {0}, gone
    assert at_once.report.tables == grown.report.tables
