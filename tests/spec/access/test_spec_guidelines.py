"""Rules of a guideline

A rule pack is data: a rule names its source and date, the fact that it looks at, what it wants of it, and a reason in
two languages. It finds; it never decides.
"""

import pytest

from examples import Example
from madang.base.errors import MadangError
from madang.science.privacy.rules import hold, read_pack

HEAD = """
name = "house"
version = "1"
title = { ko = "규칙", en = "Rules" }
source = "An example"
date = "2026-01-01"
"""


def test_a_rule_finds(example: Example) -> None:
    """A rule is kept, not kept, or cannot tell

    `when` says to which applications a rule applies. A slot is a rule that the holder has not filled in yet.
    """
    path = example.given(
        "rules.toml",
        """
        [[rule]]
        id = "months"
        fact = "months"
        wants = "at_most"
        value = 24
        title = { ko = "기간", en = "Duration" }
        explanation = { ko = "24개월까지입니다.", en = "24 months at most." }

        [[rule]]
        id = "places"
        fact = "columns"
        wants = "none_of"
        value = ["person.location_id"]
        title = { ko = "거주지", en = "Places" }
        explanation = { ko = "거주지는 내지 않습니다.", en = "No places of living." }

        [[rule]]
        id = "genomes"
        when = { genomic = true }
        fact = "place"
        wants = "equals"
        value = "closed space"
        title = { ko = "유전체", en = "Genomes" }
        explanation = { ko = "안심분석실에서만 씁니다.", en = "In a closed space only." }

        [[rule]]
        id = "costs"
        slot = true
        title = { ko = "비용", en = "Costs" }
        explanation = { ko = "기관이 채웁니다.", en = "The holder fills it in." }
        """,
    )
    path.write_text(HEAD + path.read_text(), encoding="utf-8")
    pack = read_pack(path)
    facts = {"months": 36, "columns": ["person.year_of_birth", "person.location_id"], "genomic": False}
    example.expected(
        "36 months, and two columns",
        """
        rule   | finding     | about
        months | differs     |
        places | differs     | person.location_id
        costs  | cannot tell |
        """,
        [
            {"rule": each.rule.id, "finding": each.finding.value, "about": ", ".join(each.about)}
            for each in hold(pack, facts)
        ],
    )
    example.expected(
        "nothing said, of genomes",
        """
        rule    | finding
        months  | cannot tell
        places  | cannot tell
        genomes | cannot tell
        costs   | cannot tell
        """,
        [{"rule": each.rule.id, "finding": each.finding.value} for each in hold(pack, {"genomic": True})],
    )


def test_a_rule_names_its_source(example: Example) -> None:
    """A rule without a reason in both languages is refused

    So is one that wants what nobody knows, that has no source, or whose name another has.
    """
    path = example.given(
        "house.toml",
        """
        name = "house"
        version = "1"
        title = { ko = "규칙", en = "Rules" }
        source = "An example"
        date = "2026-01-01"

        [[rule]]
        id = "months"
        fact = "months"
        wants = "at_most"
        value = 24
        title = { ko = "기간", en = "Duration" }
        explanation = { en = "24 months at most." }
        """,
    )
    with pytest.raises(MadangError) as refused:
        read_pack(path)
    example.expected(
        "refused",
        """
        cannot be used: the rule months is not in both languages.
        """,
        refused.value.message.partition(f"{path} ")[2],
    )
