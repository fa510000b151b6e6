"""The process that runs what a learner wrote: it takes one line of JSON, does it, answers with one line.

Nothing here is to be trusted, nor has to be: whoever wrote the answer can change all of it, and gains nothing, since
what is expected is never in this box and the next input comes only after the last was answered.
"""

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

PLACE = "<answer>"


def _by_file(name: str, path: Path) -> Any:
    """A module by its file, since importing the package would take longer than most answers."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # the file is there
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _typed() -> Any:
    """`madang.science.grading.typed`."""
    return _by_file("madang_typed", Path(__file__).parents[3] / "science" / "grading" / "typed.py")


class Learner:
    """The names of an answer, and what can be asked of them."""

    def __init__(self, typed: Any) -> None:
        self.typed = typed
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        self.handles: list[Any] = []
        self.engine: Any = None

    def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do one thing."""
        try:
            return dict(getattr(self, f"_{asked['op']}")(asked))
        except BaseException as error:
            return _raised(error)

    def _run(self, asked: dict[str, Any]) -> dict[str, Any]:
        exec(compile(asked["source"], PLACE, "exec", dont_inherit=True), self.names)
        return {"done": True}

    def _get(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["name"] not in self.names:
            return {"missing": True}
        return self._told(self.names[asked["name"]])

    def _call(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["name"] not in self.names:
            return {"missing": True}
        arguments = [self.typed.decode(each) for each in asked["args"]]
        return {"value": self.typed.encode(self.names[asked["name"]](*arguments))}

    def _apply(self, asked: dict[str, Any]) -> dict[str, Any]:
        arguments = [self._given(each) for each in asked["args"]]
        named = {name: self._given(each) for name, each in asked["named"].items()}
        return self._told(self.handles[asked["handle"]](*arguments, **named))

    def _set(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.names[asked["name"]] = self._given(asked["given"])
        return {"done": True}

    def _delete(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.names.pop(asked["name"], self) is self:
            return {"missing": True}
        return {"done": True}

    def _given(self, given: dict[str, Any]) -> Any:
        return self.handles[given["handle"]] if "handle" in given else self.typed.decode(given["value"])

    def _told(self, value: Any) -> dict[str, Any]:
        """A value, or a handle for what can only be called."""
        if not callable(value):
            return {"value": self.typed.encode(value)}
        self.handles.append(value)
        return {"handle": len(self.handles) - 1}

    def _sql(self, asked: dict[str, Any]) -> dict[str, Any]:
        from madang.base.errors import MadangError
        from madang.lake.engine import Engine, quote_name

        try:
            with Engine(memory_limit="200MB", threads=1, preserve_insertion_order=True) as engine:
                for name, table in asked["tables"].items():
                    engine.execute(f"CREATE TABLE {quote_name(name)} ({', '.join(table['columns'])})")
                    marks = ", ".join("?" for _column in table["columns"])
                    for row in table["rows"]:
                        engine.execute(f"INSERT INTO {quote_name(name)} VALUES ({marks})", row)
                engine.confine([])
                found = engine.query(engine.one_select(asked["source"]))
                if found.num_rows > 10_000:
                    return {"raised": ["TooMany"], "text": "", "line": 0}
                rows = [list(row.values()) for row in found.to_pylist()]
                return {"value": self.typed.encode({"columns": found.column_names, "rows": rows})}
        except MadangError as error:
            return {"raised": ["SQL"], "text": f"{error.message} {error.hint}".strip()[:400], "line": 0}


def _raised(error: BaseException) -> dict[str, Any]:
    """The names of an error's kinds, its text and the line of the answer at which it came up."""
    line = getattr(error, "lineno", 0) if isinstance(error, SyntaxError) else 0
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == PLACE:
            line = frame.lineno
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        text = ""
    return {"raised": [kind.__name__ for kind in type(error).__mro__], "text": text[:400], "line": line or 0}


def main() -> None:
    """Answer until the input ends. What the answer prints goes to standard error."""
    source = os.fdopen(os.dup(0), "rb")
    target = os.dup(1)
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    typed = _typed()
    if sys.argv[1:] == ["r"]:
        learner = _by_file("madang_in_r", Path(__file__).with_name("in_r.py")).InR(typed.decode)
    elif sys.argv[1:] == ["pipeline"]:
        learner = _by_file("madang_in_flow", Path(__file__).with_name("in_flow.py")).InFlow(typed.encode)
    else:
        learner = Learner(typed)
    if sys.argv[1:] == ["sql"]:
        import madang.lake.engine  # noqa: F401  # ahead, while the box waits
    os.write(target, b'{"ready": true}\n')
    for line in source:
        try:
            told = json.dumps(learner.do(json.loads(line)), ensure_ascii=True)
            sys.stdout.flush()
        except BaseException:
            told = '{"raised": ["Exception"], "text": "", "line": 0}'
        data = told.encode() + b"\n"
        while data:
            data = data[os.write(target, data) :]


if __name__ == "__main__":
    main()
