"""Term lists that an operator has: codes of systems that may not ship, from CSV files."""

import csv
import datetime
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.fhir.terminology import Terminology

LARGEST = 20_000_000  # codes


def load_terms(path: Path, terminology: Terminology) -> int:
    """Take a CSV file with the columns `system` and `code` as the complete lists of these systems; returns how many.

    The date of the list is that of the file, unless a column `date` says it. A column `profile` says to which profile
    a code leads, as the codes of vital signs do; a list with only such codes is none of its whole system.
    """
    try:
        when = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC).date().isoformat()
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"system", "code"} <= set(reader.fieldnames or ()):
                raise MadangError(
                    "fhir.terms",
                    _("{path} has no columns `system` and `code`.").format(path=path.name),
                    _("Write one code per line, with the URI of its code system."),
                )
            codes: dict[str, set[str]] = {}
            for row in reader:
                if row["system"] and row["code"] and row.get("profile"):
                    profile = str(row["profile"]).strip().partition("|")[0]
                    terminology.leads[row["system"].strip(), row["code"].strip()] = profile
                elif row["system"] and row["code"]:
                    codes.setdefault(row["system"].strip(), set()).add(row["code"].strip())
                    when = (row.get("date") or when).strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MadangError(
            "fhir.terms", _("The term list {path} cannot be read: {error}.").format(path=path.name, error=error)
        ) from None
    for system, some in codes.items():
        terminology.add_terms(system, some, path.name, when)
    return sum(map(len, codes.values())) + len(terminology.leads)
