"""The synthetic hospital through its pack, with the truth beside the CDM. Tests say only what matters to them."""

from pathlib import Path

from madang.lake import Dataset, Lake
from madang.lake.engine import Engine, quote_text
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.intake import pseudonymizer
from madang.science.synthesis import synthesize

KEY = b"a key that only tests know, 32 b"


def make_hospital(folder: Path, *, persons: int = 120, seed: int = 3, dirt: int = 0, years: int = 1) -> Path:
    """A folder with the files of a synthetic hospital that ends in 2013, and their truth."""
    source = folder / "hospital"
    synthesize("hospital", source, persons=persons, seed=seed, start_year=2014 - years, end_year=2013, dirt=dirt)
    return source


def dataset_in(folder: Path) -> Dataset:
    return Lake(folder / "lake", folder / "restricted").dataset("hospital")


def run_pack(source: Path, into: Dataset | None = None, key: bytes = KEY) -> Standardized:
    return standardize("hospital-example", source, starter_path(), into, key=key)


class Compared:
    """The CDM and the truth side by side in an engine; `truth.known` gives the pseudonym of every number."""

    def __init__(self, engine: Engine, done: Standardized, source: Path) -> None:
        self.engine, self.done = engine, done
        done.attach(engine, "cdm")
        done.version.attach(engine, "companion", restricted=True)
        engine.execute("CREATE SCHEMA truth")
        for path in (source / "truth").glob("*.parquet"):
            engine.execute(f"CREATE VIEW truth.{path.stem} AS FROM read_parquet({quote_text(str(path))})")
        rows = ", ".join(f"({file['number']}, {quote_text(file['name'])})" for file in done.version.info["files"])
        engine.execute(f"CREATE TABLE companion.files AS FROM (VALUES {rows}) AS v(number, name)")
        pseudonym = pseudonymizer(KEY)
        numbers = engine.rows("SELECT person_source_value FROM truth.person UNION SELECT doctor FROM truth.provider")
        values = ", ".join(f"({quote_text(n)}, {quote_text(pseudonym(n))})" for (n,) in numbers)
        engine.execute(f"CREATE TABLE truth.known AS FROM (VALUES {values}) AS v(number, pseudonym)")

    def difference(self, ours: str, theirs: str) -> list[tuple[object, ...]]:
        """Rows of one SELECT that the other has not as often; empty when they are equal as multisets."""
        return self.engine.rows(
            f"(SELECT 'cdm' AS side, * FROM ({ours}) EXCEPT ALL SELECT 'cdm', * FROM ({theirs})) UNION ALL "
            f"(SELECT 'truth', * FROM ({theirs}) EXCEPT ALL SELECT 'truth', * FROM ({ours})) ORDER BY ALL LIMIT 6"
        )
