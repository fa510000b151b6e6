"""Every command of `madang`, with one line of help and where its code is. Imports nothing, so that help is instant."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One command.

    `target` is "module:attribute" under app.commands, a Typer application or a function with Typer's options.
    """

    name: str
    help: str
    target: str


def commands() -> list[Entry]:
    """The commands in the order in which a newcomer meets them."""
    return []
