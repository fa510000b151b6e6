"""Files of reads: what is whole is counted, what is not is refused with a sentence."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.sequencing import check_reads


def fastq(names: list[str], bases: str = "ACGT") -> bytes:
    return "".join(f"@{name}\n{bases}\n+\n{'I' * len(bases)}\n" for name in names).encode()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_pairs_are_counted(tmp_path: Path) -> None:
    first = put(tmp_path / "a_R1.fq.gz", fastq(["r1/1", "r2/1"]))
    second = put(tmp_path / "a_R2.fq", fastq(["r1/2", "r2/2"]))
    found = check_reads([first, second])
    assert (found.count, found.paired) == (2, True)
    assert check_reads([first]).paired is False


GOOD = fastq([f"r{number}" for number in range(50)])
BAD = {
    "empty": b"",
    "cut in a line": GOOD[:-7],
    "cut between lines": GOOD[: GOOD.rindex(b"+\n")],
    "FASTA": b">a\nACGT\n",
    "no bases": b"@a\nAC!T\n+\nIIII\n",
    "too few qualities": b"@a\nACGT\n+\nIII\n",
    "binary": bytes(range(256)) * 4,
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_is_no_fastq_is_refused(data: bytes, tmp_path: Path) -> None:
    for name in ("a.fq", "a.fq.gz"):
        with pytest.raises(MadangError) as error:
            check_reads([put(tmp_path / name, data)])
        assert error.value.code == "sequencing.reads"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("blank", range(3))
@pytest.mark.parametrize("last", [b"@z\nAC\n+\nII\n", b"@z\n\n+\n\n"])
def test_lines_that_somebody_left_empty_at_the_end_are_no_reads(
    end: bytes, blank: int, last: bytes, tmp_path: Path
) -> None:
    """Also of Windows, and after a read of which nothing was left."""
    data = (GOOD + last).replace(b"\n", end) + end * blank
    assert check_reads([put(tmp_path / "a.fq", data)]).count == 51
    middle = (GOOD + b"\n" + GOOD).replace(b"\n", end)
    with pytest.raises(MadangError):
        check_reads([put(tmp_path / "b.fq", middle)])


def test_a_cut_gzip_mixed_pairs_and_the_same_file_twice(tmp_path: Path) -> None:
    whole = put(tmp_path / "a.fq.gz", GOOD)
    cut = tmp_path / "cut.fq.gz"
    cut.write_bytes(whole.read_bytes()[:-20])
    fewer = put(tmp_path / "fewer.fq", fastq(["r0", "r1"]))
    other = put(tmp_path / "other.fq", fastq([f"x{number}" for number in range(50)]))
    for paths in ([cut], [whole, fewer], [whole, other], [whole, whole], [], [tmp_path / "none.fq"]):
        with pytest.raises(MadangError) as error:
            check_reads(paths)
        assert error.value.code == "sequencing.reads"


@settings(max_examples=60)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=30), packed=st.booleans(), block=st.integers(7, 200))
def test_blocks_of_any_size_give_the_count_of_a_plain_look(
    lengths: list[int], packed: bool, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from madang.science.sequencing import reads

    data = b"".join(b"@r%d\n%s\n+\n%s\n" % (place, b"A" * n, b"I" * n) for place, n in enumerate(lengths))
    path = put(tmp_path_factory.mktemp("r") / ("a.fq.gz" if packed else "a.fq"), data)
    kept = reads._BLOCK
    reads._BLOCK = block  # type: ignore[misc]  # a constant, smaller for the test
    try:
        assert check_reads([path]).count == len(data.splitlines()) // 4
    finally:
        reads._BLOCK = kept  # type: ignore[misc]  # as above
