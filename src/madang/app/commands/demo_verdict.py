"""The end of `madang demo`: what the checks say of both datasets, a certificate, and a stranger who verifies it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.lake import Version
    from madang.node.node import Node
    from madang.services.certification import Entry

SCHEME = "omop-ready"


def show_verdicts(node: "Node", datasets: Sequence[str]) -> "Entry | None":
    """Assess the newest version of each dataset and print the verdicts; certify the last, if it meets the scheme."""
    from madang.base.console import ProgressBars, console, show_table
    from madang.node.people import Actor
    from madang.science.quality import Status, assess
    from madang.science.quality.document import report_document
    from madang.services.certification import Verdict, hold_against, in_force, issue, load_scheme

    home = node.home
    scheme, out = load_scheme(SCHEME), console()
    rows, notes, entry = [], [], None
    with ProgressBars() as progress:
        for name in datasets:
            version = home.lake().find(name)
            done = assess(version, progress=progress)
            outcomes = hold_against(scheme, version, quality := report_document(done))
            missing = [outcome for outcome in outcomes if outcome.verdict is not Verdict.MET]
            counts = [
                done.count(status) for status in (Status.PASSED, Status.FAILED, Status.NOT_APPLICABLE, Status.ERROR)
            ]
            rows.append([version.name, *counts, f"{len(outcomes) - len(missing)}/{len(outcomes)}"])
            notes += [f"{version.name}: {outcome.sentence}" for outcome in missing]
            if name == datasets[-1] and not missing:
                entry = in_force(node, version, scheme) or issue(node, Actor.owner(), version, scheme, quality).entry
    columns = [_("dataset"), _("passed"), _("failed", "check"), _("not applicable"), _("error"), scheme.reference]
    show_table(_("Quality checks, and criteria met"), columns, rows)
    for note in notes:
        out.print(_("Not met, {note}").format(note=note), markup=False)
    return entry


def verify_as_a_stranger(node: "Node", entry: "Entry", version: "Version") -> None:
    """Have another process verify the certificate that has an empty home, the public key, the list and the data."""
    from madang.base.console import console
    from madang.services.certification import current_status_list

    current_status_list(node)
    folder = entry.folder.parent
    given = [
        *(str(entry.folder / "certificate.jwt"), "--key", str(folder / "issuer.jwk")),
        *("--status", str(folder / "status.jwt"), "--data", str(version.dataset.folder)),
    ]
    command = [str(Path(sys.executable).with_name("madang")), "certificate", "verify", *given]
    with tempfile.TemporaryDirectory(prefix="madang-stranger-") as empty:
        done = subprocess.run(
            command, env=os.environ | {"MADANG_HOME": empty}, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    out = console()
    out.print(_("A second process, with the public key, the status list and the data only, says:"))
    for line in (done.stdout + done.stderr).splitlines():
        out.print(f"  {line}", markup=False)
    out.print(_("The sheet for the wall: {file}").format(file=entry.folder / "sheet.html"), markup=False)
    out.print()
