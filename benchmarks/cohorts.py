"""Cohorts beside duckcdm alone on the same engine and files: `python benchmarks/cohorts.py CDM DEFINITIONS [TIMES]`.

CDM is a folder of CSV files of a common data model with its vocabulary, DEFINITIONS a folder of ATLAS JSON, TIMES how
often its people are taken (1,000 makes 25 million rows of the public Synthea27Nj). Each definition is run by the house
and by duckcdm's own compiled SQL over views of the same Parquet files, one after the other; ours compiles, checks the
tables, keeps statistics away and breaks ties, theirs does not. Then one characterization, ATLAS until it answers, and
its Achilles.
"""

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

from madang.base.errors import MadangError
from madang.lake import Lake, Version
from madang.lake.engine import Engine, quote_paths
from madang.science.cohorts import load, opened
from madang.science.cohorts.describe import describe_opened
from madang.science.cohorts.load import files_in
from madang.science.cohorts.members import generate
from madang.science.omop import cdm
from madang.science.omop.importing import import_model
from madang.science.omop.release import mapped_with

MEMORY = "3GB"


def multiplied(lake: Lake, source: Version, times: int) -> Version:
    """The people of a version so many times, each time with other identifiers."""
    if times == 1:
        return source
    with Engine(MEMORY) as engine, lake.dataset("many").write() as writer:
        for name, table in source.tables.items():
            known = cdm.TABLES[name]
            keys = [
                field.name
                for field in known.fields
                if field.identifier and not field.name.endswith("concept_id") and name not in ("cdm_source", "location")
            ]
            moved = ", ".join(f"{key} + copy * 1000000 AS {key}" for key in keys)
            replaced = f"* EXCLUDE (copy) REPLACE ({moved})" if moved else "* EXCLUDE (copy)"
            many = times if keys and "person_id" in known else 1
            sql = f"SELECT {replaced} FROM read_parquet({quote_paths(table.paths)}), range({many}) AS r(copy)"
            path = writer.new_file(name)
            engine.copy_to_parquet(sql, path)
            writer.add(name, path)
        return writer.commit("import", dict(source.info))


def alone(text: str) -> str:
    """The SQL that duckcdm makes of a definition."""
    from duckcdm.circe import build_cohort_query
    from duckcdm.sqlrender import render, translate

    sql = build_cohort_query(
        text, cdm_schema="cdm", result_schema="results", target_table="results.cohort", cohort_id=1
    )
    return str(translate(render(sql), "duckdb"))


def main() -> None:
    """Print what was measured."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("cdm")
    asked.add_argument("definitions", type=Path)
    asked.add_argument("times", type=int, nargs="?", default=1)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake", Path(folder) / "restricted")
        import_model(given.cdm, lake.dataset("one"))
        version = multiplied(lake, lake.find("one"), given.times)
        words = mapped_with(lake, version)
        rows = sum(table.rows for table in version.tables.values())
        print(f"{rows:,} rows, {version.tables['person'].rows:,} persons")
        definitions = []
        for path in files_in(given.definitions):
            try:
                definitions.append(load(path).definition)
            except MadangError:
                continue
        begun = time.perf_counter()
        with opened(version, words, memory=MEMORY) as found:
            print(f"open: {time.perf_counter() - begun:.2f} s")
            ours, theirs, worked = [], [], [0.0, 0.0]
            for definition in definitions:
                begun, at = time.perf_counter(), time.process_time()
                counted = generate(found, definition)
                ours.append(time.perf_counter() - begun)
                worked[0] += time.process_time() - at
                begun, at = time.perf_counter(), time.process_time()
                found.engine.execute(alone(definition.text))
                theirs.append(time.perf_counter() - begun)
                worked[1] += time.process_time() - at
                again = found.engine.value("SELECT count(*) FROM results.cohort WHERE cohort_definition_id = 1")
                if again != counted.entries:
                    print(f"  {definition.name}: {counted.entries} entries, duckcdm alone {again}")
            print(
                f"{len(ours)} definitions: {sum(ours):.1f} s, duckcdm alone {sum(theirs):.1f} s; "
                f"processor {worked[0]:.1f} and {worked[1]:.1f} s; "
                f"median {statistics.median(ours):.3f} and {statistics.median(theirs):.3f} s, "
                f"largest difference {max(a - b for a, b in zip(ours, theirs, strict=True)):.2f} s"
            )
            most = max(definitions, key=lambda each: generate(found, each).persons)
            begun = time.perf_counter()
            counted = generate(found, most, statistics=True)
            describe_opened(found, counted)
            print(f"characterize {most.name} ({counted.persons:,} persons): {time.perf_counter() - begun:.1f} s")
        print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
        atlas(version, words)


def atlas(version: Version, words: Version | None) -> None:
    """Until ATLAS answers, and until its Achilles is done."""
    from madang.services.cohorts.atlas import started

    begun = time.perf_counter()
    try:
        with started(version, words) as running:
            print(f"ATLAS answers after {time.perf_counter() - begun:.1f} s")
            while running.is_alive and not running.progress.startswith(("achilles-done", "achilles-failed")):
                if time.perf_counter() - begun > 900:
                    print(f"Achilles was not done after 900 s: {running.progress}")
                    return
                time.sleep(0.5)
            print(f"{running.progress} after {time.perf_counter() - begun:.0f} s")
    except MadangError as error:
        print(f"ATLAS: {error}")


if __name__ == "__main__":
    main()
