"""Forms of records: our own rules find what is broken, find nothing in what is whole, and hostile texts survive."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from madang.base.errors import MadangError
from madang.services.catalog import fair
from madang.services.catalog.forms import FORMS, find_form, rdf, validate, violations
from madang.services.catalog.forms.entry import plain
from services.catalog.hostile_records import broken, entries, whole

BROKEN = broken()


def test_there_are_sixty_broken_records() -> None:
    assert len(BROKEN) >= 60


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_record_is_caught_with_its_sentence_and_no_other(name: str) -> None:
    entry, sentence = BROKEN[name]
    found = violations(validate(entry))
    assert any(sentence in each.message for each in found), found
    also = {"no publisher": 2, "title of controls": 2, "no holder": 2}.get(name, 1)
    assert len({each.field for each in found}) <= also, found


def test_hostile_texts_are_valid_and_come_out_as_they_went_in() -> None:
    for entry in entries(200):
        assert not violations(validate(entry)), entry
        title = plain(entry.title)
        told = json.loads(FORMS["dcat-ap"].write(entry)[0])
        assert told["dct:title"][0] in (title, {"@value": title, "@language": entry.description.language})
        assert json.loads(FORMS["schema.org"].write(entry)[0])["name"] == title
        root = ElementTree.fromstring(FORMS["datacite"].write(entry)[0])
        assert root.findtext(".//{http://datacite.org/schema/kernel-4}title") == title
        for form in FORMS.values():
            for syntax in form.syntaxes:
                assert form.write(entry, syntax)[0]


def test_broken_records_still_have_a_document_in_every_form() -> None:
    for entry, _sentence in BROKEN.values():
        for form in FORMS.values():
            for syntax in form.syntaxes:
                try:
                    assert form.write(entry, syntax)[0]
                except UnicodeEncodeError as error:
                    raise AssertionError(f"{form.name} {syntax}: {error}") from None


def test_nothing_of_an_embargo_is_open() -> None:
    for entry in entries(60, tier="embargoed"):
        assert "PUBLIC" in json.dumps(FORMS["dcat-ap"].write(entry)[0].decode())
        told = json.loads(FORMS["dcat-ap"].write(entry)[0])
        assert told["dct:accessRights"]["@id"].endswith("NON_PUBLIC")
        assert "dcat:downloadURL" not in told["dcat:distribution"][0]
        assert "distribution" not in json.loads(FORMS["schema.org"].write(entry)[0])


def test_turtle_escapes() -> None:
    document = {"@context": {"a": "http://a/"}, "@id": "http://x", "a:b": ['"\\\n', {"@value": "é", "@language": "ko"}]}
    assert rdf.turtle(document).endswith('<http://x>\n    a:b "\\"\\\\\\n", "é"@ko .\n')


def test_fair_says_what_would_raise_each_metric() -> None:
    metrics = fair.assess(whole())
    assert len({each.metric for each in metrics}) == len(metrics)
    for each in metrics:
        assert 0 <= each.earned <= each.total
        assert each.sentence
        assert (each.earned == each.total) == (each.sentence == "Nothing is left to raise."), each


def test_unknown_forms_are_one_sentence() -> None:
    with pytest.raises(MadangError, match="There is no form"):
        find_form("marc21")
    with pytest.raises(MadangError, match="is not written as"):
        FORMS["croissant"].write(whole(), "turtle")


def test_conditions_of_consent_stand_in_the_forms_that_have_a_place_for_them() -> None:
    terms = ("DUO:0000007 E11 E14", "DUO:0000018")
    entry = replace(whole(), description=whole().description.model_copy(update={"data_use": terms}))
    assert not violations(validate(entry))
    for form in ("dcat-ap", "healthdcat-ap"):
        told = json.loads(FORMS[form].write(entry)[0])["dct:rights"]
        assert [each["dct:type"]["@id"].rpartition("/")[2] for each in told] == ["DUO_0000007", "DUO_0000018"]
        assert told[0]["rdfs:label"]["@value"].endswith("(DUO:0000007): E11 E14")
        assert "DUO_0000018" in FORMS[form].write(entry, "turtle")[0].decode()
    told = json.loads(FORMS["schema.org"].write(entry)[0])["usageInfo"]
    assert told[1]["url"] == "http://purl.obolibrary.org/obo/DUO_0000018"
    assert "usageInfo" not in json.loads(FORMS["schema.org"].write(whole())[0])
