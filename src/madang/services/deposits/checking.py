"""What is found when a deposit is seen as a whole: pairs, doubles, data of people, what its model asks for."""

import json
import re
from collections import defaultdict
from typing import Any

from madang.base.translate import _
from madang.services.deposits.checklists import MODELS
from madang.services.deposits.models import Deposit, DepositFile

_PAIR = re.compile(r"(.*?)[._-]R?([12])(?=[._]|\Z)(.*)")
_HANGUL = re.compile(r"[가-힣]")
HUMAN = "9606"


def is_of_people(deposit: Deposit) -> bool:
    """Whether a sample is human, or the depositor speaks of consent."""
    samples = json.loads(deposit.samples)
    human = any(str(each.get("taxon_id", each.get("tax_id", ""))) == HUMAN for each in samples)
    return human or bool(deposit.consent or deposit.ethics)


def tier(deposit: Deposit) -> str:
    """Data of people go to the controlled tier, others are open."""
    return "controlled" if is_of_people(deposit) else "open"


def findings(deposit: Deposit) -> list[dict[str, Any]]:
    """Everything, file by file and then of the whole."""
    found: list[dict[str, Any]] = []

    def say(severity: str, code: str, message: str, file: str = "") -> None:
        found.append({"severity": severity, "code": code, "file": file, "message": message})

    for file in deposit.files:
        if not file.sha256:
            say("wrong", "file.part", _("The file is not all there yet."), file.name)
        for each in json.loads(file.findings):
            say(each["severity"], each["code"], each["message"], file.name)
    hashes: dict[str, list[str]] = defaultdict(list)
    for file in deposit.files:
        if file.sha256 and file.bytes:
            hashes[file.sha256].append(file.name)
    for names in hashes.values():
        if len(names) > 1:
            say("wrong", "file.twice", _("The same content as {name}.").format(name=names[0]), names[1])
    for name, message in _pairs(deposit.files):
        say("wrong", "pair", message, name)
    model = MODELS[deposit.model]
    samples = json.loads(deposit.samples)
    if not deposit.files:
        say("wrong", "deposit.files", _("There is no file in the deposit."))
    if model.samples and not samples:
        say("wrong", "deposit.samples", _("The samples are not described: upload a sample sheet."))
    if not deposit.description:
        say("wrong", "deposit.description", _("The deposit has no description."))
    if model.english and (not deposit.title_en or _HANGUL.search(deposit.title_en)):
        say("wrong", "deposit.english", _("K-BDS asks for an English title."))
    if is_of_people(deposit):
        for field, message in (
            (deposit.consent, _("There are data of people: say the scope of their consent.")),
            (deposit.ethics, _("There are data of people: give the number of the ethics approval.")),
            (deposit.deidentified, _("There are data of people: say how they were de-identified.")),
        ):
            if not field:
                say("wrong", "deposit.people", message)
        say("look", "deposit.tier", _("There are data of people: they will be given on request only."))
    if not deposit.license:
        say("look", "deposit.license", _("No license is given."))
    return found


def _pairs(files: list[DepositFile]) -> list[tuple[str, str]]:
    """Files of paired reads that do not belong together: other names of reads, another number, mates mixed up."""
    pairs: dict[tuple[str, str], dict[str, DepositFile]] = defaultdict(dict)
    for file in files:
        if file.format == "FASTQ" and (match := _PAIR.match(file.name)):
            pairs[match[1], match[3]][match[2]] = file
    found = []
    for both in pairs.values():
        if len(both) < 2:
            file = next(iter(both.values()))
            found.append((file.name, _("The other file of the pair is missing.")))
            continue
        one, two = json.loads(both["1"].facts), json.loads(both["2"].facts)
        if one.get("mate") == "2" or two.get("mate") == "1":
            found.append((both["1"].name, _("The files of the pair are swapped: this one holds the second mates.")))
        elif (one.get("first"), one.get("last")) != (two.get("first"), two.get("last")):
            message = _("The reads of {name} have other names: the pair is mixed up.").format(name=both["2"].name)
            found.append((both["1"].name, message))
        elif one.get("reads") != two.get("reads"):
            found.append((both["1"].name, _("The two files of the pair have different numbers of reads.")))
    return found
