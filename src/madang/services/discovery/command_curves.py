"""`madang discovery curves`: dose-response curves from a plate-reader workbook."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.discovery.command_library import JsonOut, write_json


def curves_command(
    plates: Annotated[Path, typer.Argument(help=_("Workbook with the readings and a layout."))],
    json_out: JsonOut = None,
    pictures: Annotated[Path | None, typer.Option(help=_("Write a picture of every curve into this folder."))] = None,
) -> None:
    """Fit dose-response curves to the plates of a workbook, with limits, controls, Z' and flags."""
    from madang.base.console import show_table
    from madang.lake.files import sentences
    from madang.science.chemistry.curves import controls, curves_of, picture
    from madang.science.chemistry.plates import read_plates

    if not plates.is_file():
        raise MadangError("chemistry.no_file", _("There is no file {file}.").format(file=plates))
    read = read_plates(plates)
    checked = [controls(plate) for plate in read]
    curves = [curve for plate in read for curve in curves_of(plate)]
    if json_out:
        write_json(json_out, {"plates": [asdict(one) for one in checked], "curves": [asdict(one) for one in curves]})
    if pictures:
        with sentences(f"write the pictures into {pictures}"):
            pictures.mkdir(parents=True, exist_ok=True)
            for number, curve in enumerate(curves, 1):
                plain = re.sub(r"[^\w-]+", "_", curve.compound)[:60]
                (pictures / f"{number:04d}-{plain}.svg").write_text(picture(curve), encoding="utf-8")
    rows = [
        [one.plate, one.wells, "" if one.z_prime is None else f"{one.z_prime:.3f}", "; ".join(one.flags)]
        for one in checked
    ]
    show_table(_("Plates"), [_("Plate"), _("Wells"), "Z'", _("Flags")], rows)
    shown = []
    for curve in curves:
        value = "" if curve.ic50 is None else f"{curve.operator} {curve.ic50:.4g}"
        limits = f"{curve.low:.4g} - {curve.high:.4g}" if curve.low is not None else ""
        numbers = ["" if one is None else f"{one:.3g}" for one in (curve.hill, curve.top, curve.bottom, curve.r2)]
        shown.append([curve.plate, curve.compound, value, limits, curve.unit, *numbers, "; ".join(curve.flags)])
    columns = [_("Plate"), _("Compound"), "IC50", _("95% interval"), _("Unit"), "Hill", _("Top"), _("Bottom"), "R2"]
    show_table(_("Curves"), [*columns, _("Flags")], shown)
