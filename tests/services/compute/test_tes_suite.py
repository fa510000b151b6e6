"""Every case of the ELIXIR suite for TES 1.1, read as data and driven from here, with a token of the portal."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from portal_house import House
from services.compute.conftest import token  # type: ignore[import-not-found]  # beside the tests
from support import shared_data
from web.served import Served

VERSION = "1.1.0"
ENDS = ("COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "PREEMPTED")


def cases() -> list[Path]:
    try:
        return sorted((shared_data("ga4gh_tes") / "suite_tests").glob("*.yml"))
    except pytest.skip.Exception:
        return []


def jobs(folder: Path, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests of a case, those of its templates filled in."""
    import yaml

    found: list[dict[str, Any]] = []
    for job in case["jobs"]:
        if "$ref" not in job:
            found.append(job)
            continue
        text = (folder / "suite_templates" / Path(job["$ref"]).name).read_text()
        for name, value in job.get("args", {}).items():
            text = text.replace("{" + name + "}", str(value))
        found += yaml.safe_load(text)
    return found


def at(value: Any, path: str) -> Any:
    """What `$response.tasks[0].name` names."""
    for part in re.findall(r"\.(\w+)|\[(\d+)\]", path.removeprefix("$response")):
        value = value[part[0]] if part[0] else value[int(part[1])]
    return value


def holds(wanted: dict[str, Any], answer: Any) -> bool:
    """Whether an answer has what a filter of the suite asks for."""
    found = at(answer, wanted["path"])
    if not isinstance(found, {"string": str, "array": list, "object": dict}[wanted["type"]]):
        return False
    if "value" in wanted:
        if wanted["type"] == "string":
            fits = re.search(wanted["value"], found) if wanted.get("regex") else wanted["value"] == found
        else:
            fits = json.loads(wanted["value"]).items() <= found.items()
        if not fits:
            return False
    return "size" not in wanted or len(found) == wanted["size"]


@pytest.mark.parametrize("case", cases() or [None], ids=lambda path: path.stem if path else "none")
def test_case(case: Path | None, working: House, site: Served) -> None:
    yaml = pytest.importorskip("yaml")
    folder = shared_data("ga4gh_tes")
    assert case is not None
    told = yaml.safe_load(case.read_text())
    assert VERSION in told["versions"]
    kept: dict[str, str] = {}
    headers = {"Authorization": f"Bearer {token(working, 'member')}"}
    with site.browser() as client:
        client.headers.update(headers)
        for job in jobs(folder, told):
            address = job["endpoint"]
            for name, value in job.get("path_parameters", {}).items():
                address = address.replace("{" + name + "}", kept.get(str(value).strip("{}"), str(value)))
            asked = []
            for each in job.get("query_parameters", []):
                for name, value in each.items():
                    for one in value if isinstance(value, list) else [value]:
                        shown = str(one)
                        asked.append((name, kept[shown.strip("{}")] if shown.startswith("{") else shown))
            end = time.monotonic() + 60
            while True:
                if job["operation"] == "GET":
                    answer = client.get("/ga4gh/tes/v1" + address, params=asked)
                else:
                    body = json.loads(job["request_body"]) if "request_body" in job else None
                    answer = client.post("/ga4gh/tes/v1" + address, params=asked, json=body)
                ends = ("CANCELED", "CANCELING") if job.get("env_vars", {}).get("check_cancel") else ENDS
                if "polling" not in job or answer.json()["state"] in ends or time.monotonic() > end:
                    break
                time.sleep(0.1)
            assert answer.status_code == next(iter(job["response"])), answer.text
            if answer.status_code != 200:
                continue
            if "polling" in job:
                assert answer.json()["state"] in ends
            for wanted in job.get("filter", []):
                assert holds(wanted, answer.json()), (wanted, answer.json())
            for name, path in job.get("storage_vars", {}).items():
                kept.setdefault(name, str(at(answer.json(), path)))


def test_all_cases_are_here() -> None:
    shared_data("ga4gh_tes")
    assert len(cases()) == 23
