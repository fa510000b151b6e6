"""A version with everything that belongs to it as a crate: its metadata file, and files that other rooms keep of it."""

import json
from pathlib import Path

from madang.lake import Version
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.catalog import exporting, service
from madang.services.catalog.forms import ro_crate
from madang.services.catalog.holding import originals_of
from madang.services.catalog.models import Record


def entries(node: Node, actor: Actor, record: Record, lake: Version) -> list[tuple[str, Path | bytes]]:
    """What a zip of a version has besides its tables: `files/` as they came, and `ro-crate-metadata.json` that names
    all of it by where it lies in the zip; of the newest version.

    Errors: those of the rooms that keep files, such as `deposit.changed`.
    """
    if service.version_of(actor, record, None).number != lake.number:
        return []  # of an earlier version the tables alone are told
    kept = [each for each in originals_of(node, record.dataset, record.name) if each.path is not None]
    found: list[tuple[str, Path | bytes]] = [
        (f"files/{each.name}", each.path()) for each in kept if each.path is not None
    ]
    origin = exporting.origin_of(node, "")
    inside = {origin + each.address: f"files/{each.name}" for each in kept}
    entry = exporting.entry_of(node, actor, record, origin)
    by_hash = {
        file.sha256: f"{name}/{path.name}"
        for name, table in lake.tables.items()
        for file, path in zip(table.files, table.paths, strict=True)
    }
    inside |= {file.address: by_hash[file.sha256] for file in entry.files if file.table and file.sha256 in by_hash}
    document = json.dumps(ro_crate.document(entry, inside), ensure_ascii=False, indent=1)
    return [*found, (ro_crate.FILE, document.encode())]
