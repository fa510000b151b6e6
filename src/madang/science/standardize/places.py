"""Where an export comes from: the address of its server and its local time, as far as a run has to know them."""

from collections.abc import Sequence
from pathlib import Path

from madang.lake import Version
from madang.science.standardize.intake.base import find_base
from madang.science.standardize.intake.zones import find_zone, zone_of
from madang.science.standardize.pack import Pack, Source


def find(
    pack: Pack, folder: Path, files: Sequence[tuple[Source, Path]], before: Version | None
) -> tuple[str, str, list[str]]:
    """The base of references, the zone of moments, and what to tell about both.

    What a parameter says comes first, then what the run before took, then what the files tell.
    """
    told: list[str] = []
    info = before.info if before is not None else {}
    own, others = find_base(folder, files)
    base = str(pack.parameters.get("base", "")).rstrip("/") or info.get("base", "") or own
    if base and base == own:
        told.append(f"References are absolute; {own} is taken for the address of this export.")
    if foreign := (others | {own}) - {base, ""}:
        told.append(
            f"References name resources under {', '.join(sorted(foreign)[:3])}, which is not this export and is "
            "not looked up. If it is, say so: --set base=ADDRESS."
        )
    zone = str(pack.parameters.get("timezone", "")) or info.get("zone", "")
    if zone:
        zone_of(zone)
    else:
        zone, said = find_zone(files)
        told += [said] if said else []
    return base, zone, told
