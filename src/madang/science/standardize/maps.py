"""The holder's own source-to-concept maps, as a relation of the engine."""

from collections.abc import Sequence
from pathlib import Path

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop.cdm import TABLES, duckdb_type
from madang.science.omop.mapping import FIRST_LOCAL_CONCEPT
from madang.science.omop.maps import validate_maps
from madang.science.omop.vocabulary import Vocabulary

MAP = TABLES["source_to_concept_map"]
MOST_FAULTS = 20


def drop_unknown(engine: Engine, name: str, paths: Sequence[Path], vocabulary: Vocabulary) -> list[str]:
    """Take rows out of the loaded maps whose target is not in the vocabulary; returns what is wrong with the maps.

    Such a row has no domain, so its records would go to a table by accident; without it they stay where the pack says.
    """
    engine.execute(
        f"DELETE FROM {quote_name(name)} WHERE target_concept_id NOT IN "
        f"(SELECT concept_id FROM {vocabulary.table('concept')}) "
        f"AND target_concept_id <> 0 AND target_concept_id < {FIRST_LOCAL_CONCEPT}"
    )
    faults = [f"maps/{fault}" for fault in validate_maps(paths, vocabulary)]
    more = [f"... and {len(faults) - MOST_FAULTS} more; `madang pack check PACK --vocabulary V` lists all."]
    return faults[:MOST_FAULTS] + (more if len(faults) > MOST_FAULTS else [])


def load_maps(engine: Engine, paths: Sequence[Path], name: str) -> None:
    """Make the table `name` (columns of SOURCE_TO_CONCEPT_MAP) from CSV files in UTF-8 with a header.

    Missing optional columns are NULL, missing dates mean no limit. Errors name the file: `maps.columns`, `maps.value`.
    """
    defaults = {"valid_start_date": "DATE '1970-01-01'", "valid_end_date": "DATE '2099-12-31'"}
    parts = []
    for path in paths:
        file = f"read_csv({quote_text(str(path))}, all_varchar = true, header = true, delim = ',', nullstr = '')"
        given = {column for column, _ in engine.describe(f"SELECT * FROM {file}")}
        missing = {"source_code", "source_vocabulary_id", "target_concept_id"} - given
        if missing:
            raise MadangError(
                "maps.columns",
                f"{path.name} has no column {', '.join(sorted(missing))}.",
                "Its columns are those of SOURCE_TO_CONCEPT_MAP.",
            )
        fields = []
        for field in MAP.fields:
            value = f"CAST({quote_name(field.name)} AS {duckdb_type(field)})" if field.name in given else "NULL"
            fields.append(f"coalesce({value}, {defaults.get(field.name, 'NULL')}) AS {quote_name(field.name)}")
        sql = f"SELECT {', '.join(fields)} FROM {file}"
        try:
            engine.query(sql)
        except MadangError as error:
            raise MadangError("maps.value", f"{path.name}: {error.message}", error.hint) from None
        parts.append(sql)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {quote_name(name)} AS {' UNION ALL '.join(parts)}")
