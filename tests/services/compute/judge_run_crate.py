"""Run by the environment judges-crate: crates of runs in roc-validator's required checks; JSON to stdout.

    python judge_run_crate.py CONTEXT PROFILE CRATE...

The contexts are answered from a file, since nothing is fetched. Where the file is that of RO-Crate 1.3, the terms of
Bioschemas are named as RO-Crate 1.1, which the crates name, has them.
"""

import io
import json
import sys
from email.message import Message
from urllib.response import addinfourl

import rdflib._networking
from rocrate_validator import models, services

with open(sys.argv[1], "rb") as file:
    CONTEXT = file.read().replace(b"https://bioschemas.org/terms/", b"https://bioschemas.org/")


def answer(request: object) -> addinfourl:
    """The context, whatever is asked."""
    headers = Message()
    headers["Content-Type"] = "application/ld+json"
    return addinfourl(io.BytesIO(CONTEXT), headers, getattr(request, "full_url", ""), 200)


rdflib._networking.urlopen = answer
found = {}
for crate in sys.argv[3:]:
    settings = services.ValidationSettings(
        rocrate_uri=crate,
        profile_identifier=sys.argv[2],
        requirement_severity=models.Severity.REQUIRED,
        skip_availability_check=True,
    )
    issues = services.validate(settings).get_issues(models.Severity.REQUIRED)
    fetching = "ro-crate-1.1_3."  # whether the context can be had from the web, which a test may not ask
    told = [each for each in issues if not each.check.identifier.startswith(fetching)]
    found[crate] = [f"{each.check.identifier}: {each.message}" for each in told]
print(json.dumps(found))
