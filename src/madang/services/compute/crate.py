"""A task as an RO-Crate (Process Run Crate 0.5): what was read by hash, what ran by version, what came of it.

https://w3id.org/ro/wfrun/process/0.5
"""

import json
from typing import Any

from madang import __version__
from madang.node.node import Node
from madang.services.compute import service, staging
from madang.services.compute.models import Task

FILE = "ro-crate-metadata.json"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]


def crate_of(node: Node, task: Task) -> dict[str, Any]:
    """The metadata of the crate that the outputs of a finished task are."""
    definition, result = service.definition_of(task), service.result_of(task)
    outputs = [_file(each["name"], each["size"], each["sha256"]) for each in result["outputs"]]
    inputs = [_input(each) for each in result["inputs"]]
    tools = _tools(node, task)
    ended = (task.ended or task.created).isoformat()
    title = service.title_of(task)
    who = {"@id": f"#{task.share.replace(':', '-')}", "@type": "Organization", "name": task.share}
    if task.owner is not None:
        who = {"@id": f"#person-{task.owner.id}", "@type": "Person", "name": task.owner.name}
    action: dict[str, Any] = {
        "@id": f"#task-{task.id}",
        "@type": "CreateAction",
        "name": title,
        "description": " ; ".join(" ".join(each.command) for each in definition.executors)[:5_000],
        "instrument": {"@id": tools[0]["@id"]},
        "agent": {"@id": who["@id"]},
        "endTime": ended,
        "actionStatus": {
            "@id": "http://schema.org/CompletedActionStatus"
            if task.state == "complete"
            else "http://schema.org/FailedActionStatus"
        },
        "object": _ids(inputs),
        "result": _ids(outputs),
    }
    if task.started is not None:
        action["startTime"] = task.started.isoformat()
    if task.state != "complete":
        action["error"] = task.reason or f"exit code {task.code}"
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": f"What task {task.id} left: {title}",
        "datePublished": ended,
        "license": "https://spdx.org/licenses/NOASSERTION",
        "conformsTo": {"@id": _PROFILE},
        "hasPart": _ids([*outputs, *(each for each in inputs if each["@type"] == "File")]),
        "mentions": {"@id": action["@id"]},
    }
    head = {
        "@id": FILE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    profile = {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    return {"@context": _CONTEXT, "@graph": [head, root, profile, action, who, *tools, *inputs, *outputs]}


def _ids(things: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"@id": each["@id"]} for each in things]


def _file(name: str, size: int, digest: str) -> dict[str, Any]:
    return {"@id": name, "@type": "File", "name": name, "contentSize": str(size), "sha256": digest}


def _input(each: dict[str, Any]) -> dict[str, Any]:
    """An input by its hash; the crate does not hold it."""
    digest = each.get("sha256", "")
    found = {"@id": f"urn:sha256:{digest}" if digest else f"#input{each['path']}", "name": each["path"]}
    found |= {"@type": "File" if digest else "CreativeWork"}
    found |= {"sha256": digest, "contentSize": str(each["size"])} if digest else {}
    return found | ({"identifier": each["url"]} if each.get("url", "").startswith("madang:") else {})


def _tools(node: Node, task: Task) -> list[dict[str, Any]]:
    """What ran: Madang itself, and the programs that a summary names with their versions."""
    base: dict[str, Any] = {"@id": "#madang", "@type": "SoftwareApplication", "name": "Madang"}
    base["softwareVersion"] = __version__
    found: list[dict[str, Any]] = [base]
    if task.kind == "germline" and task.state == "complete":
        told = json.loads(staging.output_path(node, task.id, "summary.json").read_text("utf-8"))
        for name, version in told["software"].items():
            found.append(
                {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": str(version)}
            )
        base["softwareRequirements"] = _ids(found[1:])
    return found
