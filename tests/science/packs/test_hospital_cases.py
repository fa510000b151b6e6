"""The conventions that concern hospitals, one case each, through the whole of standardize."""

from pathlib import Path

import pytest

from madang.science.standardize import standardize
from madang.science.standardize.cases import load_case
from madang.science.standardize.check import run_case
from madang.science.standardize.pack import load_pack

PACK = load_pack("hospital-example")


@pytest.mark.sampled(6)
@pytest.mark.parametrize("path", PACK.cases, ids=lambda path: path.stem)
def test_the_case_comes_out_as_it_says(path: Path) -> None:
    case = load_case(PACK, path)
    assert case.title != path.stem
    assert [str(problem) for problem in run_case(PACK, case, standardize)] == []


def test_there_is_a_case_for_each_kind_of_record() -> None:
    given = {source for path in PACK.cases for source in load_case(PACK, path).given}
    assert given == set(PACK.sources)
