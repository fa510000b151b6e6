"""JSON of known kinds: figures by their specification, fitted models, tables of counts; and trees of LightGBM."""

import json
import math
import re
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import later
from madang.science.privacy.outputs.judge import Finding, Status
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.scan import Scan, Table, refused
from madang.science.privacy.outputs.scan.delimited import table_findings
from madang.science.privacy.outputs.scan.signs import blocks, identifiers

AWAY = frozenset({"url", "href", "image", "sequence", "graticule", "lookup", "usermeta"})  # data from elsewhere
LONGEST_TEXT, MOST_TEXT = 400, 8_000  # characters of one text of a figure, and of all besides its data
MODELS = frozenset({"linear regression", "logistic regression", "cox regression", "poisson regression"})


def scan_document(content: bytes, rules: Rules) -> Scan:
    """A JSON document of a kind that the rules know; any other is refused."""
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return refused("", "content", said(later("This is no JSON that can be read.")))
    if isinstance(document, dict):
        if "vega-lite" in str(document.get("$schema", "")):
            return _figure(document, content, rules)
        if document.get("kind") in MODELS and "coefficients" in document:
            return _model(document, rules)
        if "attributes" in document and "cells" in document:
            return _counts(document, rules)
    return refused("", "kind", said(later("This is no figure, model or table of a kind that the rules know.")))


def _figure(document: dict[str, Any], content: bytes, rules: Rules) -> Scan:
    """A Vega-Lite specification: only data that stand in it, judged as a table, and no address."""
    keys, texts = _written(document)
    away = bool(keys & AWAY) or any(each in AWAY for each in texts)
    tables: list[Table] = []
    for values in _inline(document):
        if values and all(isinstance(row, dict) for row in values):
            names = sorted({name for row in values for name in row})
            tables.append([names, *([_shown(row.get(name)) for name in names] for row in values)])
        elif values:
            tables.append([["value"], *([_shown(value)] for value in values)])
    findings = [
        Finding(
            "addresses", Status.FAIL if away else Status.PASS, said(later("The figure brings all its data itself."))
        )
    ]
    everything = "\n".join(texts)
    hidden = sum(map(len, texts)) > MOST_TEXT or max(map(len, texts), default=0) > LONGEST_TEXT
    findings.append(
        _is("text", not hidden, said(later("Titles and expressions are short: data stand in its values alone.")))
    )
    findings.append(
        _is(
            "text_identifiers",
            not identifiers(everything) and not blocks(everything),
            said(later("Nothing in it identifies a person.")),
        )
    )
    for table in tables:
        findings += table_findings(table, rules)
    return Scan("figure", tuple(findings), tuple(tables))


def _written(node: Any) -> tuple[set[str], list[str]]:
    """The keys of a specification, and the texts in it besides its data, numbers in lists among them."""
    names: set[str] = set()
    texts: list[str] = []
    if isinstance(node, dict):
        for key, value in node.items():
            names.add(key)
            texts.append(key)
            if key not in ("values", "datasets"):
                more, said_ = _written(value)
                names |= more
                texts += said_
    elif isinstance(node, list):
        for each in node:
            more, said_ = _written(each)
            names |= more
            texts += said_
    elif isinstance(node, str):
        texts.append(node)
    elif _number(node):
        texts.append(f"{node:g}")
    return names, texts


def _inline(node: Any) -> list[list[Any]]:
    found: list[list[Any]] = []
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "values" and isinstance(value, list):
                found.append(value)
            elif key == "datasets" and isinstance(value, dict):
                found += [rows for rows in value.values() if isinstance(rows, list)]
            else:
                found += _inline(value)
    elif isinstance(node, list):
        for item in node:
            found += _inline(item)
    return found


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def _model(document: dict[str, Any], rules: Rules) -> Scan:
    """A regression: names and numbers of its coefficients, people and degrees of freedom, and nothing else."""
    allowed = {"kind", "coefficients", "people", "degrees_of_freedom", "outcome", "query"}
    coefficients = document["coefficients"]
    fine = isinstance(coefficients, list) and all(
        isinstance(each, dict)
        and set(each) <= {"term", "estimate", "standard_error", "p_value", "low", "high"}
        and isinstance(each.get("term"), str)
        and all(_number(value) for key, value in each.items() if key != "term" and value is not None)
        for each in coefficients
    )
    people, free = _given(document, "people"), _given(document, "degrees_of_freedom")
    text = json.dumps(document, ensure_ascii=False)
    findings = [
        _is(
            "fields",
            fine and set(document) <= allowed,
            said(later("It holds coefficients and their errors, and nothing else.")),
        ),
        _is("minimum_count", _number(people) and people >= rules.minimum_count, _people(rules)),
        _is(
            "degrees_of_freedom",
            free >= rules.degrees_of_freedom,
            said(later("Degrees of freedom are at least {n}."), n=rules.degrees_of_freedom),
        ),
        _is(
            "parameters",
            fine and len(coefficients) == people - free,
            said(later("People, parameters and degrees of freedom fit together.")),
        ),
        _is(
            "identifiers", not identifiers(text) and not blocks(text), said(later("Nothing in it identifies a person."))
        ),
    ]
    return Scan("model", tuple(findings))


def _given(document: dict[str, Any], name: str) -> float:
    value: Any = document.get(name)
    return float(value) if _number(value) else -1.0


def _people(rules: Rules) -> str:
    return said(later("At least {n} people are in the model."), n=rules.minimum_count)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is(criterion: str, good: bool, sentence: str) -> Finding:
    return Finding(criterion, Status.PASS if good else Status.FAIL, sentence)


def _counts(document: dict[str, Any], rules: Rules) -> Scan:
    from madang.science.privacy.outputs.check import check
    from madang.science.privacy.outputs.tables import table_of

    try:
        table = table_of(document, "table", rules.minimum_count)
    except MadangError as error:
        return refused("counts", "content", error.message)
    verdict = check(table, [], rules)
    findings = [Finding(reason.code, Status.FAIL, reason.sentence) for reason in verdict.reasons]
    good = Finding("minimum_count", Status.PASS, said(later("No count is below {n}."), n=rules.minimum_count))
    cells = [[*map(str, key), _shown(count)] for key, count in document["cells"]]
    return Scan("counts", tuple(findings or [good]), ([[*map(str, document["attributes"]), "count"], *cells],))


def scan_trees(content: bytes, rules: Rules) -> Scan:
    """A model of LightGBM as text: leaves with enough people, and no values of single people in its header."""
    text = content.decode("utf-8", "replace")
    leaves = [int(count) for line in re.findall(r"^leaf_count=(.*)$", text, re.M) for count in line.split()]
    ranges = re.findall(r"^feature_infos=(.*)$", text, re.M)
    extremes = any(re.search(r"\[[-\d.e+]+:[-\d.e+]+\]", line) for line in ranges)
    categories = re.search(r"^pandas_categorical:(?!\s*(null|\[\])\s*$)", text, re.M)
    few = not leaves or min(leaves) < rules.leaf_size
    findings = (
        _is("leaf_size", not few, said(later("At least {n} people are behind every leaf."), n=rules.leaf_size)),
        _is("extremes", not extremes, said(later("No minimum or maximum is shown."))),
        _is("categories", not categories, said(later("No values of columns are listed."))),
        _is("identifiers", not identifiers(text), said(later("Nothing in it identifies a person."))),
    )
    return Scan("model", findings)
