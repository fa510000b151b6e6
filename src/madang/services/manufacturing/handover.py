"""The transfer package of a project: what its campaign, twin and good runs have shown, signed by this installation."""

import io
import json
import zipfile
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import signing
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.projects import find_project
from madang.node.text import clean_line
from madang.services.manufacturing.acts import HAND_OVER
from madang.services.manufacturing.service import see_campaign
from madang.services.manufacturing.studies import FOUNDRY, TWIN, WATCH, see_study

SIGNATURE = "signature.jwt"
TYPE = "transfer+jwt"


def hand_over(
    node: Node, actor: Actor, project: str, title: str, *, campaign: int = 0, studies: tuple[int, ...] = ()
) -> tuple[bytes, str]:
    """Make the package of a project from a campaign and studies (twins, good runs, foundry loops); the archive, and
    the hash of its manifest. Errors: `transfer.*`, and where a part is not of the project."""
    from madang.science.bioprocess import DEVELOPMENT_USE, transfer

    named = clean_line(title, _("The title"), 200, required=True)
    parameters: list[transfer.Parameter] = []
    files: dict[str, bytes] = {}
    if campaign:
        found = see_campaign(node, actor, campaign)
        _same(found.project.name, project)
        mine, more = _of_campaign(found)
        parameters += mine
        files |= more
    for number in studies:
        study = see_study(node, actor, number)
        _same(study.project.name, project)
        if study.state != "done" or study.kind not in (TWIN, WATCH, FOUNDRY):
            raise MadangError("transfer.study", _("{title} is not done.").format(title=study.title))
        place = {TWIN: "recipe", WATCH: "models", FOUNDRY: "evidence"}[study.kind]
        asked = "json" if study.kind == WATCH else "toml"
        files[f"{place}/{study.kind}-{number}.{asked}"] = study.asked.encode()
        files[f"{place}/{study.kind}-{number}.answer.json"] = study.answer.encode()
        if study.kind == TWIN:
            parameters += transfer.of_twin(json.loads(study.answer), f"{place}/{study.kind}-{number}.answer.json")
    made = {
        "project": project,
        "made": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "by": actor.name,
        "installation": signing.issuer(node.home),
        "use": DEVELOPMENT_USE,
    }
    data, _manifest = transfer.write(named, made, parameters, files)
    digest = transfer.read(data).digest
    signed = signing.signer(node.home).sign({"manifest": digest, "name": named, "project": project}, TYPE)
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SIGNATURE, signed)
    with doing(node, actor, HAND_OVER, lambda session: find_project(session, project)) as done:
        done.tell(name=named, sha256=digest)
    return out.getvalue(), digest


def verify(data: bytes, keys: list[Any]) -> tuple[Any, dict[str, Any]]:
    """The package if every file is what its manifest says and one of these keys signed it, and what was signed.

    Errors: `transfer.damaged`, `transfer.signature`."""
    from madang.science.bioprocess import transfer

    package = transfer.read(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            text = archive.read(SIGNATURE).decode()
        said = signing.read_signed(text, keys, TYPE)
    except (KeyError, ValueError, signing.NotBelieved) as error:
        raise MadangError(
            "transfer.signature", _("Its signature is missing or not of these keys: {error}").format(error=error)
        ) from None
    if said.get("manifest") != package.digest:
        raise MadangError("transfer.signature", _("What was signed is another package."))
    return package, said


def _of_campaign(found: Any) -> tuple[list[Any], dict[str, bytes]]:
    import tempfile
    from pathlib import Path

    from madang.science.bioprocess.campaign import read_campaign, read_done
    from madang.science.bioprocess.transfer import of_campaign
    from madang.services.manufacturing.service import _files

    with tempfile.TemporaryDirectory(prefix="madang-transfer-") as place:
        described = read_campaign(_files(Path(place), found.description, found.results))
        done = read_done(described)
    aims = [aim for aim in described.aims if aim.maximize is not None]
    limits = {aim.name: (aim.least, aim.most) for aim in described.aims if aim.maximize is None}
    names = list(done.results)
    rows = [
        {
            name: None if done.results[name][place] != done.results[name][place] else float(done.results[name][place])
            for name in names
        }
        for place in range(len(done.points))
    ]
    base = f"campaign-{found.id}"
    parameters = of_campaign(
        done.points, rows, aims[0].name, bool(aims[0].maximize), limits, described.units, f"evidence/{base}.results.csv"
    )
    files = {
        f"recipe/{base}.toml": found.description.encode(),
        f"evidence/{base}.results.csv": found.results.encode(),
        f"evidence/{base}.answer.json": found.answer.encode(),
    }
    return parameters, files


def _same(of: str, project: str) -> None:
    if of != project:
        raise MadangError("transfer.project", _("This belongs to another project."))
