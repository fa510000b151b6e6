"""`madang mappings` as a reviewer uses it, from a list of codes to a file for the pack."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from madang.app import cli, registry

CODES = "vocabulary_id,code,code_name,records\nLAB,L1,hemoglobn a1c,900\nDX,D1,essentialhypertension,500\nDX,D2,???,2\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line in a home of its own; gives exit status, output and errors."""
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    entry = registry.Entry("mappings", "", "mappings:app")
    monkeypatch.setattr(cli, "commands", lambda: [entry])
    write_vocabulary(tmp_path / "vocabulary")
    (tmp_path / "codes.csv").write_text(CODES)

    def command(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        status = cli.run(["mappings", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


def write_vocabulary(folder: Path) -> None:
    folder.mkdir()
    columns = (
        "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t"
        "valid_start_date\tvalid_end_date\tinvalid_reason"
    )
    rows = [
        "3\tEssential hypertension\tCondition\tSNOMED\tDisorder\tS\t59\t19700101\t20991231\t",
        "4\tHemoglobin A1c\tMeasurement\tLOINC\tLab Test\tS\t4548-4\t19700101\t20991231\t",
        "5\tHemoglobin\tMeasurement\tLOINC\tLab Test\tS\t718-7\t19700101\t20991231\t",
        "8\tOld hypertension\tCondition\tSNOMED\tDisorder\t\t60\t19700101\t20991231\t",
    ]
    (folder / "CONCEPT.csv").write_text("\n".join([columns, *rows]) + "\n")
    header = "concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason"
    (folder / "CONCEPT_RELATIONSHIP.csv").write_text(f"{header}\n8\t3\tMaps to\t19700101\t20991231\t\n")
    version = "vocabulary_id\tvocabulary_name\tvocabulary_reference\tvocabulary_version\tvocabulary_concept_id"
    (folder / "VOCABULARY.csv").write_text(f"{version}\nNone\tAll\tx\tv1\t0\n")


def test_from_codes_to_a_map_for_the_pack(run: Run, tmp_path: Path) -> None:
    assert run("import", "ward", "--codes", "codes.csv")[0] == 0
    __, out, __ = run("ward")
    assert "0.0%" in out
    assert run("suggest", "ward", "--vocabulary", "starter")[0] == 0  # by the name that `standardize` takes
    __, out, __ = run("suggest", "ward", "--vocabulary", "vocabulary")
    assert "Hemoglobin A1c" in out
    assert "Essential hypertension" in out
    status, out, __ = run(
        *(
            "set",
            "ward",
            "LAB",
            "L1",
            "--to",
            "4",
            "--equivalence",
            "equal",
            "--by",
            "Kim",
            "--vocabulary",
            "vocabulary",
        )
    )
    assert (status, "approved EQUAL" in out) == (0, True)
    __, out, __ = run("list", "ward", "--unmapped")
    assert "2 of 2 codes" in out
    __, out, __ = run("list", "ward", "--status", "approved")
    assert "4 Hemoglobin A1c (approved)" in out
    run("export", "ward", "--source-to-concept-map", "maps/ward.csv")
    assert "L1,0,LAB,hemoglobn a1c,4,LOINC,1970-01-01,2099-12-31," in (tmp_path / "maps/ward.csv").read_text()
    run("export", "ward", "--usagi", "lab.csv", "--source-vocabulary", "LAB", "--vocabulary", "vocabulary")
    status, out, __ = run(
        *("import", "other", "--usagi", "lab.csv", "--source-vocabulary", "LAB", "--vocabulary", "vocabulary"),
        *("--by", "Lee"),
    )
    assert (status, "1 codes and 1 decisions" in out) == (0, True)
    run("report", "ward")
    assert "Hemoglobin A1c" in (tmp_path / "ward-mappings.html").read_text()
    __, out, __ = run("changes", "ward", "--vocabulary", "vocabulary")
    assert "0 approved mappings are changed" in out


def test_a_review_asks_for_one_code_after_the_other(run: Run, tmp_path: Path) -> None:
    run("import", "ward", "--codes", "codes.csv")
    answers = "9\nr 2\n1 w\n/old hypertension\n#8\n#3\nu\n"
    status, out, __ = run("review", "ward", "--by", "Kim", "--vocabulary", "vocabulary", typed=answers)
    assert status == 0
    assert "[3/3] DX D2" in out
    assert "'9' is no answer" in out
    assert "it is not standard" in out
    assert "4 decisions" in out
    lines = (tmp_path / "home/mappings/ward.csv").read_text().splitlines()[1:]
    decisions = [",".join(line.split(",")[i] for i in (1, 3, 8, 9, 10)) for line in lines]
    assert decisions == [
        *("D1,3,approved,EQUIVALENT,Kim", "D2,0,approved,UNMATCHED,Kim"),
        *("L1,4,approved,WIDER,Kim", "L1,5,rejected,UNREVIEWED,Kim"),
    ]
    __, out, __ = run("review", "ward", "--by", "Kim", "--vocabulary", "vocabulary", typed="q\n")
    assert "0 decisions" in out


def test_a_review_stops_at_the_end_of_its_input(run: Run) -> None:
    run("import", "ward", "--codes", "codes.csv")
    status, out, __ = run("review", "ward", "--by", "Kim", "--vocabulary", "vocabulary", typed="\n")
    assert (status, "[2/3]" in out, "[3/3]" in out) == (0, True, False)


def test_who_decides_is_named_or_is_who_is_logged_in(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("import", "ward", "--codes", "codes.csv")
    monkeypatch.delenv("MADANG_REVIEWER", raising=False)
    monkeypatch.setenv("LOGNAME", "seo-yeon")
    decision = ("set", "ward", "LAB", "L1", "--to", "4", "--vocabulary", "vocabulary")
    reviewers = []
    for named in ((), ("--by", "Kim")):
        assert run(*decision, *named)[0] == 0
        reviewers.append((tmp_path / "home/mappings/ward.csv").read_text())
    monkeypatch.setenv("MADANG_REVIEWER", "Lee")
    assert run(*decision)[0] == 0
    reviewers.append((tmp_path / "home/mappings/ward.csv").read_text())
    for who, book in zip(("seo-yeon", "Kim", "Lee"), reviewers, strict=True):
        assert f",{who}," in book


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "neither a dataset nor a book"),
        (["import", "ward"], "Say what to import"),
        (["export", "ward"], "Say what to export"),
        (["import", "ward", "--usagi", "codes.csv", "--by", "K"], "does not say its vocabulary"),
        (["set", "ward", "LAB", "L1", "--to", "99", "--by", "K", "--vocabulary", "vocabulary"], "Concept 99 is not"),
        (["set", "ward", "LAB", "L1", "--to", "8", "--by", "K", "--vocabulary", "vocabulary"], "is not standard"),
        (
            ["set", "ward", "LAB", "L1", "--to", "4", "--by", "K", "--status", "x", "--vocabulary", "vocabulary"],
            "no 'x'",
        ),
        (["set", "ward", "LAB", "L1", "--to", "4", "--by", "K"], "There is no vocabulary"),
        (["list", "ward", "--status", "sure"], "no status 'sure'"),
        (["suggest", "ward", "--code", "none", "--vocabulary", "vocabulary"], "no code none"),
        (["export", "ward", "--usagi", "x.csv"], "holds one vocabulary"),
        (["../ward"], ""),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run: Run, arguments: list[str], words: str) -> None:
    run("import", "ward", "--codes", "codes.csv")
    status, __, err = run(*arguments)
    assert status == 2
    said = [line for line in err.splitlines() if line.startswith("madang: ")]
    assert len(said) == 1
    assert words in said[0]
    assert "Traceback" not in err
