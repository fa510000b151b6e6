"""`madang atlas`: ATLAS 3.0 on one version of a dataset, until somebody stops it."""

from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.services.cohorts.atlas import Atlas


def command(
    reference: Annotated[str, typer.Argument(metavar="DATASET", help=_("NAME, or NAME@VERSION."))],
    port: Annotated[int, typer.Option(min=0, max=65535, help=_("Port to listen on; 0 for a free one."))] = 0,
    achilles: Annotated[bool, typer.Option(help=_("Compute what ATLAS shows of the data source."))] = True,
    minimum: Annotated[
        int, typer.Option(min=1, help=_("The fewest persons that a count of the data source may be about."))
    ] = 5,
    memory: Annotated[int, typer.Option(min=512, help=_("Most memory of its engine, in MiB."))] = 3072,
    vocabulary: Annotated[
        str | None, typer.Option(help=_("A loaded vocabulary, instead of the one that the data were mapped with."))
    ] = None,
) -> None:
    """Open ATLAS 3.0 on exactly one version of a dataset, on this machine only, until Ctrl-C."""
    from madang.base.console import console
    from madang.node.home import Home
    from madang.science.omop.release import mapped_with
    from madang.services.cohorts.atlas import started
    from madang.web.server import listen

    lake = Home.find().lake()
    version = lake.find(reference)
    words = lake.find(vocabulary) if vocabulary else mapped_with(lake, version)
    try:
        listening = listen("127.0.0.1", port)
    except OSError as error:
        from madang.base.errors import MadangError

        message = _("Port {port} cannot be listened on: {reason}.")
        raise MadangError("atlas.port", message.format(port=port, reason=error.strerror or error)) from None
    with (
        listening,
        started(version, words, minimum=minimum, achilles=achilles, memory=memory << 20, say=_said) as atlas,
    ):
        host = f"localhost:{listening.getsockname()[1]}"
        _serve(atlas, host, listening)
    console().print(_("ATLAS has ended; nothing of it is left."), markup=False)


def _serve(atlas: "Atlas", host: str, listening: object) -> None:
    from madang.base.console import console
    from madang.services.cohorts.gate import Gate
    from madang.web.server import make_server

    gate = Gate(atlas.socket, host, lambda: "" if atlas.is_alive else _("ATLAS has ended."))
    text = _("ATLAS on {version} is at {address} (Ctrl-C ends it). The address works once, in one browser.")
    print(text.format(version=atlas.version.name, address=gate.address), flush=True)
    console().print(_("Definitions saved in ATLAS are not kept: export them as JSON."), markup=False)
    make_server(gate).run(sockets=[listening])  # type: ignore[list-item]  # it is a socket


def _said(line: str) -> None:
    from madang.base.console import console

    kind, _space, rest = line.partition(" ")
    if kind == "achilles-done":
        done, failed = rest.split()
        text = _("Achilles: {done} analyses done, {failed} failed.").format(done=done, failed=failed)
        console(stderr=True).print(text, markup=False)
    elif kind == "achilles-failed":
        console(stderr=True).print(_("Achilles failed: {reason}").format(reason=rest), markup=False)
