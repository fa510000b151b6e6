"""Who gets what at the doors of the room certification; see services/access_tables.py."""

from services.access_tables import YES, Acts, Reads

READS: Reads = {
    "/certificates": ("/certificates", (YES,) * 5),
    "/certificates/verify": ("/certificates/verify", (YES,) * 5),
    "/certificates/{number}": ("/certificates/CERTIFICATE", (YES,) * 5),
    "/certificates/{number}/sheet": ("/certificates/CERTIFICATE/sheet", (YES,) * 5),
    "/certificates/{number}/certificate.jwt": ("/certificates/CERTIFICATE/certificate.jwt", (YES,) * 5),
    "/issuer.jwk": ("/issuer.jwk", (YES,) * 5),
    "/status.jwt": ("/status.jwt", (YES,) * 5),
}
ACTS: Acts = {
    "/certificates/verify": ("/certificates/verify", {"certificate": "x"}, (YES,) * 5),
}
