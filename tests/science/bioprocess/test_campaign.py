import json
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.science.bioprocess.campaign import add_results, next_experiments, read_campaign, read_done
from madang.science.bioprocess.campaign.description import TEMPLATE

TEXT = """
batch = 2
experiments = 12
[start]
experiments = 4
[[factor]]
name = "rate"
low = 0
high = 10
[[factor]]
name = "medium"
choices = ["A", "B"]
[[objective]]
name = "titer"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "feed.toml"
    path.write_text(TEXT)
    return path


def titer(point) -> float:  # type: ignore[no-untyped-def]  # plain arrays
    return 5 - (point["rate"] - 6) ** 2 / 10 + (point["medium"] == "B")


def test_the_template_is_a_campaign(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(TEMPLATE.format(name="t.toml"))
    assert len(next_experiments(read_campaign(tmp_path / "t.toml")).experiments) == 2


def test_a_campaign_finds_the_best_and_says_when_to_stop(file: Path, tmp_path: Path) -> None:
    campaign = read_campaign(file)
    seen = []
    while following := next_experiments(campaign).experiments:
        again = next_experiments(campaign).experiments  # the answer is the same until results are added
        assert [each.point for each in again] == [each.point for each in following]
        rows = [{"factors": each.point, "results": {"titer": titer(each.point)}} for each in following]
        (tmp_path / "r.json").write_text(json.dumps({"suggestions": rows}))
        assert add_results(campaign, tmp_path / "r.json").taken == len(rows)
        seen += [titer(each.point) for each in following]
    assert len(seen) == 12 and max(seen) > 5.95
    assert next_experiments(campaign).stop
    best = read_done(campaign).points[next_experiments(campaign).best[0]]
    assert best["medium"] == "B" and best["rate"] == pytest.approx(6, abs=0.7)


def test_every_line_is_accounted_for(file: Path, tmp_path: Path) -> None:
    campaign = read_campaign(file)
    table = tmp_path / "r.csv"
    table.write_text(
        "rate,medium,titer\n1,A,2\n1,A,2\n1,A,2.2\n99,A,3\n2,C,3\n3,B,\n4,B,inf\n5,B,lots\n,A,3\n6,A,failed\n"
    )
    added = add_results(campaign, table)
    assert (added.taken, added.duplicates, added.failed, len(added.refused)) == (4, 1, 2, 5)
    assert add_results(campaign, table).taken == 0
    done = read_done(campaign)
    assert len(done) == 4 and [v for v in done.results["titer"] if v == v] == [2.0, 2.2]


def test_an_outlier_is_kept_and_said(file: Path, tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    table.write_text("rate;medium;titer\n" + "".join(f"{k};A;{2 + k / 10}\n" for k in range(9)) + "9.5;A;90\n")
    added = add_results(read_campaign(file), table)
    assert [(line, value) for line, _name, value, _middle in added.outliers] == [(11, 90.0)]


def test_equal_results_are_said_and_do_not_stop_it(file: Path, tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    table.write_text("rate,medium,titer\n" + "".join(f"{k},A,2\n" for k in range(6)))
    campaign = read_campaign(file)
    add_results(campaign, table)
    following = next_experiments(campaign)
    assert "titer" in following.note and not following.stop and following.experiments


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("high = 10", "high = 0"), "design.factor"),
        (('name = "medium"', 'name = "rate"'), "campaign.objective"),
        (("[[objective]]", "[[limit]]"), "campaign.objective"),
        (("batch = 2", "batches = 2"), "toml.unknown"),
        (("batch = 2", "batch = 0"), "toml.value"),
        (("batch = 2", "batch = true"), "toml.value"),
        (("[start]", "[[constraint]]\nweights = { rate = 1.0 }\nleast = 11\n[start]"), "design.contradiction"),
        (("[start]", "[[constraint]]\nweights = { medium = 1.0 }\nleast = 11\n[start]"), "design.factor"),
        (("[start]", "[start"), "toml.read"),
    ],
)
def test_descriptions_that_cannot_be_are_refused(file: Path, change: tuple[str, str], code: str) -> None:
    file.write_text(TEXT.replace(*change))
    with pytest.raises(MadangError) as error:
        read_campaign(file)
    assert error.value.code == code


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PK\x03\x04broken", b"rate,rate\n1,2\n", b"rate,\n1,2\n"])
def test_tables_that_cannot_be_read_are_refused(file: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    with pytest.raises(MadangError):
        add_results(read_campaign(file), tmp_path / "r.csv")


def test_a_workbook_is_read(file: Path, tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook(str(tmp_path / "r.xlsx"))
    sheet = book.add_worksheet()
    for place, row in enumerate([["rate", "medium", "titer"], [1, "A", 2.5], [2, "B", 3]]):
        sheet.write_row(place, 0, row)
    book.close()
    assert add_results(read_campaign(file), tmp_path / "r.xlsx").taken == 2
