"""Repository models and checklists of samples, as data: short ones of our own, the others from the standards folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.home import Home
from madang.science.formats import Checklist

_COMMON = (
    "sample_title",
    "sample_description",
    "derived_from",
    "sex",
    "tissue_type",
    "cell_line",
    "dev_stage",
    "isolate",
)
_SEX: dict[str, tuple[str, ...]] = {"sex": ("male", "female", "neuter", "hermaphrodite", "not determined")}
OURS = {
    each.name: each
    for each in (
        Checklist(
            "basic",
            "Any sample",
            ("taxon_id", "collection date", "geographic location (country and/or sea)"),
            _COMMON,
            choices=_SEX,
        ),
        Checklist(
            "human",
            "Sample of a person",
            ("taxon_id", "collection date", "sex", "tissue_type"),
            ("sample_title", "sample_description", "derived_from", "disease", "phenotype"),
            choices=_SEX,
        ),
        Checklist(
            "environment",
            "Sample of an environment",
            ("taxon_id", "collection date", "geographic location (country and/or sea)", "lat_lon"),
            (*_COMMON, "depth", "elevation", "temperature"),
            {"depth": ("m",), "elevation": ("m",), "temperature": ("ºC", "°C")},
            (("env_broad_scale", "isolation_source"),),
        ),
    )
}


@dataclass(frozen=True)
class Model:
    """How a repository wants deposits: its name, whether samples are described, whether it takes data of people."""

    name: str
    title: str
    samples: bool
    people: bool
    english: bool = False
    umbrella: bool = False  # it holds projects, and no files
    one_type: bool = False  # a project has data of one type


MODELS = {
    each.name: each
    for each in (
        Model("insdc", "INSDC", samples=True, people=True),
        Model("k-bds", "K-BDS", samples=True, people=True, english=True, one_type=True),
        Model("umbrella", "umbrella", samples=False, people=False, english=True, umbrella=True),
        Model("table", "table", samples=False, people=True),
    )
}


def find_model(name: str) -> Model:
    """The model of a name. Errors: `deposit.model`."""
    if name not in MODELS:
        raise MadangError(
            "deposit.model",
            _("There is no repository model {name!r}.").format(name=name),
            _("It can be: {names}.").format(names=", ".join(MODELS)),
        )
    return MODELS[name]


def checklists(home: Home) -> dict[str, Checklist]:
    """All checklists: ours, and those of the standards folder: ena_checklists/fields.json, mixs/required_fields.json.

    Errors: `deposit.checklists` where one of these files is there and is none.
    """
    folder = home.path / "standards"
    return (
        dict(OURS)
        | _read(folder / "ena_checklists" / "fields.json", _ena)
        | _read(folder / "mixs" / "required_fields.json", _mixs)
    )


def _read(path: Path, made: Callable[[Any], dict[str, Checklist]]) -> dict[str, Checklist]:
    if not path.is_file():
        return {}
    try:
        return made(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MadangError(
            "deposit.checklists", _("{path} holds no checklists.").format(path=path.name), _("Put it there anew.")
        ) from None


def _ena(told: Any) -> dict[str, Checklist]:
    """Checklists of the ENA: mandatory and optional fields, units, groups of which one is needed."""
    return {
        str(name): Checklist(
            str(name),
            str(name),
            tuple(map(str, each["mandatory"])),
            (*map(str, each.get("optional", ())), "derived_from"),
            {str(field): tuple(map(str, units)) for field, units in each.get("units", {}).items()},
            tuple(tuple(map(str, group)) for group in each.get("one_of", ())),
        )
        for name, each in told["checklists"].items()
    }


def _mixs(told: Any) -> dict[str, Checklist]:
    """Classes of MIxS: what they require, and the taxon, by which data of people are known; all else may be there."""
    return {
        str(name): Checklist(
            str(name),
            f"MIxS {name}",
            tuple(dict.fromkeys(("taxon_id", *map(str, each["required"])))),
            ("sample_title", "sample_description", "derived_from"),
            open=True,
        )
        for name, each in told["classes"].items()
    }


def find_checklist(home: Home, name: str) -> Checklist:
    """The checklist of a name. Errors: `deposit.checklist`."""
    known = checklists(home)
    if name not in known:
        raise MadangError(
            "deposit.checklist",
            _("There is no checklist {name!r}.").format(name=name),
            _("It can be: {names}.").format(names=", ".join(list(known)[:60])),
        )
    return known[name]


def sheet(list_: Checklist) -> bytes:
    """An empty sample sheet as XLSX: mandatory columns are marked by a star."""
    import io

    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet("samples")
        bold, plain, text = book.add_format({"bold": True}), book.add_format(), book.add_format({"num_format": "@"})
        needed = {"sample_alias", *list_.mandatory}
        for place, name in enumerate(list_.columns):
            page.write_string(0, place, name + "*" * (name in needed), bold if name in needed else plain)
            page.set_column(place, place, max(12, len(name) + 2), text)
            if choices := list_.choices.get(name):
                page.data_validation(1, place, 10_000, place, {"validate": "list", "source": list(choices)})
        page.freeze_panes(1, 1)
    return out.getvalue()
