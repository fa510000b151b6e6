"""`madang atlas`: ATLAS 3.0 on one version of a dataset, until somebody stops it."""

from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.services.cohorts.gate import Gate


def command(
    reference: Annotated[str, typer.Argument(metavar="DATASET", help=_("NAME, or NAME@VERSION."))],
    port: Annotated[int, typer.Option(min=0, max=65535, help=_("Port to listen on; 0 for a free one."))] = 0,
    achilles: Annotated[bool, typer.Option(help=_("Compute what ATLAS shows of the data source."))] = True,
    memory: Annotated[int, typer.Option(min=512, help=_("Most memory of its engine, in MiB."))] = 3072,
    project: Annotated[str, typer.Option(help=_("Project on whose shelf new definitions are kept."))] = "",
    vocabulary: Annotated[
        str | None, typer.Option(help=_("A loaded vocabulary, instead of the one that the data were mapped with."))
    ] = None,
) -> None:
    """Open ATLAS 3.0 on exactly one version of a dataset, on this machine only, until Ctrl-C."""
    from madang.base.console import console
    from madang.base.errors import MadangError
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.cohorts.atlas_service import run
    from madang.web.server import listen

    with opened() as node:
        lake = node.home.lake()
        version = lake.find(reference)
        words = lake.find(vocabulary) if vocabulary else None
        try:
            listening = listen("127.0.0.1", port)
        except OSError as error:
            message = _("Port {port} cannot be listened on: {reason}.")
            raise MadangError("atlas.port", message.format(port=port, reason=error.strerror or error)) from None

        def at(gate: "Gate") -> None:
            text = _("ATLAS on {version} is at {address} (Ctrl-C ends it). The address works once, in one browser.")
            print(text.format(version=version.name, address=gate.address), flush=True)
            console().print(_("What you save in ATLAS is kept on the shelf of cohorts."), markup=False)

        with listening:
            run(
                node,
                commander(node),
                version,
                listening,
                vocabulary=words,
                project=project,
                achilles=achilles,
                memory=memory << 20,
                opened=at,
                say=_said,
            )
    console().print(_("ATLAS has ended; nothing of it is left."), markup=False)


def _said(line: str) -> None:
    from madang.base.console import console

    kind, _space, rest = line.partition(" ")
    if kind == "achilles-done":
        done, failed = rest.split()
        text = _("Achilles: {done} analyses done, {failed} failed.").format(done=done, failed=failed)
        console(stderr=True).print(text, markup=False)
    elif kind == "achilles-failed":
        console(stderr=True).print(_("Achilles failed: {reason}").format(reason=rest), markup=False)
