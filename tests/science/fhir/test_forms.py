"""How values are written: halves of primitives, references, identifiers, codes without a system, choices."""

from typing import Any

import pytest

from madang.science.fhir.definitions import CORE, shipped
from madang.science.fhir.validator import Validator

ABSENT = {"extension": [{"url": CORE + "data-absent-reason", "valueCode": "unknown"}]}
ID = {"id": "a"}


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(shipped("r4"))


def errors(validator: Validator, kind: str, **members: Any) -> list[tuple[str, str]]:
    found = validator.validate({"resourceType": kind, **members}).findings
    return [(each.place, each.kind) for each in found if each.severity == "error"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ({"given": ["A", None], "_given": [None, ABSENT]}, []),
        ({"given": ["A"], "_given": [ID]}, []),
        ({"_given": [ABSENT]}, []),
        ({"family": "K", "_family": ID}, []),
        ({"_family": ABSENT}, []),
        ({"given": ["A", None]}, ["given[1]"]),
        ({"given": [None]}, ["given[0]"]),
        ({"given": ["A", None], "_given": [None, ID]}, ["given[1]"]),
        ({"given": ["A"], "_given": [None, None]}, ["given[1]"]),
        ({"given": ["A"], "_given": [None, ID]}, ["given[1]"]),
        ({"_given": [ID]}, ["given[0]"]),
        ({"_family": ID}, ["family"]),
    ],
)
def test_each_primitive_has_a_value_or_extensions(validator: Validator, name: dict[str, Any], wrong: list[str]) -> None:
    wanted = [(f"Patient.name[0].{place}", "value_nowhere") for place in wrong]
    assert errors(validator, "Patient", name=[{"use": "official", **name}]) == wanted


def test_an_element_with_an_id_alone_says_nothing(validator: Validator) -> None:
    assert errors(validator, "Patient", id="a") == []
    assert errors(validator, "Patient", maritalStatus=ID) == [("Patient.maritalStatus", "value_nowhere")]
    inside = {"extension": [{"url": "http://hospital.test/x", "valuePeriod": ID}]}
    found = errors(validator, "Patient", active=True, _active=inside)
    assert ("Patient.active.extension[0].valuePeriod", "value_nowhere") in found


def test_a_url_of_an_extension_has_no_half(validator: Validator) -> None:
    found = errors(validator, "Patient", extension=[{"_url": ABSENT, "valueString": "x"}])
    assert ("Patient.extension[0].url", "value_absent") in found


@pytest.mark.parametrize(
    ("members", "twice"),
    [
        ({"deceasedBoolean": True, "_deceasedBoolean": ID}, False),
        ({"_deceasedBoolean": ABSENT}, False),
        ({"deceasedBoolean": True, "deceasedDateTime": "2020"}, True),
        ({"deceasedBoolean": True, "_deceasedDateTime": ABSENT}, True),
        ({"_deceasedBoolean": ABSENT, "_deceasedDateTime": ABSENT}, True),
    ],
)
def test_a_choice_has_one_type_also_where_it_has_no_value(
    validator: Validator, members: dict[str, Any], twice: bool
) -> None:
    assert errors(validator, "Patient", **members) == [("Patient.deceased[x]", "two_choices")] * twice


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Organization/1", True),
        ("Organization/1/_history/2", True),
        ("https://hospital.test/fhir/Organization/1", True),
        ("https://hospital.test/anything", True),
        ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", True),
        ("urn:oid:1.2.410.200119", True),
        ("Organization?identifier=http://hospital.test/ids%7C12", True),
        ("organization/1", False),
        ("Organization", False),
        ("Organization/", False),
        ("/Organization/1", False),
        ("Organization/1/2", False),
        ("Organization/1/_history/", False),
        ("Organization/a_b", False),
        ("Organization/" + "a" * 65, False),
        ("Hospital/1", False),
        ("hospital.test/fhir/Organization/1", False),
        (" Organization/1", False),
    ],
)
def test_a_reference_is_written_as_one(validator: Validator, text: str, good: bool) -> None:
    found = errors(validator, "Patient", managingOrganization={"reference": text})
    assert (("Patient.managingOrganization.reference", "reference_form") in found) is not good
    assert not found or not good
    as_they_are = Validator(shipped("r4"), references="none")
    assert errors(as_they_are, "Patient", managingOrganization={"reference": text}) == []


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ({"system": "urn:oid:1.2.410.1", "value": "1"}, ""),
        ({"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}, ""),
        ({"system": "urn:ietf:rfc:3986", "value": "12345"}, "identifier_no_uri"),
        ({"system": "hospital.test/ids", "value": "1"}, "identifier_relative"),
        ({"system": "urn:oid:1.2.x", "value": "1"}, "primitive_format"),
        ({"system": "urn:oid:7.2", "value": "1"}, "primitive_format"),
        ({"system": "urn:uuid:1234", "value": "1"}, "primitive_format"),
        ({"system": "http://hospital.test/i\x07ds", "value": "1"}, "primitive_format"),
    ],
)
def test_the_namespace_of_an_identifier(validator: Validator, identifier: dict[str, str], kind: str) -> None:
    assert [each for _place, each in errors(validator, "Patient", identifier=[identifier])] == [kind] * bool(kind)


def test_a_code_has_no_control_characters(validator: Validator) -> None:
    found = errors(validator, "Basic", code={"coding": [{"system": "http://hospital.test/s", "code": "a\x07b"}]})
    assert found == [("Basic.code.coding[0].code", "primitive_format")]


def test_a_code_without_its_system_is_of_no_required_value_set(validator: Validator) -> None:
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    subject = {"reference": "Patient/1"}
    for coding, good in (
        ({"system": system, "code": "active"}, True),
        ({"code": "active"}, False),
        ({"code": "active", "_system": ABSENT}, True),
    ):
        found = errors(validator, "Condition", subject=subject, clinicalStatus={"coding": [coding]})
        assert found == [("Condition.clinicalStatus", "binding")] * (not good)
    extra = {"coding": [{"code": "x"}, {"system": system, "code": "active"}]}
    assert errors(validator, "Condition", subject=subject, clinicalStatus=extra) == []


@pytest.mark.parametrize(
    ("inside", "good"), [("a&nbsp;b&eacute;", True), ("a &amp; b", True), ("a &unheard; b", False)]
)
def test_a_narrative_has_the_entities_of_xhtml(validator: Validator, inside: str, good: bool) -> None:
    text = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'}
    found = errors(validator, "Patient", text=text)
    assert found == [("Patient.text.div", "narrative_form")] * (not good)
