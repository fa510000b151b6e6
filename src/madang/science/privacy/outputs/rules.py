"""The rules of output checking as data with versions: shipped rulebooks, or an institution's own TOML file."""

import dataclasses
import importlib.resources
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _

ZEROS = ("allowed", "review", "disclosive")
CLASSES = ("allowed", "review", "disclosive")
EXTREMES = ("allowed", "review", "refused")


@dataclass(frozen=True)
class Rules:
    """One version of the rules; what each limit means stands in the shipped file `rulebooks/standard-1.toml`."""

    name: str = "standard"
    version: int = 1
    minimum_count: int = 10
    minimum_positions: int = 10
    zeros: str = "allowed"
    dominance_n: int = 2
    dominance_k: float = 0.90
    p_percent: float = 0.10
    same_value: str = "disclosive"
    degrees_of_freedom: int = 10
    rounding: int = 5
    survival_step: int = 10
    extremes: str = "refused"
    protection_values: int = 3
    minor_alleles: int = 10
    leaf_size: int = 10

    @property
    def identifier(self) -> str:
        """Name and version, as a record of a verdict states them."""
        return f"{self.name}-{self.version}"

    def document(self) -> dict[str, Any]:
        """The rules as JSON, with the hash that binds a verdict to them."""
        plain = dataclasses.asdict(self)
        return {**plain, "sha256": sha256_of(plain)}


def shipped() -> list[str]:
    """The identifiers of the rulebooks that come with Madang."""
    folder = importlib.resources.files("madang.science.privacy.outputs") / "rulebooks"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def read_rules(given: str | Path | None = None) -> Rules:
    """The rules of a shipped identifier such as `standard-1`, of a TOML file, or the standard ones.

    Raises `MadangError("outputs.rules")` for a file that cannot be read, a limit that is unknown or out of range.
    """
    if given is None:
        return Rules()
    name = str(given)
    if name in shipped():
        folder = importlib.resources.files("madang.science.privacy.outputs") / "rulebooks"
        text = (folder / f"{name}.toml").read_text("utf-8")
    else:
        try:
            text = Path(given).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise MadangError(
                "outputs.rules",
                _("There are no rules {name}.").format(name=name),
                _("Give a TOML file, or one of: {names}.").format(names=", ".join(shipped())),
            ) from None
    return _parsed(text, name)


def _parsed(text: str, name: str) -> Rules:
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(name, _("it is no TOML: {error}").format(error=error)) from None
    kinds = {item.name: type(getattr(Rules(), item.name)) for item in dataclasses.fields(Rules)}
    for key, value in given.items():
        kind = kinds.get(key)
        if kind is None:
            raise _wrong(name, _("{key} is not a limit that is known").format(key=key))
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        if kind is str and not isinstance(value, str):
            raise _wrong(name, _("{key} is a word").format(key=key))
        if kind is not str and (not numeric or (kind is int and value != int(value)) or value < 0):
            raise _wrong(name, _("{key} is a number that is not negative").format(key=key))
    rules = Rules(**given)
    for key, allowed in (("zeros", ZEROS), ("same_value", CLASSES), ("extremes", EXTREMES)):
        if getattr(rules, key) not in allowed:
            raise _wrong(name, _("{key} is one of {words}").format(key=key, words=", ".join(allowed)))
    if rules.minimum_count < 2 or rules.dominance_k > 1 or rules.protection_values < 1:
        raise _wrong(name, _("a limit is out of range"))
    return rules


def _wrong(name: str, what: str) -> MadangError:
    return MadangError("outputs.rules", _("The rules {name} cannot be used: {what}.").format(name=name, what=what), "")
