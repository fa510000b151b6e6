"""The bioprocess lab beside its peers: monitoring, the twin, optimization, the log of runs, the fit.

    python benchmarks/bioprocess.py [--tep FOLDER] [--penicillin FILE] [--seeds 20] [--log-seconds 20] [--only PART]

`--tep` is a folder with Tennessee Eastman files (d00, d00_te, d01_te, ... as .dat, .dat.xz or .dat.gz; those that are
there are tried; missed_detection.csv of published figures), `--penicillin` the cases of the Liang and Lai benchmark.
Peers in the same run: SciPy's LSODA for the twin, a Gaussian process of scikit-learn with plain expected improvement
and random search for the optimization, PCA for the monitoring; egobox and BoFire where they are installed, or lie in
the folder `--peers` (its packages are found after those that are installed). Everything is synthetic but the published
files.
"""

import argparse
import csv
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from madang.science.bioprocess.design import Factor, Space, design
from madang.science.bioprocess.optimization import Aim, suggest
from madang.science.bioprocess.twin.kinetics import STATES, kinetics
from madang.science.bioprocess.twin.solve import Batches, solve

UNDETECTABLE = (3, 9, 15)
FACTORS = (
    Factor("feed_rate", 0.0002, 0.004, unit="L/h"),
    Factor("feed_from", 24, 120, unit="h"),
    Factor("feed_glucose", 100, 500, unit="mmol/L"),
    Factor("shift_day", 2, 10, unit="d"),
    Factor("shift_to", 31, 37, unit="°C"),
    Factor("seed", 0.2, 1.0, unit="1e9 cells/L"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tep", type=Path)
    parser.add_argument("--penicillin", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1, help="of the foundry")
    parser.add_argument("--peer-seeds", type=int, default=5)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--methods", default="", help="only methods of optimization whose name begins so")
    parser.add_argument("--log-seconds", type=float, default=20)
    parser.add_argument("--log-rate", type=int, default=0, help="readings a second; 0 is as fast as it goes")
    parser.add_argument("--only", choices=["monitor", "twin", "penicillin", "optimize", "foundry", "log", "fit"])
    given = parser.parse_args()
    if given.peers:
        sys.path.append(str(given.peers))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    parts: dict[str, Any] = {
        "monitor": lambda: monitor(given.tep),
        "twin": twin,
        "penicillin": lambda: penicillin(given.penicillin),
        "optimize": lambda: optimize(given.seeds, given.peer_seeds, given.methods),
        "foundry": lambda: foundry(given.seeds, given.first_seed),
        "log": lambda: log(given.log_seconds, given.log_rate),
        "fit": fit_runs,
    }
    for name, part in parts.items():
        if given.only in (None, name):
            print(f"\n## {name}")
            part()


def monitor(folder: Path | None) -> None:
    """Missed detection per fault, delay and false alarms, all settings from training files; PCA in the same run."""
    if folder is None:
        print("no --tep folder")
        return
    from madang.science.bioprocess.monitoring import train, watch
    from madang.science.bioprocess.signals import read_signals

    published = {}
    if (folder / "missed_detection.csv").exists():
        with (folder / "missed_detection.csv").open() as file:
            published = {int(row["fault"]): row for row in csv.DictReader(file)}

    def held(name: str) -> Path | None:
        """A file of the folder, packed or not."""
        return next((path for end in (".dat", ".dat.xz", ".dat.gz") if (path := folder / (name + end)).exists()), None)

    first = held("d00")
    if first is None:
        print(f"there is no d00.dat in {folder}")
        return
    normal = read_signals(first)
    begin = time.perf_counter()
    model = train([normal])
    print(f"training {time.perf_counter() - begin:.1f} s on {normal.samples} samples of {len(normal.names)} signals")
    mean, scale = normal.values.mean(0), normal.values.std(0, ddof=1)
    _u, _s, directions = np.linalg.svd((normal.values - mean) / scale)

    def left_over(values: np.ndarray) -> np.ndarray:
        scaled = (values - mean) / scale
        return ((scaled - scaled @ directions[:11].T @ directions[:11]) ** 2).sum(1)

    tested = held("d00_te")
    quiet = read_signals(tested, 52) if tested else normal
    limit = np.quantile(left_over(quiet.values), 0.99)
    if tested:
        print(f"false alarms on d00_te {watch(model, quiet).alarm.mean():.4f} (PCA's limit is set to 0.01 of it)")
    else:
        print("no d00_te: false alarms are not known, PCA's limit is set on d00")
    print("fault  missed  delay(min)  PCA Q here  CVA T_r2 of 2000")
    ours, peers = [], []
    for fault in range(1, 22):
        path = held(f"d{fault:02d}_te")
        if path is None:
            continue
        record = read_signals(path, 52)
        alarm = watch(model, record).alarm[160:]
        missed = 1 - alarm.mean()
        peer = (left_over(record.values)[160:] <= limit).mean()
        delay = f"{3 * int(np.argmax(alarm))}" if alarm.any() else "-"
        told = published.get(fault, {}).get("cva_tr2_pub", "-")
        print(f"{fault:5d}  {missed:.4f}  {delay:>10}  {peer:.4f}      {told}")
        if fault not in UNDETECTABLE:
            ours.append(missed)
            peers.append(peer)
    if ours:
        print(f"mean of {len(ours)} detectable faults here: {np.mean(ours):.4f}; PCA Q {np.mean(peers):.4f}")
    trained = {fault: path for fault in range(1, 22) if (path := held(f"d{fault:02d}")) and fault not in UNDETECTABLE}
    shares = [1 - watch(model, read_signals(path, 52)).alarm.mean() for path in trained.values()]
    if shares:
        print(f"mean of {len(shares)} detectable faults on training files: {np.mean(shares):.4f}")


def cho_batches(count: int, seed: int = 0) -> Batches:
    """Fed-batches of 14 days with every parameter varied by 15 percent, three feeds and a shift of temperature."""
    model = kinetics("cho")
    random = np.random.default_rng(seed)
    parameters = model.values() * random.uniform(0.85, 1.15, (count, len(model.parameters)))
    start = np.zeros((count, len(STATES)))
    for name, value in model.start.items():
        start[:, STATES.index(name)] = value
    edges = np.tile([0, 48.0, 120, 200, 336], (count, 1))
    controls = np.zeros((count, 4, 4))
    controls[:, :, 0] = [0, 0.0008, 0.0015, 0.0012]
    controls[:, :, 1], controls[:, :, 2], controls[:, :, 3] = 300, 20, [37, 37, 34, 34]
    return Batches(model, parameters, start, edges, controls)


def twin() -> None:
    """10,000 batches, 169 answers each, beside LSODA on 100 of them."""
    from madang.science.bioprocess.twin.plain import solve_plainly

    times = np.linspace(0, 336, 169)
    batches = cho_batches(10_000)
    solve(cho_batches(10), times)  # compiles, or loads what was compiled
    walls, works = [], []
    for _round in range(5):
        wall, work = time.perf_counter(), time.process_time()
        fast = solve(batches, times)
        walls.append(time.perf_counter() - wall)
        works.append(time.process_time() - work)
    some = 100
    wall = time.perf_counter()
    few = cho_batches(10_000)
    slow = solve_plainly(
        Batches(few.kinetics, few.parameters[:some], few.start[:some], few.edges[:some], few.controls[:some]),
        times,
        1e-8,
    )
    peer = (time.perf_counter() - wall) / some * 10_000
    error = (np.abs(fast[:some] - slow).max((0, 1)) / np.abs(slow).max((0, 1))).max()
    print(
        f"10,000 batches of 14 days: median {statistics.median(walls):.2f} s wall, {statistics.median(works):.2f} s of"
    )
    print(f"processor; LSODA {peer:.0f} s (from {some}); largest relative error against it {error:.1e}")


def penicillin(file: Path | None) -> None:
    """The cases of the published benchmark."""
    if file is None:
        print("no --penicillin file")
        return
    from madang.science.bioprocess.twin.penicillin import batch

    cases = json.loads(file.read_text())["cases"]
    worst = 0.0
    for case in cases:
        aims = batch(case["x"]).aims
        worst = max(worst, *(abs(a - b) / abs(b) for a, b in zip(aims, case["minus_penicillin_co2_time"], strict=True)))
    random = np.random.default_rng(1)
    from madang.science.bioprocess.twin.penicillin import BOUNDS

    tried = [batch([random.uniform(low, high) for low, high in BOUNDS]).penicillin for _n in range(1000)]
    print(f"{len(cases)} cases, largest relative error {worst:.1e}")
    print(f"1,000 random recipes: median {np.median(tried):.2f}, best {max(tried):.2f} g/L")


def harvest(rows: np.ndarray) -> np.ndarray:
    """What six choices give: product in the vessel, less where ammonia harms its quality."""
    low = np.array([factor.low for factor in FACTORS])
    high = np.array([factor.high for factor in FACTORS])
    chosen = low + np.asarray(rows) * (high - low)
    count = len(chosen)
    model = kinetics("cho")
    start = np.zeros((count, len(STATES)))
    start[:, 0], start[:, 1], start[:, 3], start[:, 4] = 1.0, chosen[:, 5], 25.0, 5.0
    feed, shift = chosen[:, 1], chosen[:, 3] * 24
    edges = np.stack([np.zeros(count), np.minimum(feed, shift), np.maximum(feed, shift), np.full(count, 336.0)], 1)
    controls = np.zeros((count, 3, 4))
    for place in range(3):
        controls[:, place, 0] = np.where(edges[:, place] >= feed - 1e-9, chosen[:, 0], 0)
        controls[:, place, 1], controls[:, place, 2] = chosen[:, 2], 15
        controls[:, place, 3] = np.where(edges[:, place] >= shift - 1e-9, chosen[:, 4], 37)
    ends = solve(Batches(model, np.tile(model.values(), (count, 1)), start, edges, controls), np.array([0, 336.0]))[
        :, -1
    ]
    quality = np.clip(1 - np.maximum(0, ends[:, STATES.index("ammonia")] - 6) / 6, 0, 1)
    return ends[:, STATES.index("product")] * ends[:, 0] * 1000 * quality


FOUNDRY = """
seed = {seed}
name = "pathway"
rounds = 10
experiments = 8
[[part]]
name = "promoter"
choices = ["P1", "P2", "P3", "P4", "P5", "P6"]
[[part]]
name = "rbs"
choices = ["R1", "R2", "R3", "R4", "R5"]
[[part]]
name = "terminator"
choices = ["T1", "T2", "T3"]
[[factor]]
name = "inducer"
low = 0
high = 100
[[factor]]
name = "temperature"
low = 25
high = 37
[devices]
failures = ["reader@3", "dispenser@5:silent*9"]
"""


def foundry(seeds: int, first: int) -> None:
    """Ten rounds closed by simulated devices, one failing once and one failing for good in a round, against a fixed
    design of the same size: in how many seeds the truth of the best construct is better."""
    from madang.science.bioprocess.foundry.description import read_foundry
    from madang.science.bioprocess.foundry.loop import run

    better = 0
    for seed in range(first, first + seeds):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pathway.toml"
            path.write_text(FOUNDRY.format(seed=seed))
            done = run(read_foundry(path))
        better += done.found is not None and done.fixed is not None and done.found > done.fixed
    print(
        f"foundry: better than a fixed design of the same size in {better} of {seeds} seeds from {first} on", flush=True
    )


def optimize(seeds: int, peer_seeds: int, begins: str) -> None:
    """Regret after 20 and 40 experiments on the six-factor twin with 2 percent noise; 8 of a Latin hypercube first."""
    space = Space(FACTORS)
    random = np.random.default_rng(0)
    rows = random.random((60_000, 6))
    values = harvest(rows)
    best, place = float(values.max()), rows[values.argmax()]
    for turn in range(300):
        near = np.clip(place + random.standard_normal((300, 6)) * 0.1 * 0.98**turn, 0, 1)
        told = harvest(near)
        if told.max() > best:
            best, place = float(told.max()), near[told.argmax()]
    print(f"optimum {best:.0f}; random: median {np.median(values):.0f}, 99.9 % {np.quantile(values, 0.999):.0f}")
    methods: dict[str, Any] = {"ours": ours, "random": random_peer, "scikit-learn GP, EI": sklearn_peer}
    for name, package, method in (("egobox", "egobox", egobox_peer), ("BoFire SOBO", "bofire", bofire_peer)):
        if importlib.util.find_spec(package):
            methods[f"{name} {importlib.metadata.version(package)}"] = method
    for name, method in methods.items():
        if not name.startswith(begins):
            continue
        regrets, took, failed = [], [], 0
        for seed in range(seeds if name == "ours" else min(seeds, peer_seeds)):
            noise = np.random.default_rng(seed)
            points = design(space, "latin-hypercube", 8, seed=seed)
            truth = list(harvest(space.encode(points)))
            seen = [value * (1 + 0.02 * noise.standard_normal()) for value in truth]
            while len(points) < 40:
                begin = time.process_time()
                try:
                    point = method(space, points, np.array(seen), seed)
                except Exception as error:  # a peer that gives up is shown, not hidden
                    point, failed = random_peer(space, points, np.array(seen), seed), failed + 1
                    print(f"  {name}: {type(error).__name__}: {error}"[:200])
                took.append(time.process_time() - begin)
                points.append(point)
                truth.append(float(harvest(space.encode([point]))[0]))
                seen.append(truth[-1] * (1 + 0.02 * noise.standard_normal()))
            regrets.append((1 - max(truth[:20]) / best, 1 - max(truth) / best))
        middle = np.median(regrets, axis=0)
        print(
            f"{name:20s} seeds {len(regrets):2d}  regret@20 {middle[0]:.4f}  regret@40 {middle[1]:.4f} "
            f"(worst {max(r[1] for r in regrets):.4f})  {np.median(took):.3f} s of processor a suggestion"
            + (f"; {failed} suggestions failed" if failed else ""),
            flush=True,
        )
    if begins:
        return
    for count in (40, 200, 500):
        points = [space.decode(row) for row in random.random((count, 6))]
        seen = harvest(space.encode(points))
        begin = time.perf_counter()
        suggest(space, [Aim("y")], points, {"y": seen})
        print(f"one suggestion after {count} experiments: {time.perf_counter() - begin:.2f} s")


def ours(space: Space, points: list[Any], seen: np.ndarray, seed: int) -> Any:
    return suggest(space, [Aim("y")], points, {"y": seen}, seed=seed)[0][0].point


def random_peer(space: Space, points: list[Any], seen: np.ndarray, seed: int) -> Any:
    return space.decode(np.random.default_rng([seed, len(points)]).random(6))


def sklearn_peer(space: Space, points: list[Any], seen: np.ndarray, seed: int) -> Any:
    """What fifteen lines with scikit-learn give: Matern 5/2, plain expected improvement at random points."""
    import warnings

    from scipy.stats import norm
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process = GaussianProcessRegressor(
            Matern(np.ones(6), nu=2.5) + WhiteKernel(0.01), normalize_y=True, random_state=seed
        ).fit(space.encode(points), seen)
    rows = np.random.default_rng([seed, len(points)]).random((4096, 6))
    mean, deviation = process.predict(rows, return_std=True)
    z = (mean - seen.max()) / np.maximum(deviation, 1e-12)
    return space.decode(rows[int(np.argmax(deviation * (norm.pdf(z) + z * norm.cdf(z))))])


def egobox_peer(space: Space, points: list[Any], seen: np.ndarray, seed: int) -> Any:
    """egobox (Rust) as it comes: a Gaussian process and the logarithm of expected improvement; it minimizes."""
    import egobox

    egor = egobox.Egor(np.array([[0.0, 1.0]] * 6), seed=seed)
    found = egor.suggest(space.encode(points), -(seen - seen.mean())[:, None] / max(float(seen.std()), 1e-9))
    return space.decode(np.clip(np.asarray(found).reshape(-1)[:6], 0, 1))


def bofire_peer(space: Space, points: list[Any], seen: np.ndarray, seed: int) -> Any:
    """BoFire's single-objective strategy (BoTorch) with the logarithm of expected improvement (qLogEI)."""
    import warnings

    import bofire.data_models.strategies.api as strategies
    import pandas
    from bofire.data_models.acquisition_functions.api import qLogEI
    from bofire.data_models.domain.api import Domain, Inputs, Outputs
    from bofire.data_models.features.api import ContinuousInput, ContinuousOutput
    from bofire.data_models.objectives.api import MaximizeObjective
    from bofire.strategies.api import map as strategy_of

    names = [factor.name for factor in FACTORS]
    domain = Domain(
        inputs=Inputs(features=[ContinuousInput(key=name, bounds=(0, 1)) for name in names]),
        outputs=Outputs(features=[ContinuousOutput(key="y", objective=MaximizeObjective(w=1.0))]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy = strategy_of(strategies.SoboStrategy(domain=domain, acquisition_function=qLogEI(), seed=seed))
        table = pandas.DataFrame(space.encode(points), columns=names)
        table["y"], table["valid_y"] = seen, 1
        strategy.tell(table)
        row = strategy.ask(1)[names].to_numpy(dtype=float)[0]
    return space.decode(np.clip(row, 0, 1))


def log(seconds: float, rate: int) -> None:
    """Readings into the log, synced each second, and that all are there: as fast as it goes, or `rate` a second.

    At a rate, 1/20 of a second's readings are due at once, as from a source that does not wait; how late the writer
    was at worst is shown.
    """
    from madang.science.bioprocess.runs.segments import READING, Tag, open_log, read_log

    tags = rate // 20 or 4000
    with tempfile.TemporaryDirectory(prefix="madang-log-") as folder:
        log_ = open_log(Path(folder))
        numbers = [log_.tag(Tag(f"t{k}")) for k in range(tags)]
        begin = synced = time.perf_counter()
        work = time.process_time()
        written, late = 0, 0.0
        while time.perf_counter() - begin < seconds:
            if rate:
                ahead = written / rate - (time.perf_counter() - begin)
                late = max(late, -ahead)
                time.sleep(max(ahead, 0))
            for number in numbers:
                log_.add(number, written, written, float(written))
                written += 1
            log_.write()
            if time.perf_counter() - synced >= 1:
                log_.sync()
                synced = time.perf_counter()
        log_.close()
        took, work = time.perf_counter() - begin, time.process_time() - work
        held = read_log(Path(folder))
        lost = written - len(held.readings)
        ordered = bool((held.readings["source"] == np.arange(written)).all())
        size = sum(path.stat().st_size for path in Path(folder).glob("*.seg"))
    print(
        f"{written / took:,.0f} readings a second for {took:.0f} s one by one ({work:.1f} s of processor), synced each"
    )
    print(f"second; {written:,} written, lost {lost}, in order {ordered}; {size / written:.1f} bytes a reading")
    print(f"(the record itself has {READING.itemsize})" + (f"; at most {late:.2f} s late" if rate else ""))


def fit_runs() -> None:
    """The fit of the twin to 20 runs with 4 percent error: seconds, and how far parameters are from the truth."""
    from madang.science.bioprocess.twin.fit import Run, fit
    from madang.science.bioprocess.twin.recipe import Change, Recipe

    model = kinetics("cho")
    truth = {"mu_max": 0.046, "q_p": 0.0011, "kd": 0.0011}
    random = np.random.default_rng(3)
    runs = []
    for number in range(20):
        changes = (Change(48.0, float(random.uniform(0.0004, 0.0015)), 300.0, 20.0),)
        recipe = Recipe(model, 336.0, 24.0, truth, {"biomass": float(random.uniform(0.3, 0.6))}, changes)
        states = solve(recipe.batches(), recipe.times())[0] * np.exp(0.04 * random.standard_normal((15, 10)))
        states[:, [2, 8, 9]] = np.nan
        plain = Recipe(model, 336.0, 24.0, {}, recipe.start, changes)
        runs.append(Run(f"run-{number}", recipe.times(), states, plain))
    begin = time.perf_counter()
    found = fit(runs, model)
    took = time.perf_counter() - begin
    off = {name: found.parameters[name] / value - 1 for name, value in truth.items()}
    print(
        f"{found.readings} readings of 20 runs in {took:.1f} s; " + ", ".join(f"{n} {v:+.1%}" for n, v in off.items())
    )


if __name__ == "__main__":
    main()
