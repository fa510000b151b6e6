"""Run by the environment judges-crate: every crate of a folder in roc-validator's required checks; JSON to stdout.

The context of RO-Crate 1.1 is answered from a file (of the package `rocrate`), since nothing is fetched.
"""

import io
import json
import sys
from email.message import Message
from pathlib import Path
from urllib.response import addinfourl

import rdflib._networking
from rocrate_validator import models, services

CONTEXT = Path(sys.argv[2]).read_bytes()


def answer(request: object) -> addinfourl:
    """The context, whatever is asked."""
    headers = Message()
    headers["Content-Type"] = "application/ld+json"
    return addinfourl(io.BytesIO(CONTEXT), headers, getattr(request, "full_url", ""), 200)


rdflib._networking.urlopen = answer
found: dict[str, list[str]] = {}
for crate in sorted(Path(sys.argv[1]).iterdir()):
    settings = services.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier="ro-crate-1.1",
        requirement_severity=models.Severity.REQUIRED,
        skip_availability_check=True,
    )
    result = services.validate(settings)
    issues = result.get_issues(models.Severity.REQUIRED)
    fetching = "ro-crate-1.1_3."  # whether the context can be had from the web, which a test may not ask
    found[crate.name] = [
        f"{each.check.identifier}: {each.message}" for each in issues if not each.check.identifier.startswith(fetching)
    ]
print(json.dumps(found))
