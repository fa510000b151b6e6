"""Functions of texts. Regular expressions come with profiles of others, so one that could run away is bounded."""

import base64
import binascii
import html
import json
import re
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from madang.science.fhir.fhirpath.values import PathError

LONGEST_PATTERN, LONGEST_MATCHED, MOST_MATCHED = 2_000, 2_000, 10_000_000
_REPEATED_GROUP = re.compile(r"\)\s*(?:[*+]|\{\d+,\d*\})")
_REPEAT = re.compile(r"(?<!\\)(?:[*+]|\{\d+,\d*\})")


@lru_cache(maxsize=500)
def _pattern(text: str) -> re.Pattern[str]:
    if len(text) > LONGEST_PATTERN:
        raise PathError("a regular expression is too long")
    try:
        return re.compile(text, re.DOTALL)
    except (re.error, RecursionError, OverflowError):
        raise PathError("a regular expression is written wrongly, or in a way that is not known here") from None


def usable(pattern: str, text: str) -> re.Pattern[str]:
    """The compiled pattern. A timer stops one that runs away in the main thread; elsewhere only those are used that
    cannot, which do not repeat a group and repeat at most two things over a text that is not long.
    """
    made = _pattern(pattern)
    tame = not _REPEATED_GROUP.search(pattern) and len(_REPEAT.findall(pattern)) <= 2 and len(text) <= LONGEST_MATCHED
    if threading.current_thread() is not threading.main_thread() and not tame:
        raise PathError("a regular expression is not asked here, since nothing could stop it")
    return made


def _matches(text: str, pattern: str, flags: str = "") -> bool:
    if "i" in flags:
        pattern = "(?i)" + pattern
    return usable(pattern, text).search(text) is not None


def _replace_matches(text: str, pattern: str, by: str, flags: str = "") -> str:
    if not pattern:
        return text
    template = re.sub(r"\$(\d+|\{\w+\})", lambda found: rf"\g<{found[1].strip('{}')}>", by.replace("\\", r"\\"))
    try:
        return usable(("(?i)" if "i" in flags else "") + pattern, text).sub(template, text)
    except (re.error, IndexError):
        raise PathError("a replacement names a group that is not there") from None


def _replace(text: str, pattern: str, by: str) -> str:
    if (text.count(pattern) + 1) * (len(by) + 1) + len(text) > MOST_MATCHED:
        raise PathError("a text becomes too long")
    return text.replace(pattern, by)


def _substring(text: str, start: int, length: int | None = None) -> str | None:
    if type(start) is not int or not 0 <= start < len(text):
        return None
    return text[start:] if length is None else text[start : start + max(length, 0)]


def _encode(text: str, kind: str) -> str | None:
    data = text.encode()
    if kind == "hex":
        return data.hex()
    if kind == "base64":
        return base64.b64encode(data).decode()
    return base64.urlsafe_b64encode(data).decode() if kind == "urlbase64" else None


def _decode(text: str, kind: str) -> str | None:
    try:
        if kind == "hex":
            return bytes.fromhex(text).decode()
        if kind == "base64":
            return base64.b64decode(text, validate=True).decode()
        return base64.urlsafe_b64decode(text).decode() if kind == "urlbase64" else None
    except (ValueError, binascii.Error):
        return None


def _escape(text: str, kind: str) -> str | None:
    if kind == "html":
        return html.escape(text, quote=True).replace("&#x27;", "&#39;")
    return json.dumps(text, ensure_ascii=False)[1:-1] if kind == "json" else None


def _unescape(text: str, kind: str) -> str | None:
    if kind == "html":
        return html.unescape(text)
    if kind != "json":
        return None
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text if "\\" not in text else None


def _text(operate: Callable[..., Any]) -> Callable[..., Any]:
    """With arguments that have to be texts."""

    def asked(text: str, *given: Any) -> Any:
        if any(type(each) is not str for each in given):
            raise PathError("a text was expected")
        return operate(text, *given)

    return asked


TEXTS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "indexOf": (1, 1, _text(lambda text, part: text.find(part))),
    "lastIndexOf": (1, 1, _text(lambda text, part: text.rfind(part))),
    "substring": (1, 2, _substring),
    "startsWith": (1, 1, _text(lambda text, part: text.startswith(part))),
    "endsWith": (1, 1, _text(lambda text, part: text.endswith(part))),
    "contains": (1, 1, _text(lambda text, part: part in text)),
    "upper": (0, 0, str.upper),
    "lower": (0, 0, str.lower),
    "replace": (2, 2, _text(_replace)),
    "matches": (1, 2, _text(_matches)),
    "matchesFull": (1, 2, _text(lambda text, pattern, flags="": usable(pattern, text).fullmatch(text) is not None)),
    "replaceMatches": (2, 3, _text(_replace_matches)),
    "length": (0, 0, len),
    "toChars": (0, 0, list),
    "trim": (0, 0, str.strip),
    "split": (1, 1, _text(lambda text, between: text.split(between) if between else list(text))),
    "encode": (1, 1, _text(_encode)),
    "decode": (1, 1, _text(_decode)),
    "escape": (1, 1, _text(_escape)),
    "unescape": (1, 1, _text(_unescape)),
}
