"""The `madang` command: finds a command in the registry, loads only that one, and turns every error into one line."""

import contextlib
import difflib
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from madang import __version__
from madang.app.registry import Entry, commands
from madang.base.errors import Cancelled, MadangError
from madang.base.translate import _, translate_libraries

if TYPE_CHECKING:
    import typer

BAD_INPUT = 2
INTERRUPTED = 130


def main() -> None:
    """Entry point of the installed command; never returns normally."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Carry out one command line and return the exit status: 0 done, 1 our mistake, 2 bad input, 130 stopped.

    Others are a command's own answer, as 3 of `madang certificate verify`: not valid.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Korean name on an ASCII terminal is no reason to fail
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
        return status
    except Cancelled as stopped:
        return _say(stopped, INTERRUPTED)
    except KeyboardInterrupt:
        return _say(Cancelled(), INTERRUPTED)
    except MadangError as error:
        return _say(error, BAD_INPUT)
    except BrokenPipeError:
        # Whoever read our output has gone (`madang ... | head`); keep Python from saying so at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        return _report(error, arguments)


def load(entry: Entry) -> "typer.Typer":
    """The Typer application of a command."""
    import typer

    module, _colon, attribute = entry.target.partition(":")
    target: typer.Typer | Callable[..., object]
    name = module if "." in module else f"madang.app.commands.{module}"
    target = getattr(importlib.import_module(name), attribute)
    if isinstance(target, typer.Typer):
        return target
    application = typer.Typer(add_completion=False)
    application.command(entry.name)(target)
    return application


def build(entry: Entry) -> Any:
    """The command as Typer runs it, the help of it and of its parameters in the reader's language."""
    import typer

    command: Any = typer.main.get_command(load(entry))
    command.help = _(command.help or entry.help)
    _translate(command)
    return command


def _translate(command: Any) -> None:
    """The help of the parameters of a command, and of the commands in it, in the reader's language."""
    for parameter in command.params:
        parameter.help = _(parameter.help) if parameter.help else None
    for each in getattr(command, "commands", {}).values():
        each.help = _(each.help) if each.help else None
        _translate(each)


def _dispatch(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "--help"
    if first in ("--help", "-h", "help"):
        print(_overview())
        return 0
    if first == "--version":
        print(f"madang {__version__}")
        return 0
    entries = {entry.name: entry for entry in commands()}
    if first not in entries:
        near = difflib.get_close_matches(first, entries, n=1)
        hint = _("Did you mean `madang {name}`?").format(name=near[0]) if near else _("`madang --help` lists them.")
        raise MadangError("command.unknown", _("There is no command `{name}`.").format(name=first), hint)
    return _invoke(entries[first], arguments[1:])


def _invoke(entry: Entry, arguments: list[str]) -> int:
    translate_libraries()
    import typer

    prog_name = f"madang {entry.name}"
    try:
        result = build(entry).main(args=arguments, prog_name=prog_name, standalone_mode=False)
    except typer.Abort as abort:
        raise Cancelled() from abort
    except typer.TyperException as error:
        message = _usage_mistake(error)
        if not message:  # a group without a command: Typer has printed its help
            return BAD_INPUT
        hint = _("`{command} --help` says how.").format(command=prog_name)
        raise MadangError("command.usage", message, hint) from error
    status = result if isinstance(result, int) else 0
    if status == INTERRUPTED:  # what Typer makes of Ctrl-C
        raise Cancelled()
    return status


def _usage_mistake(error: "typer.TyperException") -> str:
    """What is wrong with the options; the two most frequent mistakes in the reader's language, others as Typer says."""
    unknown: str | None = getattr(error, "option_name", None)
    if unknown and type(error).__name__ == "NoSuchOption":
        near = getattr(error, "possibilities", None) or []
        return _("There is no option {name}.").format(name=unknown) + "".join(f" {name}?" for name in sorted(near)[:1])
    parameter: Any = getattr(error, "param", None)
    if parameter and type(error).__name__ == "MissingParameter":
        return _("{name} is missing.").format(name=parameter.get_error_hint().strip("'"))
    message = error.format_message()
    return message if not message or message.endswith((".", "?")) else message + "."


def _overview() -> str:
    entries = commands()
    options = [("--help", _("Show this page, or with a command its options.")), ("--version", _("Show the version."))]
    width = max(len(name) for name, *_rest in [*options, *((entry.name,) for entry in entries)])
    lines = [
        _("Usage: madang COMMAND [OPTIONS]"),
        "",
        _("Raw health records in, standardized and accounted-for datasets out."),
        "",
        _("Commands"),
        *(f"  {entry.name:{width}}  {entry.help}" for entry in entries),
        "",
        _("Options"),
        *(f"  {name:{width}}  {text}" for name, text in options),
        "",
        _("MADANG_HOME is where everything is kept, MADANG_LANG=ko|en the language."),
    ]
    return "\n".join(lines)


def _say(error: MadangError, status: int) -> int:
    text = " ".join(str(error).split())
    # Input that is quoted back must not be able to steer the terminal.
    text = "".join(c if unicodedata.category(c) != "Cc" else "\N{REPLACEMENT CHARACTER}" for c in text)
    print(f"madang: {text}", file=sys.stderr)
    return status


def _report(error: Exception, arguments: list[str]) -> int:
    text = "".join(traceback.format_exception(error))
    head = f"madang {__version__}, Python {sys.version.split()[0]}, {sys.platform}\narguments: {arguments}\n\n"
    where = _written(head + text)
    message = _("This should not have happened: {error}.").format(error=f"{type(error).__name__}: {error}")
    hint = _("The details are in {file}.").format(file=where) if where else text
    return _say(MadangError("command.unexpected", message, hint), 1)


def _written(text: str) -> Path | None:
    """Keep a report of a mistake of ours, in the home's logs or else among the temporary files."""
    home = Path(os.environ.get("MADANG_HOME") or Path.home() / ".local/share/madang")
    name = f"error-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    for folder in (home / "logs", Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / name
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(text)
            return path
    return None
