"""Common data models for the tests of quality: the real one beside the repository, and generated ones."""

from pathlib import Path

from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop import cdm


def load_csv_folder(engine: Engine, folder: Path) -> None:
    """Make every TABLE.csv of a folder a table of the model's types."""
    for file in sorted(folder.glob("*.csv")):
        table = cdm.TABLES[file.stem.lower()]
        source = f"read_csv({quote_text(str(file))}, all_varchar = true, header = true)"
        have = {name.lower() for name, _ in engine.describe(f"FROM {source}")}
        fields = ", ".join(
            f"CAST({quote_name(field.name)} AS {cdm.duckdb_type(field)}) AS {quote_name(field.name)}"
            for field in table.fields
            if field.name in have
        )
        engine.execute(f"CREATE TABLE {table.name} AS SELECT {fields} FROM {source}")
