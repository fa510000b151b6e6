"""FHIR bulk exports to the common data model: resources per second, from NDJSON to a committed version.

    python benchmarks/fhir.py --resources 20000
    python benchmarks/fhir.py --resources 1000000 --runs 3

The export is made here, from a seed: people with encounters, and per encounter observations (one in five a blood
pressure with components), conditions, procedures, orders of drugs and vaccines, each resource as servers write them,
with a narrative, filled up to `--bytes`. The floor is orjson reading the same lines on one core and doing nothing with
them; goal: 20,000 resources of 1.6 KB per second, end to end, on two cores.
"""

import argparse
import platform
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from madang.lake import Lake
from madang.science.omop.starter import starter_path
from madang.science.standardize import standardize

SNOMED, LOINC, RXNORM = "http://snomed.info/sct", "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX, UCUM = "http://hl7.org/fhir/sid/cvx", "http://unitsofmeasure.org"
PER_PERSON, PER_ENCOUNTER = 20, 10  # encounters of a person; resources of an encounter, itself included
VITALS = [("8302-2", "cm"), ("29463-7", "kg"), ("8310-5", "Cel"), ("8867-4", "/min"), ("2339-0", "mg/dL")]


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": f"Name of {code}"}], "text": f"Name of {code}"}


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def export(resources: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """`resources` resources, people and encounters before what refers to them."""
    made = 0
    person = 0
    while made < resources:
        person += 1
        yield {
            "resourceType": "Patient",
            "id": f"p{person}",
            "gender": rng.choice(["female", "male"]),
            "birthDate": f"{rng.randint(1930, 2015)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
            "address": [{"line": ["1 Street"], "state": "KS", "country": "US"}],
        }
        made += 1
        for visit in range(PER_PERSON):
            if made >= resources:
                return
            day = f"{rng.randint(2016, 2023)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
            when, key = f"{day}T{rng.randint(8, 17):02}:00:00+09:00", f"e{person}-{visit}"
            yield {
                "resourceType": "Encounter",
                "id": key,
                "status": "finished",
                "class": {"code": rng.choice(["AMB", "AMB", "AMB", "EMER", "IMP"])},
                "subject": {"reference": f"Patient/p{person}"},
                "period": {"start": when, "end": f"{day}T18:00:00+09:00"},
            }
            made += 1
            for item in range(min(PER_ENCOUNTER - 1, resources - made)):
                of = {"subject": {"reference": f"Patient/p{person}"}, "encounter": {"reference": f"Encounter/{key}"}}
                yield of | {"id": f"{key}-{item}"} | recorded(item, when, rng)
                made += 1


def recorded(item: int, when: str, rng: random.Random) -> dict[str, Any]:
    """What is recorded as the n-th thing of an encounter: six observations, then one each of other kinds."""
    if item == 0:
        parts = [
            {"code": concept(LOINC, code), "valueQuantity": quantity(rng.randint(60, 160), "mm[Hg]")}
            for code in ("8480-6", "8462-4")
        ]
        code = concept(LOINC, "85354-9")
        return {
            "resourceType": "Observation",
            "status": "final",
            "effectiveDateTime": when,
            "code": code,
            "component": parts,
        }
    if item < 6:
        code_, unit = VITALS[item - 1]
        value = {"code": concept(LOINC, code_), "valueQuantity": quantity(round(rng.uniform(1, 200), 1), unit)}
        category = {"category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")]}
        return {"resourceType": "Observation", "status": "final", "effectiveDateTime": when} | category | value
    if item == 6:
        disease = concept(SNOMED, rng.choice(["38341003", "44054006", "195662009", "10509002"]))
        return {"resourceType": "Condition", "onsetDateTime": when, "code": disease}
    if item == 7:
        done = {"status": "completed", "performedDateTime": when, "code": concept(SNOMED, "430193006")}
        return {"resourceType": "Procedure"} | done
    drug = concept(RXNORM, rng.choice(["314076", "860975", "313782"]))
    order = {"status": "active", "intent": "order", "authoredOn": when, "medicationCodeableConcept": drug}
    return {"resourceType": "MedicationRequest"} | order


def write(folder: Path, resources: int, size: int, seed: int) -> tuple[int, int]:
    """Write the export, a file per type; returns resources and bytes."""
    files = {}
    count = total = 0
    for one in export(resources, random.Random(seed)):
        kind = one["resourceType"]
        one["text"] = {"status": "generated", "div": ""}
        bare = orjson.dumps(one)
        one["text"]["div"] = "n" * max(0, size - len(bare) - 1)
        line = orjson.dumps(one) + b"\n"
        if kind not in files:
            files[kind] = (folder / f"{kind}.000.ndjson").open("wb")
        files[kind].write(line)
        count, total = count + 1, total + len(line)
    for file in files.values():
        file.close()
    return count, total


def floor(folder: Path) -> float:
    """Seconds that orjson takes to read every line."""
    started = time.perf_counter()
    for path in folder.glob("*.ndjson"):
        with path.open("rb") as lines:
            for line in lines:
                orjson.loads(line)
    return time.perf_counter() - started


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--resources", type=int, default=20_000)
    asked.add_argument("--bytes", type=int, default=1_600)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--seed", type=int, default=1)
    args = asked.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, {args.threads} threads")
    with tempfile.TemporaryDirectory(prefix="madang-fhir-") as name:
        source = Path(name) / "export"
        source.mkdir()
        count, total = write(source, args.resources, args.bytes, args.seed)
        print(f"{count:,} resources, {total / 1e6:,.0f} MB, {total / count:,.0f} bytes each")
        seconds, floors, processor = [], [], []
        for run in range(args.runs):
            floors.append(floor(source))
            lake = Lake(Path(name) / f"lake{run}", Path(name) / f"restricted{run}")
            started, busy = time.perf_counter(), time.process_time()
            result = standardize(
                "fhir-r4",
                source,
                starter_path(),
                lake.dataset("fhir"),
                key=b"only for this benchmark",
                threads=args.threads,
            )
            seconds.append(time.perf_counter() - started)
            processor.append(time.process_time() - busy)
        report = result.report
        assert report.lines == count, "every resource is accounted for"
        middle, bare = statistics.median(seconds), statistics.median(floors)
        print(f"standardize      {middle:8.2f} s   {count / middle:10,.0f} resources/s   (median of {args.runs})")
        print(f"  of processors  {statistics.median(processor):8.2f} s")
        print(f"orjson, one core {bare:8.2f} s   {count / bare:10,.0f} resources/s")
        print(f"rows made        {sum(report.tables.values()):,}")
        longest = sorted(report.seconds.items(), key=lambda one: -one[1])[:6]
        print("longest          " + ", ".join(f"{step} {took:.2f} s" for step, took in longest))
        print(f"most memory      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
