"""Who gets what at the doors of the room people; see services/access_tables.py."""

from portal_house import PASSWORD
from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/sign-in": ("/sign-in", (YES,) * 5),
    "/sign-in/openid": ("/sign-in/openid", (BAD,) * 5),  # no provider here; has a test of its own
    "/sign-in/openid/back": ("/sign-in/openid/back", (BAD,) * 5),
    "/help": ("/help", (YES,) * 5),
    "/people": ("/people", (IN, NO, NO, YES, YES)),
    "/people/{login}": ("/people/member", (IN, NO, NO, YES, YES)),
    "/organizations": ("/organizations", (YES,) * 5),
    "/people-changes": ("/people-changes", (IN, NO, NO, YES, YES)),
    "/invitations/{secret}": (f"/invitations/{'x' * 43}", (NONE,) * 5),  # has a test of its own
    "/account": ("/account", (IN, YES, YES, YES, YES)),
    "/account/codes": ("/account/codes", (IN, YES, YES, YES, YES)),
}
ACTS: Acts = {
    "/sign-in": ("/sign-in", {"login": "nobody", "password": "x"}, (IN,) * 5),
    "/sign-out": ("/sign-out", None, ()),  # has a test of its own
    "/account/password": ("/account/password", {"password": "x", "new": "y"}, (IN,) * 5),
    "/account/tokens": ("/account/tokens", {"name": "t", "scope": "everything"}, (IN, BAD, BAD, BAD, BAD)),
    "/account/tokens/revoke": ("/account/tokens/revoke", {"id": 999}, (IN, NONE, NONE, NONE, NONE)),
    "/account/sessions/end": ("/account/sessions/end", {"id": 999}, (IN, YES, YES, YES, YES)),
    "/account/sessions/end-others": ("/account/sessions/end-others", {}, (IN, YES, YES, YES, YES)),
    "/account/link": ("/account/link", {}, (IN,) * 5),
    "/account/unlink": ("/account/unlink", {"id": 999}, (IN, YES, YES, YES, YES)),
    "/account/codes": ("/account/codes", {"secret": "A" * 32, "new_code": "000000"}, (IN,) * 5),
    "/account/codes/recovery": ("/account/codes/recovery", {}, (IN,) * 5),
    "/people": ("/people", {"login": "new", "name": "New"}, (IN, NO, NO, NO, IN)),
    "/people/{login}/roles": ("/people/member/roles", {"role": "steward"}, (IN, NO, NO, NO, IN)),
    "/people/{login}/roles/take": ("/people/member/roles/take", {"role": "auditor"}, (IN, NO, NO, NO, YES)),
    "/people/{login}/disable": ("/people/administrator/disable", {}, (IN, NO, NO, NO, BAD)),
    "/people/{login}/enable": ("/people/member/enable", {}, (IN, NO, NO, NO, IN)),
    "/people/{login}/password": ("/people/member/password", {"new": PASSWORD}, (IN, NO, NO, NO, IN)),
    "/people/{login}/codes/forget": ("/people/member/codes/forget", {}, (IN, NO, NO, NO, IN)),
    "/people/{login}/invite": ("/people/member/invite", {}, (IN, NO, NO, NO, IN)),
    "/people-changes/{number}/confirm": ("/people-changes/999/confirm", {}, (IN, NO, NO, NONE, NONE)),
    "/people-changes/{number}/refuse": ("/people-changes/999/refuse", {}, (IN, NO, NO, NONE, NONE)),
    "/invitations/{secret}": (f"/invitations/{'x' * 43}", {"new": PASSWORD}, (NONE,) * 5),
    "/organizations": ("/organizations", {"name": "?", "title": "t"}, (IN, NO, NO, NO, BAD)),
}
