"""The closed process that computes declared queries again; reads one question from its input, writes the answers."""

import json
import sys
from pathlib import Path
from typing import Any

from madang.lake.engine import Engine, quote_name, quote_paths
from madang.science.privacy.outputs.recompute import hold
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import as_document


def main() -> None:
    """Answer what `verify.held` asks."""
    question = json.load(sys.stdin.buffer)
    sys.stdout.write(json.dumps(answers(question)))


def answers(question: dict[str, Any]) -> list[dict[str, Any]]:
    """For every declared query: whether the shown rows are its own, the criteria, and the counts that it tells."""
    rules = Rules(**question["rules"])
    found = []
    with Engine(question["memory"], threads=2, preserve_insertion_order=True) as engine:
        for name, paths in question["tables"].items():
            engine.execute(f"CREATE VIEW {quote_name(name)} AS FROM read_parquet({quote_paths(paths)})")
        engine.confine(Path(path) for paths in question["tables"].values() for path in paths)
        for item in question["items"]:
            held = hold(item["query"], item["rows"], engine, rules)
            found.append(
                {
                    "match": held.match.value,
                    "sentence": as_document(held.sentence),
                    "findings": [finding.document() for finding in held.findings],
                    "hidden": _hidden(held, item["rows"]),
                    "counts": held.counts,
                }
            )
    return found


def _hidden(held: Any, shown: list[dict[str, Any]]) -> bool:
    """Whether every cell that fails a criterion was left out of what is shown."""
    if held.answer is None:
        return False
    failed = {cell for finding in held.findings if finding.status.value == "fail" for cell in finding.cells}
    by = held.answer.query.by
    if not by:
        return not failed
    numbers = [name for name in held.answer.columns if name not in by]
    return all(
        all(str(row.get(name) or "").strip() == "" for name in numbers)
        for row in shown
        if tuple(str(row.get(name) or "") for name in by) in failed
    )


if __name__ == "__main__":
    main()
