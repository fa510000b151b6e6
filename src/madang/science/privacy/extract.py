"""Extracts: exactly the permitted rows and columns of a dataset version, after a recipe, written table by table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake.engine import Engine, quote_name
from madang.science.omop.cdm import TABLES
from madang.science.privacy.population import Population
from madang.science.privacy.pseudonyms import install
from madang.science.privacy.recipe import CODE, START, Recipe, table_sql

SCHEMA = "made"  # of the engine, where the finished tables are views
MEMORY = "3GB"  # of the engine that makes an extract; what needs more goes to its folder for spilling
BEFORE = "before"  # where the permitted rows and columns are views as they were before the recipe


@dataclass(frozen=True)
class Wanted:
    """What may be taken: columns by table, of these persons, within their window."""

    columns: Mapping[str, Sequence[str]]
    population: Population

    def checked(self, engine: Engine) -> dict[str, list[str]]:
        """The columns, with the keys that rows need, in the model's order. Raises `privacy.column`."""
        found: dict[str, list[str]] = {}
        for table, columns in self.columns.items():
            model = TABLES.get(table)
            if model is None or model.kind == "vocabulary" or "person_id" not in model:
                raise MadangError("privacy.column", f"{table!r} is no table about persons of the common data model.")
            present = {name for name, _type in engine.describe(f"SELECT * FROM {quote_name(table)}")}
            unknown = sorted(set(columns) - (present & set(model.names)))
            if unknown:
                raise MadangError("privacy.column", f"The table {table} has no column {unknown[0]!r}.")
            wanted = {"person_id", *columns} | ({model.primary_key.name} if model.primary_key else set())
            found[table] = [name for name in model.names if name in wanted and name in present]
        return found


def make(
    engine: Engine,
    wanted: Wanted,
    recipe: Recipe,
    key: bytes,
    new_file: Callable[[str], Path],
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write the extract of the tables that `engine` has attached; rows by table.

    `new_file` says where the Parquet file of a table goes. Rows are in the order of pseudonyms, which says nothing of
    the order that they had. Raises `privacy.pseudonyms` if two persons got one pseudonym.
    """
    progress = progress or Silent()
    columns = wanted.checked(engine)
    install(engine, key)
    persons = wanted.population.persons_sql()
    gone = " WHERE person_id NOT IN (SELECT person_id FROM death)" if _without_deceased(engine, recipe) else ""
    shift = f"date_shift(person_id, {recipe.shift_days})" if recipe.dates == "shift" else "0"
    engine.execute(
        f"CREATE OR REPLACE TABLE _chosen AS SELECT person_id, {shift} AS _shift, "
        f"pseudonym('person', person_id) AS _person FROM ({persons}){gone}"
    )
    twice = engine.value("SELECT count(*) FROM (SELECT _person FROM _chosen GROUP BY 1 HAVING count(*) > 1)")
    if twice:
        raise MadangError("privacy.pseudonyms", "Two persons got one pseudonym.", "Rotate the key of the permit.")
    engine.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; CREATE SCHEMA IF NOT EXISTS {BEFORE}")
    counts = {}
    with progress.step("extract", len(columns), "tables"):
        for table, names in columns.items():
            rows = _rows(engine, table, wanted, recipe)
            kept = ", ".join(quote_name(name) for name in names)
            engine.execute(f"CREATE OR REPLACE VIEW {BEFORE}.{quote_name(table)} AS SELECT {kept} FROM ({rows})")
            sql = table_sql(table, names, recipe, f"({rows})", names)
            path = new_file(table)
            counts[table] = engine.copy_to_parquet(sql, path)
            engine.execute(
                f"CREATE OR REPLACE VIEW {SCHEMA}.{quote_name(table)} AS "
                f"SELECT * FROM read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')"
            )
            progress.advance()
    return counts


def _without_deceased(engine: Engine, recipe: Recipe) -> bool:
    return recipe.deceased == "exclude" and bool(
        engine.value("SELECT count(*) FROM information_schema.tables WHERE table_name = 'death'")
    )


def _rows(engine: Engine, table: str, wanted: Wanted, recipe: Recipe) -> str:
    """The permitted rows of a table, with what the recipe has to know of each."""
    within = wanted.population.within(f"s.{START[table]}") if table in START else ""
    base = (
        f"SELECT s.*, c._shift, c._person FROM main.{quote_name(table)} AS s "
        f"JOIN main._chosen AS c ON s.person_id = c.person_id WHERE true{within}"
    )
    more = []
    if recipe.rare_code_persons and table in CODE:
        for what, column in zip(("concept", "code"), CODE[table], strict=True):
            if column:
                frequent = f"_{table}_{what}"
                engine.execute(
                    f"CREATE OR REPLACE TABLE {frequent} AS SELECT {column} AS value "
                    f"FROM ({base}) GROUP BY 1 HAVING count(DISTINCT person_id) >= {recipe.rare_code_persons}"
                )
                more.append(
                    f"(b.{column} NOT IN (SELECT value FROM main.{frequent} WHERE value IS NOT NULL)) AS _rare_{what}"
                )
    if recipe.number_tail and table in ("measurement", "observation"):
        for each in TABLES[table].fields:
            if each.type == "float":
                per = CODE[table][0]
                for bound, share in (("low", recipe.number_tail), ("high", 1 - recipe.number_tail)):
                    more.append(
                        f"quantile_cont(b.{each.name}, {share}) OVER (PARTITION BY b.{per}) AS _{bound}_{each.name}"
                    )
    extra = "".join(f", {each}" for each in more)
    return f"SELECT b.*{extra} FROM ({base}) AS b"
