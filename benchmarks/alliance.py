"""A study over three sites with real TLS in processes of their own, beside the same fit of all rows in one process.

PYTHONPATH=src:tests python benchmarks/alliance.py [ROWS]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from madang.science.federated import Limits, Site, pooled, read_study
from services.alliance.alliance_house import study_text
from services.alliance.processes import Processes, processes

os.environ["MADANG_OUTGOING_HOSTS"] = "127.0.0.1"
LIMITS = {"limits": {"minimum": 3, "exact_times": True}}


def table(rows: int, seed: int) -> pa.Table:
    """Made-up people."""
    chance = np.random.default_rng(seed)
    x = {f"x{k}": chance.normal(size=rows) for k in range(5)}
    eta = 0.3 * x["x0"] - 0.2 * x["x1"] - 1
    y = (chance.random(rows) < 1 / (1 + np.exp(-eta))).astype(np.int64)
    time_ = np.ceil(np.minimum(chance.exponential(200 / np.exp(eta + 1), rows), 500))
    return pa.table({**x, "y": y, "time": time_, "status": (time_ < 500).astype(np.int64)})


def seconds(running: Processes, folder: Path, text: str) -> tuple[float, dict[str, object]]:
    """How long a study takes from asking to the answer's file; the first one has the rows read and kernels loaded."""
    study, out = folder / "study.toml", folder / "answer.json"
    study.write_text(text)
    begun = time.perf_counter()
    asking = running.spawn("center", ["ask", str(study), "--json", str(out)])
    if asking.wait(600):
        raise SystemExit((folder / "center.log").read_text()[-2000:])
    return time.perf_counter() - begun, json.loads(out.read_text())


def main() -> None:
    """Print a table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    terms = [f"x{k}" for k in range(5)]
    survival = {"time": "time", "event": "status"}
    texts = {
        "logistic regression": study_text("glm", outcome="y", terms=terms, family="binomial"),
        "Cox, 500 times": study_text("cox", **survival, terms=terms[:3]),
        "Kaplan-Meier": study_text("kaplan-meier", **survival),
    }
    kinds = ["glm", "cox", "kaplan-meier", "count"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [table(rows, seed) for seed in range(3)]
        everything = pa.concat_tables(tables)
        with processes(folder, tables, kinds, LIMITS) as running:
            time.sleep(3)
            seconds(running, folder, study_text("count"))
            print(f"3 sites x {rows:,} rows, TLS, processes running, the command that asks included\n")
            for title, text in texts.items():
                took, answer = seconds(running, folder, text)
                again, _answer = seconds(running, folder, text.replace("A study", "Again"))
                study = read_study(text)
                begun = time.perf_counter()
                site = Site(study, everything, Limits(exact_times=True))
                pooled(study, lambda step, told, site=site: [("all", site.answer(step, told))])  # type: ignore[misc]  # a stand-in
                here = time.perf_counter() - begun
                told = f"{took:8.2f} s, again {again:8.2f} s, one process {here:8.2f} s"
                print(f"{title:22} {told}, {answer['questions']} questions")
            ps = ["ps", "-o", "rss=", "-p", ",".join(str(each.pid) for each in running.running.values())]
            children = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.split()
            print("memory of those that wait, MB:", [int(each) // 1024 for each in children])


if __name__ == "__main__":
    main()
