"""Passwords: argon2id hashes, and what a new one has to be."""

import itertools
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 1_000
# What passwords that are tried first are made of, beside digits and signs; the longest first.
COMMON = (
    *("qwertyuiop", "asdfghjkl", "administrator", "1q2w3e4r5t", "1qaz2wsx3edc", "password", "passw0rd", "iloveyou"),
    *("zxcvbnm", "1q2w3e4r", "1qaz2wsx", "letmein", "welcome", "changeme", "qwerty", "asdfgh", "zxcvbn", "abcdef"),
    *("secret", "dragon", "monkey", "madang", "admin", "login", "hello", "korea", "test", "user", "root", "pass"),
    *("비밀번호", "안녕하세요", "사랑해", "관리자", "마당", "대한민국"),
)


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with its parameters."""
    return _hasher().hash(_normal(password))


def is_password(hashed: str | None, password: str) -> bool:
    """Whether it is the password; as slow for an account that is not there, or has none."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        _hasher().verify(hashed or _nobody(), _normal(password)[: LONGEST + 1])
    except (Argon2Error, InvalidHashError):
        return False
    return hashed is not None


def is_outdated(hashed: str) -> bool:
    """Whether it was made with weaker parameters than are used now."""
    return _hasher().check_needs_rehash(hashed)


def check_new_password(password: str, login: str) -> None:
    """Refuse a password that is too short, too plain, or says the login."""
    text = _normal(password)
    if len(text) < SHORTEST:
        raise MadangError(
            "people.password_short",
            _("The password needs at least {count} characters.").format(count=SHORTEST),
            _("A few words in a row are easy to remember and hard to guess."),
        )
    if len(text) > LONGEST:
        raise MadangError(
            "people.password_long", _("The password may have {count} characters at most.").format(count=LONGEST)
        )
    plain = text.casefold()
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(plain)}
    if len(set(plain)) < 5 or len(steps) == 1 or _is_common(plain) or (len(login) >= 4 and login.casefold() in plain):
        raise MadangError(
            "people.password_plain",
            _("This password is easy to guess."),
            _("A few words in a row are easy to remember and hard to guess."),
        )


def _is_common(plain: str) -> bool:
    """Whether a password is a short piece again and again, or hardly more than words that everybody tries first."""
    if re.fullmatch(r"(.{1,6}?)\1+.{0,2}", plain):
        return True
    rest = plain.replace("@", "a").replace("$", "s")
    for word in COMMON:
        rest = rest.replace(word, "")
    return len(re.sub(r"[\W\d_]", "", rest)) < 4


def _normal(password: str) -> str:
    """The same password from every keyboard (RFC 8265 asks for one form)."""
    return unicodedata.normalize("NFKC", password.encode("utf-8", "replace").decode())


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash("nobody")
