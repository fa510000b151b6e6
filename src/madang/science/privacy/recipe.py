"""Recipes: what happens to each kind of variable when an extract is made, as data; and the SQL that does it.

Kinds follow from the common data model: identifiers of persons and records become pseudonyms, dates are kept, moved or
coarsened, births go to bands, codes held by few persons are left out, tails of numbers are cut, free text and source
identifiers are dropped.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.lake.engine import quote_name
from madang.science.omop.cdm import TABLES, Field, duckdb_type
from madang.science.privacy.pseudonyms import check_method

DATES = ("keep", "shift", "month", "quarter", "year")
DECEASED = ("keep", "year", "exclude")
PROVIDER = ("pseudonym", "drop")
SHIPPED = ("closed-space", "months", "shifted")
NAMES_SOMEBODY = frozenset({"person_source_value", "provider_source_value", "care_site_source_value", "npi", "dea"})
PLACES = frozenset(
    {"address_1", "address_2", "city", "zip", "county", "location_source_value", "latitude", "longitude"}
)
FREE_TEXT_TABLES = frozenset({"note", "note_nlp"})
PROVIDERS = frozenset({"provider_id", "care_site_id"})
START = {  # by which date a row is within a window; other tables go by person alone
    "visit_occurrence": "visit_start_date",
    "visit_detail": "visit_detail_start_date",
    "condition_occurrence": "condition_start_date",
    "drug_exposure": "drug_exposure_start_date",
    "procedure_occurrence": "procedure_date",
    "device_exposure": "device_exposure_start_date",
    "measurement": "measurement_date",
    "observation": "observation_date",
    "specimen": "specimen_date",
    "note": "note_date",
    "payer_plan_period": "payer_plan_period_start_date",
    "observation_period": "observation_period_start_date",
    "drug_era": "drug_era_start_date",
    "dose_era": "dose_era_start_date",
    "condition_era": "condition_era_start_date",
    "episode": "episode_start_date",
    "death": "death_date",
}
CODE = {  # the concept and the source code of an event; what a source calls its visits is a number, no code
    "visit_occurrence": ("visit_concept_id", ""),
    "condition_occurrence": ("condition_concept_id", "condition_source_value"),
    "drug_exposure": ("drug_concept_id", "drug_source_value"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_source_value"),
    "device_exposure": ("device_concept_id", "device_source_value"),
    "measurement": ("measurement_concept_id", "measurement_source_value"),
    "observation": ("observation_concept_id", "observation_source_value"),
}


@dataclass(frozen=True)
class Recipe:
    """How an extract is pseudonymized. `drop` names more columns (`table.column`), `source` whose rules these are."""

    name: str
    version: str
    title: dict[str, str]
    source: str
    method: str = "hmac-sha256"
    dates: str = "keep"
    shift_days: int = 0  # at most, either way; of dates = "shift"
    birth_band: int = 1  # years
    rare_code_persons: int = 0  # a code that fewer persons have is left out of the row
    number_tail: float = 0.0  # share of the smallest and of the largest numbers of a code that are cut to the limit
    provider: str = "pseudonym"
    places: bool = False  # whether columns of places below the region are kept
    deceased: str = "keep"
    free_text: bool = False
    drop: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """The recipe as JSON, as permits bind it."""
        return {
            name: list(value) if isinstance(value, tuple) else str(value) if isinstance(value, float) else value
            for name, value in vars(self).items()
        }


def read_recipe(name: str | Path) -> Recipe:
    """A recipe that ships (by name), or one in a TOML file. Raises `privacy.recipe`."""
    if isinstance(name, str) and name in SHIPPED:
        text = files(__package__).joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    else:
        path = Path(name)
        if not path.is_file():
            raise MadangError(
                "privacy.recipe", f"There is no recipe {str(name)!r}.", f"Those that ship are {', '.join(SHIPPED)}."
            )
        text = path.read_text(encoding="utf-8")
    try:
        return recipe_of(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MadangError("privacy.recipe", f"The recipe {str(name)!r} cannot be read: {error}.") from None


def recipe_of(given: dict[str, Any]) -> Recipe:
    """A recipe from its fields, checked. Raises `privacy.recipe`, `privacy.plain_hash`."""

    def wrong(what: str) -> MadangError:
        return MadangError("privacy.recipe", f"The recipe {given.get('name', '')!r} cannot be used: {what}.")

    known = set(Recipe.__dataclass_fields__)
    unknown = sorted(set(given) - known)
    if unknown:
        raise wrong(f"it has an unknown field {unknown[0]!r}")
    values = dict(given)
    if isinstance(values.get("number_tail"), str):
        values["number_tail"] = float(values["number_tail"])
    values["drop"] = tuple(values.get("drop", ()))
    try:
        recipe = Recipe(**values)
    except TypeError:
        raise wrong("it needs name, version, title and source") from None
    check_method(recipe.method)
    for name, allowed in (("dates", DATES), ("deceased", DECEASED), ("provider", PROVIDER)):
        if getattr(recipe, name) not in allowed:
            raise wrong(f"{name} is one of {', '.join(allowed)}")
    if recipe.dates == "shift" and not 30 <= recipe.shift_days <= 3650:
        raise wrong("shift_days is between 30 and 3650")
    if recipe.birth_band < 1 or recipe.rare_code_persons < 0 or not 0 <= recipe.number_tail < 0.5:
        raise wrong("birth_band, rare_code_persons or number_tail is out of range")
    return recipe


def table_sql(table: str, columns: Sequence[str], recipe: Recipe, source: str, present: Sequence[str]) -> str:
    """The SELECT over `source` (permitted rows of `table`) that gives the permitted columns after the recipe.

    The engine has the macros of `pseudonyms.install`. Raises `privacy.column` for columns that the table has not.
    """
    known = TABLES.get(table)
    if known is None:
        raise MadangError("privacy.column", f"There is no table {table!r} in the common data model.")
    if table in FREE_TEXT_TABLES and not recipe.free_text:
        raise MadangError("privacy.free_text", f"The table {table} is free text, which this recipe drops.")
    for column in columns:
        if column not in known or column not in present:
            raise MadangError("privacy.column", f"The table {table} has no column {column!r}.")
    shown = []
    for each in known.fields:
        if each.name in columns:
            expression = _expression(table, each, recipe)
            shown.append(f"{expression} AS {quote_name(each.name)}")
    keys = ["person_id", known.primary_key.name] if known.primary_key else ["person_id"]
    order = [name for name in dict.fromkeys(keys) if name in columns]
    by = f" ORDER BY {', '.join(quote_name(name) for name in order)}" if order else ""
    return f"SELECT {', '.join(shown)} FROM {source} AS t{by}"


def _expression(table: str, each: Field, recipe: Recipe) -> str:
    name, kind = f"t.{quote_name(each.name)}", duckdb_type(each)
    nothing = f"CAST(NULL AS {kind})"
    if f"{table}.{each.name}" in recipe.drop or each.name in NAMES_SOMEBODY:
        return nothing
    if each.name in PLACES and not recipe.places:
        return nothing
    if table == "person" and each.name in ("month_of_birth", "day_of_birth", "birth_datetime"):
        return nothing
    if each.name == "year_of_birth":
        band = recipe.birth_band
        return name if band == 1 else f"({name} // {band} * {band})::{kind}"
    if each.name in PROVIDERS and recipe.provider == "drop":
        return nothing
    if each.identifier and each.domain == "" and not each.name.endswith("concept_id"):
        return _identifier(table, each, name, nothing)
    if each.type == "date":
        return _date(table, name, recipe)
    if each.type == "datetime":  # the time of day is nobody's question; the date stands beside it
        return nothing
    if each.type.startswith("varchar"):
        is_code = each.name.endswith("_source_value") and table in CODE and each.name == CODE[table][1]
        if is_code:
            return _frequent(name, "code", "NULL") if recipe.rare_code_persons else name
        keep = each.name in ("unit_source_value", "cost_domain_id", "gender_source_value") or recipe.free_text
        return name if keep else nothing
    if table in CODE and each.name == CODE[table][0] and recipe.rare_code_persons:
        return _frequent(name, "concept", "0")
    if table in CODE and CODE[table][1] and each.name.endswith("_source_concept_id") and recipe.rare_code_persons:
        return _frequent(name, "code", "0")
    if each.type == "float" and recipe.number_tail and table in ("measurement", "observation"):
        return f"greatest(least({name}, t._high_{each.name}), t._low_{each.name})"
    return name


def _identifier(table: str, each: Field, name: str, nothing: str) -> str:
    domain = each.foreign_key[0] if each.foreign_key else table
    if each.name == "preceding_visit_occurrence_id":
        domain = "visit_occurrence"
    if each.name == "cost_event_id":
        cases = " ".join(
            f"WHEN '{label}' THEN '{target}'"
            for label, target in (
                ("Visit", "visit_occurrence"),
                ("Condition", "condition_occurrence"),
                ("Drug", "drug_exposure"),
                ("Procedure", "procedure_occurrence"),
                ("Device", "device_exposure"),
                ("Measurement", "measurement"),
                ("Observation", "observation"),
                ("Specimen", "specimen"),
            )
        )
        return f"pseudonym(CASE t.cost_domain_id {cases} ELSE 'event' END, {name})"
    if domain == "location":
        return nothing
    if domain == "person":  # made once for each person, not for each of their lines
        return "t._person"
    return f"pseudonym('{domain}', {name})"


def _date(table: str, name: str, recipe: Recipe) -> str:
    if table == "death" and recipe.deceased == "year":
        return f"make_date(year({name})::BIGINT, 7, 1)"
    if recipe.dates == "shift":
        return f"({name} + t._shift)::DATE"
    if recipe.dates in ("month", "quarter", "year"):
        return f"date_trunc('{recipe.dates}', {name})::DATE"
    return name


def _frequent(name: str, what: str, otherwise: str) -> str:
    """The value, unless the row's code (or concept) is one that few persons have."""
    return f"CASE WHEN t._rare_{what} THEN {otherwise} ELSE {name} END"
