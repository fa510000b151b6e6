"""Schemes are data: what ships is sound, what is wrong is named, people's criteria stay open."""

from pathlib import Path

import pytest
from certificates import assess, good_results, make_version, result

from madang.base.errors import MadangError
from madang.node import Home
from madang.science.quality.model import Severity, Status
from madang.services.certification import Verdict, hold_against, load_scheme
from madang.services.certification.evaluate import make_report, outcomes_of
from madang.services.certification.issuing import outcomes_met
from madang.services.certification.scheme import Scheme, parse_scheme, shipped

EMR = """
name = "emr-product"
version = 1
about = "product"
months = 36
title = { en = "EMR product", ko = "전자의무기록시스템 제품" }
summary = { en = "What the product has to do.", ko = "제품이 갖추어야 할 것." }
audience = { en = "Vendors.", ko = "개발사." }
[divisions.function]
title = { en = "Function", ko = "기능성" }
[divisions.security]
title = { en = "Security", ko = "보안성" }
[[criteria]]
id = "manual"
division = "function"
shown = "document"
documents = [{ en = "User manual", ko = "사용자 설명서" }]
text = { en = "Every function is described.", ko = "모든 기능이 설명되어 있습니다." }
[[criteria]]
id = "access-log"
division = "security"
shown = "on-site"
sample = 5
look_at = { en = "log entries", ko = "접속기록" }
text = { en = "Each access is logged.", ko = "모든 접근이 기록됩니다." }
[[criteria]]
id = "fit"
division = "function"
shown = "decision"
role = "certification committee"
votes = 3
text = { en = "The committee finds it fit.", ko = "위원회가 적합하다고 판단합니다." }
"""


def verdicts(scheme: Scheme, folder: Path, **changes: object) -> dict[str, Verdict]:
    version = make_version(Home(folder))
    found = outcomes_of(scheme, make_report(scheme, version, assess(version, **changes)))  # type: ignore[arg-type]  # test
    return {outcome.criterion.id: outcome.verdict for outcome in found}


def test_every_scheme_that_ships_is_read_and_speaks_both_languages() -> None:
    assert "omop-ready" in shipped()
    for name in shipped():
        scheme = load_scheme(name)
        assert scheme.name == name
        assert len(scheme.digest) == 64


def test_a_good_version_meets_every_criterion(tmp_path: Path) -> None:
    found = verdicts(load_scheme("omop-ready"), tmp_path)
    assert len(found) == 10 and set(found.values()) == {Verdict.MET}


FAILED, ERROR = Status.FAILED, Status.ERROR


@pytest.mark.parametrize(
    ("criterion", "added"),
    [
        ("no-failed-fatal-check", [result("x", FAILED, Severity.FATAL)]),
        ("every-check-answered", [result("x", ERROR, violated=None, denominator=None)]),
        ("conformance", [result(f"x{n}", FAILED) for n in range(3)]),
        ("completeness", [result(f"x{n}", FAILED, category="Completeness") for n in range(11)]),
        ("plausibility", [result(f"x{n}", FAILED, category="Plausibility") for n in range(3)]),
        ("all-checks", [result(f"x{n}", FAILED, category="Completeness") for n in range(7)]),
    ],
)
def test_each_criterion_about_checks_fails_on_its_own_planted_fault(
    tmp_path: Path, criterion: str, added: list[object]
) -> None:
    found = verdicts(load_scheme("omop-ready"), tmp_path, results=[*good_results(), *added])
    assert found[criterion] is Verdict.NOT_MET


def test_shares_count_what_applies_and_are_not_rounded_up(tmp_path: Path) -> None:
    scheme = load_scheme("omop-ready")
    exactly = [*(result(f"p{n}") for n in range(19)), result("f", FAILED), result("n", Status.NOT_APPLICABLE)]
    version = make_version(Home(tmp_path))
    outcomes = {o.criterion.id: o for o in hold_against(scheme, version, assess(version, exactly))}
    assert (outcomes["conformance"].verdict, outcomes["conformance"].shown) == (Verdict.MET, "95%")
    assert outcomes["plausibility"].verdict is Verdict.UNKNOWN  # none applies, so nobody knows
    many = [*(result(f"p{n}") for n in range(94_999)), *(result(f"f{n}", FAILED) for n in range(5_001))]
    outcomes = {o.criterion.id: o for o in hold_against(scheme, version, assess(version, many))}
    assert (outcomes["conformance"].verdict, outcomes["conformance"].shown) == (Verdict.NOT_MET, "94.99%")


def test_what_nobody_could_count_is_not_met(tmp_path: Path) -> None:
    scheme, home = load_scheme("omop-ready"), Home(tmp_path)
    imported = make_version(home, "imported", info={})
    lost = make_version(home, "lost", info={"report": {"sources": {"claims": [1, 10, 7, 2, 0]}}})
    for version, verdict in ((imported, Verdict.UNKNOWN), (lost, Verdict.NOT_MET)):
        found = {o.criterion.id: o for o in hold_against(scheme, version, assess(version))}
        assert found["every-row-accounted-for"].verdict is verdict
        with pytest.raises(MadangError, match="1 of 10") as caught:
            outcomes_met(scheme, version, assess(version))
        assert caught.value.code == "certificate.not_met"
    nameless = {o.criterion.id: o.verdict for o in hold_against(scheme, lost, assess(lost, vocabulary=""))}
    assert nameless["vocabulary-named"] is Verdict.UNKNOWN


def test_what_people_have_to_show_stays_open_and_is_not_issued_by_a_command(tmp_path: Path) -> None:
    scheme = parse_scheme(EMR.encode(), "emr.toml")
    version = make_version(Home(tmp_path))
    outcomes = outcomes_of(scheme, make_report(scheme, version, assess(version)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.OPEN}
    assert "User manual" in outcomes[0].sentence
    assert "5" in outcomes[1].sentence and "certification committee" in outcomes[2].sentence
    with pytest.raises(MadangError) as caught:
        outcomes_met(scheme, version, assess(version))
    assert caught.value.code == "scheme.not_for_data"
    about_data = parse_scheme(EMR.replace('about = "product"', 'about = "dataset version"').encode(), "emr.toml")
    with pytest.raises(MadangError) as caught:
        outcomes_met(about_data, version, assess(version))
    assert caught.value.code == "scheme.needs_people"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("months = 36", "months = 0", "months"),
        ("months = 36", 'months = "36"', "months"),
        ('ko = "전자의무기록시스템 제품"', 'ko = ""', "title.ko"),
        ('shown = "document"', 'shown = "prayer"', "criteria"),
        ('division = "security"', 'division = "beauty"', "beauty"),
        ('id = "fit"', 'id = "manual"', "there twice"),
        ("votes = 3", "vote = 3", "vote"),
        ('shown = "decision"', 'shown = "automatic"', "criteria"),
        ("[divisions.security]", "[divisions.security]\n[divisions.empty]\ntitle = { en = 'E', ko = 'E' }\n[x]", "."),
    ],
)
def test_a_wrong_scheme_says_where_and_what(before: str, after: str, said: str) -> None:
    with pytest.raises(MadangError) as caught:
        parse_scheme(EMR.replace(before, after, 1).encode(), "emr.toml")
    assert caught.value.code == "scheme.invalid" and said in caught.value.message


@pytest.mark.parametrize(
    "measure",
    [
        'measure = "beauty"\nat_least = 1',
        'measure = "persons"',
        'measure = "persons"\nseverity = "fatal"\nat_least = 1',
        'measure = "vocabulary"\nat_least = 1',
    ],
)
def test_a_measure_that_does_not_fit_is_refused(measure: str) -> None:
    text = EMR.replace('about = "product"', 'about = "dataset version"')
    text += f"""
[[criteria]]
id = "measured"
division = "function"
shown = "automatic"
{measure}
text = {{ en = "Measured.", ko = "측정." }}
"""
    with pytest.raises(MadangError) as caught:
        parse_scheme(text.encode(), "emr.toml")
    assert caught.value.code == "scheme.invalid" and "measure" in caught.value.message


def test_files_that_are_no_scheme(tmp_path: Path) -> None:
    for reference, content, code in (
        ("none", None, "scheme.unknown"),
        ("a.toml", b"\xff\xfe", "scheme.unreadable"),
        ("b.toml", b"= =", "scheme.unreadable"),
        ("c.toml", b"[" * 100_000, "scheme.unreadable"),
    ):
        if content is not None:
            (tmp_path / reference).write_bytes(content)
        with pytest.raises(MadangError) as caught:
            load_scheme(str(tmp_path / reference))
        assert caught.value.code == code
