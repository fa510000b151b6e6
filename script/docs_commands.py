"""docs/reference/commands.md, from the registry and the options of every command."""

from typing import Any

from madang.app.cli import build
from madang.app.registry import Entry, commands

HEAD = """# Commands

Written by `script/docs` from the commands themselves. `madang COMMAND --help` shows the same in the reader's language.

Every command ends with 0 when it is done, 2 when its input is bad (one line says what and what to do, the
[error codes](errors.md) are listed), 130 when it was stopped, and 1 when the mistake is ours (one line says where the
report lies). Results go to standard output; progress goes to standard error.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section for entry in commands() for section in _sections(entry))])


def _sections(entry: Entry) -> list[str]:
    command = build(entry)
    made = [_section(2, f"madang {entry.name}", command)]
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            made.append(_section(3, f"madang {entry.name} {name}", below))
    return made


def _section(level: int, name: str, command: Any) -> str:
    parameters = [p for p in command.params if p.name != "help" and not getattr(p, "hidden", False)]
    usage = " ".join([name, *(_usage(p) for p in parameters)])
    if getattr(command, "commands", None):
        usage += " COMMAND" if not command.invoke_without_command else " [COMMAND]"
    lines = ["#" * level + f" `{name}`", "", _flat(command.help), "", "```", usage, "```", ""]
    if parameters:
        lines += ["| | | default |", "|---|---|---|"]
        lines += [f"| {_names(p)} | {_flat(getattr(p, 'help', '') or '')} | {_default(p)} |" for p in parameters]
        lines.append("")
    return "\n".join(lines)


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        shown = parameter.metavar or str(parameter.name).upper()
    elif parameter.is_flag:
        shown = parameter.opts[0]
    else:
        shown = f"{parameter.opts[0]} {parameter.metavar or str(parameter.name).upper()}"
    shown += "..." if parameter.nargs == -1 or parameter.multiple else ""
    return shown if parameter.required else f"[{shown}]"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or str(parameter.name).upper()}`"
    return ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if value is None or value is False or value == [] or value == () or callable(value):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _flat(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
