"""A dataset version laid out for cohort SQL on the second engine: the same script, statement by statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from madang.base.progress import Progress, Silent
from madang.lake import Version
from madang.lake.engine import quote_name
from madang.lake.spark import Script, SparkEngine
from madang.science.cohorts.opened import Asking, Laid, result_statements, view_of
from madang.science.cohorts.seam import RESULTS
from madang.science.omop.release import mapped_with


@dataclass(frozen=True, kw_only=True)
class OnSpark(Laid):
    """One version in a session of Spark."""

    script: Script

    @property
    def asking(self) -> Asking:
        """The session."""
        return self.script

    def tidy(self, *, members: bool = False) -> None:
        """Members are taken out once they are counted: Spark keeps them in memory. (A script drops its own tables.)"""
        for statement in result_statements() if members else []:
            name = statement.split()[2].removeprefix(f"{RESULTS}.")
            self.script.execute(f"DROP TABLE {RESULTS}.{name}; {statement}")


@contextmanager
def opened_on_spark(
    spark: SparkEngine, version: Version, vocabulary: Version | None = None, *, progress: Progress | None = None
) -> Iterator[OnSpark]:
    """Lay a version open for definitions on a session, as `opened` does on the first engine."""
    vocabulary = vocabulary or mapped_with(version.dataset.lake, version)
    script = Script(spark)
    with (progress or Silent()).interruptible(spark.cancel):
        spark.attach(*(each for each in (vocabulary, version) if each is not None))
        tables: dict[str, str] = {}
        for each in (vocabulary, version):  # a table that both have is the version's own
            for name, table in each.tables.items() if each is not None else ():
                if table.paths:
                    columns = [column for column, _kind in table.schema]
                    tables[name.lower()] = view_of(name.lower(), quote_name(name), columns)
        for statement in [*tables.values(), *result_statements()]:
            script.execute(statement)
        yield OnSpark(script=script, version=version, vocabulary=vocabulary, tables=frozenset(tables))
