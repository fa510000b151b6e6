"""Who gets what at the doors of workspaces; see services/access_tables.py."""

import hashlib
from typing import Any

from madang.node.people.accounts import find_organization
from madang.services.workspace.models import Brought, Workspace
from madang.services.workspace.service import folder_of
from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/workspaces": ("/workspaces", (IN, YES, YES, YES, YES)),
    "/workspaces/{number}": ("/workspaces/WORKSPACE", (NONE, NONE, YES, YES, YES)),
    "/workspaces/{number}/files/{file}/content": (
        "/workspaces/WORKSPACE/files/BROUGHT/content",
        (NONE, NONE, YES, NONE, NONE),
    ),
}
ACTS: Acts = {
    "/workspaces": ("/workspaces", {"reference": "no-such"}, (NONE,) * 5),
    "/workspaces/{number}/enter": ("/workspaces/WORKSPACE/enter", {}, (NONE, NONE, NO, NO, NO)),
    "/workspaces/{number}/stop": ("/workspaces/999/stop", {}, (NONE,) * 5),
    "/workspaces/{number}/end": ("/workspaces/999/end", {}, (NONE,) * 5),
    "/workspaces/{number}/renew": ("/workspaces/999/renew", {}, (NONE,) * 5),
    "/workspaces/{number}/destroy": ("/workspaces/999/destroy", {}, (NONE,) * 5),
    "/workspaces/{number}/files": ("/workspaces/WORKSPACE/files", {"name": "x.csv"}, (BAD,) * 5),
    "/workspaces/{number}/files/{file}": ("/workspaces/WORKSPACE/files/999", {"decision": "accept"}, (NONE,) * 5),
    "/workspaces/{number}/release": ("/workspaces/999/release", {}, (NONE,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A workspace of the owner of the home on the hospital's data, into which a file is to be brought."""
    content = b"a,b\n"
    with house.node.write() as session:
        holder = find_organization(session, "hospital").id
        workspace = Workspace(title="Ours", dataset="closed", version=1, digest="m", organization_id=holder)
        session.add(workspace)
        session.flush()
        brought = Brought(
            workspace_id=workspace.id,
            name="codes.csv",
            hash=hashlib.sha256(content).hexdigest(),
            size=len(content),
            reason="",
            organization_id=holder,
        )
        session.add(brought)
        session.flush()
        made = {"WORKSPACE": str(workspace.id), "BROUGHT": str(brought.id)}
        number, kept = workspace.id, brought.hash
    (folder_of(house.node, number) / "asked" / kept).write_bytes(content)
    return made
