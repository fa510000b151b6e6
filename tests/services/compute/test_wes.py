"""WES 1.1: every operation held against its OpenAPI description; real workflows; what is hostile is contained."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from madang.base.errors import MadangError
from madang.services.compute import wes_suite
from madang.services.compute.definition import TOOLS, environment_of
from madang.services.compute.runner import work_off
from portal_house import OWNER, House
from services.compute.conftest import token  # type: ignore[import-not-found]  # beside the tests
from support import MISSING, ROOT, shared_data
from web.served import Served

BASE = "/ga4gh/wes/v1"
CONTEXT = Path(os.environ.get("ROCRATE_CONTEXT", ROOT / ".environments" / "ro-crate.jsonld"))
SNAKEFILE = """
rule all:
    input: "out.txt"
rule upper:
    input: "in.txt"
    output: "out.txt"
    shell: "tr a-z A-Z < {input} > {output}"
"""
CWL = {
    "cwlVersion": "v1.2",
    "class": "CommandLineTool",
    "baseCommand": ["cat"],
    "stdout": "out.txt",
    "inputs": {"file": {"type": "File", "inputBinding": {"position": 1}}},
    "outputs": {"out": {"type": "stdout"}},
}


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, boxes: None) -> None:
    """The environment with the engines; the test is skipped where it was not made."""
    try:
        environment_of(TOOLS)
    except MadangError:
        pytest.skip(f"{MISSING}script/environment tools")


def client(site: Served, house: House, login: str = "member") -> httpx.Client:
    made = site.browser()
    made.headers["Authorization"] = f"Bearer {token(house, login)}"
    return made


def asked(kind: str, url: str, files: dict[str, str], **more: Any) -> dict[str, Any]:
    data = {"workflow_type": kind, "workflow_type_version": "v1.2", "workflow_url": url, **more}
    return {"data": data, "files": [("workflow_attachment", (name, text.encode())) for name, text in files.items()]}


@pytest.mark.usefixtures("tools")
def test_every_operation_is_as_described(house: House, site: Served) -> None:
    told = wes_suite.Description(shared_data("ga4gh_wes") / "ga4gh-wes-spec-1.1.0.yml")
    info = told.check("/service-info", "get", site.get(BASE + "/service-info"))
    assert info["type"] == {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"}
    with client(site, house) as mine:
        files = {"Snakefile": SNAKEFILE, "in.txt": "bases"}
        sent = asked("SMK", "Snakefile", files, tags='{"a": "b"}', workflow_params='{"x": 1}')
        number = told.check("/runs", "post", mine.post(BASE + "/runs", **sent))["run_id"]
        cwl = asked("CWL", "tool.cwl", {"tool.cwl": json.dumps(CWL), "in.txt": "amino"})
        cwl["data"]["workflow_params"] = json.dumps({"file": {"class": "File", "path": "in.txt"}})
        second = mine.post(BASE + "/runs", **cwl).json()["run_id"]
        third = mine.post(BASE + "/runs", **sent).json()["run_id"]
        assert told.check("/runs/{run_id}/cancel", "post", mine.post(f"{BASE}/runs/{third}/cancel")) == {
            "run_id": third
        }
        work_off(house.node)
        for run, wanted in ((number, "BASES"), (second, "amino")):
            status = told.check("/runs/{run_id}/status", "get", mine.get(f"{BASE}/runs/{run}/status"))
            whole = told.check("/runs/{run_id}", "get", mine.get(f"{BASE}/runs/{run}"))
            assert status["state"] == "COMPLETE", mine.get(f"{BASE}/runs/{run}/stderr").text
            assert mine.get(whole["outputs"]["out.txt"]["location"]).text == wanted
            assert list(whole["outputs"]) == ["out.txt"]  # nothing that it only read, nothing of the engine's own
            tasks = told.check("/runs/{run_id}/tasks", "get", mine.get(f"{BASE}/runs/{run}/tasks"))["task_logs"]
            one = mine.get(f"{BASE}/runs/{run}/tasks/{tasks[0]['id']}")
            assert told.check("/runs/{run_id}/tasks/{task_id}", "get", one)["exit_code"] == 0
        assert told.check("/runs/{run_id}", "get", mine.get(f"{BASE}/runs/{number}"))["request"]["workflow_params"] == {
            "x": 1
        }
        page = told.check("/runs", "get", mine.get(f"{BASE}/runs?page_size=2"))
        rest = told.check("/runs", "get", mine.get(f"{BASE}/runs", params={"page_token": page["next_page_token"]}))
        assert [each["run_id"] for each in page["runs"] + rest["runs"]] == [third, second, number]
        assert mine.get(f"{BASE}/runs/{third}/status").json()["state"] == "CANCELED"
        assert mine.get(f"{BASE}/runs/999").status_code == 404
    with client(site, house, "steward") as other:
        assert other.get(f"{BASE}/runs/{number}").status_code == 404 and other.get(f"{BASE}/runs").json()["runs"] == []
    assert site.get(f"{BASE}/runs").status_code == 401


CYCLE = """
rule a:
    input: "b"
    output: "a"
    shell: "x"
rule b:
    input: "a"
    output: "b"
    shell: "x"
"""
HOSTILE = {
    "a cycle": CYCLE,
    "no Python": "rule all:\n  this is no rule",
    "downloads": 'import urllib.request\nurllib.request.urlopen("http://127.0.0.1:80/")\n',
    "reads the machine": 'open("/etc/shadow").read()\n',
    "writes what it may only read": 'open("in.txt", "w").write("x")\n',
    "leaves by an exit": "import os\nos._exit(9)\n",
}


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("snakefile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_snakefile_fails_and_nothing_else(snakefile: str, house: House, site: Served) -> None:
    with client(site, house) as mine:
        sent = mine.post(BASE + "/runs", **asked("SMK", "Snakefile", {"Snakefile": snakefile, "in.txt": "x"}))
        work_off(house.node)
        assert mine.get(f"{BASE}/runs/{sent.json()['run_id']}/status").json()["state"] == "EXECUTOR_ERROR"


BAD: dict[str, dict[str, Any]] = {
    "an unknown engine": asked("WDL", "w.wdl", {"w.wdl": "x"}),
    "an address elsewhere": asked("SMK", "https://example.org/Snakefile", {"Snakefile": SNAKEFILE}),
    "no attachment": asked("SMK", "Snakefile", {"other": "x"}),
    "out of its folder": asked("SMK", "../Snakefile", {"../Snakefile": SNAKEFILE}),
    "parameters that are no object": asked("SMK", "Snakefile", {"Snakefile": "x"}, workflow_params="[1]"),
    "too many cores": asked(
        "SMK", "Snakefile", {"Snakefile": "x"}, workflow_engine_parameters=json.dumps({"cores": "10000"})
    ),
}


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("given", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_run_is_refused_with_a_sentence(given: dict[str, Any], house: House, site: Served) -> None:
    with client(site, house) as mine:
        answer = mine.post(BASE + "/runs", **given)
        assert answer.status_code in (400, 422) and answer.json()["title"], answer.text
        assert mine.get(f"{BASE}/runs").json()["runs"] == []


@pytest.mark.usefixtures("tools")
def test_a_run_is_told_however_it_was_asked_for(house: House, site: Served) -> None:
    """Fields that are empty or longer than what is kept of a request, and files with odd names."""
    files = {"Snakefile": SNAKEFILE, "in.txt": "bases", "하위/폴더.txt": "x", "빈 파일": ""}
    long = json.dumps({"names": "가" * 5_000})
    with client(site, house) as mine:
        for more in ({"tags": "", "workflow_params": "", "workflow_engine_parameters": ""}, {"workflow_params": long}):
            made = mine.post(f"{BASE}/runs", **asked("SMK", "Snakefile", files, **more))
            assert made.status_code == 200, made.text
            told = mine.get(f"{BASE}/runs/{made.json()['run_id']}")
            assert told.status_code == 200, told.text
            assert told.json()["request"]["workflow_url"] == "Snakefile"
            assert mine.get(f"{BASE}/runs").status_code == 200
        for wrong in ({"a": "1", "a/b": "2"}, {"../a": "1"}, {"x" * 300: "1"}):
            refused = mine.post(f"{BASE}/runs", **asked("SMK", "Snakefile", {"Snakefile": SNAKEFILE, **wrong}))
            assert refused.status_code in (400, 422) and refused.json()["title"], (wrong, refused.text)


def test_without_the_engines_it_says_so(
    house: House, site: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(os.environ, "MADANG_ENVIRONMENTS", str(tmp_path))
    with client(site, house) as mine:
        answer = mine.post(BASE + "/runs", **asked("SMK", "Snakefile", {"Snakefile": "x"}))
        assert answer.status_code == 400 and "script/environment" in answer.json()["detail"]


@pytest.mark.usefixtures("tools")
def test_the_open_suite_passes_here_and_finds_what_is_wrong(working: House, site: Served, tmp_path: Path) -> None:
    """All of its cases, as others run them; and of servers that answer wrongly it says so."""
    description = shared_data("ga4gh_wes") / "ga4gh-wes-spec-1.1.0.yml"
    pytest.importorskip("yaml")
    words = ["--server", site.address + BASE, "--description", str(description), "--token", token(working, "member")]
    words += ["--patience", "400", "--report", str(tmp_path / "report.json")]
    assert wes_suite.main(words) == 0
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["failed"] == 0 and told["passed"] == len(told["cases"]) > 35
    assert wes_suite.main(["--server", "http://127.0.0.1:9/", "--description", str(description)]) == 2
    suite = wes_suite.Suite(site.address + "/api/v1/health", wes_suite.Description(description), patience=1)
    assert not any(each.passed for each in suite.run() if "answers as described" in each.name)


WRONG = {
    "a status that is not described": (418, {"run_id": "1", "state": "COMPLETE"}),
    "a state that there is not": (200, {"run_id": "1", "state": "FINE"}),
    "a number for a text": (200, {"run_id": 1, "state": "COMPLETE"}),
    "a list for an object": (200, []),
}


@pytest.mark.parametrize(("status", "body"), WRONG.values(), ids=WRONG.keys())
def test_the_suite_refuses_an_answer_with(status: int, body: Any) -> None:
    pytest.importorskip("yaml")
    told = wes_suite.Description(shared_data("ga4gh_wes") / "ga4gh-wes-spec-1.1.0.yml")
    path = "/runs/{run_id}/status"
    assert told.check(path, "get", httpx.Response(200, json={"run_id": "1", "state": "COMPLETE"}), "2")
    with pytest.raises(wes_suite.Wrong):
        told.check(path, "get", httpx.Response(status, json=body), "2")


@pytest.mark.usefixtures("tools")
def test_a_run_is_a_workflow_run_crate(house: House, tmp_path: Path) -> None:
    """As files: the workflow is in it by the hash that it names; roc-validator agrees where it is installed."""
    from madang.services.compute import service, workflows
    from madang.services.compute.commands import copy_outputs

    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "in.txt").write_text("bases")
    crates = []
    for place, wanted in enumerate(
        (
            workflows.Workflow("snakemake", "Snakefile", tuple(workflows.folder_inputs(folder / "Snakefile"))),
            workflows.Workflow(
                "cwl",
                "tool.cwl",
                (
                    {"path": "/inputs/tool.cwl", "content": json.dumps(CWL)},
                    {"path": "/inputs/in.txt", "content": "amino"},
                ),
                {"file": {"class": "File", "path": "in.txt"}},
            ),
        )
    ):
        made = workflows.ask_workflow(house.node, OWNER, wanted)
        work_off(house.node)
        found = service.see(house.node, OWNER, made.id)
        assert found.state == "complete", service.printed(house.node, OWNER, made.id)
        crates.append(tmp_path / f"crate{place}")
        copy_outputs(house.node, OWNER, made.id, crates[-1])
        graph = {e["@id"]: e for e in json.loads((crates[-1] / "ro-crate-metadata.json").read_text())["@graph"]}
        main = graph[graph["./"]["mainEntity"]["@id"]]
        assert main["sha256"] == hashlib.sha256((crates[-1] / main["@id"]).read_bytes()).hexdigest()
        assert graph[f"#task-{made.id}"]["instrument"] == {"@id": main["@id"]}
        assert graph[main["softwareRequirements"]["@id"]]["softwareVersion"]
        assert (crates[-1] / "out.txt").is_file()
    judge = Path(os.environ.get("MADANG_ENVIRONMENTS", ROOT / ".environments")) / "judges-crate" / "bin" / "python"
    if not judge.exists() or not CONTEXT.exists():
        pytest.skip(f"{MISSING}script/environment judges-crate, and the context of RO-Crate as {CONTEXT}")
    words = [str(judge), str(Path(__file__).with_name("judge_run_crate.py")), str(CONTEXT), "workflow-run-crate"]
    ran = subprocess.run([*words, *map(str, crates)], capture_output=True, text=True, check=True)
    assert set(map(tuple, json.loads(ran.stdout).values())) == {()}, ran.stdout


@pytest.mark.usefixtures("tools")
def test_a_workflow_that_changed_since_it_was_asked_for_is_not_run(house: House, tmp_path: Path) -> None:
    from madang.services.compute import service, workflows

    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "Snakefile"
    path.write_text(SNAKEFILE)
    (tmp_path / "mine" / "in.txt").write_text("bases")
    wanted = workflows.Workflow("snakemake", "Snakefile", tuple(workflows.folder_inputs(path)))
    made = workflows.ask_workflow(house.node, OWNER, wanted)
    path.write_text(SNAKEFILE.replace("A-Z", "B-Z"))
    work_off(house.node)
    found = service.see(house.node, OWNER, made.id)
    assert (found.state, found.code) == ("executor-error", 66)
