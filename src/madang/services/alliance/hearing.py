"""What an answer of a site has to be before it is kept, and read again."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.federated.study import study_of
from madang.services.alliance.models import AllianceStudy

if TYPE_CHECKING:
    from madang.science.federated.rounds import Part


def step_of(question: dict[str, Any]) -> str:
    """The name of a question's step, as audit and answers have it."""
    return str(question.get("step", "recover" if "recover" in question else "unmask"))


def meta_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an answer that make it up, in the order in which a site writes them."""
    return {name: meta[name] for name in ("kind", "study", "digest", "round", "facts", "refused") if name in meta}


def part_of(study: AllianceStudy, question: dict[str, Any], meta: dict[str, Any], arrays: dict[str, Any]) -> "Part":
    """The part in an answer, checked; of a masked one or of an unmasking what can be checked. Errors:
    `federated.answer`, `federated.mask`."""
    from madang.science.federated.rounds import FACTS, Part, check_part, layout

    asked = study_of(json.loads(study.document))
    facts = meta.get("facts")
    if not isinstance(facts, dict):
        raise MadangError("federated.answer", _("An answer has no facts."))
    if "recover" in question:
        shares = facts.get("shares")
        wanted = set(question["missing"])
        if not isinstance(shares, dict) or set(shares) != wanted or not all(map(_is_share, shares.values())):
            raise MadangError("federated.answer", _("An answer has no seeds."))
        return Part(facts=facts)
    if "unmask" in question:
        together = set(question["unmask"]["together"])
        fallen = facts.get("fallen")
        wanted = together - set(question["answered"])
        seeds = [facts.get("own"), *(fallen.values() if isinstance(fallen, dict) else [None])]
        if not isinstance(fallen, dict) or set(fallen) != wanted or not all(_is_seed(each) for each in seeds):
            raise MadangError("federated.answer", _("An answer has no seeds."))
        return Part(facts=facts)
    step, told = question["step"], question["told"]
    if asked.secure and step not in FACTS:
        from madang.science.federated import masks

        count = 0
        for shape in layout(asked, step, told).values():
            size = 1
            for each in shape:
                size *= each
            count += 2 * size
        data = arrays.get("masked")
        shares = facts.get("shares")
        if not isinstance(shares, dict) or not all(map(_is_share, shares.values())):
            raise MadangError("federated.answer", _("An answer has no seeds."))
        if set(arrays) != {"masked"} or not isinstance(data, bytes) or len(masks.from_bytes(data)) != count:
            raise MadangError("federated.answer", _("A masked answer has another length."))
        return Part()
    names = {name.rpartition(".")[0] for name in arrays}
    sums = {}
    for name in names:
        pair = [arrays.get(f"{name}.{k}") for k in (0, 1)]
        if any(each is None or isinstance(each, bytes) for each in pair):
            raise MadangError("federated.answer", _("An answer is not whole."))
        sums[name] = (pair[0], pair[1])
    part = Part(sums, facts)  # type: ignore[arg-type]  # both were looked at
    check_part(asked, step, told, part)
    return part


def _is_seed(value: Any, size: int = 32) -> bool:
    return isinstance(value, str) and len(value) == 2 * size and all(each in "0123456789abcdef" for each in value)


def _is_share(value: Any) -> bool:
    return _is_seed(value, 48)
