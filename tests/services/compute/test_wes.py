"""WES 1.1: every operation held against its OpenAPI description; real workflows; what is hostile is contained."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from madang.base.errors import MadangError
from madang.services.compute.definition import TOOLS, environment_of
from madang.services.compute.runner import work_off
from portal_house import House
from services.compute.conftest import token  # type: ignore[import-not-found]  # beside the tests
from support import MISSING, shared_data
from web.served import Served

BASE = "/ga4gh/wes/v1"
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


class Description:
    """The OpenAPI description of WES 1.1, with which answers are compared."""

    def __init__(self) -> None:
        yaml = pytest.importorskip("yaml")
        self.whole = yaml.safe_load((shared_data("ga4gh_wes") / "ga4gh-wes-spec-1.1.0.yml").read_text())

    def holds(self, schema: Any, value: Any, place: str = "") -> list[str]:
        """What is wrong with a value, by its schema; references to other documents are not followed."""
        if "$ref" in schema:
            if not schema["$ref"].startswith("#/components/schemas/"):
                return []
            return self.holds(self.whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value, place)
        if value is None:
            may = schema.get("nullable") or not schema.get("type") or place.endswith("task_logs")
            return [] if may else [f"{place}: nothing"]
        wrong = [each for part in schema.get("allOf", ()) for each in self.holds(part, value, place)]
        kinds = {"string": str, "object": dict, "array": list, "integer": int, "boolean": bool}
        kind = schema.get("type")
        if kind in kinds and not isinstance(value, kinds[kind]):
            return [*wrong, f"{place}: {value!r} is no {kind}"]
        if "enum" in schema and value not in schema["enum"]:
            wrong.append(f"{place}: {value!r}")
        wrong += [f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value]
        if isinstance(value, dict):
            for name, each in value.items():
                if name in schema.get("properties", {}):
                    wrong += self.holds(schema["properties"][name], each, f"{place}.{name}")
        if isinstance(value, list) and "items" in schema:
            wrong += [found for each in value for found in self.holds(schema["items"], each, place)]
        return wrong

    def check(self, path: str, answer: httpx.Response, method: str = "get") -> Any:
        """The answer's JSON, if it is as described for its status."""
        responses = self.whole["paths"][path][method]["responses"]
        assert str(answer.status_code) in {str(status) for status in responses}, answer.text
        found = next(value for status, value in responses.items() if str(status) == str(answer.status_code))
        schema = found["content"]["application/json"]["schema"]
        assert self.holds(schema, answer.json()) == []
        return answer.json()


@pytest.mark.usefixtures("tools")
def test_every_operation_is_as_described(house: House, site: Served) -> None:
    told = Description()
    info = told.check("/service-info", site.get(BASE + "/service-info"))
    assert info["type"] == {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"}
    with client(site, house) as mine:
        files = {"Snakefile": SNAKEFILE, "in.txt": "bases"}
        sent = asked("SMK", "Snakefile", files, tags='{"a": "b"}', workflow_params='{"x": 1}')
        number = told.check("/runs", mine.post(BASE + "/runs", **sent), "post")["run_id"]
        cwl = asked("CWL", "tool.cwl", {"tool.cwl": json.dumps(CWL), "in.txt": "amino"})
        cwl["data"]["workflow_params"] = json.dumps({"file": {"class": "File", "path": "in.txt"}})
        second = mine.post(BASE + "/runs", **cwl).json()["run_id"]
        third = mine.post(BASE + "/runs", **sent).json()["run_id"]
        assert told.check("/runs/{run_id}/cancel", mine.post(f"{BASE}/runs/{third}/cancel"), "post") == {
            "run_id": third
        }
        work_off(house.node)
        for run, wanted in ((number, "BASES"), (second, "amino")):
            status = told.check("/runs/{run_id}/status", mine.get(f"{BASE}/runs/{run}/status"))
            whole = told.check("/runs/{run_id}", mine.get(f"{BASE}/runs/{run}"))
            assert status["state"] == "COMPLETE", mine.get(f"{BASE}/runs/{run}/stderr").text
            assert mine.get(whole["outputs"]["out.txt"]["location"]).text == wanted
            assert list(whole["outputs"]) == ["out.txt"]  # nothing that it only read, nothing of the engine's own
            tasks = told.check("/runs/{run_id}/tasks", mine.get(f"{BASE}/runs/{run}/tasks"))["task_logs"]
            one = mine.get(f"{BASE}/runs/{run}/tasks/{tasks[0]['id']}")
            assert told.check("/runs/{run_id}/tasks/{task_id}", one)["exit_code"] == 0
        assert told.check("/runs/{run_id}", mine.get(f"{BASE}/runs/{number}"))["request"]["workflow_params"] == {"x": 1}
        page = told.check("/runs", mine.get(f"{BASE}/runs?page_size=2"))
        rest = told.check("/runs", mine.get(f"{BASE}/runs", params={"page_token": page["next_page_token"]}))
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


def test_without_the_engines_it_says_so(
    house: House, site: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(os.environ, "MADANG_ENVIRONMENTS", str(tmp_path))
    with client(site, house) as mine:
        answer = mine.post(BASE + "/runs", **asked("SMK", "Snakefile", {"Snakefile": "x"}))
        assert answer.status_code == 400 and "script/environment" in answer.json()["detail"]
