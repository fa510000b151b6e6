"""`python -m madang.science.risk`: train from a folder of tables, as a task does."""

import argparse
import sys
from pathlib import Path

from madang.base.errors import MadangError
from madang.science.risk import Settings, read_cohort, train, write_card
from madang.science.risk.outcomes import OUTCOMES


def main() -> int:
    """Train as the arguments say; 0, or 2 with a sentence."""
    asked = argparse.ArgumentParser(prog="madang.science.risk")
    asked.add_argument("--data", type=Path, required=True)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--checkpoints", type=Path)
    asked.add_argument("--outcome", choices=OUTCOMES, default=OUTCOMES[0])
    asked.add_argument("--epochs", type=int, default=Settings.epochs)
    asked.add_argument("--seed", type=int, default=Settings.seed)
    given = asked.parse_args()
    settings = Settings(epochs=given.epochs, seed=given.seed)
    try:
        cohort = read_cohort(given.data, given.outcome)
        print(f"{len(cohort.y)} people, {int(cohort.y.sum())} with the outcome", flush=True)
        trained = train(cohort, settings, given.checkpoints, lambda text: print(text, flush=True))
    except MadangError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    told = write_card(given.out, cohort, settings, trained)
    print(f"AUC {told['measures']['auc']:.3f}; model {told['model']['sha256']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
