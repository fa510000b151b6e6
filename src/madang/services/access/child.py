"""The closed process that computes a study: reads one question from its input, writes the files of each result."""

import json
import sys
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.research.study import output_of
from madang.science.privacy.outputs.compute import compute
from madang.science.privacy.outputs.queries import query_of
from madang.science.privacy.outputs.rules import Rules


def main() -> None:
    """Answer what `studies.run` asks."""
    sys.stdout.write(json.dumps(answers(json.load(sys.stdin.buffer))))


def answers(question: dict[str, Any]) -> list[dict[str, Any]]:
    """For every query its files as `madang.research` saves them, or why it could not be computed."""
    found = []
    with Engine(question["memory"], threads=2, preserve_insertion_order=True) as engine:
        for name, paths in question["tables"].items():
            engine.execute(f"CREATE VIEW {quote_name(name)} AS FROM read_parquet({quote_paths(paths)})")
        engine.confine(Path(path) for paths in question["tables"].values() for path in paths)
        for name, document in question["queries"].items():
            try:
                output = output_of(compute(engine, query_of(document), Rules()), Rules())
            except MadangError as error:
                found.append({"name": name, "error": f"{error.message} {error.hint or ''}".strip(), "files": {}})
                continue
            declared = json.dumps(output.query.document(), ensure_ascii=False)
            files = {f"{name}.csv": output.csv(), f"{name}.query.json": declared}
            found.append({"name": name, "error": "", "files": files})
    return found


if __name__ == "__main__":
    main()
