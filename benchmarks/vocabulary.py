"""Loading a vocabulary of Athena's full size, and mapping 200,000 codes with it, beside the floor.

    python benchmarks/vocabulary.py --scale 0.1 --folder /tmp/vocabulary --repeat 3

makes (once per folder) a synthetic vocabulary, seeded, of 7 M concepts, 40 M relationships and 75 M ancestors times
`--scale`, in random order as tab-separated files; then times, interleaved, (a) the floor: DuckDB reading the same files
with their types and writing Parquet with the same codec, unsorted; (b) `load_vocabulary`: the same plus checks, order,
hashes and commit; (c) `map_codes` on the result. Each runs in a process of its own; the table gives the median
seconds and the highest memory; CPU seconds tell how busy the machine was besides. Nothing in this vocabulary is real.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from madang.base.progress import Silent
from madang.lake import Lake
from madang.lake.engine import Engine, quote_text
from madang.science.omop.athena import opened
from madang.science.omop.mapping import map_codes
from madang.science.omop.vocabulary import Vocabulary, load_vocabulary

CONCEPTS, RELATIONSHIPS, ANCESTORS = 7_000_000, 40_000_000, 75_000_000
CODES = 200_000
MEMORY, THREADS = "3GB", 2


def engine(folder: Path) -> Engine:
    """The engine that all parts use."""
    return Engine(memory_limit=MEMORY, threads=THREADS, spill=folder / "spill")


def generate(folder: Path, scale: float) -> None:
    """Write the synthetic vocabulary. Every eighth concept is standard; the others map to one of these."""
    concepts, standard = int(CONCEPTS * scale), int(CONCEPTS * scale) // 8
    maps, others = concepts - standard, int(RELATIONSHIPS * scale) - (concepts - standard)
    vocabularies = "['SNOMED','RxNorm','LOINC','ICD10CM','KCD7','EDI','NDC','RxNorm Extension','SPL','ICD10PCS']"
    domains = "['Condition','Drug','Measurement','Procedure','Observation','Device']"
    kinds = "['Is a','Subsumes','Mapped from','Has ingredient','RxNorm is a','Concept replaced by','Has finding site']"

    def any_of(count: int, seed: int) -> str:
        return f"1 + (hash(j + {seed}) % {count})::BIGINT"

    def scattered(count: int) -> str:
        return f"1 + (j * 6700417 % {count})::BIGINT"  # each number once, in no order: the factor is a prime

    tables = {
        "CONCEPT": f"""
            SELECT i AS concept_id,
                'synthetic ' || md5(i::VARCHAR) || ' ' || md5((i + 7)::VARCHAR)[:i % 28] AS concept_name,
                {domains}[1 + i % 6] AS domain_id, {vocabularies}[1 + i * 7919 % 10] AS vocabulary_id,
                'Synthetic' AS concept_class_id, CASE WHEN i <= {standard} THEN 'S' END AS standard_concept,
                upper(to_base((hash(i) >> 20)::BIGINT, 36)) AS concept_code, '19700101' AS valid_start_date,
                CASE WHEN i % 10 = 0 THEN '20191231' ELSE '20991231' END AS valid_end_date,
                CASE WHEN i % 10 = 0 AND i > {standard} THEN 'D' END AS invalid_reason
            FROM (SELECT {scattered(concepts)} AS i FROM range({concepts}) t(j))""",
        "CONCEPT_RELATIONSHIP": f"""
            SELECT {standard} + {scattered(maps)} AS concept_id_1, {any_of(standard, 0)} AS concept_id_2,
                'Maps to' AS relationship_id, '19700101' AS valid_start_date, '20991231' AS valid_end_date,
                NULL AS invalid_reason
            FROM range({maps}) t(j)
            UNION ALL
            SELECT {any_of(concepts, 0)}, {any_of(concepts, 1)}, {kinds}[{any_of(7, 2)}],
                '19700101', '20991231', CASE WHEN j % 12 = 0 THEN 'D' END
            FROM range({others}) t(j)""",
        "CONCEPT_ANCESTOR": f"""
            SELECT {any_of(concepts, 0)} AS ancestor_concept_id, {any_of(concepts, 1)} AS descendant_concept_id,
                j % 9 AS min_levels_of_separation, j % 9 + j % 3 AS max_levels_of_separation
            FROM range({int(ANCESTORS * scale)}) t(j)""",
        "VOCABULARY": """
            SELECT 'None' AS vocabulary_id, 'synthetic' AS vocabulary_name, 'made by benchmarks/vocabulary.py'
                AS vocabulary_reference, 'synthetic' AS vocabulary_version, 1 AS vocabulary_concept_id""",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with engine(folder.parent) as on:
        for name, sql in tables.items():
            target = quote_text(str(folder / f"{name}.csv"))
            on.execute(f"COPY ({sql}) TO {target} (FORMAT csv, HEADER, DELIMITER '\t', QUOTE '', ESCAPE '')")


def floor(folder: Path) -> None:
    """Read the files with their types and write Parquet, as plainly as it goes."""
    download = opened(folder / "download", Silent())
    with tempfile.TemporaryDirectory(dir=folder) as out, engine(folder) as on, download as files:
        for table, source in files.items():
            on.copy_to_parquet(f"SELECT * FROM {source.scan()}", Path(out) / f"{table}.parquet")


def load(folder: Path) -> None:
    """Make it a version of a fresh lake."""
    with engine(folder) as on:
        lake = Lake(folder / f"lake{time.time_ns()}")
        load_vocabulary(folder / "download", lake.dataset("vocabulary"), on)


def mapping(folder: Path) -> float:
    """Map codes of all kinds: known ones, ones without their dot and unknown ones; gives its own seconds."""
    lake = Lake(max(folder.glob("lake*")))
    with engine(folder) as on:
        vocabulary = Vocabulary.from_version(on, lake.dataset("vocabulary").version())
        on.execute(
            "CREATE TABLE codes AS "
            "SELECT vocabulary_id, CASE WHEN i % 5 = 0 THEN concept_code || '9' ELSE concept_code END AS code "
            f"FROM (SELECT *, row_number() OVER () AS i FROM vocab.concept USING SAMPLE {CODES} ROWS)"
        )
        start = time.perf_counter()
        map_codes(on, "codes", vocabulary)
        seconds = time.perf_counter() - start
        levels = on.rows("SELECT level, count(*) FROM code_map GROUP BY level ORDER BY level")
        print(", ".join(f"{level} {count:,}" for level, count in levels), file=sys.stderr)
        return seconds


PARTS = {"floor": floor, "load": load, "mapping": mapping}


def measured(part: str, folder: Path) -> dict[str, float]:
    """Seconds and highest memory of one part, in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(folder), "--part", part]
    answer: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return answer


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, required=True, help="where to work; the files made there are kept")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    if arguments.part:
        start = time.perf_counter()
        own = PARTS[arguments.part](folder)
        seconds, used = own or time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({"s": seconds, "CPU s": used.ru_utime + used.ru_stime, "GB": used.ru_maxrss / 1e6}))
        return
    if not (folder / "download").exists():
        generate(folder / "download", arguments.scale)
    runs = [{part: measured(part, folder) for part in PARTS} for _ in range(arguments.repeat)]
    print(f"{platform.machine()}, {THREADS} threads, limit {MEMORY}, scale {arguments.scale}, median of {len(runs)}")
    for part in PARTS:
        seconds, cpu = (statistics.median(run[part][what] for run in runs) for what in ("s", "CPU s"))
        print(f"{part:8} {seconds:8.1f} s {cpu:8.1f} CPU s {max(run[part]['GB'] for run in runs):6.2f} GB")


if __name__ == "__main__":
    main()
