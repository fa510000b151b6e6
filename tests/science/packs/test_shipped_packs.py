"""The cases of the shipped packs hold."""

import pytest

from madang.science.standardize.check import check_pack
from madang.science.standardize.pack import load_pack


@pytest.mark.parametrize("name", ["synthea-csv", "fhir-r4"])
def test_every_case_comes_out_as_it_says(name: str) -> None:
    pack = load_pack(name)
    assert len(pack.cases) >= 8
    assert [str(problem) for problem in check_pack(pack)] == []
