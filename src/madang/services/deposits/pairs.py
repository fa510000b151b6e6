"""Pairs of files of reads, and whether the two belong together."""

import json
from collections import defaultdict
from collections.abc import Sequence

from madang.base.translate import _
from madang.services.deposits.models import DepositFile
from madang.services.deposits.runs import PAIR

SWAPPED = "pair.swapped"


def pairs_of(files: Sequence[DepositFile]) -> list[dict[str, DepositFile]]:
    """Files that their names make pairs: number of mate ("1" or "2") to file; one is there where the other is not."""
    pairs: dict[tuple[str, str], dict[str, DepositFile]] = defaultdict(dict)
    for file in files:
        if match := PAIR.match(file.name):
            pairs[match[1], match[3]][match[2]] = file
    return list(pairs.values())


def what_is_wrong(files: Sequence[DepositFile]) -> list[tuple[str, str, str]]:
    """Files of paired reads that do not belong together (other names of reads, another number, mates swapped): code,
    file and sentence of each."""
    found = []
    for both in pairs_of([file for file in files if file.format == "FASTQ"]):
        if len(both) < 2:
            file = next(iter(both.values()))
            found.append(("pair", file.name, _("The other file of the pair is missing.")))
            continue
        name = both["1"].name
        one, two = json.loads(both["1"].facts), json.loads(both["2"].facts)
        if one.get("mate") == "2" or two.get("mate") == "1":
            message = _("The files of the pair are swapped: this one holds the second mates.")
            found.append((SWAPPED, name, message))
        elif (one.get("first"), one.get("last")) != (two.get("first"), two.get("last")):
            message = _("The reads of {name} have other names: the pair is mixed up.").format(name=both["2"].name)
            found.append(("pair", name, message))
        elif one.get("reads") != two.get("reads"):
            found.append(("pair", name, _("The two files of the pair have different numbers of reads.")))
    return found
