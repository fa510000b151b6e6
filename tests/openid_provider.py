"""A small provider of OpenID Connect in a process of its own, as an institution would have one.

It knows one client and one person, checks PKCE, and signs ID tokens. The name of a fault
makes it do one thing wrong.
"""

import base64
import contextlib
import hashlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET, SUBJECT = "madang", "the client's secret", "subject-42"
FAULT = sys.argv[1] if __name__ == "__main__" else ""
KEY, OTHER = (RSAKey.generate_key(2048, parameters={"kid": "1"}) for _key in range(2))
CODES: dict[str, dict[str, str]] = {}


class Provider(BaseHTTPRequestHandler):
    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, body: Any, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/.well-known/openid-configuration":
            self.answer(
                {
                    "issuer": "http://127.0.0.1:1" if FAULT == "issuer" else self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                }
            )
        elif path == "/keys":
            self.answer(KeySet([KEY]).as_dict(private=False))
        elif path == "/authorize":
            asked = {name: values[0] for name, values in query.items()}
            assert asked["client_id"] == CLIENT and asked["response_type"] == "code" and "openid" in asked["scope"]
            assert asked["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe(16)
            CODES[code] = asked
            self.send_response(302)
            self.send_header(
                "Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            )
            self.end_headers()
        else:
            self.answer({}, 404)

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = CODES.pop(sent["code"][0], None)
        basic = base64.b64decode(self.headers.get("Authorization", "Basic ").removeprefix("Basic ")).decode()
        if asked is None or basic.split(":", 1) != [CLIENT, SECRET]:
            return self.answer({"error": "invalid_client" if asked else "invalid_grant"}, 401)
        made = (
            base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"][0].encode()).digest()).rstrip(b"=").decode()
        )
        if made != asked["code_challenge"] or sent["redirect_uri"][0] != asked["redirect_uri"]:
            return self.answer({"error": "invalid_grant"}, 400)
        at = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": "somebody else" if FAULT == "audience" else CLIENT,
            "exp": at - 3600 if FAULT == "expired" else at + 300,
            "iat": at - 7200 if FAULT == "expired" else at,
            "nonce": "another" if FAULT == "nonce" else asked["nonce"],
            "name": "김 연구",
            "email": "kim@example.org",
        }
        if FAULT == "parties":
            claims["aud"] = [CLIENT, "somebody else"]
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, OTHER if FAULT == "key" else KEY)
        if FAULT == "unsigned":
            head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
            token = f"{head}.{token.split('.')[1]}."
        return self.answer({"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def running(fault: str = "") -> Iterator[dict[str, str]]:
    """A provider that runs, and the settings of an installation that trusts it."""
    process = subprocess.Popen([sys.executable, __file__, fault], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield {
            "MADANG_OPENID_ISSUER": f"http://127.0.0.1:{int(process.stdout.readline())}",
            "MADANG_OPENID_CLIENT_ID": CLIENT,
            "MADANG_OPENID_CLIENT_SECRET": SECRET,
        }
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    print(server.server_address[1], flush=True)
    server.serve_forever()
