"""A table ten times the memory limit, assessed by both engines: `python benchmarks/beyond.py [ROWS] [LIMIT_MB]`.

The table is a measurement of OMOP with a text of 2,048 random letters in each row, which is not packed: 2.5 million
rows are 5 GB on disk. Row groups have 20,480 rows, 42 MB of text. Few checks read the text; engines read the columns
that they need. All checks of the table are counted by DuckDB and by Spark, each with the limit (Spark has it for its
driver, which is all there is on `local[2]`); both have to count the same.
"""

import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from spark import processor, say

from madang.lake.engine import Engine
from madang.lake.spark import SparkEngine
from madang.science.quality import plan, questions
from madang.science.quality.checks import default_checks
from madang.science.quality.columns import read_columns

ROW = """SELECT range + 1 AS measurement_id, range % 100000 + 1 AS person_id,
    (CASE WHEN range % 97 = 0 THEN 0 ELSE 3000000 + range % 500 END)::BIGINT AS measurement_concept_id,
    DATE '2010-01-01' + (hash(range) % 4000)::INTEGER AS measurement_date, 44818701::BIGINT AS
    measurement_type_concept_id, (CASE WHEN range % 11 = 0 THEN NULL ELSE random() * 100 END)::DOUBLE AS
    value_as_number, {letters} AS value_source_value FROM range({rows})"""


def main() -> None:
    """Print what was measured."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_500_000
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else 512
    letters = " || ".join(f"md5(random()::VARCHAR || {n})" for n in range(64))
    with tempfile.TemporaryDirectory(prefix="madang-beyond-") as folder:
        path = Path(folder) / "measurement.parquet"
        person = Path(folder) / "person.parquet"
        with Engine("2GB", 2) as engine:
            table = ROW.format(letters=letters, rows=rows)
            engine.copy_to_parquet(table, path, codec="uncompressed", row_group_size=20_480)
            people = "SELECT range + 1 AS person_id, 8507::BIGINT AS gender_concept_id, 1970 AS year_of_birth"
            engine.copy_to_parquet(f"{people} FROM range(100000)", person)
        size = path.stat().st_size
        print(
            f"{rows:,} rows, {size / 1e6:,.0f} MB on disk, limit {limit} MB: {size / 1e6 / limit:.1f} times", flush=True
        )
        checks = [each for each in default_checks() if each.table == "measurement"]
        files = {"measurement": [path], "person": [person]}
        today = date(2026, 11, 1)
        with Engine(f"{limit}MB", 2) as engine:
            for name, (each,) in files.items():
                engine.execute(f"CREATE VIEW {name} AS FROM read_parquet('{each}')")
            columns = read_columns(engine)
            begun, used = time.perf_counter(), time.process_time()
            here = plan.count(engine, files, checks, today=today)
            say(f"DuckDB, {len(checks)} checks", time.perf_counter() - begun, time.process_time() - used)
        with SparkEngine(master="local[2]", memory=f"{limit}m", threads=2) as spark:
            assert spark._process is not None
            pid = spark._process.pid
            spark.open({name: [str(each) for each in paths] for name, paths in files.items()})
            begun, used = time.perf_counter(), processor(pid)
            there = questions.count_by(spark, columns, checks, today=today)
            say(f"Spark, {len(checks)} checks", time.perf_counter() - begun, processor(pid) - used)
        differing = {name: (there.get(name), count) for name, count in here.items() if there.get(name) != count}
        assert not differing, differing
        print("all counts are equal")


if __name__ == "__main__":
    main()
