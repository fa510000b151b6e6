"""Whether a SELECT leaves people as they are: every row it gives is made of rows of the one person whom it names.

Who writes the query also says what a person is. `SELECT person_id * 10 + i AS person_id ... FROM person, range(10)`
makes ten people of one, and a value of one person can be put beside everybody. Both would pass every rule about how
many people are behind a number. Only a small form of SELECT is shown here to keep people apart; for any other a person
has to read it.
"""

from collections.abc import Mapping
from typing import Any

from madang.lake.engine import Engine

PERSON = "person_id"  # by which the common data model names a person
_FORBIDDEN = ("SUBQUERY", "WINDOW", "LAMBDA")  # a value of other rows than the row's own
_STRANGE = ("random", "setseed", "uuid", "query", "query_table", "getvariable", "nextval")


def keeps_people(engine: Engine, sql: str, person: str = PERSON) -> bool:
    """Whether `person` in each row of the SELECT is the one whom all values of the row belong to."""
    statements = engine.parse(sql)["statements"]
    return len(statements) == 1 and _node(statements[0]["node"], {}, person)


def _node(node: Mapping[str, Any], known: Mapping[str, bool], person: str) -> bool:
    if node.get("type") != "SELECT_NODE" or node.get("sample") or node.get("qualify"):
        return False
    if any(each.get("type") != "DISTINCT_MODIFIER" or each.get("distinct_on_targets") for each in node["modifiers"]):
        return False  # a LIMIT picks people
    tables = dict(known)
    for each in node["cte_map"]["map"]:
        name = each["key"].lower()
        tables[name] = _node(each["value"]["query_node"], tables, person) and not each["value"]["aliases"]
    written = (node["select_list"], node["where_clause"], node["group_expressions"], node["having"])
    if _uses(written, _FORBIDDEN) or not _from(node["from_table"], tables, person):
        return False
    if not _names(node["select_list"], person):
        return False
    grouped = bool(node["group_expressions"]) or node.get("aggregate_handling") == "FORCE_AGGREGATES"
    return not grouped or any(_is(each, person) for each in node["group_expressions"])


def _from(table: Mapping[str, Any] | None, known: Mapping[str, bool], person: str) -> bool:
    if table is None or table.get("sample") or table.get("column_name_alias"):
        return False
    kind = table["type"]
    if kind == "BASE_TABLE":
        return known.get(str(table["table_name"]).lower(), True)
    if kind == "SUBQUERY":
        return _node(table["subquery"]["node"], known, person)
    if kind != "JOIN" or table["ref_type"] != "REGULAR" or table["join_type"] not in ("INNER", "LEFT", "SEMI"):
        return False
    joined = person in [str(each).lower() for each in table["using_columns"]] or _equal(table["condition"], person)
    inside = _from(table["left"], known, person) and _from(table["right"], known, person)
    return joined and inside and not _uses(table["condition"], _FORBIDDEN)


def _equal(condition: Any, person: str) -> bool:
    """Whether a condition asks for the same person on both sides, whatever else it asks for."""
    if not isinstance(condition, Mapping):
        return False
    if condition.get("type") == "CONJUNCTION_AND":
        return any(_equal(each, person) for each in condition["children"])
    sides = condition.get("left"), condition.get("right")
    tables = [side["column_names"][:-1] for side in sides if isinstance(side, Mapping) and _is(side, person)]
    return condition.get("type") == "COMPARE_EQUAL" and len(tables) == 2 and tables[0] != tables[1]


def _names(items: list[Mapping[str, Any]], person: str) -> bool:
    """Whether the select list gives the person as it stands in the tables, and nothing else under that name."""
    found = False
    for each in items:
        if each["type"] == "STAR":
            if each.get("replace_list") or each.get("rename_list") or each.get("expr") or each.get("exclude_list"):
                return False
            found = True
        elif _is(each, person) and str(each.get("alias") or person).lower() == person:
            found = True
        elif str(each.get("alias", "")).lower() == person:
            return False
    return found


def _is(expression: Mapping[str, Any], person: str) -> bool:
    return expression.get("type") == "COLUMN_REF" and str(expression["column_names"][-1]).lower() == person


def _uses(node: Any, classes: tuple[str, ...]) -> bool:
    """Whether anything in a syntax tree is of these classes, or is no function of the row alone."""
    if isinstance(node, Mapping):
        if node.get("class") in classes or str(node.get("function_name", "")).lower() in _STRANGE:
            return True
        return any(_uses(each, classes) for each in node.values())
    return isinstance(node, list | tuple) and any(_uses(each, classes) for each in node)
