"""The `madang` command as a person meets it: help, language, errors in one line, exit codes, pipes and Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from madang.app import cli
from madang.app.registry import Entry, commands
from madang.base.errors import Cancelled, MadangError

MADANG = [sys.executable, "-c", "from madang.app.cli import main; main()"]


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Register one command `probe` for the length of a test."""
    module = types.ModuleType("madang.app.commands.probe_for_tests")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(cli, "commands", lambda: [Entry("probe", "Try something.", "probe_for_tests:command")])
    monkeypatch.setenv("MADANG_LANG", "en")

    def register(command: object) -> None:
        module.command = command  # type: ignore[attr-defined]  # a module made for this test

    return register


@pytest.mark.parametrize("entry", commands(), ids=lambda entry: entry.name)
def test_every_registered_command_exists_and_has_help(entry: Entry) -> None:
    command = cli.build(entry)
    for each in (command, *getattr(command, "commands", {}).values()):
        assert each.help, each.name
        # One of Typer's own options in a group of ours would be noise.
        assert not {"install_completion", "show_completion"} & {parameter.name for parameter in each.params}
    assert entry.help


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    script = (
        "import sys; from madang.app.cli import run; run(['--help']);"
        "print(sorted({'duckdb', 'pyarrow', 'numpy', 'deltalake', 'pydantic', 'rich', 'typer'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert all(f"  {entry.name} " in shown for entry in commands())
    assert shown.splitlines()[-1] == "[]"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("entry", commands(), ids=lambda entry: entry.name)
def test_help_of_a_command_loads_nothing_heavy(entry: Entry) -> None:
    script = (
        f"import sys; from madang.app.cli import run; status = run(['{entry.name}', '--help']);"
        "print(status, sorted({'duckdb', 'pyarrow', 'numpy', 'deltalake'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "0 []"


def test_help_is_in_the_language_asked_for() -> None:
    def overview(language: str) -> str:
        environment = {**os.environ, "MADANG_LANG": language}
        return subprocess.run([*MADANG, "--help"], capture_output=True, text=True, env=environment, check=True).stdout

    assert "Commands" in overview("en")
    assert "명령" in overview("ko")
    assert "Commands" not in overview("ko")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("madang ")


def test_a_misspelled_command_is_told_the_near_one(
    probe: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["prboe"]) == 2
    assert capsys.readouterr().err == "madang: There is no command `prboe`. Did you mean `madang probe`?\n"


def test_bad_input_is_one_line(probe: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise MadangError("probe.bad", "This is\nbad\x1b[2J.", "Mend it.")

    probe(command)
    assert cli.run(["probe"]) == 2
    assert capsys.readouterr().err == "madang: This is bad\N{REPLACEMENT CHARACTER}[2J. Mend it.\n"


def test_a_wrong_option_is_one_line(probe: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def command(number: int) -> None:
        raise AssertionError(number)

    probe(command)
    for arguments in ["--nubmer"], ["many"], []:
        assert cli.run(["probe", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("madang: ")
        assert error.endswith("`madang probe --help` says how.\n")
        assert error.count("\n") == 1


def test_our_own_mistake_is_one_line_and_a_private_report(
    probe: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADANG_HOME", str(tmp_path))

    def command() -> None:
        raise ZeroDivisionError("divided by nothing")

    probe(command)
    assert cli.run(["probe"]) == 1
    error = capsys.readouterr().err
    (report,) = (tmp_path / "logs").iterdir()
    assert error == (
        f"madang: This should not have happened: ZeroDivisionError: divided by nothing. The details are in {report}.\n"
    )
    assert report.stat().st_mode & 0o777 == 0o600
    assert "Traceback" in report.read_text()


@pytest.mark.parametrize("stopped", [Cancelled, KeyboardInterrupt, typer.Abort])
def test_stopping_is_no_error(
    probe: Callable[..., None], capsys: pytest.CaptureFixture[str], stopped: type[BaseException]
) -> None:
    def command() -> None:
        raise stopped

    probe(command)
    assert cli.run(["probe"]) == 130
    assert capsys.readouterr().err.startswith("madang: Stopped on request.")


def test_a_reader_that_leaves_early_gets_no_complaint(tmp_path: Path) -> None:
    script = (
        "import sys, types; from madang.app import cli; from madang.app.registry import Entry\n"
        "module = types.ModuleType('p'); sys.modules['madang.app.commands.p'] = module\n"
        "cli.commands = lambda: [Entry('probe', 'x', 'p:command')]\n"
        "def command() -> None:\n    for n in range(100000): print('line', n)\n"
        "module.command = command\nsys.exit(cli.run(['probe']))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_ctrl_c_stops_work_at_its_next_check(tmp_path: Path) -> None:
    script = (
        "import sys, types, time; from madang.app import cli; from madang.app.registry import Entry\n"
        "from madang.base.console import ProgressBars\n"
        "module = types.ModuleType('p'); sys.modules['madang.app.commands.p'] = module\n"
        "cli.commands = lambda: [Entry('probe', 'x', 'p:command')]\n"
        "def command() -> None:\n"
        "    with ProgressBars() as progress, progress.step('working', 10000):\n"
        f"        open({str(tmp_path / 'started')!r}, 'w').close()\n"
        "        for _ in range(10000):\n            time.sleep(0.01); progress.advance()\n"
        "module.command = command\nsys.exit(cli.run(['probe']))"
    )
    environment = {**os.environ, "MADANG_LANG": "en"}
    with subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr
        assert process.stderr.read().splitlines()[-1].startswith("madang: Stopped on request.")
