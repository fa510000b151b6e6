"""How the tests run: how many generated examples, which tests are left out, what was missing."""

import gc
import os
import sys
from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import budgets
import postgres as servers
import support
from support import MISSING, needs

# Files of tests may have equal names, since pytest imports them by their place; what they share, by its own name.
HERE = support.ROOT / "tests"
sys.path += sorted({str(path.parent) for path in HERE.rglob("*.py") if path.parent != HERE})
settings.register_profile("default", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("all", settings.get_profile("default"), max_examples=250)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="many generated examples, and the tests marked `big`")


def pytest_configure(config: pytest.Config) -> None:
    support.EVERYTHING = config.getoption("--all")
    seed = config.getoption("--hypothesis-seed") or ""
    support.SEED = int(seed) if seed.isdigit() else 0
    settings.load_profile("all" if support.EVERYTHING else "default")
    if not hasattr(config, "workerinput"):
        servers.begin_run()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if support.EVERYTHING:
        return
    left_out = {item for item in items if item.get_closest_marker("big")}
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled") and item not in left_out:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for each in cases.values():
        marker = each[0].get_closest_marker("sampled")
        stride = marker.args[0] if marker is not None and marker.args else len(each)
        left_out |= set(each) - set(support.sampled(each, stride))
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def _processor_seconds() -> float:
    """Of this process and of those that it has waited for."""
    return sum(os.times()[:4])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    begun = _processor_seconds()
    item.user_properties.append(("begun", begun))
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    if call.when == "teardown":
        begun = next(value for name, value in item.user_properties if name == "begun")
        item.user_properties.append(("processor", _processor_seconds() - float(str(begun))))
    yield


def _tell_budgets(terminalreporter: pytest.TerminalReporter) -> None:
    """What each room's tests took of the processor, beside what they may; see budgets.py."""
    used: dict[str, float] = defaultdict(float)
    for report in terminalreporter.stats.get("", []):
        for name, value in report.user_properties:
            if name == "processor":
                used[budgets.room_of(report.nodeid)] += value
    if not support.EVERYTHING and sum(used.values()) > budgets.WORTH_TELLING:
        for line, is_over in budgets.told(used):
            terminalreporter.write_line(line, yellow=is_over, bold=is_over)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    _tell_budgets(terminalreporter)
    lacking = sorted(
        {
            report.longrepr[2].partition(MISSING)[2]
            for report in terminalreporter.stats.get("skipped", [])
            if isinstance(report.longrepr, tuple) and MISSING in report.longrepr[2]
        }
    )
    for thing in lacking:
        terminalreporter.write_line(f"TESTS WERE SKIPPED: {thing} is missing on this machine", yellow=True, bold=True)


@pytest.fixture(scope="session")
def postgres() -> servers.Postgres:
    """A real PostgreSQL; where none is installed the test is skipped, which the run says at its end."""
    return servers.server(servers.binaries() or needs("initdb").parent)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        servers.end_run()
    # Hypothesis leaves a callback here that outlives DuckDB's types; they would fill the screen with warnings of a leak
    # after pytest's closing line.
    gc.callbacks.clear()
