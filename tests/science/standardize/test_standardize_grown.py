"""The dirty synthetic insurer, year by year and all at once: equal content, whatever came too late or broken."""

import shutil
from pathlib import Path

import support
from madang.lake import Lake
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.synthesis import synthesize

YEARS = (2006, 2007, 2008) if support.EVERYTHING else (2006, 2007)


def contents(done: Standardized) -> dict[str, str]:
    return {name: table.content for name, table in done.version.tables.items()}


def test_a_dirty_insurer_year_by_year_and_at_once(tmp_path: Path) -> None:
    source, arrived = tmp_path / "nhis", tmp_path / "arrived"
    synthesize("nhis", source, persons=120, seed=5, start_year=YEARS[0], end_year=YEARS[-1], dirt=2, workers=1)
    at_once = standardize("nhis-nsc", source, starter_path())
    dataset = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("nhis")
    arrived.mkdir()
    for year in YEARS:
        for file in source.glob(f"*{year}*"):
            shutil.copy(file, arrived)
        grown = standardize("nhis-nsc", arrived, starter_path(), dataset)
    assert grown.version.number == len(YEARS)
    assert contents(grown) == contents(at_once)
    assert grown.report.sources == at_once.report.sources
    assert grown.report.reasons == at_once.report.reasons
