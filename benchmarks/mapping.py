"""Suggesting concepts by name: how fast, how small, and how often right, beside brute force by rapidfuzz.

    python benchmarks/mapping.py --vocabulary DIR --terms 20000 --queries 300
    python benchmarks/mapping.py --vocabulary DIR --terms 1000000 --queries 1000

The concept names of an Athena folder are filled up with names recombined from their words to `--terms` (near misses
on purpose), and every tenth gets a Korean synonym composed of our own word list. Sampled names are then spoiled as
people spoil them, and recall says how often the concept comes first and among the first ten. The twin compares with
every name: rapidfuzz WRatio, if it is installed and there are at most 50,000 terms. Queries are timed in CPU seconds
per 1,000, which depend less on what else the machine does. All is seeded.
"""

import argparse
import platform
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from madang.lake.engine import Engine
from madang.science.omop.vocabulary import Vocabulary
from madang.science.standardize.mapping import NameIndex, Terms, build_index, read_terms

MOST_FOR_TWIN = 50_000
KOREAN = """
급성 만성 재발성 상세불명의 본태성 원발성 속발성 양측 좌측 우측 상부 하부 소아 노인성 임신성 약물유발
유전성 당뇨병 고혈압 폐렴 기관지염 위염 위궤양 간염 간경변 신부전 심부전 협심증 심근경색 뇌경색 뇌출혈
편두통 우울증 불안장애 천식 관절염 골절 염좌 빈혈 백혈병 림프종 갑상선염 갑상선기능저하 방광염 신우신염
결막염 백내장 녹내장 중이염 비염 피부염 혈색소 혈당 총콜레스테롤 중성지방 크레아티닌 요단백 검사 절제술
봉합술 내시경 초음파 촬영 주사 정제 캡슐 시럽 연고 점안액
""".split()


def vocabulary_terms(
    folder: Path, terms: int, rng: random.Random
) -> tuple[Terms, list[tuple[int, str]], list[tuple[int, str]]]:
    """The terms to index; and the English and Korean names to ask for, each with its concept."""
    with Engine() as engine:
        real = read_terms(Vocabulary.from_folder(engine, folder))
    rows = [row for row in real.concepts.to_pylist() if row["standard_concept"] == "S" and not row["invalid_reason"]]
    names = {row["concept_name"].lower() for row in rows}
    english = [(row["concept_id"], row["concept_name"]) for row in rows if len(row["concept_name"]) > 7]
    words = [row["concept_name"].split() for row in rows]
    number = max(row["concept_id"] for row in rows)
    while len(rows) < terms:
        name = " ".join(rng.choice(words)[: rng.randint(1, 4)] + rng.choice(words)[-rng.randint(1, 4) :])
        if name.lower() not in names:
            number += 1
            names.add(name.lower())
            rows.append({**rows[0], "concept_id": number, "concept_name": name, "concept_code": f"x{number}"})
    korean: dict[str, int] = {}
    for row in rng.sample(rows, len(rows) // 10):
        korean.setdefault(" ".join(rng.sample(KOREAN, rng.randint(2, 4))), row["concept_id"])
    synonyms = [(concept, name) for name, concept in korean.items()]
    table = {
        "concept_id": pa.array([concept for concept, __ in synonyms], pa.int64()),
        "concept_synonym_name": pa.array([name for __, name in synonyms], pa.string()),
    }
    made = Terms(real.release, pa.Table.from_pylist(rows, real.concepts.schema), pa.table(table), real.maps.slice(0, 0))
    return made, english, synonyms


def typo(name: str, rng: random.Random) -> str:
    """One letter wrong, missing, twice or swapped with the next."""
    at = rng.randrange(len(name) - 1)
    letter = rng.choice("abcdefghijklmnopqrstuvwxyz") if name.isascii() else rng.choice("가나다라마바사아자차카타파하")
    return rng.choice(
        [
            name[:at] + letter + name[at + 1 :],
            name[:at] + name[at + 1 :],
            name[: at + 1] + name[at:],
            name[:at] + name[at + 1] + name[at] + name[at + 2 :],
        ]
    )


def abbreviated(name: str, rng: random.Random) -> str:
    """Long words cut to their first letters."""
    return " ".join(word[: rng.randint(4, 5)] if len(word) > 6 else word for word in name.split())


def shuffled(name: str, rng: random.Random) -> str:
    """The words in another order."""
    return " ".join(rng.sample(name.split(), len(name.split())))


def shortened(name: str, rng: random.Random) -> str:
    """One word left out."""
    words = name.split()
    return (
        " ".join(words[:at] + words[at + 1 :]) if (at := rng.randrange(len(words))) is not None and words[1:] else name
    )


VARIANTS: dict[str, Callable[[str, random.Random], str]] = {
    "as it is": lambda name, rng: name,
    "upper case": lambda name, rng: name.upper(),
    "one typo": typo,
    "three typos": lambda name, rng: typo(typo(typo(name, rng), rng), rng),
    "word order": shuffled,
    "word missing": shortened,
    "abbreviated": abbreviated,
    "no spaces": lambda name, rng: name.replace(" ", ""),
    "order and typo": lambda name, rng: typo(shuffled(name, rng), rng),
}


def recall(found: list[list[int]], wanted: list[int]) -> str:
    """Share of the wanted that come first, and that are among the first ten."""
    first = statistics.mean(target in ids[:1] for ids, target in zip(found, wanted, strict=True))
    ten = statistics.mean(target in ids[:10] for ids, target in zip(found, wanted, strict=True))
    return f"{first:6.1%} {ten:6.1%}"


def brute_force(terms: Terms) -> Callable[[list[str]], list[list[int]]] | None:
    """The twin: all names by rapidfuzz WRatio; None if it is not installed or would take hours."""
    try:
        from rapidfuzz import fuzz, process, utils
    except ImportError:
        return None
    concepts = [*terms.concepts["concept_id"].to_pylist(), *terms.synonyms["concept_id"].to_pylist()]
    names = [*terms.concepts["concept_name"].to_pylist(), *terms.synonyms["concept_synonym_name"].to_pylist()]
    if len(names) > MOST_FOR_TWIN:
        return None
    plain = [utils.default_process(name) for name in names]

    def search(queries: list[str]) -> list[list[int]]:
        scorer = fuzz.WRatio
        found = (process.extract(utils.default_process(query), plain, scorer=scorer, limit=10) for query in queries)
        return [[concepts[place] for __, __, place in hits] for hits in found]

    return search


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--terms", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=300)
    options = parser.parse_args()
    rng = random.Random(20)
    terms, english, korean = vocabulary_terms(options.vocabulary, options.terms, rng)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    folder = Path(tempfile.mkdtemp())
    start = time.perf_counter()
    build_index(terms, folder / "index")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = sum(path.stat().st_size for path in (folder / "index").iterdir())
    start = time.perf_counter()
    index = NameIndex(folder / "index")
    opened = time.perf_counter() - start
    print(f"{platform.machine()}, Python {platform.python_version()}")
    print(f"{index.terms:,} terms: built in {seconds:.1f} s, {size / 1e6:.0f} MB, opened in {opened * 1000:.0f} ms")
    print(f"memory: {peak / 1024:.0f} MB at most, {before / 1024:.0f} MB of it before the build (input included)")
    twin = brute_force(terms)
    print(
        f"{'recall at 1 and 10':24} {'index':>13} {'CPU s':>7}" + (f" {'rapidfuzz':>13} {'CPU s':>7}" if twin else "")
    )
    for language, names in (("English", english), ("Korean", korean)):
        sample = rng.sample(names, min(options.queries, len(names)))
        for variant, spoil in VARIANTS.items():
            if language == "Korean" and variant in ("upper case", "abbreviated"):
                continue
            queries, wanted = [spoil(name, rng) for __, name in sample], [concept for concept, __ in sample]
            line = f"{language + ', ' + variant:24}"
            for search in (lambda queries: [[h.concept_id for h in hits] for hits in index.search_many(queries)], twin):
                if search:
                    began = time.process_time()
                    found = search(queries)
                    took = (time.process_time() - began) / len(queries) * 1000
                    line += f" {recall(found, wanted)} {took:7.1f}"
            print(line, flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
