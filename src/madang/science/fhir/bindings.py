"""Checks of codes against value sets: in, not in, or cannot tell, which is counted and never an error."""

from collections.abc import Callable
from typing import Any

from madang.science.fhir import findings as f
from madang.science.fhir.findings import Found, here
from madang.science.fhir.terminology import Terminology

REMEMBERED = 50_000  # codes of one binding
BOUND = ("code", "string", "uri", "id", "Coding", "CodeableConcept", "Quantity", "url", "canonical", "oid", "uuid")


def binding_check(kind: str, binding: tuple[str, str], terminology: Terminology) -> Callable[[Any, Any], Found]:
    """The check of a required or extensible binding on one value of type `kind`."""
    strength, value_set = binding
    required = strength == "required"
    rule, severity = (f.REQUIRED, f.ERROR) if required else (f.EXTENSIBLE, f.WARNING)
    sure = terminology.plain_codes(value_set) or {}
    anywhere = frozenset(code for codes in sure.values() for code in codes)
    pairs = frozenset((system, code) for system, codes in sure.items() for code in codes)

    answers: dict[tuple[str | None, str], bool | None] = {}

    def ask(system: str | None, code: str) -> bool | None:
        key = (system, code)
        if key not in answers:
            if len(answers) >= REMEMBERED:
                answers.clear()
            answers[key] = terminology.contains(value_set, system, code)
        return answers[key]

    def member(system: Any, code: Any, context: Any) -> bool | None:
        if type(code) is not str or (system is not None and type(system) is not str):
            return True  # said by the check of the type
        answer = ask(system, code)
        if answer is None:
            context.unsure[value_set] = context.unsure.get(value_set, 0) + 1
        return answer

    def of_code(value: Any, context: Any) -> Found:
        if type(value) is not str or value in anywhere:
            return None
        return here(rule, "binding", value_set, severity=severity) if member(None, value, context) is False else None

    def of_coding(value: Any, context: Any) -> Found:
        if type(value) is not dict:
            return None
        system, code = value.get("system"), value.get("code")
        if type(code) is str and type(system) is str and (system, code) in pairs:
            return None
        if code is None:
            if required and value and not value.keys() & {"_code", "extension"}:
                return here(rule, "binding_none", value_set)
            return None
        if system is None:
            return here(rule, "binding_system", value_set, severity=f.WARNING)
        return here(rule, "binding", value_set, severity=severity) if member(system, code, context) is False else None

    def of_concept(value: Any, context: Any) -> Found:
        codings = value.get("coding") if type(value) is dict else None
        if type(codings) is not list or not codings:
            if type(value) is dict and required and "extension" not in value and "_text" not in value:
                return here(rule, "binding_none", value_set, severity=severity)
            return None
        unsure = False
        for each in codings:
            if type(each) is not dict:
                return None
            system, code = each.get("system"), each.get("code")
            if type(code) is str and type(system) is str and (system, code) in pairs:
                return None
            if type(code) is not str or type(system) is not str:
                if system is None and type(code) is str and "_system" not in each and "extension" not in each:
                    continue  # a code without a system has no meaning, so it is of no value set
                unsure = unsure or code is not None or "extension" in each or "_code" in each
                continue
            answer = ask(system, code)
            if answer:
                return None
            unsure = unsure or answer is None
        if unsure:
            context.unsure[value_set] = context.unsure.get(value_set, 0) + 1
            return None
        return here(rule, "binding", value_set, severity=severity)

    def of_quantity(value: Any, context: Any) -> Found:
        if type(value) is not dict or "code" not in value:
            return None
        return of_coding(value, context)

    if kind == "CodeableConcept":
        return of_concept
    if kind == "Coding":
        return of_coding
    if kind in ("Quantity", "Age", "Duration", "Money", "SimpleQuantity"):
        return of_quantity
    return of_code if kind in BOUND else lambda value, context: None


def coding_check(terminology: Terminology) -> Callable[[Any, Any], Found]:
    """The check of a Coding: whether its code system, if its codes are all at hand, has the code."""
    systems = {url: frozenset(each.codes) for url, each in terminology.systems.items() if each.complete}

    def check(value: Any, context: Any) -> Found:
        system = value.get("system")
        if type(system) is not str:
            return None
        codes = systems.get(system)
        if codes is None:
            if ":" not in system:
                return [f.Raw("system", "system", f.SYSTEM, f.ERROR, "system_relative", ())]
            if "/ValueSet/" in system and system in terminology.sets:
                return [f.Raw("system", "system", f.SYSTEM, f.ERROR, "system_is_set", ())]
            return None
        code = value.get("code")
        if type(code) is not str or code in codes:
            return None
        if terminology.knows(value["system"], code) is False:
            return [f.Raw("code", "code", f.SYSTEM, f.ERROR, "code_system", (value["system"],))]
        return None

    return check
