"""Three sites and a coordinator as processes with real TLS: the answer is exact, and kill -9 changes none."""

import json
import time
from pathlib import Path

import pytest

from services.alliance.alliance_house import OPEN, study_text
from services.alliance.conftest import tables
from services.alliance.processes import processes
from services.alliance.test_alliance import same, together

KINDS = ["glm", "cox", "count"]


@pytest.mark.big
def test_real_tls_and_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_OUTGOING_HOSTS", "127.0.0.1")
    text = study_text("cox", secure=False, time="time", event="status", terms=["age", "sex"], bin=30)
    masked = study_text("glm", secure=True, outcome="sick", terms=["age", "sex"], family="binomial")
    with processes(tmp_path, tables(3), KINDS, OPEN) as running:
        for place, each in enumerate((text, masked)):
            study, out = tmp_path / f"study{place}.toml", tmp_path / f"answer{place}.json"
            study.write_text(each)
            ask = ["ask", str(study), "--json", str(out), "--wait", "60", "--patience", "60"]
            asking = running.spawn("center", ask)
            victims = ["site1", "center", "ask", "site2"] if place == 0 else []
            for victim in victims:  # at whatever step it is
                time.sleep(1.5)
                if victim == "ask":
                    asking.kill()
                    asking.wait(10)
                    asking = running.spawn("center", ask)
                    continue
                running.kill(victim)
                running.begin(victim)
            assert asking.wait(120) == 0, (tmp_path / "center.log").read_text()[-3000:]
            answer = json.loads(out.read_text())
            same(answer, together(each, 3))
            assert all(site["in"] for site in answer["sites"])
