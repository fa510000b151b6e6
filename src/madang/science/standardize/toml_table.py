"""Tables of pack.toml, read key by key; whatever is wrong is an error at its line."""

from collections.abc import Mapping, Sequence
from typing import Any

from madang.base.errors import MadangError
from madang.science.standardize.hints import instead_of
from madang.science.standardize.toml_lines import KeyPath, TomlFile

_KINDS: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "a whole number": (int,),
    "true or false": (bool,),
    "a table": (dict,),
    "a list of texts": (list,),
    "a list of tables": (list,),
}


class TomlTable:
    """One table of pack.toml, read key by key; what is left at the end is an unknown key."""

    def __init__(self, file: TomlFile, path: KeyPath) -> None:
        value: Any = file.data
        for part in path:
            value = value[part] if isinstance(part, int) else value.get(part, {})
        self.file, self.path = file, path
        if not isinstance(value, dict):
            raise self.error("pack.wrong_type", f"{dotted(path)} has to be a table.")
        self.values: dict[str, Any] = value
        self.known: list[str] = []

    def error(self, code: str, message: str, hint: str = "", key: str | None = None) -> MadangError:
        """An error at a key of this table."""
        return self.file.error(code, self.path if key is None else (*self.path, key), message, hint)

    def take(self, key: str, kind: str, default: Any = None, among: Sequence[str] = (), required: bool = False) -> Any:
        """The value of `key`, of a kind of `_KINDS`, and one of `among` if any are given."""
        self.known.append(key)
        if key not in self.values:
            if required:
                raise self.error("pack.missing_key", f"{dotted(self.path)} lacks the key {key} ({kind}).")
            return default
        value = self.values[key]
        right = isinstance(value, _KINDS[kind]) and not (kind == "a whole number" and isinstance(value, bool))
        if kind == "a list of texts":
            right = right and all(isinstance(item, str) for item in value)
        if not right:
            raise self.error("pack.wrong_type", f"{dotted((*self.path, key))} has to be {kind}.", key=key)
        if among and value not in among:
            hint = instead_of(value, among)
            raise self.error("pack.unknown_value", f'{dotted((*self.path, key))} cannot be "{value}".', hint, key)
        return tuple(value) if kind == "a list of texts" else value

    def finish(self) -> None:
        """Refuse keys that nobody took."""
        for key in self.values:
            if key not in self.known:
                hint = instead_of(key, self.known)
                raise self.error("pack.unknown_key", f"{dotted(self.path)} has no key {key}.", hint, key)

    def children(self, key: str, required: bool = False) -> dict[str, "TomlTable"]:
        """The tables within the table `key`."""
        return {
            name: TomlTable(self.file, (*self.path, key, name))
            for name in self.take(key, "a table", {}, required=required)
        }

    def list_of_tables(self, key: str) -> list["TomlTable"]:
        """The tables of an array of tables, as `[[key]]`."""
        values = self.take(key, "a list of tables", [])
        return [TomlTable(self.file, (*self.path, key, index)) for index in range(len(values))]

    def whole_number(self, key: str, default: int | None, least: int, most: int) -> int | None:
        """A whole number between two bounds."""
        value: int | None = self.take(key, "a whole number", default)
        if value is not None and not least <= value <= most:
            message = f"{dotted((*self.path, key))} is {value}, but has to be from {least} to {most}."
            raise self.error("pack.out_of_range", message, key=key)
        return value


def dotted(path: KeyPath) -> str:
    """How a table or key is called in messages."""
    return ".".join(str(part) for part in path) or "pack.toml"
