"""The official shapes and schemas, and other people's validators, find no fault in what we write.

Needs the environments judges-metadata and judges-crate, and the folder of official shapes.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from madang.services.catalog.forms import FORMS, validate, violations
from services.catalog.hostile_records import broken, entries
from support import ROOT, needs, shared_data

HERE = Path(__file__).parent


def environment(name: str) -> Path:
    """The Python of an environment of judges."""
    return needs(Path(os.environ.get("MADANG_ENVIRONMENTS", ROOT / ".environments")) / name / "bin" / "python")


def judge(python: Path, script: str, *arguments: str) -> dict[str, list[str]]:
    """What a judge says: name of document to its complaints."""
    done = subprocess.run(
        [str(python), str(HERE / script), *arguments], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def write(folder: Path, name: str, entry: object) -> None:
    for form in FORMS.values():
        for syntax in form.syntaxes:
            (folder / f"{name}.{form.name}.{syntax}").write_bytes(form.write(entry, syntax)[0])  # type: ignore[arg-type]  # of any kind


def test_official_shapes_and_schemas_find_nothing(tmp_path: Path) -> None:
    python, standards = environment("judges-metadata"), shared_data("../standards")
    for entry in entries(25):
        write(tmp_path, f"{entry.name}-{entry.tier}", entry)
    found = judge(python, "judge_metadata.py", str(tmp_path), str(standards))
    assert len(found) == 25 * 9
    assert {name: said for name, said in found.items() if said} == {}


def test_what_official_shapes_refuse_our_rules_refuse(tmp_path: Path) -> None:
    python, standards = environment("judges-metadata"), shared_data("../standards")
    cases = {name.replace(" ", "_"): entry for name, (entry, _sentence) in broken().items()}
    for name, entry in cases.items():
        write(tmp_path, name, entry)
    found = judge(python, "judge_metadata.py", str(tmp_path), str(standards))
    refused = {name for name, said in found.items() if said}
    assert refused  # the judge does refuse
    for document in refused:
        name, _, rest = document.partition(".")
        form = rest.rpartition(".")[0]
        assert violations(validate(cases[name], form)), (document, found[document])


@pytest.mark.big
def test_crates_pass_roc_validator(tmp_path: Path) -> None:
    python = environment("judges-crate")
    context = needs(Path(os.environ.get("ROCRATE_CONTEXT", ROOT / ".environments" / "ro-crate.jsonld")))
    for entry in entries(5, seed=11):
        folder = tmp_path / entry.name
        folder.mkdir()
        (folder / "ro-crate-metadata.json").write_bytes(FORMS["ro-crate"].write(entry)[0])
    assert {tuple(said) for said in judge(python, "judge_crate.py", str(tmp_path), str(context)).values()} == {()}
