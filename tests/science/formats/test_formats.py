"""Files that are whole, and files that are cut, mixed up or hostile: a finding each, never a traceback."""

import gzip
import io
from pathlib import Path

import pytest

from madang.science.formats import Checklist, check_sheet, look
from madang.science.formats.reads import one_by_one

READS = b"".join(b"@r%d/1\nACGT\n+\nIIII\n" % number for number in range(50))


def codes(path: Path) -> set[str]:
    return {each.code for each in look(path).findings}


def test_fastq_whole_packed_in_many_members_and_cut_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.fastq"
    path.write_bytes(READS)
    told = look(path)
    assert (told.format, told.facts["reads"], told.facts["bases"], told.facts["first"]) == ("FASTQ", 50, 200, "r0")
    assert told.findings == ()
    packed = tmp_path / "b.fastq.gz"
    packed.write_bytes(gzip.compress(READS[:400]) + gzip.compress(READS[400:]))
    assert look(packed).facts == told.facts
    whole = packed.read_bytes()
    for cut in range(1, len(whole), 3):
        packed.write_bytes(whole[:-cut])
        if len(whole) - cut == len(gzip.compress(READS[:400])):
            continue  # a whole member is a whole file
        assert codes(packed), cut
    assert one_by_one(path) == look(path)
    packed.write_bytes(gzip.compress(READS.replace(b"\n", b"\r\n")))
    assert look(packed).facts == look(path).facts
    rest = len(READS) - 20
    for cut in range(rest + 2, len(READS) - 4):
        path.write_bytes(READS[:cut])
        assert codes(path), cut


@pytest.mark.parametrize("name", ["a.fastq.gz", "a.bam", "a.vcf", "a.tif", "a.dcm", "a.csv", "a.json", "a.fa"])
@pytest.mark.parametrize("content", [b"", b"\x00" * 300, b"\x1f\x8b" + b"\xff" * 50, b"II*\x00" + b"\xff" * 40])
def test_rubbish_is_a_finding(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    told = look(path)
    assert told.findings or not told.read


def test_bam_cut_and_whole(tmp_path: Path) -> None:
    pysam = pytest.importorskip("pysam")
    path = tmp_path / "a.bam"
    head = {"HD": {"VN": "1.6"}, "SQ": [{"SN": "c", "LN": 100}], "RG": [{"ID": "1", "SM": "s1"}]}
    with pysam.AlignmentFile(str(path), "wb", header=head) as bam:
        for number in range(100):
            read = pysam.AlignedSegment()
            read.query_name, read.query_sequence, read.flag = f"r{number}", "ACGT", 4
            bam.write(read)
    told = look(path)
    assert (told.format, told.facts["reads"], told.facts["samples"], told.findings) == ("BAM", 100, ["s1"], ())
    path.write_bytes(path.read_bytes()[:-28])
    assert codes(path) == {"file.cut"}


def test_dicom_that_tells_who_somebody_is(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    picture = pydicom.Dataset()
    picture.PatientName, picture.Modality = "Hong^Gildong", "CT"
    picture.file_meta = pydicom.dataset.FileMetaDataset()
    picture.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    out = io.BytesIO()
    pydicom.dcmwrite(out, picture, enforce_file_format=False)
    path = tmp_path / "a.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + out.getvalue() if out.getvalue()[128:132] != b"DICM" else out.getvalue())
    assert "dicom.person" in codes(path)


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for content, code in (
        ("a,b\n1,2\n", ""),
        ("a,b\n1\n", "csv.cells"),
        ("a,a\n1,2\n", "csv.names"),
        ('a,b\n"1,2\n', "csv.quotes"),
        ("id,n\n1,900101-1234567\n", "csv.people"),
    ):
        path.write_text(content)
        assert codes(path) == ({code} if code else set()), content
    path.write_bytes("이름,b\n1,2\n".encode("cp949"))
    assert codes(path) == {"csv.encoding"}


def test_what_cannot_be_read_is_said_to_be_opaque(tmp_path: Path) -> None:
    path = tmp_path / "a.rds"
    path.write_bytes(b"x")
    assert not look(path).read
    assert look(path).facts == {"opaque": True}


LIST = Checklist(
    "T",
    "Test",
    ("taxon_id", "collection date"),
    ("depth", "derived_from", "sex"),
    {"depth": ("m", "cm")},
    (("lat", "place"),),
    {"sex": ("male", "female")},
)
HEAD = ["sample_alias", "taxon_id", "collection date", "depth", "derived_from", "lat", "sex"]


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (["a", "9606", "2026-01-31", "5 m", "", "1", "male"], []),
        (["a", 9606.0, "2026", "5", "", "1", ""], []),
        (["a", "not collected", "not collected", "", "", "1", "not provided"], []),
        (["a", "human", "2026-01-31", "", "", "1", ""], ["taxon_id"]),
        (["a", "", "2026-01-31", "", "", "1", ""], ["taxon_id"]),
        (["a", "9606", "31.1.2026", "", "", "1", ""], ["collection date"]),
        (["a", "9606", "2026-02-31", "", "", "1", ""], ["collection date"]),
        (["a", "9606", 46053.0, "", "", "1", ""], ["collection date"]),
        (["a", "9606", "Not Collected", "", "", "1", ""], ["collection date"]),
        (["a", "9606", "2026", "5 km", "", "1", ""], ["depth"]),
        (["a", "9606", "2026", "deep", "", "1", ""], ["depth"]),
        (["a", "9606", "2026", "", "a", "1", ""], ["derived_from"]),
        (["a", "9606", "2026", "", "nobody", "1", ""], ["derived_from"]),
        (["a", "9606", "2026", "", "", "", ""], ["lat"]),
        (["a", "9606", "2026", "", "", "1", "m"], ["sex"]),
        (["a b", "9606", "2026", "", "", "1", ""], ["sample_alias"]),
        (["a", "=A1", "2026", "", "", "1", ""], ["taxon_id"]),
    ],
)
def test_every_wrong_cell_is_named(row: list[object], wrong: list[str]) -> None:
    _samples, found = check_sheet(LIST, [HEAD, row, [None] * 7])
    assert [each.column for each in found] == wrong
    assert all(each.row == 2 for each in found)


def test_a_name_twice_a_circle_a_missing_and_a_strange_column() -> None:
    row = ["b", "9606", "2026", "", "c", "1", ""]
    _samples, found = check_sheet(LIST, [HEAD, row, ["c", *row[1:4], "b", "1", ""], row])
    assert {(each.row, each.column) for each in found} >= {(4, "sample_alias"), (3, "derived_from")}
    _samples, found = check_sheet(LIST, [["sample_alias", "x"], ["a", "1"]])
    assert {each.column for each in found if each.row == 1} == {"x", "taxon_id", "collection date"}
    assert check_sheet(LIST, [])[1]
