"""The evidence sheet for SATRE says what its source says, and names tests that are there."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_spec = importlib.util.spec_from_file_location("satre", ROOT / "script/satre.py")
assert _spec is not None and _spec.loader is not None
satre = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(satre)


def test_the_page_is_what_the_sheet_says() -> None:
    assert satre.PAGE.read_text() == satre.page(satre.statements())


def test_every_statement_has_one_line_and_every_claim_a_test_that_is_there() -> None:
    given = satre.statements()
    assert len(given) == 185
    for number, each in given.items():
        assert each["state"] in satre.STATES and each["importance"] in ("mandatory", "recommended", "optional")
        assert (each["state"] == "operator") == (not each.get("tests")), number
        assert (each["state"] == "partly") == ("why" in each), number
        for test in each.get("tests", ()):
            path, _colons, name = test.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text(), test
