"""Conformance cases for servers of GA4GH WES, generated from its OpenAPI description; for everybody, without Madang.

    python wes_suite.py --server https://host/ga4gh/wes/v1 --description ga4gh-wes-spec-1.1.0.yml [--token T]
        [--field workflow_engine=cwltool] [--report report.json]

What is generated from the description: for each operation, that its answer has a described status and the described
JSON; for each path with an identifier, what is answered where there is no such thing; for each whole number in a
query, what is answered to nonsense; for each path, methods that are not described; with a token, what is answered
without one. What no description says is written by hand: a run goes through known states to its end with what it left,
pages hold each run once while others are added, an end that came stays, what runs is stopped.

The file stands alone: besides the standard library it needs httpx and PyYAML. Exit code 0: all passed; 1: not; 2: the
server or the description cannot be read.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

OPEN = ("UNKNOWN", "QUEUED", "INITIALIZING", "RUNNING", "PAUSED", "CANCELING", "PREEMPTED")
_KINDS: dict[str, Any] = {"string": str, "object": dict, "array": list, "integer": int, "boolean": bool}
_NONE = "000000-there-is-none"
_METHODS = ("get", "post", "put", "patch", "delete")
ECHO = {
    "cwlVersion": "v1.2",
    "class": "CommandLineTool",
    "baseCommand": ["cat"],
    "stdout": "out.txt",
    "inputs": {"file": {"type": "File", "inputBinding": {"position": 1}}},
    "outputs": {"out": {"type": "stdout"}},
}
SLEEP = {
    "cwlVersion": "v1.2",
    "class": "CommandLineTool",
    "baseCommand": ["sleep", "300"],
    "inputs": {},
    "outputs": {},
}


class Wrong(Exception):
    """What a case found."""


class Description:
    """The OpenAPI description, with which answers are compared."""

    def __init__(self, path: Path) -> None:
        text = path.read_text("utf-8")
        try:
            self.whole: dict[str, Any] = json.loads(text)
        except ValueError:
            import yaml  # type: ignore[import-untyped]  # it has no types, and the suite stands alone

            self.whole = yaml.safe_load(text)
        self.paths: dict[str, dict[str, Any]] = self.whole["paths"]

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Path, method, and what is said of it."""
        for path, methods in self.paths.items():
            for method, told in methods.items():
                if method in _METHODS:
                    yield path, method, told

    def holds(self, schema: Any, value: Any, place: str = "") -> list[str]:
        """What is wrong with a value, by its schema; references to other documents are not followed."""
        if "$ref" in schema:
            if not schema["$ref"].startswith("#/components/schemas/"):
                return []
            return self.holds(self.whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value, place)
        if value is None:
            # `task_logs` is null in WES 1.1 where the address of the list is given instead.
            may = schema.get("nullable") or not schema.get("type") or place.endswith("task_logs")
            return [] if may else [f"{place}: nothing"]
        wrong = [each for part in schema.get("allOf", ()) for each in self.holds(part, value, place)]
        kind = schema.get("type")
        if kind in _KINDS and (not isinstance(value, _KINDS[kind]) or (kind == "integer" and isinstance(value, bool))):
            return [*wrong, f"{place}: {value!r} is no {kind}"]
        if "enum" in schema and value not in schema["enum"]:
            wrong.append(f"{place}: {value!r} is none of {schema['enum']}")
        if isinstance(value, dict):
            wrong += [f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value]
            extra = schema.get("additionalProperties")
            for name, each in value.items():
                known = schema.get("properties", {}).get(name, extra if isinstance(extra, dict) else None)
                if known is not None:
                    wrong += self.holds(known, each, f"{place}.{name}")
        if isinstance(value, list) and "items" in schema:
            wrong += [found for each in value for found in self.holds(schema["items"], each, f"{place}[]")]
        return wrong

    def check(self, path: str, method: str, answer: httpx.Response, wanted: str = "") -> Any:
        """The answer's JSON, if its status is described (and begins with `wanted`), and it is as described for it."""
        described = {str(status): told for status, told in self.paths[path][method]["responses"].items()}
        status = str(answer.status_code)
        if status not in described:
            raise Wrong(f"{method} {path} answers {status}, which is not described: {answer.text[:200]}")
        if not status.startswith(wanted):
            raise Wrong(f"{method} {path} answers {status}, not {wanted}: {answer.text[:200]}")
        schema = described[status].get("content", {}).get("application/json", {}).get("schema")
        try:
            value = answer.json()
        except ValueError:
            raise Wrong(f"{method} {path} answers {status} with no JSON") from None
        wrong = self.holds(schema, value) if schema is not None else []
        if wrong:
            raise Wrong(f"{method} {path} answers {status} with {'; '.join(wrong[:5])}")
        return value


@dataclass
class Case:
    """A case, and what came of it."""

    name: str
    passed: bool = False
    why: str = ""
    seconds: float = 0.0


@dataclass
class Suite:
    """All cases against one server; `fields` are more fields of each request for a run."""

    server: str
    description: Description
    token: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    patience: float = 120.0
    cases: list[Case] = field(default_factory=list)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.http = httpx.Client(timeout=60, headers=headers)

    def run(self, said: Callable[[Case], None] = lambda case: None) -> list[Case]:
        """Do all cases; what came of each."""
        for name, case in self._all():
            done, begun = Case(name), time.monotonic()
            try:
                case()
                done.passed = True
            except Wrong as wrong:
                done.why = str(wrong)
            except (httpx.HTTPError, KeyError, TypeError, ValueError, IndexError) as error:
                done.why = f"{type(error).__name__}: {error}"[:300]
            done.seconds = round(time.monotonic() - begun, 2)
            self.cases.append(done)
            said(done)
        return self.cases

    def _all(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "service-info says which service and version it is", self._service_info
        yield "a run goes through described states to COMPLETE and shows what it left", self._whole_run
        for path, method, told in self.description.operations():
            yield from self._generated(path, method, told)
        yield "pages hold each run once, also while others are added", self._pages
        yield "a run that is stopped ends as CANCELED", self._stop
        yield "a run that is over stays as it ended", self._stop_late
        yield "a workflow that fails ends as EXECUTOR_ERROR with its exit code", self._failing

    def _generated(self, path: str, method: str, told: dict[str, Any]) -> Iterator[tuple[str, Callable[[], None]]]:
        """Cases that the description makes of one operation."""
        title = f"{method.upper()} {path}"
        if not (method == "post" and path == "/runs"):
            yield f"{title} answers as described", lambda: self._as_described(path, method)
        if "{" in path:
            yield f"{title} of what is not there is an error", lambda: self._unknown(path, method)
        for each in told.get("parameters", ()):
            if each.get("in") == "query" and each.get("schema", {}).get("type") == "integer":
                name = each["name"]
                yield f"{title} refuses {name}=x", partial(self._nonsense, path, method, name)
        if self.token and not path.endswith("/service-info"):
            yield f"{title} without a token is refused", lambda: self._without_token(path, method)
        if method == "post" and "requestBody" in told:
            yield f"{title} refuses an empty request", lambda: self._empty(path)
            for name in ("workflow_params", "tags", "workflow_engine_parameters"):
                if name in self._form(told):
                    yield f"{title} refuses {name} that are no JSON", partial(self._no_json, path, name)
        others = [each for each in ("put", "patch", "delete") if each not in self.description.paths[path]]
        if method == "get" and others:
            yield f"{path} knows no {', '.join(others).upper()}", lambda: self._no_method(path, others)

    @staticmethod
    def _form(told: dict[str, Any]) -> dict[str, Any]:
        content = told["requestBody"]["content"].get("multipart/form-data", {})
        return dict(content.get("schema", {}).get("properties", {}))

    def _url(self, path: str) -> str:
        run = getattr(self, "_run", _NONE)
        task = getattr(self, "_task", _NONE)
        return self.server.rstrip("/") + path.replace("{run_id}", run).replace("{task_id}", task)

    def _ask(self, tool: dict[str, Any], params: dict[str, Any], **more: str) -> httpx.Response:
        data = {"workflow_type": "CWL", "workflow_type_version": "v1.2", "workflow_url": "tool.cwl"}
        data |= {"workflow_params": json.dumps(params), **self.fields, **more}
        files = [("workflow_attachment", (name, text.encode())) for name, text in self._attached(tool).items()]
        return self.http.post(self._url("/runs"), data=data, files=files)

    @staticmethod
    def _attached(tool: dict[str, Any]) -> dict[str, str]:
        return {"tool.cwl": json.dumps(tool), "in.txt": "bases\n"}

    def _begin(self, tool: dict[str, Any], **params: Any) -> str:
        told = self.description.check("/runs", "post", self._ask(tool, params), "2")
        return str(told["run_id"])

    def _end(self, run: str) -> str:
        """Wait for the end of a run; its state."""
        path, end = "/runs/{run_id}/status", time.monotonic() + self.patience
        while True:
            told = self.description.check(path, "get", self.http.get(self._url(path.replace("{run_id}", run))), "2")
            if told["run_id"] != run:
                raise Wrong(f"the status of {run} is that of {told['run_id']}")
            if told["state"] not in OPEN:
                return str(told["state"])
            if time.monotonic() > end:
                raise Wrong(f"{run} did not end within {self.patience:g} s: {told['state']}")
            time.sleep(0.3)

    def _service_info(self) -> None:
        told = self.description.check("/service-info", "get", self.http.get(self._url("/service-info")), "2")
        version = str(self.description.whole["info"]["version"])
        if told["type"].get("artifact") != "wes":
            raise Wrong(f"its type is {told['type']}")
        if version not in told["supported_wes_versions"]:
            raise Wrong(f"{version} is not among {told['supported_wes_versions']}")
        if "CWL" not in told["workflow_type_versions"]:
            raise Wrong("it runs no CWL, with which these cases are written")

    def _whole_run(self) -> None:
        self._run = self._begin(ECHO, file={"class": "File", "path": "in.txt"})
        state = self._end(self._run)
        path = "/runs/{run_id}"
        told = self.description.check(path, "get", self.http.get(self._url(path)), "2")
        with contextlib.suppress(KeyError, IndexError, httpx.HTTPError):
            tasks = self.http.get(self._url("/runs/{run_id}/tasks")).json()["task_logs"]
            self._task = str(tasks[0]["id"])
        if state != "COMPLETE" or told["state"] != state:
            raise Wrong(f"it ended as {state}; {json.dumps(told.get('run_log'))[:300]}")
        if told["run_log"].get("exit_code") != 0:
            raise Wrong(f"its exit code is {told['run_log'].get('exit_code')}")
        if "out.txt" not in json.dumps(told.get("outputs")):
            raise Wrong(f"out.txt is not among its outputs: {json.dumps(told.get('outputs'))[:300]}")
        if told["request"].get("workflow_url") != "tool.cwl":
            raise Wrong("what was asked for is not shown")

    def _as_described(self, path: str, method: str) -> None:
        self._needs(path)
        self.description.check(path, method, self.http.request(method, self._url(path)), "2")

    def _needs(self, path: str) -> None:
        for name in ("run", "task"):
            if f"{{{name}_id}}" in path and not hasattr(self, f"_{name}"):
                raise Wrong(f"there is no {name} to try it on")

    def _unknown(self, path: str, method: str) -> None:
        self.description.check(path, method, self.http.request(method, self._nowhere(path)), "4")

    def _nonsense(self, path: str, method: str, name: str) -> None:
        self._needs(path)
        answer = self.http.request(method, self._url(path), params={name: "x"})
        if not 400 <= answer.status_code < 500:
            raise Wrong(f"it answers {answer.status_code}")

    def _without_token(self, path: str, method: str) -> None:
        self._needs(path)
        answer = httpx.request(method, self._url(path), timeout=60)
        self.description.check(path, method, answer, "40")

    def _empty(self, path: str) -> None:
        answer = self.http.post(self._url(path), data={"tags": "{}"})
        if not 400 <= answer.status_code < 500:
            raise Wrong(f"it answers {answer.status_code}")

    def _no_json(self, path: str, name: str) -> None:
        answer = self._ask(ECHO, {}, **{name: "{no json"})
        if not 400 <= answer.status_code < 500:
            raise Wrong(f"it answers {answer.status_code}")

    def _no_method(self, path: str, others: list[str]) -> None:
        """Asked of what is not there: a server that knows more than the description would do it."""
        for each in others:
            status = self.http.request(each, self._nowhere(path)).status_code
            if status < 400:
                raise Wrong(f"{each} answers {status}")

    def _nowhere(self, path: str) -> str:
        return self.server.rstrip("/") + path.replace("{run_id}", _NONE).replace("{task_id}", _NONE)

    def _pages(self) -> None:
        made = [self._begin(ECHO, file={"class": "File", "path": "in.txt"}) for _each in range(3)]
        seen: list[str] = []
        token = ""
        for _page in range(10_000):
            asked = {"page_size": "2"} | ({"page_token": token} if token else {})
            told = self.description.check("/runs", "get", self.http.get(self._url("/runs"), params=asked), "2")
            if len(told["runs"]) > 2:
                raise Wrong(f"a page of 2 holds {len(told['runs'])}")
            seen += [each["run_id"] for each in told["runs"]]
            token = told.get("next_page_token") or ""
            if not token or set(made) <= set(seen):
                break
            self._begin(ECHO, file={"class": "File", "path": "in.txt"})
        if len(set(seen)) != len(seen):
            raise Wrong("a run is there twice")
        if not set(made) <= set(seen):
            raise Wrong("a run is in no page")

    def _stop(self) -> None:
        run, path = self._begin(SLEEP), "/runs/{run_id}/cancel"
        answer = self.http.post(self._url(path.replace("{run_id}", run)))
        told = self.description.check(path, "post", answer, "2")
        if told["run_id"] != run:
            raise Wrong(f"it stopped {told['run_id']}")
        if (state := self._end(run)) != "CANCELED":
            raise Wrong(f"it ended as {state}")

    def _stop_late(self) -> None:
        self._needs("{run_id}")
        before = self._end(self._run)
        self.http.post(self._url("/runs/{run_id}/cancel"))
        if (after := self._end(self._run)) != before:
            raise Wrong(f"it was {before} and became {after}")

    def _failing(self) -> None:
        run = self._begin(ECHO | {"baseCommand": ["false"], "inputs": {}})
        state = self._end(run)
        told = self.http.get(self._url("/runs/{run_id}".replace("{run_id}", run))).json()
        if state != "EXECUTOR_ERROR" or told["run_log"].get("exit_code") in (0, None):
            raise Wrong(f"it ended as {state} with exit code {told['run_log'].get('exit_code')}")


def main(words: list[str] | None = None) -> int:
    """Run the suite by its command line."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--server", required=True, help="the address below which /service-info is")
    asked.add_argument("--description", type=Path, required=True, help="the OpenAPI description, YAML or JSON")
    asked.add_argument("--token", default="", help="sent as a bearer token")
    asked.add_argument("--field", action="append", default=[], help="NAME=VALUE of each request for a run")
    asked.add_argument("--patience", type=float, default=120.0, help="seconds that a run may take")
    asked.add_argument("--report", type=Path, help="where to write the result as JSON")
    given = asked.parse_args(words)
    try:
        description = Description(given.description)
        fields = dict(each.split("=", 1) for each in given.field)
        suite = Suite(given.server, description, given.token, fields, given.patience)
        suite.http.get(given.server.rstrip("/") + "/service-info")
    except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError, ImportError) as error:
        print(f"The server or the description cannot be read: {error}", file=sys.stderr)
        return 2
    cases = suite.run(lambda case: print("passed" if case.passed else "FAILED", f"{case.name}  {case.why}", flush=True))
    failed = sum(not each.passed for each in cases)
    print(f"{len(cases) - failed} of {len(cases)} cases passed")
    if given.report is not None:
        version = str(description.whole["info"]["version"])
        told = {"server": given.server, "description": version, "passed": len(cases) - failed, "failed": failed}
        given.report.write_text(json.dumps(told | {"cases": [asdict(each) for each in cases]}, indent=1), "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
