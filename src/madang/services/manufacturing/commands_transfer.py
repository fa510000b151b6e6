"""`madang manufacturing transfer`: make the package for the manufacturing record, and verify one."""

from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def transfer() -> None:
    """The transfer package: recipe, parameters with ranges and their reason, models, evidence, signed."""


@app.command("make")
def make_command(
    project: Annotated[str, typer.Argument(help=_("The project that hands over."))],
    out: Annotated[Path, typer.Option(help=_("Where to write the package."))],
    title: Annotated[str, typer.Option(help=_("The title."))] = "",
    campaign: Annotated[int, typer.Option(help=_("Number of a campaign, as in its address; 0: none."))] = 0,
    study: Annotated[list[int] | None, typer.Option(help=_("Number of a study; repeatable."))] = None,
) -> None:
    """Make the package of a project as one file."""
    from madang.base.console import console
    from madang.lake.files import sentences
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.manufacturing.handover import hand_over

    with opened() as node:
        data, digest = hand_over(
            node, commander(node), project, title or project, campaign=campaign, studies=tuple(study or ())
        )
    with sentences(f"write {out}"):
        out.write_bytes(data)
    console().print(_("{file}: manifest {digest}").format(file=out, digest=digest), markup=False)


@app.command("verify")
def verify_command(
    file: Annotated[Path, typer.Argument(help=_("The package."))],
    keys: Annotated[
        Path | None, typer.Option(help=_("Public keys of the signer (issuer.jwk); ours if missing."))
    ] = None,
) -> None:
    """Check every file and the signature of a package, and show its parameters."""
    from madang.base.console import console, show_table
    from madang.lake.files import sentences
    from madang.node import signing
    from madang.node.home import Home
    from madang.services.manufacturing.handover import verify

    with sentences(f"read {file}"):
        data = file.read_bytes()
    known = signing.read_keys(keys.read_bytes(), str(keys)) if keys else signing.public_keys(Home.find())
    package, said = verify(data, known)
    rows = [[p.name, p.unit, p.value, p.low, p.high, p.reason] for p in package.parameters]
    columns = [_("parameter"), _("unit"), _("set point"), _("from", "range"), _("to", "range"), _("reason")]
    show_table(f"{said['name']} ({package.manifest['use']})", columns, rows)
    text = _("{count} files, all as the manifest says; signed by {who}.")
    who = package.manifest["installation"]
    console().print(text.format(count=len(package.files), who=who), markup=False)
