"""Lists of codes in a workbook as the population of an application, in the same columns that cohorts are read from."""

from collections.abc import Mapping
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _

KINDS: Mapping[str, str] = {  # by how the name of a vocabulary begins
    "KCD": "diagnosis",
    "ICD": "diagnosis",
    "KDC": "drug",
    "ATC": "drug",
    "EDI": "procedure",
}
LARGEST = 5 << 20  # bytes of a workbook
TEMPLATE = (
    "list,vocabulary,code,name\r\n"
    "diabetes,KCD8,E11,Type 2 diabetes mellitus\r\n"
    "diabetes,KCD8,E14,Unspecified diabetes mellitus\r\n"
    "kidney disease,KCD8,N18,Chronic kidney disease\r\n"
)


def criteria_in(content: bytes, name: str) -> list[dict[str, Any]]:
    """The lists of a workbook (XLSX, CSV) as criteria: a person has one code of each list.

    Errors: `access.codes`, and those of reading it (`cohort.form`).
    """
    from madang.science.cohorts.workbook import read_workbook

    if len(content) > LARGEST:
        raise MadangError("access.codes", _("The workbook is too large."), _("Bring the lists of codes alone."))
    lists = read_workbook(content, name, xlsx=content[:2] == b"PK")
    found = []
    for title, codes in lists.codes.items():
        if lists.roles.get(title) == "without" or any(code.excluded or not code.descendants for code in codes):
            raise MadangError(
                "access.codes",
                _("The list “{name}” leaves something out, which a list of codes cannot do here.").format(name=title),
                _("A code stands for all below it. Use a definition of ATLAS for more."),
            )
        kinds = {_kind(code.vocabulary) for code in codes}
        if len(kinds) != 1:
            raise MadangError(
                "access.codes",
                _("The list “{name}” has codes of several kinds.").format(name=title),
                _("Make a list for diagnoses, one for drugs and one for procedures."),
            )
        found.append({"kind": kinds.pop(), "codes": list(dict.fromkeys(code.code for code in codes))})
    return found


def _kind(vocabulary: str) -> str:
    for start, kind in KINDS.items():
        if vocabulary.upper().startswith(start):
            return kind
    raise MadangError(
        "access.codes",
        _("The vocabulary {name} is none of diagnoses, drugs or procedures.").format(name=vocabulary),
        _("Those that are known begin with {names}.").format(names=", ".join(KINDS)),
    )
