"""KR Core's examples, and broken ones made from them by others, against the validator."""

import json
from functools import cache
from pathlib import Path

from madang.science.fhir.definitions import shipped
from madang.science.fhir.validator import Validator
from support import shared_data


@cache
def validator() -> Validator:
    return Validator(shipped("kr-core"), "kr-core")


def examples() -> Path:
    return shared_data("../standards/kr-core-2.0.0/examples")


def test_every_valid_example_passes() -> None:
    files = sorted((examples() / "valid").glob("*.json"))
    broken = {
        path.name: [
            each for each in validator().validate(json.loads(path.read_bytes())).findings if each.severity == "error"
        ]
        for path in files
    }
    assert len(files) == 29
    assert {name: found for name, found in broken.items() if found} == {}


def test_every_broken_example_is_found_at_its_path_with_its_rule_and_severity() -> None:
    wanted = json.loads((examples() / "invalid.json").read_bytes())
    missed = []
    for each in wanted:
        found = validator().validate(json.loads((examples() / "invalid" / each["file"]).read_bytes())).findings
        if not any(
            (one.path, one.rule, one.severity) == (each["path"], each["rule"], each["severity"]) for one in found
        ):
            missed.append(each["file"])
    assert len(wanted) == 200 and missed == []


def test_without_a_claim_the_profile_is_found_by_type_and_codes() -> None:
    for path in sorted((examples() / "valid").glob("*.json")):
        resource = json.loads(path.read_bytes())
        claimed = resource.pop("meta")["profile"]
        assert list(validator().validate(resource).profiles) == claimed, path.name
