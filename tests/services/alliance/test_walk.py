"""The alliance page of the manual, walked: two nodes on one machine, from the invitation to the reconciled audits."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pyarrow.csv
import pytest

from services.alliance.conftest import tables
from services.alliance.processes import START, Processes, certificate, free_port

STUDY = """title = "Sickness by sex"
purpose = "Whether sex matters"

[cohort]
dataset = "lung"
where = ["age >= 45"]

[estimator]
kind = "glm"
outcome = "sick"
terms = ["age", "sex"]
family = "binomial"
per_site = true
"""


def listening(pid: int) -> int:
    """How many TCP ports a process listens on."""
    held = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()}
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return sum(line[3] == "0A" and f"socket:[{line[9]}]" in held for line in lines)


@pytest.mark.big
def test_two_nodes_from_an_invitation_to_reconciled_audits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("MADANG_OUTGOING_HOSTS", "127.0.0.1")
    cert, _key = certificate(tmp_path)
    running = Processes(tmp_path, free_port())

    def at(home: str, *command: str) -> str:
        environment = {**os.environ, "MADANG_HOME": str(tmp_path / home)}
        done = subprocess.run([sys.executable, "-c", START, "alliance", *command], env=environment, capture_output=True,
                              text=True, timeout=120, check=False)  # fmt: skip
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    try:
        running.begin("center")
        running.until_open()
        address = f"https://127.0.0.1:{running.port}"
        (tmp_path / "agreement.toml").write_text('discover = "described"\nlaw = "KR"\n[limits]\nminimum = 5\n')
        for place, table in enumerate(tables(2, 120)):
            home = f"site{place}"
            told = at("center", "invite", home, "--agreement", str(tmp_path / "agreement.toml"), "--address", address)
            code = told.split()[0]
            seen = at(home, "join", code, "--name", "center", "--authority", str(cert))
            words = at("center", "confirm", home).partition("in words: ")[2].split()
            assert len(words) == 8 and " ".join(words) in " ".join(seen.split())  # both read the same key
            pyarrow.csv.write_csv(table, tmp_path / f"{home}.csv")
            at(home, "share", "lung", "--file", str(tmp_path / f"{home}.csv"), "--country", "KR", "--unit", "age=a")
            running.begin(home)
        (tmp_path / "study.toml").write_text(STUDY)
        study, out = str(tmp_path / "study.toml"), tmp_path / "answer.json"
        at("center", "try", study, str(tmp_path / "site0.csv"), str(tmp_path / "site1.csv"), "--json", str(out))
        tried = json.loads(out.read_text())
        end = time.monotonic() + 60
        while len(found := json.loads(at("center", "discover", "--json"))) < 2:
            assert time.monotonic() < end
        assert [(each["people"], each["columns"][0]["unit"]) for each in found] == [(120, "a")] * 2
        at("center", "simulate", "twin-a", "lung", "--like", "site0", "--people", "200")
        at("center", "try", study, "--json", str(out))
        assert json.loads(out.read_text())["sites"][0]["way"] == "simulated"
        asking = running.spawn("center", ["ask", study, "--json", str(out), "--wait", "120"])
        for home in ("site0", "site1"):
            while not (waiting := json.loads(at(home, "list", "--json"))["studies"]):
                assert time.monotonic() < end + 60
            assert "What leaves" in at(home, "show", str(waiting[0]["number"]))
            at(home, "approve", str(waiting[0]["number"]))
        assert asking.wait(120) == 0, (tmp_path / "center.log").read_text()[-2000:]
        answer = json.loads(out.read_text())
        assert all(each["in"] and each["way"] == "online" for each in answer["sites"]) and answer["exact"]
        assert answer["coef"] == pytest.approx(tried["coef"], rel=1e-12)
        assert answer["forest"][0]["pooled"]["beta"] == answer["coef"]["(Intercept)"]
        at("center", "crate", str(answer["number"]), str(tmp_path / "crate.zip"))
        assert "study.json" in zipfile.ZipFile(tmp_path / "crate.zip").namelist()
        assert json.loads(at("center", "reconcile", "site0", "--json"))["agree"]
        for home in ("site0", "site1"):  # and the children that compute, too
            pid = running.running[home].pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            assert children and [listening(int(each)) for each in [pid, *children]] == [0] * (1 + len(children))
        assert listening(running.running["center"].pid) == 1
    finally:
        for process in running.running.values():
            process.kill()
            process.wait(10)
