"""What a dataset says of itself: the row of CDM_SOURCE, and which columns are less exact than they look."""

from datetime import date

import pyarrow as pa

from madang.lake.engine import quote_text
from madang.science.standardize.compiler.program import Program
from madang.science.standardize.entities import table_sql
from madang.science.standardize.pack import Pack

CDM_5_4 = 756265


def cdm_source_sql(pack: Pack, release: str, extract: date | None) -> str:
    """SELECT of the one row of CDM_SOURCE; `release` is that of the vocabulary, `extract` the day of the data."""
    given = {name: quote_text(str(value)) for name, value in pack.cdm_source.items()}
    given.setdefault("cdm_source_name", quote_text(pack.name))
    given.setdefault("cdm_source_abbreviation", quote_text(pack.name[:25]))
    given.setdefault("cdm_holder", quote_text("unknown"))
    given.setdefault("cdm_etl_reference", quote_text(f"Madang pack {pack.name} {pack.version}"))
    given |= {
        "cdm_version": quote_text("5.4"),
        "cdm_version_concept_id": str(CDM_5_4),
        "vocabulary_version": f"left({quote_text(release)}, 20)",
    }
    given.setdefault("source_release_date", quote_text(str(extract or date(1970, 1, 1))))
    given.setdefault("cdm_release_date", given["source_release_date"])
    return table_sql("cdm_source", given, "(SELECT 1)")


def imputed(program: Program) -> pa.Table:
    """The table `imputed`: SELECT, CDM table (null for events), column, precision and rule of each imputed column."""
    tables = {select.name: select.table for select in (*program.entities, *program.events)}
    rows = [(i.of, tables[i.of], i.column, i.precision, i.rule) for i in program.pack.imputed]
    names = ("select", "table", "column", "precision", "rule")
    columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
    return pa.table(columns, names=list(names))
