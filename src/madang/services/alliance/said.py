"""What the commands of an alliance share: the node, who acts, files, and what is said."""

from pathlib import Path
from typing import Annotated, Any

import typer

from madang.base.translate import _

AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]
Reason = Annotated[str, typer.Option(help=_("Why, in words."))]
Number = Annotated[int, typer.Argument(help=_("Number of the study."))]
File = Annotated[Path, typer.Argument(help=_("The file."))]


def node_of() -> Any:
    """The node of this home."""
    from madang.node.node import opened

    return opened()


def acting(node: Any) -> Any:
    """Who acts on the command line."""
    from madang.node.people.tokens import commander

    return commander(node)


def say(text: str) -> None:
    """Print a sentence."""
    from madang.base.console import console

    console().print(text, markup=False, soft_wrap=True, highlight=False)


def read(path: Path) -> bytes:
    """A file's bytes. Errors: one sentence where it cannot be read."""
    from madang.lake.files import sentences

    with sentences(f"read {path}"):
        return path.read_bytes()


def write(path: Path, data: bytes) -> None:
    """Write a file. Errors: one sentence where it cannot be written."""
    from madang.lake.files import sentences

    with sentences(f"write {path}"):
        path.write_bytes(data)
