"""CRAM, SAM, BCF, PDB, mmCIF, h5ad, Parquet, XLSX and GFF: whole, cut, of another reference, hostile."""

import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from madang.science.formats import Told, look
from madang.science.formats.people import is_person_number
from madang.science.formats.references import SITES, compare, other_lengths

pysam = pytest.importorskip("pysam")
h5py = pytest.importorskip("h5py")
gemmi = pytest.importorskip("gemmi")


def codes(told: Told) -> set[str]:
    return {each.code for each in told.findings if each.severity == "wrong"}


def genome(folder: Path, seed: int = 3) -> tuple[Path, dict[str, str]]:
    chance = random.Random(seed)
    sequences = {name: "".join(chance.choices("ACGT", k=size)) for name, size in (("chr1", 5_000), ("chr2", 3_000))}
    path = folder / f"genome{seed}.fa"
    path.write_text("".join(f">{name} made up\n{text}\n" for name, text in sequences.items()))
    return path, sequences


def alignments(folder: Path, mode: str, name: str, reference: Path, sequences: dict[str, str]) -> Path:
    chance = random.Random(5)
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": each, "LN": len(text)} for each, text in sequences.items()],
        "RG": [{"ID": "1", "SM": "sample-a"}],
    }
    path = folder / name
    given = {"reference_filename": str(reference)} if mode == "wc" else {}
    with pysam.AlignmentFile(str(path), mode, header=header, **given) as out:
        for number in range(500):
            read = pysam.AlignedSegment(out.header)
            at = chance.randrange(0, 4_800)
            read.query_name, read.flag, read.reference_id, read.reference_start = f"r{number}", 0, 0, at
            read.query_sequence = sequences["chr1"][at : at + 100]
            read.cigarstring, read.mapping_quality = "100M", 60
            read.query_qualities = pysam.qualitystring_to_array("I" * 100)
            out.write(read)
    return path


@pytest.mark.parametrize(("mode", "name"), [("wb", "a.bam"), ("wc", "a.cram"), ("w", "a.sam")])
def test_alignments_are_counted_without_their_reference_and_a_cut_is_found(
    tmp_path: Path, mode: str, name: str
) -> None:
    reference, sequences = genome(tmp_path)
    path = alignments(tmp_path, mode, name, reference, sequences)
    for each in tmp_path.glob("genome*"):
        each.unlink()  # nobody who looks has it
    told = look(path)
    assert told.format == name[2:].upper() and told.read and codes(told) == set()
    assert told.facts["reads"] == told.facts["mapped"] == 500
    assert told.facts["samples"] == ["sample-a"] and told.facts["contigs"] == {"chr1": 5_000, "chr2": 3_000}
    content = path.read_bytes()
    for cut in (len(content) - 1, len(content) * 2 // 3, len(content) // 2):
        path.write_bytes(content[:cut])
        assert look(path).findings, cut


def variants(folder: Path, name: str, sequences: dict[str, str], *, shift: int = 0) -> Path:
    header = pysam.VariantHeader()
    for each, text in sequences.items():
        header.contigs.add(each, length=len(text))
    header.add_sample("s1")
    path = folder / name
    with pysam.VariantFile(str(path), "wb" if name.endswith("bcf") else "w", header=header) as out:
        for number in range(200):
            at = 10 + number * 20
            alleles = (sequences["chr1"][at + shift], "N")
            out.write(out.new_record(contig="chr1", start=at, stop=at + 1, alleles=alleles))
    return path


@pytest.mark.parametrize("name", ["a.vcf", "a.bcf"])
def test_variants_are_compared_with_the_reference_that_came_with_them(tmp_path: Path, name: str) -> None:
    reference, sequences = genome(tmp_path)
    path = variants(tmp_path, name, sequences)
    told = look(path)
    assert told.format == name[2:].upper() and codes(told) == set() and told.facts["variants"] == 200
    assert told.facts["contigs"] == look(reference).facts["contigs"] == {"chr1": 5_000, "chr2": 3_000}
    assert compare(path, reference) == []
    other = compare(variants(tmp_path, f"b{name[1:]}", sequences, shift=1), reference)  # one base beside
    assert [each.code for each in other] == ["vcf.reference"]
    wanted = sum(sequences["chr1"][10 + n * 20] != sequences["chr1"][11 + n * 20] for n in range(200))
    assert f"{wanted} of 200" in other[0].message
    assert SITES > 200


def test_a_variant_beyond_the_end_of_its_sequence_is_of_another_reference(tmp_path: Path) -> None:
    path = tmp_path / "a.vcf"
    head = "##fileformat=VCFv4.2\n##contig=<ID=1,length=100>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    path.write_text(f"{head}1\t100\t.\tA\tG\t.\t.\t.\n")
    assert codes(look(path)) == set()
    path.write_text(f"{head}1\t102\t.\tA\tG\t.\t.\t.\n")
    assert codes(look(path)) == {"vcf.reference"}
    assert other_lengths({"1": 100, "2": 0}, {"1": 100, "2": 9}) == ""
    assert other_lengths({"1": 100}, {"1": 101}) == "1"


def structure() -> Any:
    made = gemmi.Structure()
    made.name = "TEST"
    model = gemmi.Model("1")
    chain = gemmi.Chain("A")
    for number in range(30):
        residue = gemmi.Residue()
        residue.name, residue.seqid = "ALA", gemmi.SeqId(str(number + 1))
        atom = gemmi.Atom()
        atom.name, atom.element, atom.pos = "CA", gemmi.Element("C"), gemmi.Position(number, 2.0, 3.0)
        residue.add_atom(atom)
        chain.add_residue(residue)
    model.add_chain(chain)
    made.add_model(model)
    made.setup_entities()
    return made


def test_structures(tmp_path: Path) -> None:
    for name, text in (
        ("a.pdb", structure().make_pdb_string()),
        ("a.cif", structure().make_mmcif_document().as_string()),
    ):
        path = tmp_path / name
        path.write_text(text)
        told = look(path)
        assert told.read and told.findings == () and told.facts["atoms"] == 30 and told.facts["chains"] == 1, name
        path.write_text(text[: len(text) // 2])
        assert look(path).findings, name
        path.write_text("rubbish\n")
        assert codes(look(path)), name
        path.write_bytes(b"\x00\xff" * 500)
        assert codes(look(path)), name


def anndata(path: Path, genes: int = 7) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        file.create_dataset(
            "X", data=[[float(n + m) for m in range(7)] for n in range(50)], chunks=(10, 7), compression=1
        )
        for name, length in (("obs", 50), ("var", genes)):
            table = file.create_group(name)
            table.attrs["_index"] = "_index"
            table.create_dataset("_index", data=[f"{name}{n}" for n in range(length)])


def test_h5ad_whole_of_other_shapes_damaged_and_hostile(tmp_path: Path) -> None:
    path = tmp_path / "a.h5ad"
    anndata(path)
    told = look(path)
    assert told.format == "h5ad" and told.read and told.findings == ()
    assert (told.facts["cells"], told.facts["genes"]) == (50, 7)
    content = path.read_bytes()
    with h5py.File(path) as file:
        where = file["X"].id.get_chunk_info(2)
    path.write_bytes(content[: where.byte_offset] + b"\x00" * where.size + content[where.byte_offset + where.size :])
    assert codes(look(path)) == {"file.cut"}
    path.write_bytes(content[: len(content) // 2])
    assert codes(look(path)) == {"file.unreadable"}
    anndata(path, genes=6)
    assert codes(look(path)) == {"h5ad.shape"}
    anndata(path)
    with h5py.File(path, "a") as file:
        file["obs"].create_dataset("who", data=["900101-1234567"] * 50)
    assert codes(look(path)) == {"people.numbers"}
    anndata(path)
    with h5py.File(path, "a") as file:
        file["passwords"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["again"] = file["obs"]  # a group by a second name ...
        file["obs/itself"] = file["obs"]  # ... and in itself
        file["soft"] = h5py.SoftLink("/obs")
    assert codes(look(path)) == {"hdf5.external"}
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("raw", shape=(10,), dtype="u1", external=[("/etc/passwd", 0, 10)])
    assert codes(look(tmp_path / "b.h5")) == {"hdf5.external"}


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": list(range(30_000)), "t": [f"text {n}" for n in range(30_000)]}), path)
    told = look(path)
    assert told.read and told.findings == () and told.facts == {"rows": 30_000, "columns": ["n", "t"]}
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    assert codes(look(path)) == {"file.unreadable"}
    path.write_bytes(content[:2_000] + b"\xff" * 3_000 + content[5_000:])
    assert codes(look(path)) & {"file.cut", "file.unreadable"}
    pq.write_table(pa.table({"who": ["9001011234567"]}), path)
    assert codes(look(path)) == {"people.numbers"}


def test_workbooks_with_macros_hidden_sheets_links_and_bombs(tmp_path: Path) -> None:
    import xlsxwriter

    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("one").write_row(0, 0, ["a", 1])
        hidden = book.add_worksheet("two")
        hidden.write_row(0, 0, ["b", 2])
        hidden.hide()
    told = look(path)
    assert told.read and told.facts == {"sheets": {"one": 1, "two": 1}}
    assert [each.code for each in told.findings] == ["xlsx.hidden"]
    with zipfile.ZipFile(path, "a") as parts:
        parts.writestr("xl/vbaProject.bin", b"never run")
        parts.writestr("xl/externalLinks/externalLink1.xml", "<x/>")
    assert {each.code for each in look(path).findings} == {"xlsx.hidden", "xlsx.macros", "xlsx.links"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b"\x00" * (400 << 20))
    told = look(path)
    assert codes(told) == {"zip.bomb"} and not told.read
    path.write_bytes(b"PK\x03\x04 and nothing more")
    assert codes(look(path)) == {"file.unreadable"}
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_row(0, 0, ["hong", "900101-1234567"])
    assert codes(look(path)) == {"people.numbers"}


def test_features(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    good = "##gff-version 3\nchr1\tx\tgene\t1\t9\t.\t+\t.\tID=a\n"
    for text, code in (
        (good, ""),
        (f"{good}chr1\tx\tgene\t9\t1\t.\t+\t.\tID=b\n", "gff.span"),
        (f"{good}chr1\tx\tgene\t1\t9\t.\tq\t.\tID=b\n", "gff.strand"),
        (f"{good}chr1\tx\tge", "gff.columns"),
        ("##gff-version 3\n", "gff.empty"),
    ):
        path.write_text(text)
        assert codes(look(path)) == ({code} if code else set()), text


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("a.mzML", b'<?xml version="1.0"?>\n<indexedmzML xmlns="x"><mzML>', "mzML"),
        ("a.nii", b"\x5c\x01" + b"\x00" * 342 + b"n+1\x00", "NIfTI"),
        ("a.fcs", b"FCS3.1    58", "FCS"),
        ("matrix.mtx", b"%%MatrixMarket matrix coordinate integer general\n", "Matrix Market"),
        ("a.tar", b"x" * 257 + b"ustar\x0000", "TAR"),
    ],
)
def test_what_is_recognized_and_not_read(tmp_path: Path, name: str, start: bytes, kind: str) -> None:
    import gzip

    (tmp_path / name).write_bytes(start + b"\x00" * 600)
    told = look(tmp_path / name)
    assert (told.format, told.read, told.findings) == (kind, False, ())
    if kind in ("NIfTI", "mzML", "Matrix Market"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(start + b"\x00" * 600))
        assert look(tmp_path / f"{name}.gz").format == kind


@pytest.mark.parametrize(
    "ending", ["cram", "bcf", "sam", "h5ad", "h5", "parquet", "xlsx", "pdb", "cif", "gff3", "mzML", "nii", "fcs"]
)
def test_noise_behind_every_magic_is_a_finding_or_unknown_and_never_an_error(tmp_path: Path, ending: str) -> None:
    chance = random.Random(ending)
    starts = (b"", b"CRAM\x03\x00", b"BCF\x02\x02", b"@HD\tVN:1.6\n", b"\x89HDF\r\n\x1a\n", b"PAR1", b"PK\x03\x04")
    for start in (*starts, b"##gff-version 3\n", b"\x1f\x8b\x08\x04" + b"\x00" * 8 + b"BC"):
        path = tmp_path / f"a.{ending}"
        path.write_bytes(start + chance.randbytes(3_000))
        told = look(path)
        assert not told.read or told.findings, (start, told)


def test_numbers_of_people() -> None:
    for text in ("900101-1234567", "9001011234567", "x 900101-1234567 y", "주민 900101-1234567"):
        assert is_person_number(text)
    for text in ("901301-1234567", "900132-1234567", "19001011234567", "900101-9234567", "ENSG00000123456", ""):
        assert not is_person_number(text)
    assert not is_person_number("900101-123456")
