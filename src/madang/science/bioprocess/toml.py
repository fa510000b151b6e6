"""Reading what a person wrote in TOML: every value is asked for by its kind, and what nobody asked for is refused."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _

LARGEST = 10_000_000  # bytes


def read_toml(path: Path) -> "Section":
    """The document of a file as a section; raises `toml.read` where it cannot be read or is no TOML."""
    try:
        if path.stat().st_size > LARGEST:
            raise MadangError("toml.read", _("{file} is too large for a description.").format(file=path))
        return Section(tomllib.loads(path.read_text("utf-8-sig")), path.name)
    except OSError as error:
        raise MadangError("toml.read", _("Cannot read {file}: {why}.").format(file=path, why=error.strerror)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        text = _("{file} is not TOML: {why}.").format(file=path, why=str(error).rstrip("."))
        raise MadangError("toml.read", text) from None


class Section:
    """A table of a description. Values that were asked for are taken out; `end()` refuses what is left."""

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        self._values = dict(values)
        self.place = place

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def names(self) -> list[str]:
        """Names of the values that were not taken yet."""
        return list(self._values)

    def wrong(self, name: str, what: str) -> MadangError:
        """The error that the value of `name` is not `what`."""
        text = _("{place}: {name} must be {what}.").format(place=self.place, name=name, what=what)
        return MadangError("toml.value", text)

    def number(
        self, name: str, default: float | None = None, least: float = -math.inf, most: float = math.inf
    ) -> float:
        """A finite number between `least` and `most`."""
        value = self._taken(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong(name, _("a number"))
        if not least <= value <= most:
            raise self.wrong(name, _("between {least} and {most}").format(least=least, most=most))
        return float(value)

    def whole(self, name: str, default: int | None = None, least: int = 0, most: int = 10_000_000) -> int:
        """A whole number between `least` and `most`."""
        value = self._taken(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, _("a whole number"))
        if not least <= value <= most:
            raise self.wrong(name, _("between {least} and {most}").format(least=least, most=most))
        return value

    def text(self, name: str, default: str | None = None, choices: tuple[str, ...] = ()) -> str:
        """A text, one of `choices` where there are some."""
        value = self._taken(name, default)
        if not isinstance(value, str) or (choices and value not in choices):
            what = _("one of {names}").format(names=", ".join(choices)) if choices else _("a text")
            raise self.wrong(name, what)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._taken(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, _("true or false"))
        return value

    def section(self, name: str) -> "Section":
        """A table; an empty one where it is absent."""
        value = self._taken(name, {})
        if not isinstance(value, dict):
            raise self.wrong(name, _("a table"))
        return Section(value, f"{self.place}: {name}")

    def sections(self, name: str) -> "list[Section]":
        """A list of tables; none where it is absent."""
        value = self._taken(name, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.wrong(name, _("a list of tables"))
        return [Section(each, f"{self.place}: {name} {place}") for place, each in enumerate(value, 1)]

    def values(self, name: str, default: list[Any] | None = None) -> list[Any]:
        """A list of anything."""
        value = self._taken(name, default)
        if not isinstance(value, list):
            raise self.wrong(name, _("a list"))
        return value

    def numbers(self, name: str, default: list[float] | None = None, length: int | None = None) -> list[float]:
        """A list of finite numbers, of `length` where that is given."""
        value = self._taken(name, default)
        fine = isinstance(value, list) and all(
            isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in value
        )
        if not fine or (length is not None and len(value) != length):
            raise self.wrong(name, _("a list of numbers") if length is None else _("{n} numbers").format(n=length))
        return [float(each) for each in value]

    def raw(self, name: str) -> Any:
        """Whatever stands there."""
        return self._taken(name, None)

    def end(self) -> None:
        """Raise `toml.unknown` if there is anything that nobody asked for: it may be a slip of the pen."""
        if self._values:
            text = _("{place}: {names} is not known here.").format(place=self.place, names=", ".join(self._values))
            raise MadangError("toml.unknown", text)

    def _taken(self, name: str, default: Any) -> Any:
        if name in self._values:
            return self._values.pop(name)
        if default is None:
            raise MadangError("toml.missing", _("{place}: {name} is missing.").format(place=self.place, name=name))
        return default
