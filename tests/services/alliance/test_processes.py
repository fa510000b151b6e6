"""Three sites and a coordinator, processes over real TLS: the answer is exact, and kill -9 at any step changes none."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from madang.base.errors import MadangError
from madang.node.home import Home
from madang.node.node import Node
from madang.services.alliance import agent, partners
from madang.services.alliance.models import StudyRound
from portal_house import OWNER
from services.alliance.alliance_house import OPEN, study_text
from services.alliance.conftest import tables
from services.alliance.processes import Processes, certificate, free_port, processes
from services.alliance.test_alliance import same, together

KINDS = ["glm", "cox", "count"]
VICTIMS = ("site1", "center", "ask")
PLAIN = study_text("cox", secure=False, time="time", event="status", terms=["age", "sex"], bin=30)
MASKED = study_text("glm", secure=True, outcome="sick", terms=["age", "sex"], family="binomial")


def step_after(node: Node, step: int, asking: "subprocess.Popen[bytes]") -> int:
    """The newest question's number once it is above `step`; 0 if the study ended before."""
    while asking.poll() is None:
        with node.read() as session:
            newest = session.scalar(select(func.max(StudyRound.number))) or 0
        if newest > step:
            return int(newest)
        time.sleep(0.005)
    return 0


def killed_at_every_step(running: Processes, text: str, first: int) -> tuple[int, dict[str, object]]:
    """Ask a study, kill one after the other, one at each of its steps, and begin it again: how many, and the answer."""
    folder = running.folder
    study, out = folder / "study.toml", folder / "answer.json"
    study.write_text(text)
    ask = ["ask", str(study), "--json", str(out), "--wait", "120", "--patience", "120"]
    asking, step, kills = running.spawn("center", ask), 0, 0
    node = Node.open(Home(folder / "center"))
    try:
        while step := step_after(node, step, asking):
            victim = VICTIMS[(first + kills) % len(VICTIMS)]
            kills += 1
            if victim == "ask":
                asking.kill()
                asking.wait(10)
                asking = running.spawn("center", ask)
            else:
                running.kill(victim)
                running.begin(victim)
    finally:
        node.close()
    assert asking.wait(120) == 0, (folder / "center.log").read_text()[-3000:]
    return kills, json.loads(out.read_text())


@pytest.mark.big
@pytest.mark.parametrize(("text", "first"), [(PLAIN, 0), (PLAIN, 1), (PLAIN, 2), (MASKED, 0)],
                         ids=["site", "serving", "asker", "masked"])  # fmt: skip
def test_kills_at_every_step_change_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, first: int
) -> None:
    monkeypatch.setenv("MADANG_OUTGOING_HOSTS", "127.0.0.1")
    with processes(tmp_path, tables(3), KINDS, OPEN) as running:
        kills, answer = killed_at_every_step(running, text, first)
        same(answer, together(text, 3))
        assert all(site["in"] for site in answer["sites"])  # type: ignore[attr-defined]  # JSON
        assert kills >= 5  # else it was over before it was looked at


def test_mutual_tls_is_spoken_where_a_node_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node with an authority hears nobody without a certificate of it; which key signs is looked at all the same."""
    monkeypatch.setenv("MADANG_OUTGOING_HOSTS", "127.0.0.1")
    cert, key = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    of_site, its_key = certificate(tmp_path / "other")
    running = Processes(tmp_path, free_port())
    center, site = (Node.open(Home(tmp_path / name)) for name in ("center", "site"))
    serve = ["serve", "--port", str(running.port), "--certificate", str(cert), "--key", str(key)]
    running.running["center"] = running.spawn("center", [*serve, "--authority", str(of_site)])
    try:
        running.until_open()
        _made, code = partners.invite(center, OWNER, "site", OPEN, f"https://127.0.0.1:{running.port}")
        with pytest.raises(MadangError, match="does not answer"):
            partners.join(site, OWNER, code, "center", cert.read_text())
        with pytest.raises(MadangError, match="no certificate"):
            agent.show_certificate(site, OWNER, of_site.read_bytes(), key.read_bytes())  # another one's key
        agent.show_certificate(site, OWNER, cert.read_bytes(), key.read_bytes())
        with pytest.raises(MadangError, match="does not answer"):  # nobody whom it trusts vouches for this one
            partners.join(site, OWNER, code, "center", cert.read_text())
        agent.show_certificate(site, OWNER, of_site.read_bytes(), its_key.read_bytes())
        assert partners.join(site, OWNER, code, "center", cert.read_text()).state == "confirmed"
        assert agent.own_certificate(site).stat().st_mode & 0o777 == 0o600
    finally:
        running.kill("center")
        center.close()
        site.close()
