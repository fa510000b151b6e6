"""Rules that profiles of others bring: contexts, value sets asked in FHIRPath, slices without ids, narratives."""

from pathlib import Path
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.science.fhir.definitions import CORE, Definitions, shipped
from madang.science.fhir.terms import load_terms
from madang.science.fhir.validator import Validator

OURS = "http://hospital.test/fhir/StructureDefinition/"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'


def profile(name: str, kind: str, *elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A StructureDefinition with a differential."""
    made = {"resourceType": "StructureDefinition", "url": OURS + name, "name": name, "status": "active"}
    made |= {"type": kind, "kind": "complex-type" if kind == "Extension" else "resource", "abstract": False}
    made |= {"baseDefinition": CORE + kind, "derivation": "constraint", "fhirVersion": "4.0.1"}
    return made | {"differential": {"element": list(elements)}} | more


def sliced_by(path: str) -> dict[str, Any]:
    return {"discriminator": [{"type": "value", "path": path}], "rules": "open"}


def held(*definitions: dict[str, Any], **options: Any) -> Validator:
    made: Definitions = shipped("r4")
    for each in definitions:
        made.add(each, "own")
    return Validator(made, strict=True, **options)


def kinds(validator: Validator, resource: dict[str, Any]) -> set[str]:
    return {each.kind for each in validator.validate(resource).findings if each.severity == "error"}


def test_what_a_receiver_may_refuse_is_refused_only_when_asked() -> None:
    patient = {"resourceType": "Patient", "name": [{"text": "Kim <b>the</b> first"}]}
    assert kinds(held(), patient) == set()
    assert kinds(held(refused=("markup",)), patient) == {"markup"}
    assert kinds(held(refused=("markup",)), {"resourceType": "Patient", "name": [{"text": "a < b and c > d"}]}) == set()
    place = {"resourceType": "Patient", "identifier": [{"system": "http://ids.example.org/x", "value": "1"}]}
    assert kinds(held(), place) == set()
    assert kinds(held(refused=("examples",)), place) == {"example_url"}
    real = {"resourceType": "Patient", "identifier": [{"system": "http://example.org.kr/x", "value": "1"}]}
    assert kinds(held(refused=("examples",)), real) == set()


@pytest.mark.parametrize(
    ("inside", "good"),
    [
        ('<a href="http://hospital.test/x">a</a>', True),
        ('<a href="Patient/1">a</a>', True),
        ('<a href="mailto:a@hospital.test">a</a>', True),
        ('<a href="urn:uuid:1">a</a>', False),
        ('<a href="gopher:x">a</a>', False),
        ('<a href="#there">a</a><p id="there">b</p>', True),
        ('<a href="#inside">a</a>', True),
        ('<a href="#nowhere">a</a>', False),
    ],
)
def test_links_of_a_narrative_lead_somewhere(inside: str, good: bool) -> None:
    text = {"status": "generated", "div": DIV.format(inside)}
    contained = [{"resourceType": "Organization", "id": "inside", "name": "x"}]
    patient = {"resourceType": "Patient", "text": text, "contained": contained}
    patient["managingOrganization"] = {"reference": "#inside"}
    assert kinds(held(), patient) == (set() if good else {"narrative_link"})


def test_a_rule_of_an_extension_is_asked_of_the_element_that_has_it() -> None:
    value = {"path": "Extension.value[x]", "min": 1, "type": [{"code": "boolean"}]}
    made = profile("ext", "Extension", value, context=[{"type": "element", "expression": "Patient"}])
    made |= {"contextInvariant": ["active.exists()"]}
    extension = [{"url": OURS + "ext", "valueBoolean": True}]
    validator = held(made)
    assert kinds(validator, {"resourceType": "Patient", "active": True, "extension": extension}) == set()
    assert kinds(validator, {"resourceType": "Patient", "extension": extension}) == {"extension_rule"}


def test_a_rule_of_an_extension_that_cannot_be_asked_is_counted_and_not_taken_as_held() -> None:
    made = profile("ext", "Extension", context=[{"type": "element", "expression": "Patient"}])
    made |= {"contextInvariant": ["unheard()", "conformsTo('http://hospital.test/none')"]}
    patient = {"resourceType": "Patient", "extension": [{"url": OURS + "ext", "valueBoolean": True}]}
    verdict = held(made).validate(patient)
    assert verdict.valid
    assert verdict.context.unsure == {"unheard()": 1, "conformsTo('http://hospital.test/none')": 1}


def test_a_data_type_is_no_backbone_element() -> None:
    made = profile("ext", "Extension", context=[{"type": "element", "expression": "BackboneElement"}])
    extension = [{"url": OURS + "ext", "valueBoolean": True}]
    validator = held(made)
    contact = {"resourceType": "Patient", "contact": [{"name": {"text": "x"}, "extension": extension}]}
    assert kinds(validator, contact) == set()
    assert kinds(validator, {"resourceType": "Patient", "name": [{"text": "x", "extension": extension}]}) == {
        "extension_context"
    }


def test_a_value_set_is_asked_in_an_invariant() -> None:
    values = {"resourceType": "ValueSet", "url": OURS + "vs", "status": "active"}
    values |= {"compose": {"include": [{"system": "urn:s", "concept": [{"code": "a"}]}]}}
    rule = {"key": "own-1", "severity": "error", "human": "x", "expression": f"memberOf('{OURS}vs')"}
    made = profile("basic", "Basic", {"path": "Basic.code", "constraint": [rule]})
    validator = held(values, made, profiles=(OURS + "basic",))
    good = {"resourceType": "Basic", "code": {"coding": [{"system": "urn:s", "code": "a"}]}}
    other = {"resourceType": "Basic", "code": {"coding": [{"system": "urn:s", "code": "b"}]}}
    assert kinds(validator, good) == set()
    assert kinds(validator, other) == {"invariant"}


def test_elements_without_ids_belong_to_the_slice_that_began_last() -> None:
    made = profile(
        "sliced",
        "Patient",
        {"path": "Patient.identifier", "slicing": {"discriminator": [{"type": "value", "path": "system"}]}},
        {"path": "Patient.identifier", "sliceName": "one", "min": 1, "max": "1"},
        {"path": "Patient.identifier.system", "fixedUri": "urn:one"},
        {"path": "Patient.identifier", "sliceName": "two", "max": "1"},
        {"path": "Patient.identifier.system", "fixedUri": "urn:two"},
        {"path": "Patient.identifier.value", "min": 1},
    )
    validator = held(made, profiles=(OURS + "sliced",))
    one, two = {"system": "urn:one"}, {"system": "urn:two", "value": "2"}
    assert kinds(validator, {"resourceType": "Patient", "identifier": [one, two]}) == set()
    assert kinds(validator, {"resourceType": "Patient", "identifier": [two]}) == {"slice_missing"}
    assert kinds(validator, {"resourceType": "Patient", "identifier": [one, {"system": "urn:two"}]}) == {"missing"}


def test_what_a_profile_says_of_an_element_does_not_hold_for_its_repetition() -> None:
    made = profile("parameters", "Parameters", {"path": "Parameters.parameter.name", "patternString": "outer"})
    inner = {"name": "inner", "valueString": "x"}
    outer = {"name": "outer", "part": [inner]}
    validator = held(made, profiles=(OURS + "parameters",))
    assert kinds(validator, {"resourceType": "Parameters", "parameter": [outer]}) == set()
    assert kinds(validator, {"resourceType": "Parameters", "parameter": [inner]}) == {"pattern"}


@pytest.mark.parametrize(
    ("element", "kind"),
    [
        ({"path": "Patient.name", "min": 1}, ""),
        ({"path": "Patient.deceasedBoolean", "min": 1}, ""),
        ({"path": "Patient.deceasedMaybe", "min": 1}, "structure_path"),
        ({"path": "Patient.surname", "min": 1}, "structure_path"),
        ({"path": "Patient.name.family", "min": 1}, ""),
        (
            {"path": "Patient.name", "slicing": {"discriminator": [{"type": "value", "path": "use"}], "rules": "open"}},
            "",
        ),
        (
            {
                "path": "Patient.name",
                "slicing": {"discriminator": [{"type": "value", "path": "sort"}], "rules": "open"},
            },
            "structure_discriminator",
        ),
    ],
)
def test_a_profile_names_what_its_base_has(element: dict[str, Any], kind: str) -> None:
    made = profile("own", "Patient", {"id": element["path"], **element})
    found = kinds(held(), made)
    assert (kind in found) == bool(kind), found
    assert not {each for each in found if each.startswith("structure_")} - {kind}


def test_an_element_without_a_value_has_the_extension_that_may_stand_for_it() -> None:
    absent, null = CORE + "data-absent-reason", CORE + "iso21090-nullFlavor"
    control = {"url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition.valueAlternatives"}
    control["valueCanonical"] = absent
    made = profile("own", "Patient", {"path": "Patient.active", "min": 1, "extension": [control]})
    validator = held(made, profiles=(OURS + "own",))
    for url, good in ((absent, True), (null, False)):
        told = {"extension": [{"url": url, "valueCode": "unknown" if good else "MSK"}]}
        found = kinds(validator, {"resourceType": "Patient", "_active": told})
        assert ("value_instead" in found) is not good
    assert kinds(validator, {"resourceType": "Patient", "active": True}) == set()
    assert kinds(validator, {"resourceType": "Patient"}) == {"missing"}


def test_a_slice_is_told_by_the_profile_of_a_text() -> None:
    text = profile("text", "string", {"path": "string", "fixedString": "Kim"})
    sliced = {"discriminator": [{"type": "profile", "path": "text"}], "rules": "open"}
    made = profile(
        "own",
        "Patient",
        {"path": "Patient.name", "slicing": sliced},
        {"path": "Patient.name", "sliceName": "kim", "min": 1},
        {"path": "Patient.name.text", "min": 1, "type": [{"code": "string", "profile": [OURS + "text"]}]},
    )
    validator = held(text, made, profiles=(OURS + "own",))
    assert kinds(validator, {"resourceType": "Patient", "name": [{"text": "Lee"}, {"text": "Kim"}]}) == set()
    assert kinds(validator, {"resourceType": "Patient", "name": [{"text": "Lee"}]}) == {"slice_missing"}


def test_references_are_looked_at_as_far_as_is_asked() -> None:
    targets = [CORE + "Practitioner"]
    element = {"path": "Patient.managingOrganization", "type": [{"code": "Reference", "targetProfile": targets}]}
    made = profile("own", "Patient", element)
    patient: dict[str, Any] = {"resourceType": "Patient", "id": "p"}
    patient["managingOrganization"] = {"reference": "Organization/1"}
    own = (OURS + "own",)
    assert kinds(held(made, profiles=own), patient) == {"target"}
    assert kinds(held(made, profiles=own, references="none"), patient) == set()
    contained = patient | {"contained": [{"resourceType": "Organization", "id": "o", "name": "x"}]}
    contained["managingOrganization"] = {"reference": "#o"}
    assert kinds(held(made, profiles=own, references="none"), contained) == {"target"}
    linked = {"name": "a", "resource": {"resourceType": "Organization", "id": "1", "name": "x"}}
    for parts, good in (([linked], True), ([], False)):
        given = {"resourceType": "Parameters", "parameter": [{"name": "b", "resource": patient}, *parts]}
        assert kinds(held(references="exist"), given) == (set() if good else {"reference_lost"})
        assert kinds(held(), given) == set()


def test_an_entry_is_held_against_the_profile_that_is_asked_for() -> None:
    made = profile("named", "Patient", {"path": "Patient.name", "min": 1})
    entries = [
        {"fullUrl": f"http://hospital.test/Patient/{name}", "resource": {"resourceType": "Patient", "id": name}}
        for name in ("a", "b")
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    for rule, places in (("Patient:1", [1]), ("Patient", [0, 1]), ("Patient:2", []), ("Organization", [])):
        found = held(made, entries=(f"{rule}={OURS}named",)).validate(bundle).findings
        assert [each.place for each in found if each.severity == "error"] == [
            f"Bundle.entry[{place}].resource.name" for place in places
        ]
    for wrong in ("Patient", "=x", "Patient:x=y"):
        with pytest.raises(MadangError):
            held(entries=(wrong,))


def test_who_records_a_vital_sign_conforms_to_its_profile(tmp_path: Path) -> None:
    weight: dict[str, Any] = {"resourceType": "Observation", "status": "final", "effectiveDateTime": "2026-01-01"}
    weight |= {"subject": {"reference": "Patient/1"}}
    weight["code"] = {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}
    found = kinds(held(), weight)
    assert found and found == kinds(held(profiles=(CORE + "bodyweight",)), weight)
    weight["code"] = {"coding": [{"system": "urn:our-codes", "code": "weight"}]}
    assert kinds(held(), weight) == set()
    terms = tmp_path / "terms.csv"
    terms.write_text(f"system,code,profile\nurn:our-codes,weight,{CORE}bodyweight\n")
    definitions = shipped("r4")
    assert load_terms(terms, definitions.terminology) == 1
    assert definitions.terminology.knows("urn:our-codes", "other") is None  # it is no list of the whole system
    assert "slice_missing" in kinds(Validator(definitions, strict=True), weight)


def test_a_narrative_tells_its_sources_where_a_profile_wants_it() -> None:
    control = {"url": CORE + "narrative-source-control", "valueCode": "error"}
    made = profile("told", "Patient", {"id": "Patient.text", "path": "Patient.text", "extension": [control]})
    validator = held(made, profiles=(OURS + "told",))
    for inside, good in (
        ('<p class="generated">a</p>', True),
        ('<p class="generated">a</p>b', False),
        ("<p>a</p>", False),
    ):
        text = {"status": "generated", "div": DIV.format(inside)}
        assert kinds(validator, {"resourceType": "Patient", "text": text}) == (set() if good else {"narrative_source"})


def test_a_code_that_comes_again_is_judged_and_counted_the_same() -> None:
    """Good codes are looked up by their text the second time; what they count must not depend on that."""
    validator = Validator(shipped("kr-core"), "kr-core")
    from madang.science.fhir.server.made_up import made_up_lives, resources

    records = [each for each in resources(made_up_lives(2)) if each["resourceType"] in ("Condition", "Observation")]
    broken = [{**each, "code": {"coding": [{"system": 7, "code": "x"}]}} for each in records[:3]]
    for each in (*records, *broken):
        first, again = validator.validate(each), validator.validate(each)
        alone = Validator(shipped("kr-core"), "kr-core").validate(each) if each in broken else first
        for one in (again, alone):
            assert one.findings == first.findings
            assert one.context.unsure == first.context.unsure
            assert one.context.keys == first.context.keys
            assert one.context.references == first.context.references
