"""A search for substructures in a process of its own, so that a pattern that explodes can be ended."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from madang.base.errors import MadangError
from madang.node.home import Home


def main() -> None:
    """Read what is asked from standard input, write hits or an error as JSON."""
    from madang.science.chemistry.search import Index, combined
    from madang.services.discovery.command_search import index_folder

    asked = json.load(sys.stdin)
    home = Home(Path(asked["home"]))
    try:
        found = combined(
            Index(home.lake().find(asked["reference"]), index_folder(home)),
            similar_to=asked["similar"],
            contains=asked["smarts"],
            structure=asked["exact"],
            where=asked["where"],
            top=asked["top"],
            threshold=asked["threshold"],
        )
    except MadangError as error:
        json.dump({"error": [error.code, error.message, error.hint]}, sys.stdout)
        return
    hits = [asdict(hit) for hit in found.hits]
    json.dump({"hits": hits, "compared": found.compared, "total": found.total, "most": found.most}, sys.stdout)


if __name__ == "__main__":
    main()
