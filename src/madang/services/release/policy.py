"""The holder's policy: which rules, how many checkers. Read from `releases/policy.toml` in the home."""

import random
import tomllib
from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.science.privacy.outputs.rules import Rules, read_rules


@dataclass(frozen=True)
class Policy:
    """`checkers` is 2 or 1; with one, a share `second` of the requests is drawn for a second one as well."""

    rules: Rules
    checkers: int = 2
    second: float = 0.2

    def drawn(self) -> tuple[int, bool]:
        """How many checkers a new request wants, and whether the second one was drawn."""
        if self.checkers == 2:
            return 2, False
        second = random.SystemRandom().random() < self.second
        return (2, True) if second else (1, False)


def read_policy(node: Node) -> Policy:
    """The policy of this installation. Errors: `release.policy` for a file that cannot be used."""
    path = node.home.path / "releases" / "policy.toml"
    if not path.exists():
        return Policy(Rules())
    try:
        given = tomllib.loads(path.read_text("utf-8"))
        checkers, second = given.pop("checkers", 2), given.pop("second", 0.2)
        rules = read_rules(given.pop("rules", None))
        if given or checkers not in (1, 2) or not isinstance(second, int | float) or not 0 <= second <= 1:
            raise ValueError
    except (OSError, ValueError) as error:
        raise MadangError(
            "release.policy",
            _("{file} cannot be used.").format(file=path),
            _("It has `rules`, `checkers` (1 or 2) and `second` (a share)."),
        ) from error
    return Policy(rules, checkers, float(second))
