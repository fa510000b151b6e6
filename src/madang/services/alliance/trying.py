"""A study tried on files as if each were a site: synthetic twins first, then partners."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from madang.science.federated.disclosure import Limits
from madang.science.federated.pooling import pooled
from madang.science.federated.rounds import Part, Site, check_part
from madang.science.federated.study import Study
from madang.services.alliance.shares import read_table


def try_study(study: Study, files: Sequence[Path], limits: Mapping[str, Any]) -> dict[str, Any]:
    """The pooled answer over files, by the rules of the limits; masks change no answer and are left out."""
    sites: dict[str, Site] = {}
    for file in files:
        name = file.stem if file.stem not in sites else f"{file.stem}-{len(sites) + 1}"
        sites[name] = Site(study, read_table(file), Limits.of(limits))

    def ask(step: str, told: Mapping[str, Any]) -> list[tuple[str, Part]]:
        parts = [(name, site.answer(step, told)) for name, site in sites.items()]
        for _name, part in parts:
            check_part(study, step, told, part)
        return parts

    found = pooled(study, ask)
    return {**found, "tried": True, "digest": study.digest, "sites": [{"site": name, "in": True} for name in sites]}
