"""`madang backup` and `madang restore`."""

from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _


def backup(
    to: Annotated[Path, typer.Argument(help=_("Folder that does not exist yet, best on another disk."))],
    store: Annotated[
        Path | None,
        typer.Option(help=_("Folder where deposited files lie once for all backups; only new ones are copied.")),
    ] = None,
) -> None:
    """Write a backup of this node, keys included, while work goes on. Keep it where only you can read it."""
    from madang.base.console import ProgressBars, console
    from madang.node.backup import backup as make
    from madang.node.node import opened
    from madang.node.people.tokens import commander

    with opened() as node, ProgressBars() as progress:
        contents = make(node, commander(node), to, progress, store=store)
    said = _("Wrote {files} files, {datasets} dataset versions and {events} audit events to {folder}.")
    told = said.format(
        files=len(contents.files) + len(contents.stored),
        datasets=len(contents.datasets),
        events=contents.length,
        folder=to.absolute(),
    )
    console().print(told, markup=False)
    if contents.unread:
        text = _("{count} files that programs in workspaces wrote could not be read and are not in it: {file}.")
        console(stderr=True).print(text.format(count=len(contents.unread), file=contents.unread[0]), markup=False)


def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help=_("Folder of a backup."))],
    store: Annotated[
        Path | None, typer.Option(help=_("Where the deposited files of the backup lie now, if that has changed."))
    ] = None,
    check: Annotated[bool, typer.Option("--check", help=_("Only read and check every byte."))] = False,
) -> None:
    """Put a backup into MADANG_HOME, which has to be empty, after every byte of it was checked."""
    from madang.base.console import ProgressBars, console
    from madang.node.backup import restore as put_back
    from madang.node.backup import verify_backup
    from madang.node.doctor import examine
    from madang.node.home import Home

    if check:
        with ProgressBars() as progress:
            contents = verify_backup(source, progress, store=store)
        console().print(
            _("{files} files are what was written.").format(files=len(contents.files) + len(contents.stored)),
            markup=False,
        )
        return
    home = Home.find()
    with ProgressBars() as progress:
        contents = put_back(source, home, progress, store=store)
        wrong = [found for found in examine(home, progress=progress) if found.level == "bad"]
    said = _("{folder} is as it was on {made}: {datasets} dataset versions, {events} audit events, the last {digest}.")
    console().print(
        said.format(
            folder=home.path,
            made=contents.made,
            datasets=len(contents.datasets),
            events=contents.length,
            digest=contents.digest,
        ),
        markup=False,
    )
    for found in wrong:  # such as files and database that are of different moments
        console(stderr=True).print(f"{found.what}: {found.message} {found.hint}", markup=False)
