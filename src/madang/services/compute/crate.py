"""A task as an RO-Crate: what was read by hash, what ran by version, what came of it, and the permit it was under.

A Process Run Crate 0.5 (https://w3id.org/ro/wfrun/process/0.5); a run of a workflow is a Workflow Run Crate 0.5
(https://w3id.org/ro/wfrun/workflow/0.5), with the workflow in it.
"""

import hashlib
import json
from typing import Any

from madang import __version__
from madang.node.node import Node
from madang.services.compute import permitted, service, staging, workflows
from madang.services.compute.models import Task

FILE = "ro-crate-metadata.json"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_WORKFLOW = "https://w3id.org/ro/wfrun/workflow/0.5"
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
_LANGUAGES = {  # name, address, and how workflows of it are named in the crate of workflows
    "snakemake": ("Snakemake", "https://snakemake.readthedocs.io", "snakemake"),
    "cwltool": ("Common Workflow Language", "https://www.commonwl.org", "cwl"),
}
_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]


def crate_of(node: Node, task: Task) -> dict[str, Any]:
    """The metadata of the crate that the outputs of a finished task are."""
    definition, result = service.definition_of(task), service.result_of(task)
    outputs = [_file(each["name"], each["size"], each["sha256"]) for each in result["outputs"]]
    inputs = [_input(each) for each in result["inputs"]]
    tools = _tools(node, task)
    permits = [
        {"@id": f"#permit-{number}", "@type": "CreativeWork", "name": f"Permit {number}", "identifier": number}
        for number in permitted.permits_in(task.inputs)
    ]
    workflow = _workflow(node, task)
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
        "instrument": {"@id": (workflow or tools)[0]["@id"]},
        "agent": {"@id": who["@id"]},
        "endTime": ended,
        "actionStatus": {
            "@id": "http://schema.org/CompletedActionStatus"
            if task.state == "complete"
            else "http://schema.org/FailedActionStatus"
        },
        "object": _ids([*inputs, *permits]),
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
    head: dict[str, Any] = {
        "@id": FILE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    profiles = [{"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}]
    if workflow:
        profiles += [
            {"@id": _WORKFLOW, "@type": "CreativeWork", "name": "Workflow Run Crate", "version": "0.5"},
            {"@id": _WORKFLOW_CRATE, "@type": "CreativeWork", "name": "Workflow RO-Crate", "version": "1.0"},
        ]
        root |= {"conformsTo": _ids(profiles), "mainEntity": {"@id": workflow[0]["@id"]}}
        root["hasPart"] = [{"@id": workflow[0]["@id"]}, *root["hasPart"]]
        head["conformsTo"] = [head["conformsTo"], {"@id": _WORKFLOW_CRATE}]
    told = [*profiles, action, who, *workflow, *tools, *permits, *inputs, *outputs]
    return {"@context": _CONTEXT, "@graph": [head, root, *told]}


def workflow_name(name: str) -> str:
    """How the file of a workflow is called in a crate."""
    return f"workflow/{name}"


def _workflow(node: Node, task: Task) -> list[dict[str, Any]]:
    """The workflow of a run, its language and its engine; nothing where the task runs none, or it is not known."""
    found = workflows.workflow_of(node, task)
    if found is None:
        return []
    name, data = found
    engine, version = workflows.engine_of(task)
    title, address, short = _LANGUAGES[engine]
    language = {
        "@id": f"https://w3id.org/workflowhub/workflow-ro-crate#{short}",
        "@type": "ComputerLanguage",
        "name": title,
        "identifier": {"@id": address},
        "url": {"@id": address},
    }
    software = {"@id": f"#{engine}", "@type": "SoftwareApplication", "name": engine, "url": {"@id": address}}
    software |= {"softwareVersion": version} if version else {}
    file = _file(workflow_name(name), len(data), hashlib.sha256(data).hexdigest())
    file |= {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": name,
        "programmingLanguage": {"@id": language["@id"]},
        "softwareRequirements": {"@id": software["@id"]},
    }
    return [file, language, software]


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
