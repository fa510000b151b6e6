"""From an application to an extract and its end; who may do what; what must not work."""

import json
from datetime import timedelta

import pytest
from access_house import CONDITION, CONTENT, PERSON, Desk, refreshed

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.node.database import now
from madang.node.people.models import Permit
from madang.node.people.projects import add_member
from madang.node.permissions import may
from madang.science.privacy.pseudonyms import pseudonym
from madang.services.access import (
    acts,
    asking,
    counting,
    deciding,
    ending,
    extract_of,
    extracting,
    figures,
    permits,
    permits_in_force,
    procedure,
    service,
    signed,
)
from madang.services.access.cards import waiting
from madang.services.access.models import Grant
from madang.services.access.shown import application_as_json
from portal_house import OWNER, commit


def refuses(code: str):
    return pytest.raises(MadangError, check=lambda error: error.code == code)


def test_the_whole_way(desk: Desk):
    """Two columns break rules and are dropped, three vote, a fee, an extract, a change, an extension, the end."""
    node = desk.node
    wide = {
        **CONTENT["tables"],
        "person": {"columns": ["gender_concept_id", "year_of_birth", "day_of_birth", "location_id"], "why": "All."},
    }
    number = desk.applied(tables=wide)
    found = application_as_json(node, service.see(node, desk.firm, number))
    broken = {each["rule"]: each["about"] for each in found["findings"] if each["finding"] == "differs"}
    assert broken.pop("mohw.board-size") == []  # three members where the guideline wants five
    assert broken == {"own.birth-day": ["person.day_of_birth"], "own.places": ["person.location_id"]}
    service.submit(node, desk.firm, number)
    desk.prepare(number)
    assert [card.address for card in waiting(node, desk.members[0])] == [f"/applications/{number}"]
    deciding.vote(node, desk.members[0], number, "approve")
    deciding.ask_applicant(node, desk.members[1], number, "Leave out the day of birth and the place.")
    assert application_as_json(node, service.see(node, desk.firm, number))["waits"] == ["waits for the applicant"]
    service.edit(node, desk.firm, number, CONTENT)
    service.submit(node, desk.firm, number)
    desk.prepare(number)
    again = application_as_json(node, service.see(node, desk.firm, number))
    assert again["votes"]["voted"] == 0 and again["edition"] == 2
    assert [each["rule"] for each in again["findings"] if each["finding"] == "differs"] == ["mohw.board-size"]
    desk.approved(number)
    permit = permits.issue(node, desk.steward, number)
    done = extracting.extract(node, desk.steward, permit)
    assert done.rows == {"person": 40, "condition_occurrence": 400}
    assert done.report["after"]["persons"] == 40 and done.report["utility"][0]["moved"] == 0
    assert "conditional" not in json.dumps(found)

    actor = refreshed(node, desk.firm.person_id)
    assert done.dataset in actor.permitted() and done.dataset not in desk.stranger.permitted()
    change = service.apply(
        node, actor, project="kidney", dataset="claims", title="Fewer", kind="change",
        parent=permit, content={**CONTENT, "tables": {"person": CONTENT["tables"]["person"]}},
    )  # fmt: skip
    service.submit(node, actor, change)
    desk.prepare(change)
    desk.approved(change)
    assert permits.issue(node, desk.steward, change) == permit
    second = extracting.extract(node, desk.steward, permit)
    assert (second.version, list(second.rows)) == (2, ["person"])
    with Engine() as engine:
        node.home.lake().find(f"{second.dataset}@1").attach(engine, "one")
        node.home.lake().find(f"{second.dataset}@2").attach(engine, "two")
        same = "SELECT count(*) FROM one.person JOIN two.person USING (person_id)"
        assert engine.value(same) == 40  # renewed with the same pseudonyms
    with node.read() as session:
        ends = asking.grant_of(session, permit).permit.ends
    longer = service.apply(
        node, actor, project="kidney", dataset="claims", title="Longer", kind="extension",
        parent=permit, content={**CONTENT, "months": 6},
    )  # fmt: skip
    service.submit(node, actor, longer)
    desk.prepare(longer)
    desk.approved(longer)
    permits.issue(node, desk.steward, longer)
    with node.read() as session:
        assert asking.grant_of(session, permit).permit.ends - ends == timedelta(days=183)
    assert extract_of(node, permit).number == 2

    permits.end(node, desk.firm, permit, "The study is finished.")
    record = ending.destroy(node, desk.steward, permit, "The permit is over.")
    assert record["key_destroyed"] and record["versions"] == [1, 2]
    assert not (node.home.path / "keys" / f"permit-{permit}.key").exists()
    with refuses("access.not_in_force"):
        extracting.extract(node, desk.steward, permit)
    kept = ending.processing_record(node, desk.firm, number)
    assert kept["destruction"]["kept_until"] > record["destroyed"] and kept["items"]["person"]
    minutes = ending.minutes(node, desk.steward, number)
    assert [each["choice"] for each in minutes["votes"]] == ["approve", "conditional", "approve"]
    shown = figures.figures(node)
    assert shown.applications == 3 and shown.returned == 1


def test_refused_with_reasons_and_one_appeal(desk: Desk):
    node = desk.node
    number = desk.submitted()
    for member in desk.members[:2]:
        deciding.vote(node, member, number, "refuse", "The purpose is too wide.")
    assert deciding.close_vote(node, desk.steward, number) == "refused"
    assert "too wide" in service.see(node, desk.firm, number).reasons
    service.appeal(node, desk.firm, number, "We narrowed it.")
    desk.approved(number)
    assert permits.issue(node, desk.steward, number)
    other = desk.submitted(recipe="shifted")
    for _round in range(2):
        for member in desk.members[:2]:
            deciding.vote(node, member, other, "refuse", "No.")
        deciding.close_vote(node, desk.steward, other)
        if _round:
            break
        service.appeal(node, desk.firm, other, "Please.")
    with refuses("access.appealed"):
        service.appeal(node, desk.firm, other, "Please.")


def test_results_only_is_an_answer_and_no_rows_leave(desk: Desk):
    number = desk.submitted()
    for member, choice in zip(desk.members, ("results-only", "results-only", "approve"), strict=True):
        deciding.vote(desk.node, member, number, choice, "Run it here.")
    assert deciding.close_vote(desk.node, desk.steward, number) == "results-only"
    for step in ("ethics", "fee"):
        deciding.close_step(desk.node, desk.steward, number, step)
    permit = permits.issue(desk.node, desk.steward, number)
    with refuses("access.results_only"):
        extracting.extract(desk.node, desk.steward, permit)


def test_votes_need_a_quorum_and_a_majority(desk: Desk):
    number = desk.submitted()
    deciding.vote(desk.node, desk.members[0], number, "approve")
    with refuses("access.undecided"):
        deciding.close_vote(desk.node, desk.steward, number)
    deciding.vote(desk.node, desk.members[1], number, "abstain")
    deciding.vote(desk.node, desk.members[2], number, "refuse", "No.")
    assert deciding.close_vote(desk.node, desk.steward, number) == "refused"  # no majority for it


def test_a_member_of_the_project_does_not_vote(desk: Desk):
    add_member(desk.node, OWNER, "kidney", "han")
    number = desk.submitted()
    with refuses("access.conflict_of_interest"):
        deciding.vote(desk.node, desk.members[0], number, "approve")
    with desk.node.read() as session:
        assert deciding.tally(session, service.find(session, number)).members == 2
    with pytest.raises(MadangError):  # the owner of the home is a member of nothing
        deciding.vote(desk.node, OWNER, number, "approve")


def test_an_application_is_not_edited_under_a_vote(desk: Desk):
    number = desk.submitted()
    deciding.vote(desk.node, desk.members[0], number, "approve")
    with refuses("act.state"):
        service.edit(desk.node, desk.firm, number, CONTENT)
    deciding.ask_applicant(desk.node, desk.steward, number, "Why?")
    service.edit(desk.node, desk.firm, number, {**CONTENT, "months": 24})
    service.submit(desk.node, desk.firm, number)
    desk.prepare(number)
    with refuses("access.edited"):
        deciding.vote(desk.node, desk.members[1], number, "approve", edition=1)


def test_the_permit_waits_for_papers_that_come_later_and_for_the_fee(desk: Desk):
    number = desk.submitted(ethics="later")
    for member in desk.members:
        deciding.vote(desk.node, member, number, "approve")
    deciding.close_vote(desk.node, desk.steward, number)
    with refuses("access.step"):
        permits.issue(desk.node, desk.steward, number)
    for step in ("ethics", "fee"):
        deciding.close_step(desk.node, desk.steward, number, step)
    assert permits.issue(desk.node, desk.steward, number)


def test_a_permit_that_ended_a_second_ago_opens_nothing(desk: Desk):
    permit = desk.permitted()
    extracting.extract(desk.node, desk.steward, permit)
    with desk.node.read() as session:
        assert [each.number for each in permits_in_force(session, person_id=desk.firm.person_id)] == [permit]
    with desk.node.write() as session:
        asking.grant_of(session, permit).permit.ends = now() - timedelta(seconds=1)
    with refuses("access.not_in_force"):
        extract_of(desk.node, permit)
    with refuses("access.not_in_force"):
        extracting.extract(desk.node, desk.steward, permit)
    with desk.node.read() as session:
        assert not permits_in_force(session)
    assert not refreshed(desk.node, desk.firm.person_id).permitted()


def test_an_altered_permit_opens_nothing(desk: Desk):
    permit = desk.permitted()

    def alter(change) -> None:
        with desk.node.write() as session:
            change(asking.grant_of(session, permit))

    with desk.node.read() as session:
        grant = asking.grant_of(session, permit)
        document, terms = grant.permit.document, grant.terms
    head, body, tail = document.split(".")
    for text in (f"{head}.{body[:-4]}AAAA.{tail}", f"{head}.{body}.{tail[:-4]}AAAA", "x", ""):
        alter(lambda grant, text=text: setattr(grant.permit, "document", text))
        with refuses("access.altered"):
            extracting.extract(desk.node, desk.steward, permit)
    alter(lambda grant: setattr(grant.permit, "document", document))
    wider = json.loads(terms)
    wider["tables"]["person"].append("day_of_birth")
    alter(lambda grant: setattr(grant, "terms", canonical_json(wider).decode()))
    with refuses("access.altered"):
        extracting.extract(desk.node, desk.steward, permit)
    alter(lambda grant: setattr(grant, "terms", terms))
    alter(lambda grant: setattr(grant.permit, "ends", now() + timedelta(days=9999)))
    with refuses("access.altered"):
        extracting.extract(desk.node, desk.steward, permit)


def test_no_project_and_no_person_gets_two_exact_extracts(desk: Desk):
    first = desk.permitted()
    number = desk.submitted()
    desk.approved(number)
    with refuses("access.two_exact"):
        permits.issue(desk.node, desk.steward, number)
    shifted = desk.permitted(recipe="shifted")
    assert shifted != first
    one, two = (extracting.extract(desk.node, desk.steward, each) for each in (first, shifted))
    with Engine() as engine:
        for name, made in (("one", one), ("two", two)):
            desk.node.home.lake().find(made.dataset).attach(engine, name)
        assert engine.value("SELECT count(*) FROM one.person JOIN two.person USING (person_id)") == 0
        days = (
            "SELECT person_id, list_sort(list(condition_start_date))::VARCHAR FROM {}.condition_occurrence GROUP BY 1"
        )
        ours, theirs = (dict(engine.rows(days.format(name))) for name in ("one", "two"))
    keys = [desk.node.home.key(f"permit-{each}") for each in (first, shifted)]
    truth = {pseudonym(keys[0], "person", p): pseudonym(keys[1], "person", p) for p in range(1, 61)}
    joined = {a: b for a, mine in ours.items() for b, other in theirs.items() if mine == other}
    assert not [a for a, b in joined.items() if truth[a] == b]  # whoever joins by dates joins wrong persons


def test_a_suspected_reidentification_stops_the_permit_at_once(desk: Desk):
    permit = desk.permitted()
    permits.report(desk.node, desk.firm, permit, "One person seems to be recognizable.")
    with refuses("access.not_in_force"):
        extracting.extract(desk.node, desk.steward, permit)
    assert not refreshed(desk.node, desk.firm.person_id).permitted()
    assert ending.destroy(desk.node, desk.steward, permit, "Recalled.")["permit"] == permit


def test_columns_by_another_name_are_refused_before_submission(desk: Desk):
    for tables, code in (
        ({"person": {"columns": ["birthday"]}}, "privacy.column"),
        ({"PERSON": {"columns": ["gender_concept_id"]}}, "privacy.column"),
        ({"concept": {"columns": ["concept_id"]}}, "privacy.column"),
        ({}, "access.incomplete"),
    ):
        number = desk.applied(tables=tables)
        with refuses(code):
            service.submit(desk.node, desk.firm, number)
    with refuses("access.content"):
        desk.applied(months=0)
    with refuses("access.content"):
        desk.applied(unknown=1)


def test_counts_before_a_permit_are_perturbed_and_repeat(desk: Desk):
    number = desk.applied()
    told = [counting.count(desk.node, desk.firm, number) for _n in range(3)]
    assert told[0] == told[1] == told[2] and told[0].count % 5 == 0
    nearly = {"criteria": [{"kind": "diagnosis", "codes": ["E112"]}], "begins": "2010-01-01"}
    assert counting.count(desk.node, desk.firm, number, nearly) == told[0]


def test_visas_are_es256_and_name_the_grant(desk: Desk):
    from joserfc import jwt
    from joserfc.jwk import KeySet

    permit = desk.permitted()
    made = permits.visas(desk.node, desk.firm, permit)
    assert list(made) == ["kim"]
    read = jwt.decode(made["kim"], KeySet.import_key_set(signed.visa_keys(desk.node)), algorithms=["ES256"])
    assert read.header["alg"] == "ES256" and read.header["typ"] == "vnd.ga4gh.visa+jwt"
    assert read.header["jku"].endswith("/access/visa-keys.json")
    claim = read.claims["ga4gh_visa_v1"]
    assert (claim["type"], claim["by"], read.claims["sub"]) == ("ControlledAccessGrants", "dac", "kim")
    assert claim["asserted"] <= read.claims["iat"] < read.claims["exp"]
    permits.suspend(desk.node, desk.steward, permit, "A question.")
    with refuses("access.not_in_force"):
        permits.visas(desk.node, desk.firm, permit)


def test_who_may_do_what(desk: Desk):
    """Acts down, people across: firm, steward, member of the committee, stranger."""
    number = desk.submitted()
    permit = desk.permitted(recipe="shifted")
    with desk.node.read() as session:
        application = service.find(session, number)
        grant = session.get(Grant, asking.grant_of(session, permit).id)
        people = [refreshed(desk.node, a.person_id) for a in (desk.firm, desk.steward, desk.members[0], desk.stranger)]
        table = {
            act.name: "".join("x" if may(actor, act, thing) else "." for actor in people)
            for act, thing in [
                *((getattr(acts, n), application) for n in ("SEE", "EDIT", "SUBMIT", "WITHDRAW", "APPEAL", "COUNT")),
                *((getattr(acts, n), application) for n in ("RETURN", "STEP", "VOTE", "DECIDE", "PERMIT")),
                *((getattr(acts, n), grant) for n in ("SEE_PERMIT", "SUSPEND", "RESUME", "REPORT", "END")),
                *((getattr(acts, n), grant) for n in ("EXTRACT", "DESTROY")),
            ]
        }
    assert table == {
        "application.see": "xxx.",
        "application.edit": "x...",
        "application.submit": "x...",
        "application.withdraw": "x...",
        "application.appeal": "x...",
        "application.count": "x...",
        "application.return": ".xx.",
        "application.step": ".x..",
        "application.vote": "..x.",
        "application.decide": ".xx.",
        "application.permit": ".x..",
        "permit.see": "xxx.",
        "permit.suspend": ".x..",
        "permit.resume": ".x..",
        "permit.report": "xx..",
        "permit.end": "xx..",
        "permit.extract": ".x..",
        "permit.destroy": ".x..",
    }
    with refuses("access.none"):
        service.see(desk.node, desk.stranger, number)
    with refuses("access.none"):
        permits.see_permit(desk.node, desk.stranger, permit)
    assert [a.id for a in service.list_applications(desk.node, desk.stranger)] == []
    assert len(service.list_permits(desk.node, desk.firm)) == 1
    with desk.node.read() as session:
        assert session.query(Permit).count() == 1


def test_the_procedure_is_a_graph_without_circles():
    procedure.check_graph()
    kind = procedure.StepKind("a", "a", "a", ("b",))
    for steps in ((kind,), (kind, procedure.StepKind("b", "b", "b", ("a",)))):
        with refuses("access.procedure"):
            procedure.check_graph(steps)


def test_a_population_by_a_definition_of_atlas(desk: Desk):
    pytest.importorskip("duckcdm")
    period = """SELECT range + 1 AS observation_period_id, range + 1 AS person_id, DATE '2009-01-01' AS
        observation_period_start_date, DATE '2014-12-31' AS observation_period_end_date FROM range(60)"""
    commit(desk.node, "claims", person=PERSON, condition_occurrence=CONDITION, observation_period=period)
    women = {"CONCEPT_ID": 8532, "CONCEPT_NAME": "F", "CONCEPT_CODE": "F", "DOMAIN_ID": "Gender", "VOCABULARY_ID": "G"}
    definition = {
        "ConceptSets": [],
        "PrimaryCriteria": {
            "CriteriaList": [{"ConditionOccurrence": {"Gender": [women]}}],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
        "QualifiedLimit": {"Type": "First"},
        "ExpressionLimit": {"Type": "All"},
        "InclusionRules": [],
        "CensoringCriteria": [],
        "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0},
        "CensorWindow": {},
        "cdmVersionRange": ">=5.0.0",
    }
    population = {**CONTENT["population"], "atlas": json.dumps(definition)}
    done = extracting.extract(desk.node, desk.steward, desk.permitted(population=population))
    assert done.rows["person"] == 20  # of the 40 with diabetes, the women
    with pytest.raises(MadangError):
        counting.count_for(desk.node, desk.firm, service.see(desk.node, desk.firm, 1), {"atlas": "no JSON"})
