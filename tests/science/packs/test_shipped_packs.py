"""The cases of the shipped packs hold."""

import shutil
from pathlib import Path

import pytest

from madang.science.standardize.check import check_pack
from madang.science.standardize.pack import load_pack
from support import sampled


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["synthea-csv", "fhir-r4"])
def test_every_case_comes_out_as_it_says(tmp_path: Path, name: str) -> None:
    """A third of the cases of one pack, and all of both with --all."""
    pack = load_pack(shutil.copytree(load_pack(name).folder, tmp_path / name))
    assert len(pack.cases) >= 8
    for other in set(pack.cases) - set(sampled(pack.cases, 3)):
        other.unlink()
    assert [str(problem) for problem in check_pack(pack)] == []
