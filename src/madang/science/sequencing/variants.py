"""Variants as a table: written from the VCF file, asked by region or gene."""

import re
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine, quote_text
from madang.science.sequencing.bundle import Bundle
from madang.science.sequencing.tools import run

_FORMAT = r"%CHROM\t%POS\t%REF\t%ALT\t%QUAL[\t%GT\t%DP\t%AD]\n"


def make_tables(folder: Path, bundle: Bundle, log: Path) -> dict[str, Any]:
    """Write `variants.parquet` beside `variants.vcf.gz`, sorted by place; how many of each kind there are."""
    listed = folder / "tmp" / "variants.tsv"
    run(["bcftools", "query", "-f", _FORMAT, str(folder / "variants.vcf.gz")], log=log, output=listed)
    columns = "{'chrom':'VARCHAR','pos':'BIGINT','ref':'VARCHAR','alt':'VARCHAR','qual':'DOUBLE','gt':'VARCHAR'," + (
        "'dp':'VARCHAR','ad':'VARCHAR'}"
    )
    # Without a look at the text: there may be none, where a sample has no variants.
    form = f"auto_detect=false, delim='\t', header=false, quote='', escape='', columns={columns}"
    read = f"read_csv({quote_text(str(listed))}, {form})"
    genes = read_genes(bundle.genes) if bundle.genes is not None else []
    with Engine() as engine:
        engine.execute("CREATE TABLE genes (chrom VARCHAR, begin BIGINT, finish BIGINT, gene VARCHAR)")
        for begin in range(0, len(genes), 500):
            part = genes[begin : begin + 500]
            values = ", ".join(f"({quote_text(c)}, {b}, {e}, {quote_text(g)})" for c, b, e, g in part)
            engine.execute(f"INSERT INTO genes VALUES {values}")
        sql = f"""
            WITH told AS (
                SELECT chrom, pos, pos + length(ref) - 1 AS "end", ref, alt, qual, gt AS genotype,
                    TRY_CAST(dp AS INTEGER) AS depth, TRY_CAST(split_part(ad, ',', 1) AS INTEGER) AS ref_depth,
                    TRY_CAST(split_part(ad, ',', 2) AS INTEGER) AS alt_depth,
                    CASE WHEN length(ref) = length(alt) THEN 'substitution' WHEN length(ref) < length(alt)
                        THEN 'insertion' ELSE 'deletion' END AS kind
                FROM {read})
            SELECT told.*, alt_depth / nullif(ref_depth + alt_depth, 0)::DOUBLE AS alt_fraction,
                (SELECT string_agg(DISTINCT gene, ',' ORDER BY gene) FROM genes
                    WHERE genes.chrom = told.chrom AND told.pos <= finish AND told."end" >= begin) AS gene
            FROM told ORDER BY chrom, pos, ref, alt"""
        engine.copy_to_parquet(sql, folder / "variants.parquet")
        table = f"read_parquet({quote_text(str(folder / 'variants.parquet'))})"
        kinds = dict(engine.rows(f"SELECT kind, count(*) FROM {table} GROUP BY kind ORDER BY kind"))
        changes = (
            "(ref || alt) IN ('AG', 'GA', 'CT', 'TC')",
            "length(ref) = 1 AND length(alt) = 1 AND (ref || alt) NOT IN ('AG', 'GA', 'CT', 'TC')",
        )
        transitions, transversions = (engine.value(f"SELECT count(*) FROM {table} WHERE {each}") for each in changes)
    return {
        "total": sum(kinds.values()),
        "kinds": kinds,
        "transitions": transitions,
        "transversions": transversions,
        "least_quality": 20,
    }


def read_genes(path: Path) -> list[tuple[str, int, int, str]]:
    """Genes of a BED, GFF3 or GTF file as (sequence, first base, last base, name), bases counted from 1."""
    import gzip

    found = []
    with gzip.open(path, "rt") if path.name.endswith(".gz") else path.open() as file:
        for line in file:
            parts = line.rstrip("\n").split("\t")
            if line.startswith(("#", "track", "browser")) or len(parts) < 3:
                continue
            try:
                if ".bed" in path.name.lower():
                    found.append((parts[0], int(parts[1]) + 1, int(parts[2]), parts[3] if len(parts) > 3 else ""))
                elif len(parts) >= 9 and parts[2] == "gene":
                    name = re.search(r'(?:gene_name|gene|Name|gene_id|ID)[= ]"?([^";]+)', parts[8])
                    found.append((parts[0], int(parts[3]), int(parts[4]), name[1] if name else ""))
            except ValueError:
                raise MadangError(
                    "sequencing.reference", _("{path} is no reference.").format(path=path.name), line[:100].strip()
                ) from None
    return found


def variants_in(table: Path, region: str = "", gene: str = "", most: int = 10_000) -> list[dict[str, Any]]:
    """The variants of a table in a region (`chr1`, `chr1:100`, `chr1:100-2000`, counted from 1) or a gene.

    Errors: `sequencing.region`.
    """
    where, given = ["true"], []
    if region:
        match = re.fullmatch(r"(.+?)(?::([\d,]+)(?:-([\d,]+))?)?", region)
        assert match is not None
        where.append("chrom = ?")
        given.append(match[1])
        if match[2]:
            begin = int(match[2].replace(",", ""))
            end = int(match[3].replace(",", "")) if match[3] else begin
            if end < begin or begin < 1:
                raise MadangError(
                    "sequencing.region", _("{text} is no region.").format(text=repr(region)), "chr1:1-200"
                )
            where.append(f'"pos" <= {end} AND "end" >= {begin} AND "pos" >= {max(0, begin - 10_000)}')
    if gene:
        where.append("list_contains(string_split(gene, ','), ?)")
        given.append(gene)
    sql = f"SELECT * FROM read_parquet({quote_text(str(table))}) WHERE {' AND '.join(where)} LIMIT {most}"
    with Engine() as engine:
        return list(engine.query(sql, given).to_pylist())


def genes_in(table: Path) -> list[tuple[str, int]]:
    """The genes with variants, and how many each has."""
    sql = f"""SELECT name, count(*) FROM (SELECT unnest(string_split(gene, ',')) AS name FROM
        read_parquet({quote_text(str(table))}) WHERE gene IS NOT NULL) GROUP BY name ORDER BY 2 DESC, 1 LIMIT 1000"""
    with Engine() as engine:
        return [(name, count) for name, count in engine.rows(sql)]
