"""The pipeline against known answers that we did not make, and against wrong references."""

import gzip
import json
import random
import subprocess
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.science.sequencing import find_bundle, germline, variants_in
from madang.science.sequencing.tools import NEEDED
from science.sequencing.simulated import simulate  # type: ignore[import-not-found]  # beside the tests
from support import needs, shared_data


@pytest.fixture(autouse=True)
def _tools() -> None:
    for name in NEEDED:
        needs(name)


def calls(vcf: Path, genome: Path) -> set[tuple[str, ...]]:
    """The variants of a VCF file, normalized by bcftools."""
    form = r"%CHROM\t%POS\t%REF\t%ALT\n"
    norm = subprocess.run(["bcftools", "norm", "-m", "-both", "-f", genome, vcf], capture_output=True, check=True)
    told = subprocess.run(["bcftools", "query", "-f", form], input=norm.stdout, capture_output=True, check=True)
    return {tuple(line.split("\t")) for line in told.stdout.decode().splitlines()}


@pytest.mark.parametrize("ploidy", [1, 2])
def test_all_of_the_lambda_set_is_found_and_nothing_else(ploidy: int, tmp_path: Path) -> None:
    data = shared_data("genomics")
    result = germline(
        [data / "set1_R1.fq.gz", data / "set1_R2.fq.gz"],
        find_bundle(data / "lambda.fa.gz"),
        tmp_path / "out",
        ploidy=ploidy,
    )
    genome = tmp_path / "lambda.fa"
    genome.write_bytes(gzip.decompress((data / "lambda.fa.gz").read_bytes()))
    truth = calls(data / "set1.truth.vcf.gz", genome)
    assert len(truth) == 80 and calls(tmp_path / "out" / "variants.vcf.gz", genome) == truth
    assert result.summary["alignment"]["mapped"] == 14_550 and result.summary["sample"] == "set1"
    table = variants_in(tmp_path / "out" / "variants.parquet")
    assert {(each["chrom"], str(each["pos"]), each["ref"], each["alt"]) for each in table} == truth
    for language, words in (("report.html", "not for diagnosis"), ("report.ko.html", "진단에 사용하지 않습니다")):
        page = (tmp_path / "out" / language).read_text()
        assert words in page and page.count("<svg") == 3 and "http" not in page.replace("http://www.w3.org", "")


def test_the_known_sites_of_the_human_piece_are_found(tmp_path: Path) -> None:
    """All 14, each heterozygous; two deletions are called beside them, which the truth set, of substitutions, lacks."""
    data = shared_data("genomics") / "giab_tiny"
    collated = subprocess.run(
        ["samtools", "collate", "-u", "-O", data / "NA12878.chr22.tiny.bam", tmp_path / "c"],
        capture_output=True,
        check=True,
    )
    reads = [tmp_path / "NA12878_R1.fq.gz", tmp_path / "NA12878_R2.fq.gz"]
    split = [
        "samtools",
        "fastq",
        "-F",
        "0x900",
        "-1",
        reads[0],
        "-2",
        reads[1],
        "-s",
        "/dev/null",
        "-0",
        "/dev/null",
        "-",
    ]
    subprocess.run(split, input=collated.stdout, capture_output=True, check=True)
    germline(reads, find_bundle(data / "q.fa"), tmp_path / "out")
    lines = (data / "NA12878.chr22.tiny.giab.vcf").read_text().splitlines()
    truth = {tuple(line.split("\t")[i] for i in (1, 3, 4)) for line in lines if not line.startswith("#")}
    found = variants_in(tmp_path / "out" / "variants.parquet")
    called = {(str(each["pos"]), each["ref"], each["alt"]) for each in found}
    assert len(truth) == 14 and truth <= called
    assert {each["genotype"] for each in found} == {"0/1"}
    assert called - truth == {("5638", "CAT", "C"), ("9251", "GTTCT", "G")}


def test_a_sample_like_its_reference_has_no_variants_and_a_report(tmp_path: Path) -> None:
    letters = random.Random(3)
    genome = "".join(letters.choice("ACGT") for _place in range(3000))
    (tmp_path / "g.fa").write_text(f">g\n{genome}\n")
    begins = [letters.randrange(2900) for _read in range(400)]
    reads = "".join(f"@r{n}\r\n{genome[b : b + 100]}\r\n+\r\n{'I' * 100}\r\n" for n, b in enumerate(begins))
    (tmp_path / "r.fq").write_text(reads)
    result = germline([tmp_path / "r.fq"], find_bundle(tmp_path / "g.fa"), tmp_path / "out")
    assert result.summary["variants"]["total"] == 0 and result.summary["alignment"]["mapped"] == 400
    assert variants_in(tmp_path / "out" / "variants.parquet") == []
    for name in ("report.html", "report.ko.html"):
        assert "<svg" in (tmp_path / "out" / name).read_text()


def test_a_wrong_reference_says_so(tmp_path: Path) -> None:
    data = shared_data("genomics")
    with pytest.raises(MadangError) as error:
        germline(
            [data / "set1_R1.fq.gz", data / "set1_R2.fq.gz"], find_bundle(data / "giab_tiny" / "q.fa"), tmp_path / "out"
        )
    assert error.value.code == "sequencing.reference"


def made(folder: Path, seed: int) -> tuple[Path, list[tuple[int, str, str]]]:
    """A genome of 6,000 bases with genes, error-free pairs of reads of a changed copy of it, and the changes."""
    draw = random.Random(seed)
    genome = "".join(draw.choice("ACGT") for _base in range(6_000))
    changed, changes = list(genome), []
    for place in range(500, 5_500, 500):
        new = draw.choice([base for base in "ACGT" if base != genome[place]])
        changes.append((place + 1, genome[place], new))
        changed[place] = new
    text = "".join(changed)
    (folder / "bundle").mkdir()
    (folder / "bundle" / "small.fa").write_text(f">one\n{genome}\n")
    (folder / "bundle" / "genes.bed").write_text("one\t400\t1200\tfirst\none\t1000\t1600\tsecond\n")
    (folder / "bundle" / "bundle.json").write_text(json.dumps({"title": "Made <b>up</b>", "ploidy": 1}))
    swap = str.maketrans("ACGT", "TGCA")
    with (folder / "r_1.fq").open("w") as first, (folder / "r_2.fq").open("w") as second:
        for number in range(1_600):
            begin = draw.randrange(0, 6_000 - 300)
            part = text[begin : begin + 300]
            first.write(f"@r{number}\n{part[:100]}\n+\n{'I' * 100}\n")
            second.write(f"@r{number}\n{part[-100:].translate(swap)[::-1]}\n+\n{'I' * 100}\n")
    return folder / "bundle", changes


@pytest.mark.parametrize("seed", [1, 2])
def test_changes_that_were_made_are_found_by_place_and_gene(seed: int, tmp_path: Path) -> None:
    bundle, changes = made(tmp_path, seed)
    germline([tmp_path / "r_1.fq", tmp_path / "r_2.fq"], find_bundle(bundle), tmp_path / "out")
    table = tmp_path / "out" / "variants.parquet"
    whole = variants_in(table)
    assert [(each["pos"], each["ref"], each["alt"]) for each in whole] == changes
    for region, wanted in (
        ("one", changes),
        ("one:1-1,000", [c for c in changes if c[0] <= 1_000]),
        ("one:1001", [c for c in changes if c[0] == 1_001]),
        ("two", []),
    ):
        assert [(each["pos"], each["ref"], each["alt"]) for each in variants_in(table, region)] == wanted
    assert [each["pos"] for each in variants_in(table, gene="first")] == [c[0] for c in changes if 401 <= c[0] <= 1_200]
    assert {each["gene"] for each in whole if each["pos"] == 1_001} == {"first,second"}
    assert "Made <b>up</b>" not in (tmp_path / "out" / "report.html").read_text()
    with pytest.raises(MadangError) as error:
        variants_in(table, "one:9-3")
    assert error.value.code == "sequencing.region"


def test_references_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.fa").write_text("no fasta")
    (tmp_path / "x.txt").write_text(">a\nACGT\n")
    for name in ("empty", "x.fa", "x.txt", "none"):
        with pytest.raises(MadangError) as error:
            find_bundle(tmp_path / name)
        assert error.value.code == "sequencing.reference"


@pytest.mark.parametrize("seed", [11, 12])
def test_planted_variants_of_a_diploid_are_called_with_their_genotypes(seed: int, tmp_path: Path) -> None:
    """Substitutions, insertions and deletions in reads with errors, as bcftools normalizes the truth."""
    planted = simulate(tmp_path, seed)
    (tmp_path / "bundle").mkdir()
    (tmp_path / "reference.fa").rename(tmp_path / "bundle" / "reference.fa")
    genome = tmp_path / "bundle" / "reference.fa"
    germline([tmp_path / "r_1.fq", tmp_path / "r_2.fq"], find_bundle(tmp_path / "bundle"), tmp_path / "out", ploidy=2)
    truth, called = calls(tmp_path / "truth.vcf", genome), calls(tmp_path / "out" / "variants.vcf.gz", genome)
    both = len(truth & called)
    recall, precision = both / len(truth), both / len(called)
    print(f"{len(planted)} planted, recall {recall:.4f}, precision {precision:.4f}")
    assert recall > 0.97 and precision > 0.97, (sorted(truth - called), sorted(called - truth))
    found = variants_in(tmp_path / "out" / "variants.parquet")
    genotypes = {(each["chrom"], str(each["pos"]), each["ref"], each["alt"]): each["genotype"] for each in found}
    both_of = {(each.chrom, str(each.pos)): each.both for each in planted if len(each.ref) == len(each.alt) == 1}
    shared = [key for key in truth & called if key[:2] in both_of]
    right = sum(genotypes[key] == ("1/1" if both_of[key[:2]] else "0/1") for key in shared)
    assert right / len(shared) > 0.98
