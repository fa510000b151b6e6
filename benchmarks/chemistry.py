"""How long similarity and substructure searches and fits take, beside FPSim2 and brute force.

    python benchmarks/chemistry.py --smiles FILE [--molecules 1000000] [--queries 200] [--fpsim2 PYTHON] [--work FOLDER]

`--smiles` is a file of SMILES, one per line; as many molecules as asked for are made of its molecules, cut at an
acyclic single bond and joined anew, by a seeded generator. `--work` keeps them, the indexes and FPSim2's file for the
next time, so that `--only search` need not make them again. Queries are drawn before anything is built. Answers of the
first 20 are held against brute force over all fingerprints, substructures against RDKit's own matching of a sample.
`--fpsim2` is a Python that has FPSim2: it builds its own file from the same molecules and answers the same queries.
Medians are shown, with the machine and its load.

    python benchmarks/chemistry.py --only tables --tables FOLDER

trains a full model of every CSV of the folder (the Biogen endpoints: columns smiles, activity) and prints how it does
for molecules that it did not see: whole clusters, scattered molecules, nearest neighbors beside it, intervals, domain.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem, RDLogger

from madang.lake import Lake
from madang.science.chemistry import search
from madang.science.chemistry.curves import fit_many
from madang.science.chemistry.library import COMPOUND, FINGERPRINT, KIND, add_files
from madang.science.chemistry.structure import fingerprint, fingerprint_bytes, pattern_bytes, read_smiles

CUT = Chem.MolFromSmarts("[!#1]-!@[#6]")
CHUNK = 5_000
LIBRARY = {False: "without-patterns", True: "with-patterns"}
PARTS = ("molecules", "index", "index-substructures", "search", "fpsim2", "register", "curves", "learn", "tables")
COLUMNS = {
    "compound": pa.schema([COMPOUND.field(name) for name in ("compound_id", "id", "smiles")]),
    "fingerprint": FINGERPRINT,
}
PEER = """
import json, pathlib, sys, time
from FPSim2 import FPSim2Engine
from FPSim2.io import create_db_file
molecules, queries, path = sys.argv[1:4]
if not pathlib.Path(path).exists():
    began = time.perf_counter()
    lines = [line.split() for line in open(molecules)]
    create_db_file([[s, int(n)] for s, n in lines], path, "smiles", "Morgan", {"radius": 2, "fpSize": 2048})
    built = time.perf_counter() - began
else:
    built = 0.0
engine = FPSim2Engine(path)
times = []
for smiles in open(queries).read().split():
    began = time.perf_counter()
    engine.top_k(smiles, k=10, threshold=0.0, metric="tanimoto", n_workers=2)
    times.append(time.perf_counter() - began)
print(json.dumps({"built": built, "times": times}))
"""
SUBSTRUCTURES = ("c1ccc2[nH]ccc2c1", "O=C(Nc1ccccc1)c1ccccc1", "c1ccccc1S(=O)(=O)N", "C1CCNCC1", "[NX3;H2]", "C#N")


def fragments(smiles: list[str], seed: int = 7, most: int = 6000) -> list[str]:
    """Halves of molecules, each with the place of its cut."""
    chance = random.Random(seed)
    found: list[str] = []
    for text in chance.sample(smiles, min(len(smiles), most)):
        molecule = Chem.MolFromSmiles(text)
        bonds = molecule.GetSubstructMatches(CUT) if molecule else ()
        if not bonds:
            continue
        bond = molecule.GetBondBetweenAtoms(*chance.choice(bonds)).GetIdx()
        halves = Chem.MolToSmiles(Chem.FragmentOnBonds(molecule, [bond], dummyLabels=[(1, 1)])).split(".")
        found += [half for half in halves if half.count("[1*]") == 1 and 10 < len(half) < 60]
    return sorted(set(found))


def made(job: tuple[int, list[str]]) -> list[str]:
    """A chunk of molecules, by the seed of the chunk."""
    RDLogger.DisableLog("rdApp.*")
    seed, parts = job
    chance = random.Random(seed)
    smiles: list[str] = []
    while len(smiles) < CHUNK:
        one, two = (part.replace("[1*]", "[*:1]") for part in (chance.choice(parts), chance.choice(parts)))
        try:
            joined = Chem.molzip(Chem.MolFromSmiles(one), Chem.MolFromSmiles(two))
            smiles.append(Chem.MolToSmiles(joined))
        except Exception:  # halves that do not fit
            continue
    return smiles


def molecules(source: Path, count: int, path: Path) -> None:
    """Write so many molecules, made by two processes, unless the file is there already."""
    if path.exists():
        return
    data = source.read_bytes()
    text = (gzip.decompress(data) if source.suffix == ".gz" else data).decode()
    parts = fragments([line.split()[0] for line in text.splitlines() if line.strip()])
    jobs = [(1000 + number, parts) for number in range(-(-count // CHUNK))]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        chunks = pool.map(made, jobs)
    path.write_text("".join(f"{text}\n" for text in [each for chunk in chunks for each in chunk][:count]))


def prints(job: tuple[list[str], bool]) -> tuple[bytes, bytes]:
    """Fingerprints of SMILES; those for substructures too where asked for."""
    smiles, patterns = job
    read = [read_smiles(text) for text in smiles]
    whole = b"".join(fingerprint_bytes(each) for each in read)
    return whole, b"".join(pattern_bytes(each) for each in read) if patterns else bytes(128 * len(read))


def indexed(path: Path, work: Path, patterns: bool, quarter: int | None = None) -> search.Index:
    """A library of the molecules, as registering them would write it but without properties, and its index; of a
    quarter of them, added to the quarters before it, where that is asked for."""
    name = LIBRARY[patterns]
    if not quarter:
        shutil.rmtree(work / name, ignore_errors=True)
    lake, folder = Lake(work / name / "lake", work / name / "restricted"), work / name / "indexes"
    lines = path.read_text().splitlines()
    if quarter is not None:
        lines = lines[len(lines) * quarter // 4 : len(lines) * (quarter + 1) // 4]
    chunks = [lines[start : start + CHUNK] for start in range(0, len(lines), CHUNK)]
    dataset = lake.dataset(name)
    parent = dataset.version() if quarter else None
    first = parent.info["next_id"] if parent else 1
    with dataset.write(parent=parent) as writer:
        if parent:
            writer.keep_all()
        files = {kind: writer.new_file(kind) for kind in ("compound", "fingerprint")}
        compound = pq.ParquetWriter(files["compound"], COLUMNS["compound"], compression="zstd")
        fingerprint = pq.ParquetWriter(files["fingerprint"], COLUMNS["fingerprint"], compression="zstd")
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            for chunk, (morgan, pattern) in zip(
                chunks, pool.imap(prints, ((each, patterns) for each in chunks)), strict=True
            ):
                numbers = pa.array(range(first, first + len(chunk)), pa.int64())
                names = [f"M-{number:07d}" for number in range(first, first + len(chunk))]
                compound.write_table(pa.table([numbers, names, chunk], schema=COLUMNS["compound"]))
                cut = [
                    [data[w * r : w * (r + 1)] for r in range(len(chunk))]
                    for data, w in ((morgan, 256), (pattern, 128))
                ]
                fingerprint.write_table(pa.table([numbers, *cut], schema=COLUMNS["fingerprint"]))
                first += len(chunk)
        compound.close()
        fingerprint.close()
        for kind, file in files.items():
            writer.add(kind, file)
        info: dict[str, Any] = {"files": [], "compounds": first - 1, "next_id": first, "toolkit": ""}
        version = writer.commit(kind=KIND, info=info)
    made_index = search.Index(version, folder)
    made_index.segments  # noqa: B018  # makes them
    if patterns:
        made_index.candidates([0])
    return made_index


def show(what: str, seconds: list[float] | float, more: str = "") -> None:
    times = [seconds] if isinstance(seconds, float) else seconds
    worst = f", 95% {np.quantile(times, 0.95) * 1e3:,.1f} ms" if len(times) > 1 else ""
    print(f"{what}: {statistics.median(times) * 1e3:,.1f} ms{worst} {more}", flush=True)


def spent(began: tuple[float, float]) -> str:
    """Seconds by the clock and of processors since, children that ended included."""
    now = os.times()
    return f"{time.perf_counter() - began[0]:.0f} s by the clock, {sum(now[:4]) - began[1]:.0f} s of processors"


def started() -> tuple[float, float]:
    return time.perf_counter(), sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smiles", type=Path)
    parser.add_argument("--tables", type=Path, help="a folder of tables to train on")
    parser.add_argument("--structure", default="smiles")
    parser.add_argument("--value", default="activity")
    parser.add_argument("--molecules", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--register", type=int, default=5_000, help="how many are registered with all properties")
    parser.add_argument("--fpsim2", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--quarter", type=int, choices=range(4), help="index so much more of them in this run")
    parser.add_argument("--only", default="", choices=["", *PARTS], help="one part; without it all of them")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if options.only in ("", "tables") and options.tables:
        tables(sorted(options.tables.glob("*.csv")), options.structure, options.value)
    if options.only == "tables" or not options.smiles:
        return
    work = options.work or Path(tempfile.mkdtemp(prefix="madang-chemistry-"))
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"{options.molecules}.smi"
    molecules(options.smiles, options.molecules, path)
    drawn = random.Random(2026).sample(range(options.molecules), options.queries)  # before anything is built
    every = path.read_text().splitlines()
    queries = [every[place] for place in drawn]
    parts: dict[str, Callable[[], None]] = {
        "index": lambda: indexing(path, work, False, options.quarter),
        "index-substructures": lambda: indexing(path, work, True, options.quarter),
        "search": lambda: searching(every, queries, work),
        "register": lambda: registering(every[:: max(1, len(every) // options.register)], work),
        "curves": curves,
        "learn": lambda: learning(every[:: max(1, len(every) // 10_000)][:10_000], work),
    }
    for name in PARTS:
        if options.only in ("", name) and name in parts:
            parts[name]()
    if options.fpsim2 and options.only in ("", "search", "fpsim2"):
        peer(options.fpsim2, every, queries, work)


def indexing(path: Path, work: Path, patterns: bool, quarter: int | None) -> None:
    began = started()
    index = indexed(path, work, patterns, quarter)
    what = "similarity and substructures" if patterns else "similarity"
    many = len(index) if quarter is None else len(index) // (quarter + 1)
    size = sum(each.stat().st_size for each in work.glob(f"{LIBRARY[patterns]}/indexes/*/*")) / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{many:,} SMILES to an index for {what}: {spent(began)}; {size:,.0f} MB of files", flush=True)
    print(f"most memory of the process that writes: {most:,.0f} MB", flush=True)


def searching(every: list[str], queries: list[str], work: Path) -> None:
    """Both kinds of search in the index that `index-substructures` made."""
    place = work / LIBRARY[True]
    if not place.exists():
        indexed(work / f"{len(every)}.smi", work, patterns=True)
    version = Lake(place / "lake", place / "restricted").dataset(LIBRARY[True]).version()
    index = search.Index(version, place / "indexes")
    index.candidates([0])  # the screen is there
    similarity(index, queries)
    substructures(index, every)


def similarity(index: search.Index, queries: list[str]) -> None:
    began = time.perf_counter()
    opened = search.Index(index.version, index._folder.parent)
    opened.segments  # noqa: B018  # maps them
    show("index opened", time.perf_counter() - began)
    asked = np.array([fingerprint(read_smiles(text)) for text in queries])
    search.scan_segments(opened.segments, asked[:1].copy(), 10, 0.0)
    for threads in (1, 2):
        times, share = [], 0
        for query in asked:
            began = time.perf_counter()
            found = search.scan_segments(opened.segments, query[np.newaxis].copy(), 10, 0.0, threads)
            times.append(time.perf_counter() - began)
            share += found[3]
        show(f"top 10, {threads} threads", times, f"({share / len(opened) / len(asked):.2%} compared in full)")
    began = time.perf_counter()
    search.scan_segments(opened.segments, asked[:64].copy(), 10, 0.0, 2)
    show("a query of a batch of 64", (time.perf_counter() - began) / 64)
    words = np.concatenate([part.words[np.argsort(part.rows)] for part in opened.segments])
    brute = []
    for query in asked[:20]:
        began = time.perf_counter()
        scores, _places = search.brute_force(words, query, 10)
        brute.append(time.perf_counter() - began)
        best, _found, sizes, _compared = search.scan_segments(opened.segments, query[np.newaxis].copy(), 10, 0.0, 2)
        assert np.sort(best[0, : sizes[0]])[::-1].tolist() == scores.tolist()
    show("brute force (NumPy); answers equal", brute)


def substructures(index: search.Index, every: list[str]) -> None:
    for smarts in SUBSTRUCTURES:
        began = time.perf_counter()
        first = search.substructure(index, smarts, 1_000)
        show(f"{smarts}: first {len(first.hits):,} hits, at most {first.most:,}", time.perf_counter() - began)
        began = time.perf_counter()
        found = search.substructure(index, smarts)
        show(f"{smarts}: all {found.total:,} hits, {found.compared:.2%} matched", time.perf_counter() - began)
    some = list(range(0, len(every), max(1, len(every) // 20_000)))  # equal to RDKit's own matching, on a sample
    read = [Chem.MolFromSmiles(every[place]) for place in some]
    for smarts in SUBSTRUCTURES:
        query = Chem.MolFromSmarts(smarts)
        expected = {every[place] for place, each in zip(some, read, strict=True) if each.HasSubstructMatch(query)}
        hits = {hit.smiles for hit in search.substructure(index, smarts).hits}
        assert expected == hits & {every[place] for place in some}, smarts
    print(f"substructures equal to RDKit's own matching on {len(some):,} molecules", flush=True)


def registering(some: list[str], work: Path) -> None:
    path = work / "registered.smi"
    path.write_text("".join(f"{text} R-{number}\n" for number, text in enumerate(some)))
    shutil.rmtree(work / "other", ignore_errors=True)
    lake, began = Lake(work / "other", work / "other-restricted"), started()
    add_files(lake.dataset("registered"), [path], processes=2)
    processors = sum(os.times()[:4]) - began[1]
    hours = processors / len(some) * 1e6 / 2 / 60
    print(f"{len(some):,} registered with all properties: {spent(began)}; a million on two cores: {hours:.0f} minutes")


def learning(some: list[str], work: Path) -> None:
    """Train on made-up values (logP with noise): how long it takes, not how good it is."""
    from rdkit.Chem.Crippen import MolLogP

    from madang.science.chemistry.assay import read_assay
    from madang.science.chemistry.model import train

    chance, path = random.Random(3), work / "assay.csv"
    rows = [f"{text},{MolLogP(read_smiles(text)) + chance.gauss(0, 0.3):.3f}" for text in some]
    path.write_text("smiles,value\n" + "\n".join(rows) + "\n")
    table = read_assay(path, "smiles", "value")
    for light in (True, False):
        began = started()
        model = train("benchmark", table, light=light, threads=2)
        name = "light" if light else "full"
        print(f"{name} model of {len(table.smiles):,} molecules trained: {spent(began)}", flush=True)
        began = started()
        model.predict(some[:1_000], processes=1)
        processors = sum(os.times()[:4]) - began[1]
        print(f"{name} model: {1_000 / processors:,.0f} molecules a second of processor, with intervals", flush=True)


def tables(paths: list[Path], structure: str, value: str) -> None:
    """A line for each table: Pearson r by whole clusters with its 95% interval, by scattered molecules and by scaffold,
    what nearest neighbors reach, how often 90% intervals held (beside binomial error), and the mean error in and out of
    the domain."""
    from madang.science.chemistry.assay import read_assay
    from madang.science.chemistry.model import train

    print("| table | compounds | r by cluster | nearest neighbors | scattered | scaffold | in 90% | error in, out |")
    print("|---|---|---|---|---|---|---|---|")
    for path in paths:
        assay = read_assay(path, structure, value)
        card = train(path.stem, assay, threads=2).card
        cluster, many = card["splits"]["cluster"], len(assay.smiles)
        low, high = cluster["model"]["interval"]
        held, error = cluster["coverage"]["0.9"], 1.96 * (0.09 / many) ** 0.5
        inside, outside = (card["domain"][where]["mae"] for where in ("inside", "outside"))
        scaffold = card["splits"].get("scaffold", {}).get("model", {}).get("pearson_r")
        print(
            f"| {path.stem} | {many:,} ({len(assay.dropped)} dropped) | {cluster['model']['pearson_r']:.3f}"
            f" ({low:.3f} to {high:.3f}) | {cluster['baseline']['pearson_r']:.3f}"
            f" | {card['splits']['random']['model']['pearson_r']:.3f} | {scaffold:.3f}"
            f" | {held:.1%} (90% ± {error:.1%}) | {inside:.3f}, {outside:.3f} |",
            flush=True,
        )


def curves() -> None:
    chance = np.random.default_rng(1)
    x = np.repeat(10 / 3.0 ** np.arange(10), 2)
    many = []
    for _one in range(1000):
        y = 100 / (1 + (10 ** chance.uniform(-2, 1) / x) ** chance.uniform(0.6, 2)) + chance.normal(0, 4, len(x))
        many.append(list(zip(x.tolist(), y.tolist(), strict=True)))
    began = time.perf_counter()
    fit_many(many)
    show("1,000 curves of 20 points fitted", time.perf_counter() - began)


def peer(python: Path, smiles: list[str], queries: list[str], work: Path) -> None:
    given, asked = work / "peer.smi", work / "queries.txt"
    given.write_text("".join(f"{text} {number}\n" for number, text in enumerate(smiles, 1)))
    asked.write_text("\n".join(queries))
    done = subprocess.run(
        [python, "-c", PEER, given, asked, work / "peer.h5"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"FPSim2 did not run: {done.stderr.strip().splitlines()[-1:]}")
        return
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["built"]:
        show("FPSim2: built, one process", float(answer["built"]))
    show("FPSim2: top 10, 2 workers", answer["times"])


if __name__ == "__main__":
    main()
