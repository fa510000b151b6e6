"""docs/reference/probes.md: all that the attack tests try at closed spaces and graders, from their source.

Nothing is imported: the names are read from the tests, so that the page says what is run and no more.
"""

import ast
import re
import textwrap
from pathlib import Path

HEAD = """# What the attack tests try

Closed spaces and graders are tested by programs that try to get out, by requests of hostile browsers, and by answers
that want points without the work. Each line is one of them. All are stopped, in every run of `script/test`, as an
ordinary user; what is promised by that, and what is not, is in [security.md](../security.md). Written by `script/docs`.
"""
BOX = """
## Programs in a box

Each of {count} probes runs in a box of `madang.node.closed`, which workspaces, graders, questions in SQL and compute
tasks share, without `/proc` and with it (*{mounted}* without it only). Those marked **gets through** do so in a plain
process of an ordinary user, which is how a stock notebook server runs its kernels; a test asserts it, so that they are
known to be real. The others want rights that a plain process may or may not have on a machine. Bombs of memory, disk,
output and processes have tests of their own, each with a bound.

"""
GATEWAY = """
## Browsers at the gateway to notebooks

Each of {count} paths, by GET and POST, with all that a page of ours would bring, is answered with an error and without
the file of the workspace; a stock jupyter lab hands it out by {stock} of them (`benchmarks/workspace.py --stock`):

"""
STOCK = 9  # as measured with jupyter lab 4.6


def page(tests: Path) -> str:
    """The whole page."""
    attacks = tests / "attacks"
    through = _names_in(attacks / "test_box.py", "GET_THROUGH")
    mounted = ast.literal_eval(_value(attacks / "test_box.py", "MOUNTED"))
    probes = [each for path in sorted(attacks.glob("box_probes*.py")) for each in _probes(path)]
    parts = [HEAD, BOX.format(count=sum(len(names) for _title, names in probes), mounted=_words(mounted))]
    for title, names in probes:
        parts.append(
            f"**{title}**: {', '.join(_words(n) + (' **gets through**' * (n in through)) for n in names)}.\n\n"
        )
    parts.append("Tests with a bound: " + _tests(attacks / "test_box.py") + "\n")
    paths = _text_in(attacks / "test_gateway.py", "PATHS").split()
    parts.append(GATEWAY.format(count=len(paths), stock=STOCK))
    parts.append(
        "```\n" + textwrap.fill(" ".join(paths), 110, break_long_words=False, break_on_hyphens=False) + "\n```\n\n"
    )
    parts.append("Besides: " + _tests(attacks / "test_gateway.py") + "\n")
    parts.append("\nAnd: " + _tests(attacks / "test_uncounted.py") + "\n")
    training = attacks / "test_training.py"
    parts.append("\n## Answers that want points\n\nEach is graded in a box of its own, and none scores.\n\n")
    kinds = (
        ("Python", "ATTACKS"),
        ("R", "R_ATTACKS"),
        ("SQL", "SQL"),
        ("Notebooks", "NOTEBOOKS"),
        ("Cohorts", "HOSTILE_COHORTS"),
        ("Quality rules", "RULES"),
    )
    workflows = attacks / "test_workflows.py"
    for title, path, name in [(title, training, name) for title, name in kinds] + [("Workflows", workflows, "FLOWS")]:
        keys = _keys_in(path, name)
        parts.append(f"**{title}** ({len(keys)}): {'; '.join(keys)}.\n\n")
    parts.append("Besides: " + _tests(training) + "\n\nAnd: " + _tests(workflows) + "\n")
    forged = _keys_in(tests / "services/training/test_lti.py", "FORGED")
    parts.append("\n## Launches of a learning platform that are forged\n\n" + "; ".join(forged) + ".\n")
    return "".join(parts)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _probes(path: Path) -> list[tuple[str, list[str]]]:
    """The probes of a file below the comments that head them."""
    found: list[tuple[str, list[str]]] = []
    for heading, name in re.findall(r"^# (\w[^\n]*)$|^@probe\ndef (\w+)", path.read_text(), re.MULTILINE):
        if heading:
            found.append((heading, []))
        else:
            found[-1][1].append(name)
    return [(heading, names) for heading, names in found if names]


def _value(path: Path, name: str) -> ast.expr:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        if any(isinstance(each, ast.Name) and each.id == name for each in targets):
            return value
    raise SystemExit(f"docs: there is no {name} in {path.name}")


def _names_in(path: Path, name: str) -> set[str]:
    return {n.value for n in ast.walk(_value(path, name)) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _text_in(path: Path, name: str) -> str:
    return next(
        n.value for n in ast.walk(_value(path, name)) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    )


def _keys_in(path: Path, name: str) -> list[str]:
    value = _value(path, name)
    assert isinstance(value, ast.Dict), name
    return [each.value for each in value.keys if isinstance(each, ast.Constant)]


def _tests(path: Path) -> str:
    """The names of a file's tests, as words."""
    names = re.findall(r"^def test_(\w+)", path.read_text(), re.MULTILINE)
    return "; ".join(map(_words, names)) + f" (`tests/{path.parent.name}/{path.name}`)."
