"""Checks and thresholds of one's own: they count, find rows and stand in every report; bad ones never pass."""

from pathlib import Path
from typing import Any

import pytest
from test_quality_assess import ORPHAN, PERSONS, VISITS, version

from madang.base.errors import MadangError
from madang.base.translate import speaking
from madang.lake import Lake, Version
from madang.science.quality import Assessment, Check, Result, Severity, Status, assess, default_checks
from madang.science.quality.custom import with_files
from madang.science.quality.document import report_document
from madang.science.quality.peer import peer_document
from madang.science.quality.report import page
from madang.science.quality.rows import find
from madang.science.quality.wording import sentence

SHORT = """
[[check]]
id = "short"
table = "visit_occurrence"
rule = { en = "A visit has an end.", ko = "방문에는 끝이 있다." }
rows = "SELECT visit_occurrence_id FROM visit_occurrence WHERE visit_end_date IS NULL"
of = "SELECT * FROM visit_occurrence WHERE person_id < 5"
severity = "fatal"
threshold = 50
hint = "Ask <the ward>."
"""


@pytest.fixture
def made(lake: Lake) -> Version:
    cohort = "SELECT 7 AS cohort_definition_id, 9 AS subject_id UNION ALL SELECT 8, 1"
    return version(lake, "d", person=PERSONS, visit_occurrence=VISITS, cohort=cohort)


def checks_of(folder: Path, *texts: str) -> tuple[Check, ...]:
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"checks{number}.toml")
        files[-1].write_text(text, encoding="utf-8")
    return with_files(default_checks(), files)


def own(version: Version, checks: tuple[Check, ...], **options: Any) -> tuple[Assessment, dict[str, Result]]:
    done = assess(version, checks=checks, **options)
    return done, {result.check.id: result for result in done.results if result.check.id.startswith("custom_")}


def test_a_check_of_ones_own_counts_finds_rows_and_stands_in_every_report(made: Version, tmp_path: Path) -> None:
    checks = checks_of(tmp_path, SHORT)
    done, results = own(made, checks)
    result = results["custom_short"]
    assert (result.violated, result.denominator, result.status) == (1, 1, Status.FAILED)
    assert result.check.severity is Severity.FATAL
    with speaking("ko"):
        assert "방문에는 끝이 있다." in sentence(result) and "Ask &lt;the ward&gt;." in page(done)
    with speaking("en"):
        assert "A visit has an end." in page(done)
    assert "custom_short" in {each["checkId"] for each in peer_document(done)["CheckResults"]}
    assert "custom_short" in {each["check"] for each in report_document(done)["results"]}
    assert find(made, result.check).to_pylist() == [{"visit_occurrence_id": 2}]
    assert done.checks != assess(made, checks=checks_of(tmp_path, SHORT.replace("50", "60"))).checks


def test_of_a_cohort_only_its_rows_count_here_too(made: Version, tmp_path: Path) -> None:
    checks = checks_of(tmp_path, SHORT)
    counts = {cohort: own(made, checks, cohort=cohort)[1]["custom_short"] for cohort in (7, 8)}
    assert {number: (r.violated, r.denominator) for number, r in counts.items()} == {7: (1, 0), 8: (0, 1)}
    assert find(made, counts[8].check, cohort=8).num_rows == 0


def test_thresholds_and_severities_change_and_checks_are_left_out(made: Version, tmp_path: Path) -> None:
    change = f'[[change]]\ncheck = "{ORPHAN}"\nthreshold = 50\nseverity = "convention"\n'
    off = '[[change]]\ncheck = "*_plausible*"\noff = true\n'
    done = assess(made, checks=checks_of(tmp_path, change, off))
    results = {result.check.id: result for result in done.results}
    assert results[ORPHAN].status is Status.PASSED and results[ORPHAN].check.severity is Severity.CONVENTION
    assert results[ORPHAN].violated == 1
    assert not any("_plausible" in check for check in results)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("SELECT nothing FROM visit_occurrence", "nothing"),
        ("SELECT visit_occurrence_id FROM", "cannot be read"),
        ("DELETE FROM person", "Exactly one SELECT"),
        ("COPY person TO '/tmp/stolen.csv'", "Exactly one SELECT"),
        ("SELECT 1 AS visit_occurrence_id; SELECT 2 AS visit_occurrence_id", "Exactly one SELECT"),
        ("SELECT person_id FROM visit_occurrence", "visit_occurrence_id"),
        ("SELECT 1 AS visit_occurrence_id FROM read_csv('/etc/passwd')", "Not allowed"),
        ("SELECT visit_occurrence_id FROM nowhere", "nowhere"),
        (
            "SELECT visit_occurrence_id FROM visit_occurrence WHERE person_id::VARCHAR::DATE > today()",
            "cannot be converted",
        ),
    ],
)
def test_a_check_that_cannot_be_asked_is_an_error_and_all_others_go_on(
    made: Version, tmp_path: Path, rows: str, reason: str
) -> None:
    bad = f'[[check]]\nid = "bad"\ntable = "visit_occurrence"\nrule = "x"\nrows = """{rows}"""\n'
    done, results = own(made, checks_of(tmp_path, bad, SHORT))
    assert results["custom_bad"].status is Status.ERROR and reason in results["custom_bad"].reason
    assert results["custom_short"].status is Status.FAILED
    assert done.count(Status.PASSED) == assess(made).count(Status.PASSED)
    assert len(made.tables["person"].files) == 1


def test_a_check_that_never_ends_is_stopped(made: Version, tmp_path: Path) -> None:
    endless = (
        "SELECT a.range AS visit_occurrence_id FROM range(10000000) a, range(10000000) b WHERE a.range + b.range < 0"
    )
    bad = f'[[check]]\nid = "bad"\ntable = "visit_occurrence"\nrule = "x"\ntimeout = 0.2\nrows = "{endless}"\n'
    result = own(made, checks_of(tmp_path, bad))[1]["custom_bad"]
    assert result.status is Status.ERROR and "0.2 seconds" in result.reason
    with pytest.raises(MadangError, match=r"0\.2 seconds"):
        find(made, result.check)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "neither"),
        ("[[check]", "line 1"),
        ("[[check]]\nid = 'a'\n", "check.1.table"),
        (SHORT + "colour = 'red'", "check.1.colour"),
        (SHORT + SHORT, "two checks short"),
        (SHORT.replace('"short"', '"Short!"'), "check.1.id"),
        (SHORT.replace("50", "101"), "check.1.threshold"),
        (SHORT.replace("fatal", "terrible"), "check.1.severity"),
        ("[[change]]\ncheck = 'field_isrequired_person_persn_id'\noff = true", "no check"),
        ("[[change]]\ncheck = 'cdm*'\nthreshold = -1", "change.1.threshold"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(MadangError, match=sentence) as error:
        checks_of(tmp_path, text)
    assert error.value.code == "quality.checks_file" and "checks0.toml" in error.value.message and error.value.hint


def test_a_file_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "cp949.toml").write_bytes("[[check]]\nid = '가'".encode("cp949"))
    for name in ("cp949.toml", "none.toml", "."):
        with pytest.raises(MadangError) as error:
            with_files(default_checks(), [tmp_path / name])
        assert error.value.code == "quality.checks_file"
