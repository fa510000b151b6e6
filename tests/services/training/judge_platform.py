"""Run by the environment judges-learning: a learning platform on loopback, made of lti1p3platform, which is not ours.

    PYTHON judge_platform.py TOOL

It prints its address as a line. `/start?user=U&kind=resource|deep` is a link of a course; `/state` tells what came
back: scores, and what was chosen.
"""

import html
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request
from lti1p3platform.score import UpdateScoreStatus
from lti1p3platform.service_connector import AssignmentsGradesService

TOOL = sys.argv[1]
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
STATE = {"scores": [], "chosen": []}


class Config(LTI1P3PlatformConfAbstract):
    def init_platform_config(self, issuer):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._registration = (
            Registration()
            .set_iss(issuer)
            .set_client_id("madang-1")
            .set_deployment_id("d-1")
            .set_oidc_login_url(f"{TOOL}/training/lti/login")
            .set_launch_url(f"{TOOL}/training/lti/launch")
            .set_deeplink_launch_url(f"{TOOL}/training/lti/launch")
            .set_tool_key_set_url(f"{TOOL}/training/lti/keys.json")
            .set_platform_public_key(public.decode())
            .set_platform_private_key(private.decode())
        )

    def get_registration_by_params(self, **kwargs):
        return self._registration


class Asked(Request):
    def build_metadata(self, request):
        return request


class Login(OIDCLoginAbstract):
    def set_lti_message_hint(self, hint):
        self._lti_message_hint = hint

    def get_redirect(self, url):
        return url


class Launch(LTIAdvantageMessageLaunchAbstract):
    def get_preflight_response(self):
        return self._request.get_data

    def prepare_launch(self, preflight):
        user = preflight["login_hint"]
        role = "Instructor" if user.startswith("teacher") else "Learner"
        self.set_user_data(user, [ROLE + role], full_name=f"Name of {user}")
        kind, _dot, place = preflight["lti_message_hint"].partition(":")
        issuer = CONFIG.get_registration().get_iss()
        if kind == "deep":
            self.set_dl(f"{issuer}/deep", extra_data="given back")
            return
        self.set_resource_link_claim(f"link-{place}")
        self.set_launch_context_claim("course-1", context_title="Course 1")
        self.set_custom_parameters_claim(dict(zip(("course", "lesson", "task"), place.split("/"), strict=False)))
        self.set_ags(f"{issuer}/lineitems", f"{issuer}/lineitems/1/lineitem")

    def render_launch_form(self, launch_data, **kwargs):
        return launch_data


class Grades(AssignmentsGradesService):
    find_lineitems = find_lineitem = create_lineitem = update_lineitem = delete_lineitem = get_results = None

    def update_score(self, line_item_id, score):
        STATE["scores"].append(score)
        return UpdateScoreStatus.SUCCESS


Grades.__abstractmethods__ = frozenset()


class Platform(BaseHTTPRequestHandler):
    def log_message(self, *args):
        """Nothing is printed but the address."""

    def answer(self, code, body, kind="application/json", **headers):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def asked(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode() if length else ""
        is_json = "json" in (self.headers.get("Content-Type") or "")
        return Asked(
            {
                "method": self.command,
                "form_data": {} if is_json else dict(parse_qsl(body)),
                "get_data": dict(parse_qsl(urlsplit(self.path).query)),
                "headers": self.headers,
                "content_type": self.headers.get("Content-Type"),
                "path": self.path,
                "json": json.loads(body) if is_json else None,
            }
        )

    def do_GET(self):
        asked, path = self.asked(), urlsplit(self.path).path
        if path == "/start":
            login = Login(asked, CONFIG)
            login.set_lti_message_hint(f"{asked.get_data['kind']}:{asked.get_data.get('place', '')}")
            self.answer(302, "", Location=login.initiate_login(asked.get_data["user"]))
        elif path == "/auth":
            data = Launch(asked, CONFIG).lti_launch()
            fields = "".join(
                f'<input type="hidden" name="{name}" value="{html.escape(data[name], quote=True)}">'
                for name in ("state", "id_token")
            )
            form = f'<form method="post" action="{html.escape(data["launch_url"], quote=True)}">{fields}'
            self.answer(200, f"<!doctype html><title>LMS</title>{form}<button>Go</button></form>", "text/html")
        elif path == "/jwks":
            self.answer(200, CONFIG.get_jwks())
        elif path == "/state":
            self.answer(200, STATE)
        else:
            self.answer(404, {})

    def do_POST(self):
        asked, path = self.asked(), urlsplit(self.path).path
        if path == "/token":
            self.answer(200, CONFIG.get_access_token(asked.form_data))
        elif path == "/deep":
            STATE["chosen"] = CONFIG.validate_deeplinking_resp(asked.form_data)
            self.answer(200, "<!doctype html><title>LMS</title><p>Placed.</p>", "text/html")
        elif path == "/lineitems/1/lineitem/scores":
            issuer = CONFIG.get_registration().get_iss()
            service = Grades(asked, CONFIG, f"{issuer}/lineitems", f"{issuer}/lineitems/1/lineitem")
            found = service.handle_resp(service.handle_update_score, line_item_id="1")
            self.answer(found.code, {"message": found.message})
        else:
            self.answer(404, {})


server = ThreadingHTTPServer(("127.0.0.1", 0), Platform)
ADDRESS = f"http://127.0.0.1:{server.server_address[1]}"
CONFIG = Config(issuer=ADDRESS)
print(ADDRESS, flush=True)
server.serve_forever()
