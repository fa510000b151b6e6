"""docs/reference/settings.md: every setting with its variable, default and meaning, from the models."""

from madang.node.settings import documented, shown

HEAD = """# Settings

Everything that an operator can set stands in one file, `$MADANG_HOME/madang.toml`; every setting can also be given as
a variable of the environment, which then wins. A key that does not exist is refused with file and line, and so is a
variable that begins with `MADANG_` and is no setting. `madang doctor --settings` shows what is in force and from where.
Written by `script/docs`.

```toml
title = "Seoul Clinical Data Yard"

[web]
address = "https://data.example.org"
```
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    table = None
    for setting in documented():
        here = setting.name.rpartition(".")[0]
        if here != table:
            table = here
            parts.append(f"\n## {f'[{here}]' if here else 'At the top'}\n\n")
            parts.append("| key | variable | default | what it is for |\n|---|---|---|---|\n")
        default = shown(setting.default)
        parts.append(
            f"| `{setting.name.rpartition('.')[2]}` | `{setting.variable}` | "
            f"{f'`{default}`' if default else 'empty'} | {setting.description} |\n"
        )
    return "".join(parts)
