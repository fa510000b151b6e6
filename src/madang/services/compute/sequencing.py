"""Pipelines for sequencing data: asked for as tasks of their own kind, looked at by region and gene; references.

A reference is kept in `compute/references/NAME/VERSION` of the home, with what `bundle.json` says of it and the indexes
of bwa. A version is never changed.
"""

import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import make_folder
from madang.node import closed
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.compute import service, staging
from madang.services.compute.acts import ADD_REFERENCE
from madang.services.compute.definition import DAY, GB
from madang.services.compute.models import Task, TaskFile

KIND = "germline"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


@dataclass(frozen=True)
class Reference:
    """A reference that is kept here: name, version, and what its bundle says."""

    name: str
    version: int
    title: str
    source: str
    license: str
    sha256: str
    ploidy: int

    @property
    def reference(self) -> str:
        """How it is named: `lambda@1`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Wanted:
    """A germline run: addresses of its reads (one or two), of its reference, and how it is to be done."""

    reads: tuple[str, ...]
    reference: str
    sample: str = ""
    cores: int = 1
    memory: int = 4 * GB
    seconds: int = DAY
    ploidy: int | None = None
    kind_of_reference: str = "DIRECTORY"


def ask_germline(node: Node, actor: Actor, wanted: Wanted, project: str = "") -> Task:
    """Ask for small variants of one sample. Errors: `sequencing.reads`, and those of tasks."""
    if len(wanted.reads) not in (1, 2) or len(set(wanted.reads)) != len(wanted.reads):
        raise MadangError(
            "sequencing.reads", _("Name one file of reads, or two whose reads are pairs."), "--reads R1.fq.gz R2.fq.gz"
        )
    names = [_shown(node, each) for each in wanted.reads]
    inputs = [
        {"url": url, "path": f"/inputs/{place}/{name}"}
        for place, (url, name) in enumerate(zip(wanted.reads, names, strict=True), 1)
    ]
    reference = "/inputs/reference"
    if wanted.kind_of_reference == "FILE":
        reference += f"/{_shown(node, wanted.reference)}"
    inputs.append({"url": wanted.reference, "path": reference, "type": wanted.kind_of_reference})
    command = ["python", "-P", "-s", "-m", "madang.science.sequencing", "germline", "--reference", reference]
    command += ["--out", "/task/out", "--cores", str(wanted.cores), "--reads", *[each["path"] for each in inputs[:-1]]]
    command += ["--sample", wanted.sample] if wanted.sample else []
    command += ["--ploidy", str(wanted.ploidy)] if wanted.ploidy else []
    definition = {
        "name": _("Small variants of {sample}").format(sample=wanted.sample or names[0]),
        "executors": [{"image": "madang", "command": command, "workdir": "/task"}],
        "inputs": inputs,
        "outputs": [{"path": "/task/out", "url": "madang://", "type": "DIRECTORY"}],
        "resources": {
            "cpu_cores": wanted.cores,
            "ram_gb": wanted.memory / GB,
            "disk_gb": 200,
            "backend_parameters": {"seconds": str(wanted.seconds)},
        },
        "tags": {"pipeline": KIND},
    }
    return service.submit(node, actor, definition, project=project, kind=KIND)


def _shown(node: Node, url: str) -> str:
    """What a file of reads is called inside: its own name, so that the report can name the sample."""
    if url.startswith("madang://file/"):
        number = url.rpartition("/")[2]
        with node.read() as session:
            found = session.get(TaskFile, int(number)) if number.isdecimal() and len(number) < 10 else None
        name = found.name if found is not None else number
    else:
        name = url.rpartition("/")[2]
    return re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII) or "reads"


def see_run(node: Node, actor: Actor, number: int) -> tuple[Task, dict[str, Any]]:
    """A germline run, with its summary once it is done (else an empty one). Errors: `task.none`."""
    found = service.see_inside(node, actor, number, leaving=True)
    if found.kind != KIND:
        raise MadangError("task.none", _("There is no such run."), _("Look at yours."))
    if found.state != "complete":
        return found, {}
    return found, json.loads(staging.output_path(node, number, "summary.json").read_text("utf-8"))


def variants_of(
    node: Node, actor: Actor, number: int, region: str = "", gene: str = "", most: int = 200
) -> list[dict[str, Any]]:
    """The variants of a run in a region or a gene. Its table is read in a box: it came from one."""
    found = service.see_inside(node, actor, number, leaving=True)
    table = staging.output_path(node, found.id, "variants.parquet")
    limits = closed.Limits(seconds=30, memory=2 * GB, output=50_000_000, processes=256)
    box = closed.Box(limits, read={"/variants.parquet": table})
    asked = {"table": "/variants.parquet", "region": region, "gene": gene, "most": most}
    told = box.run([box.python, "-P", "-s", "-m", "madang.science.sequencing.query"], json.dumps(asked).encode())
    if told.code not in (0, 2):
        raise MadangError("sequencing.failed", _("The table of variants cannot be read."))
    answer = json.loads(told.output)
    if told.code == 2:
        raise MadangError(answer["code"], answer["message"], answer["hint"])
    return list(answer)


def references(node: Node) -> list[Reference]:
    """The references that are kept here, the newest version of each."""
    folder = node.home.folder("compute") / "references"
    names = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    return [found for name in names if (found := _newest(folder / name)) is not None]


def _newest(folder: Path) -> Reference | None:
    numbers = sorted(int(each.name) for each in folder.iterdir() if each.name.isdecimal())
    if not numbers:
        return None
    told = json.loads((folder / str(numbers[-1]) / "bundle.json").read_text("utf-8"))
    title, source, license_, digest = (str(told[key]) for key in ("title", "source", "license", "sha256"))
    return Reference(folder.name, numbers[-1], title, source, license_, digest, int(told["ploidy"]))


def reference_folder(node: Node, name: str) -> Path:
    """The folder of a reference, `lambda` (the newest version) or `lambda@1`. Errors: `sequencing.reference`."""
    name, _at, number = name.partition("@")
    folder = node.home.folder("compute") / "references" / name
    if _NAME.fullmatch(name) and folder.is_dir():
        newest = _newest(folder)
        wanted = folder / (number if number.isdecimal() else str(newest.version if newest else 0))
        if (not number or number.isdecimal()) and wanted.is_dir():
            return wanted
    raise MadangError(
        "sequencing.reference",
        _("There is no reference {name}.").format(name=repr(name)[:100]),
        ", ".join(each.reference for each in references(node)) or "madang sequencing bundle add",
    )


def add_reference(
    node: Node, actor: Actor, name: str, source: Path, told: dict[str, Any], genes: Path | None = None
) -> Reference:
    """Keep a reference as the next version of its name, with its indexes. Errors: `sequencing.reference`, `.tools`."""
    from madang.science.sequencing.bundle import find_bundle
    from madang.science.sequencing.tools import check_tools, run

    if not _NAME.fullmatch(name):
        message = _("{name!r} cannot name a reference.").format(name=name)
        raise MadangError("sequencing.reference", message, _("Use small letters, digits, dots and hyphens."))
    check_tools()
    bundle = find_bundle(source)
    genes = genes or bundle.genes
    base = node.home.folder("compute") / "references" / name
    make_folder(base, 0o755)
    with doing(node, actor, ADD_REFERENCE, lambda session: None) as done:
        done.tell(name=name, sha256=bundle.sha256)
    partial = Path(tempfile.mkdtemp(prefix=".new-", dir=base))
    try:
        with bundle.opened() as file, (partial / "genome.fa").open("wb") as target:
            shutil.copyfileobj(file, target, 1 << 22)
        for each in (genes, bundle.known):
            if each is not None:
                shutil.copyfile(each, partial / each.name)
        run(["bwa", "index", str(partial / "genome.fa")], log=partial / "index.log")
        (partial / "index.log").unlink()
        newest = _newest(base)
        version = newest.version + 1 if newest else 1
        texts = {key: str(told.get(key) or getattr(bundle, key)) for key in ("title", "source", "license")}
        digest = staging.hash_of(partial / "genome.fa")
        kept = texts | {"sha256": digest, "version": str(version), "ploidy": told.get("ploidy") or bundle.ploidy}
        (partial / "bundle.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1))
        for each in partial.iterdir():
            each.chmod(0o444)
        partial.chmod(0o755)
        partial.rename(base / str(version))
    except (EOFError, OSError) as error:
        message = _("{path} is no reference.").format(path=source)
        raise MadangError(
            "sequencing.reference", message, error.strerror or "" if isinstance(error, OSError) else ""
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Reference(name, version, texts["title"], texts["source"], texts["license"], digest, int(kept["ploidy"]))
