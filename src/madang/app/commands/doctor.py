"""`madang doctor`: what is wrong here, and what to do about it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _


def doctor(
    settings: Annotated[
        bool, typer.Option("--settings", help=_("Show every setting that is in force, and from where."))
    ] = False,
    thorough: Annotated[bool, typer.Option("--thorough", help=_("Read every byte of every dataset, too."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print JSON."))] = False,
) -> None:
    """Say what is wrong with this installation, each thing with a hint. Looks only."""
    from madang.node.home import Home

    home = Home.find()
    if settings:
        _show_settings(home.path, as_json)
        return
    from madang.base.console import ProgressBars, show_table
    from madang.base.errors import MadangError
    from madang.node.doctor import examine

    with ProgressBars() as progress:
        found = list(examine(home, thorough=thorough, progress=progress))
    words = {"good": _("good"), "doubtful": _("doubtful"), "bad": _("bad")}
    if as_json:
        rows = [{"what": f.what, "level": f.level, "message": f.message, "hint": f.hint} for f in found]
        print(json.dumps(rows, ensure_ascii=False))
    else:
        heads = [_("what"), _("how"), _("why"), _("what to do")]
        show_table(str(home.path), heads, [[f.what, words[f.level], f.message, f.hint] for f in found])
    bad = sum(f.level == "bad" for f in found)
    if bad:
        raise MadangError("doctor.bad", _("{count} finding(s) are bad.").format(count=bad))


def _show_settings(folder: Path, as_json: bool) -> None:
    from madang.base.console import show_table
    from madang.node.settings import effective

    rows = [[each.name, each.shown, each.source, each.description] for each in effective(folder)]
    if as_json:
        keys = ("name", "value", "source", "description")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], ensure_ascii=False))
    else:
        heads = [_("setting"), _("value"), _("from", "setting"), _("what it is for")]
        show_table(str(folder / "madang.toml"), heads, rows)
