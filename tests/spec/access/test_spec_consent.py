"""Conditions of consent

Genomic and biobank data carry terms of the Data Use Ontology, each with its values behind it. A term is held against
what somebody wants to do. What the application does not say is never taken for a yes.
"""

from collections.abc import Callable
from typing import Any

import pytest

from examples import Example
from madang.science.privacy.duo import RESEARCH, Purpose, diseases_of, finding, findings, said_of, terms_of

Table = Callable[[str, dict[str, Purpose]], list[dict[str, Any]]]


@pytest.fixture
def held() -> Table:
    """What each term, one in a line, says of several purposes."""

    def rows(text: str, purposes: dict[str, Purpose]) -> list[dict[str, Any]]:
        lines = [line.strip() for line in text.strip().splitlines()]
        return [
            {"term": line} | {name: finding(term, each).value for name, each in purposes.items()}
            for line, term in zip(lines, terms_of(lines), strict=True)
        ]

    return rows


def test_permissions(example: Example, held: Table) -> None:
    """A permission allows kinds of research

    `disease` is research on a disease that is not said; methods are developed within every permission.
    """
    path = example.given(
        "permissions.txt",
        """
        DUO:0000004
        DUO:0000005
        DUO:0000006
        DUO:0000007 E11
        DUO:0000011
        """,
    )
    example.expected(
        "findings",
        """
        term            | general | health  | disease     | ancestry | methods | clinical care | not said
        DUO:0000004     | matches | matches | matches     | matches  | matches | matches       | matches
        DUO:0000005     | matches | matches | matches     | matches  | matches | matches       | cannot tell
        DUO:0000006     | differs | matches | matches     | differs  | matches | matches       | cannot tell
        DUO:0000007 E11 | differs | differs | cannot tell | differs  | matches | cannot tell   | cannot tell
        DUO:0000011     | differs | differs | differs     | matches  | matches | differs       | cannot tell
        """,
        held(path.read_text(), {kind: Purpose(kind) for kind in RESEARCH} | {"not said": Purpose()}),
    )


def test_uses(example: Example, held: Table) -> None:
    """Two conditions look at the kind of research as well

    Research only, and no development of methods unless they are for a disease that is named.
    """
    path = example.given(
        "uses.txt",
        """
        DUO:0000014
        DUO:0000015
        """,
    )
    example.expected(
        "findings",
        """
        term        | general | health  | disease | ancestry | methods | clinical care | not said
        DUO:0000014 | matches | matches | matches | matches  | matches | differs       | cannot tell
        DUO:0000015 | matches | matches | matches | matches  | differs | matches       | cannot tell
        """,
        held(path.read_text(), {kind: Purpose(kind) for kind in RESEARCH} | {"not said": Purpose()}),
    )


def test_yes_and_no(example: Example, held: Table) -> None:
    """Conditions that are answered by yes or no

    In this order: a genetic study, not for profit, results published, together with the investigators, approved by an
    ethics board, nothing published before a day, results given back.
    """
    path = example.given(
        "conditions.txt",
        """
        DUO:0000016
        DUO:0000018
        DUO:0000019
        DUO:0000020
        DUO:0000021
        DUO:0000024
        DUO:0000029
        """,
    )
    flags = ("genetic", "publishes", "collaborates", "ethics_approval", "waits_to_publish", "returns_results")
    example.expected(
        "findings",
        """
        term        | kept    | not kept | not said
        DUO:0000016 | matches | differs  | cannot tell
        DUO:0000018 | matches | differs  | cannot tell
        DUO:0000019 | matches | differs  | cannot tell
        DUO:0000020 | matches | differs  | cannot tell
        DUO:0000021 | matches | differs  | cannot tell
        DUO:0000024 | matches | differs  | cannot tell
        DUO:0000029 | matches | differs  | cannot tell
        """,
        held(
            path.read_text(),
            {
                "kept": Purpose(for_profit=False, **dict.fromkeys(flags, True)),
                "not kept": Purpose(for_profit=True, **dict.fromkeys(flags, False)),
                "not said": Purpose(),
            },
        ),
    )


def test_values(example: Example, held: Table) -> None:
    """Conditions with values

    A region, months, users, projects, institutions. A condition without its value cannot be told.
    """
    path = example.given(
        "values.txt",
        """
        DUO:0000022 KR JP
        DUO:0000025 12
        DUO:0000026 kim lee
        DUO:0000027 kidney
        DUO:0000028 hospital
        DUO:0000022
        """,
    )
    within = Purpose(region="KR", months=12, user="kim", project="kidney", institution="hospital")
    outside = Purpose(region="US", months=13, user="han", project="liver", institution="firm")
    example.expected(
        "findings",
        """
        term                 | within      | outside     | not said
        DUO:0000022 KR JP    | matches     | differs     | cannot tell
        DUO:0000025 12       | matches     | differs     | cannot tell
        DUO:0000026 kim lee  | matches     | differs     | cannot tell
        DUO:0000027 kidney   | matches     | differs     | cannot tell
        DUO:0000028 hospital | matches     | differs     | cannot tell
        DUO:0000022          | cannot tell | cannot tell | cannot tell
        """,
        held(path.read_text(), {"within": within, "outside": outside, "not said": Purpose()}),
    )


def test_categories(example: Example, held: Table) -> None:
    """Terms that only group others set no condition"""
    path = example.given(
        "categories.txt",
        """
        DUO:0000001
        DUO:0000002
        DUO:0000003
        DUO:0000012
        DUO:0000017
        """,
    )
    example.expected(
        "findings",
        """
        term        | anything | not said
        DUO:0000001 | matches  | matches
        DUO:0000002 | matches  | matches
        DUO:0000003 | matches  | matches
        DUO:0000012 | matches  | matches
        DUO:0000017 | matches  | matches
        """,
        held(path.read_text(), {"anything": Purpose("clinical care", for_profit=True), "not said": Purpose()}),
    )


def test_diseases(example: Example, held: Table) -> None:
    """A disease matches itself and its kinds

    A code of KCD or ICD is a kind of what it begins with, with or without its dot. Identifiers of an ontology stand for
    themselves alone. Every disease of the purpose has to fit.
    """
    path = example.given(
        "diseases.txt",
        """
        DUO:0000007 E11.2 MONDO:0005148
        DUO:0000015 E11
        """,
    )
    wanted = {
        "E11.2": ["E11.2"],
        "E1121": ["E1121"],
        "E11": ["E11"],
        "E11.2, N18": ["E11.2", "N18"],
        "MONDO:0005148": ["MONDO:0005148"],
    }
    purposes = {name: Purpose("disease", diseases_of(codes)) for name, codes in wanted.items()}
    rows = held(path.read_text(), purposes | {"methods for E11.2": Purpose("methods", diseases_of(["E11.2"]))})
    example.expected(
        "findings",
        """
        term                            | E11.2   | E1121   | E11     | E11.2, N18 | MONDO:0005148 | methods for E11.2
        DUO:0000007 E11.2 MONDO:0005148 | matches | matches | differs | differs    | matches       | matches
        DUO:0000015 E11                 | matches | matches | matches | matches    | matches       | matches
        """,
        rows,
    )


def test_together(example: Example) -> None:
    """Permissions are alternatives, conditions add up

    One permission that fits is enough, and each of them then says so; of the conditions every one has to be kept.
    """
    path = example.given(
        "terms.txt",
        """
        DUO:0000011
        DUO:0000006
        DUO:0000018
        """,
    )
    terms = terms_of(path.read_text().split("\n")[:3])
    firm, university = Purpose("health", for_profit=True), Purpose("health", for_profit=False)
    example.expected(
        "findings",
        """
        who        | DUO:0000011 | DUO:0000006 | DUO:0000018 | together
        firm       | matches     | matches     | differs     | differs
        university | matches     | matches     | matches     | matches
        """,
        [
            {"who": who, "together": findings(terms, each)[1].value}
            | {name: found.value for name, found in said_of(terms, each).items()}
            for who, each in (("firm", firm), ("university", university))
        ],
    )
