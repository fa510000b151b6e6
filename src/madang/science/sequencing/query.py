"""`python -m madang.science.sequencing.query`: a question to a table of variants, as a program that a box can run."""

import json
import sys
from pathlib import Path

from madang.base.errors import MadangError
from madang.science.sequencing.variants import variants_in


def main() -> int:
    """Answer the question on standard input (table, region, gene, most) as JSON; 2 with a sentence."""
    given = json.load(sys.stdin)
    try:
        rows = variants_in(Path(given["table"]), given["region"], given["gene"], given["most"])
    except MadangError as error:
        print(json.dumps({"code": error.code, "message": error.message, "hint": error.hint}))
        return 2
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
