"""`python -m madang.science.sequencing`: the pipeline as a program of its own, for tasks and shells."""

import argparse
import sys
from pathlib import Path

from madang.base.errors import MadangError
from madang.science.sequencing.bundle import find_bundle
from madang.science.sequencing.germline import germline


def main() -> int:
    """Run the pipeline that the arguments name; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(prog="madang.science.sequencing")
    parser.add_argument("pipeline", choices=["germline"])
    parser.add_argument("--reads", nargs="+", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sample", default="")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--ploidy", type=int, choices=[1, 2])
    given = parser.parse_args()
    try:
        bundle = find_bundle(given.reference)
        result = germline(
            given.reads,
            bundle,
            given.out,
            sample=given.sample,
            cores=given.cores,
            ploidy=given.ploidy,
            said=lambda text: print(text, flush=True),
        )
    except MadangError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return 2
    print(f"{result.summary['variants']['total']} variants")
    return 0


if __name__ == "__main__":
    sys.exit(main())
