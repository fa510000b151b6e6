"""Run by the environment judges-learning, with no network: a badge, by openbadgeslib; what it found as JSON to stdout.

PYTHON judge_badge.py BADGE
"""

import json
import socket
import sys
from base64 import urlsafe_b64decode
from pathlib import Path

from openbadgeslib.ob3.verifier import OB3Verifier


def no_network(*_given, **_more):
    raise OSError("no network here")


socket.socket.connect = no_network
token = Path(sys.argv[1]).read_text().strip()
body = token.split(".")[1]
issuer = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))["issuer"]["id"]
try:
    found = OB3Verifier.for_issuer_did(issuer).verify(token)
    print(json.dumps({"valid": True, "issuer": issuer, "kind": type(found).__name__}))
except Exception as error:  # whatever it raises is its verdict
    print(json.dumps({"valid": False, "issuer": issuer, "why": f"{type(error).__name__}: {error}"}))
