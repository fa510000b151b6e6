"""Whoever reads the audit reads words: every act that the program writes down has some, in both languages."""

import ast
from collections.abc import Iterator

import pytest

from madang.app.rooms import plans
from madang.base.translate import LANGUAGES, speaking
from madang.node.permissions import acts
from madang.services.oversight.naming import said
from support import ROOT

BY_THEIR_END = {"job.done", "job.failed", "job.cancelled"}  # names that the program puts together


def written_down() -> Iterator[str]:
    """Every name of an act that stands in a call of the audit."""
    for path in sorted((ROOT / "src" / "madang").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("audit.record", "audit.read")):
                for given in call.args:
                    if isinstance(given, ast.Constant) and isinstance(given.value, str) and "." in given.value:
                        yield given.value
                        break


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_act_in_the_audit_has_words(language: str) -> None:
    assert plans(), "which makes the acts of all rooms known"
    ours = {name for name in acts() if not name.startswith("thing.")}  # those that other tests make up
    names = {*written_down(), *ours, *BY_THEIR_END, "permit.extract.begin", "permit.extract.withdraw"}
    assert len(names) > 200
    unnamed = {"en": "something ", "ko": "그 밖의 처리"}[language]
    with speaking(language):
        assert not {name for name in names if said(name).startswith(unnamed)}
