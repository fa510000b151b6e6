"""How long similarity and substructure searches and fits take, beside FPSim2 and brute force.

    python benchmarks/chemistry.py --smiles FILE [--molecules 1000000] [--queries 200] [--fpsim2 PYTHON] [--work FOLDER]

`--smiles` is a file of SMILES, one per line; as many molecules as asked for are made of its molecules, cut at an
acyclic single bond and joined anew, by a seeded generator. Queries are drawn before anything is built. Answers of the
first 20 are held against brute force over all fingerprints. `--fpsim2` is a Python that has FPSim2: it builds its own
file from the same molecules and answers the same queries. Medians are shown, with the machine and its load.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import platform
import random
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem, RDLogger

from madang.science.chemistry import search, segment
from madang.science.chemistry.curves import fit_many
from madang.science.chemistry.structure import fingerprint_bytes, pattern_bytes, read_smiles

CUT = Chem.MolFromSmarts("[!#1]-!@[#6]")
CHUNK = 5_000
PEER = """
import json, sys, time
from FPSim2 import FPSim2Engine
from FPSim2.io import create_db_file
molecules, queries, path = sys.argv[1:4]
began = time.perf_counter()
lines = [line.split() for line in open(molecules)]
create_db_file([[s, int(n)] for s, n in lines], path, "smiles", "Morgan", {"radius": 2, "fpSize": 2048})
built = time.perf_counter() - began
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


def made(job: tuple[int, list[str]]) -> tuple[list[str], bytes, bytes]:
    """A chunk of molecules with their fingerprints, by the seed of the chunk."""
    RDLogger.DisableLog("rdApp.*")
    seed, parts = job
    chance = random.Random(seed)
    smiles, morgan, patterns = [], [], []
    while len(smiles) < CHUNK:
        one, two = (part.replace("[1*]", "[*:1]") for part in (chance.choice(parts), chance.choice(parts)))
        try:
            joined = Chem.molzip(Chem.MolFromSmiles(one), Chem.MolFromSmiles(two))
            text = Chem.MolToSmiles(joined)
            molecule = read_smiles(text)
        except Exception:  # halves that do not fit
            continue
        smiles.append(text)
        morgan.append(fingerprint_bytes(molecule))
        patterns.append(pattern_bytes(molecule))
    return smiles, b"".join(morgan), b"".join(patterns)


def molecules(parts: list[str], count: int) -> Iterator[tuple[list[str], bytes, bytes]]:
    """Chunks of molecules, made by two processes."""
    jobs = [(1000 + number, parts) for number in range(-(-count // CHUNK))]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        yield from pool.imap(made, jobs)


def show(what: str, seconds: list[float] | float, more: str = "") -> None:
    times = [seconds] if isinstance(seconds, float) else seconds
    worst = f", 95% {np.quantile(times, 0.95) * 1e3:,.1f} ms" if len(times) > 1 else ""
    print(f"{what}: {statistics.median(times) * 1e3:,.1f} ms{worst} {more}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smiles", type=Path, required=True)
    parser.add_argument("--molecules", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--fpsim2", type=Path)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    data = options.smiles.read_bytes()
    text = (gzip.decompress(data) if options.smiles.suffix == ".gz" else data).decode()
    smiles = [line.split()[0] for line in text.splitlines() if line.strip()]
    work = options.work or Path(tempfile.mkdtemp(prefix="madang-chemistry-"))
    work.mkdir(parents=True, exist_ok=True)
    parts = fragments(smiles)
    began = time.perf_counter()
    chunks = list(molecules(parts, options.molecules))
    print(f"{options.molecules:,} molecules made with fingerprints: {time.perf_counter() - began:.0f} s, two processes")
    every = [text for chunk in chunks for text in chunk[0]][: options.molecules]
    words = np.frombuffer(b"".join(chunk[1] for chunk in chunks), np.uint64).reshape(-1, 32)[: options.molecules]
    patterns = np.frombuffer(b"".join(chunk[2] for chunk in chunks), np.uint8).reshape(-1, 128)[: options.molecules]
    drawn = random.Random(2026).sample(range(len(every)), options.queries)
    similarity(words, words[drawn].copy(), work)
    screening(patterns, work)
    curves()
    if options.fpsim2:
        peer(options.fpsim2, every, [every[place] for place in drawn], work)
    print(
        f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB (all fingerprints are held)"
    )


def similarity(words: Any, queries: Any, work: Path) -> None:
    path = work / "one.morgan"
    began = time.perf_counter()
    segment.write_segment(words, path)
    show("segment laid out", time.perf_counter() - began, f"({path.stat().st_size / 1e6:,.0f} MB)")
    began = time.perf_counter()
    opened = [segment.open_segment(path)]
    show("segment opened", time.perf_counter() - began)
    search.scan_segments(opened, queries[:1].copy(), 10, 0.0)
    for threads in (1, 2):
        times, share = [], 0
        for query in queries:
            began = time.perf_counter()
            found = search.scan_segments(opened, query[np.newaxis].copy(), 10, 0.0, threads)
            times.append(time.perf_counter() - began)
            share += found[3]
        show(f"top 10, {threads} threads", times, f"({share / len(words) / len(queries):.2%} compared in full)")
    began = time.perf_counter()
    search.scan_segments(opened, queries[:64].copy(), 10, 0.0, 2)
    show("a query of a batch of 64", (time.perf_counter() - began) / 64)
    brute = []
    for query in queries[:20]:
        began = time.perf_counter()
        scores, _places = search.brute_force(words, query, 10)
        brute.append(time.perf_counter() - began)
        best, _found, sizes, _compared = search.scan_segments(opened, query[np.newaxis].copy(), 10, 0.0, 2)
        assert np.sort(best[0, : sizes[0]])[::-1].tolist() == scores.tolist()
    show("brute force (NumPy); answers equal", brute)


def screening(patterns: Any, work: Path) -> None:
    path = work / "one.pattern"
    began = time.perf_counter()
    segment.write_screen(patterns, path)
    show("screen laid out", time.perf_counter() - began, f"({path.stat().st_size / 1e6:,.0f} MB)")
    for smarts in SUBSTRUCTURES:
        query = Chem.MolFromSmarts(smarts)
        query.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(query)
        bits = np.flatnonzero(np.unpackbits(np.frombuffer(pattern_bytes(query), np.uint8), bitorder="little"))
        began = time.perf_counter()
        left = segment.screen(path, bits.tolist())
        show(f"screen for {smarts}", time.perf_counter() - began, f"({len(left) / len(patterns):.1%} are left)")


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
    show("FPSim2: built", float(answer["built"]))
    show("FPSim2: top 10, 2 workers", answer["times"])


if __name__ == "__main__":
    main()
