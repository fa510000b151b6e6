"""The process that runs a teacher's test cells: names of the answer are asked of the process that runs the answer.

A test cell such as `assert squares(3) == [1, 4, 9]` runs here, `squares` being a stand-in whose call is carried to the
other box and whose result comes back as plain values. So no object of the answer is ever in this process.
"""

import builtins
import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

_typed: Callable[[], Any] = importlib.import_module("learner")._typed  # the file beside this one

Ask = Callable[[dict[str, Any]], dict[str, Any]]


class Far:
    """Something of the answer that can be called."""

    def __init__(self, names: "Names", handle: int) -> None:
        self._names, self._handle = names, handle

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call it where the answer is."""
        carried: dict[str, Any] = {"args": [self._names.carried(each) for each in args]}
        carried |= {"named": {name: self._names.carried(each) for name, each in named.items()}}
        return self._names.back(self._names.ask({"op": "apply", "handle": self._handle, **carried}))


class Names(dict[str, Any]):
    """The global names of a test cell: its own, and behind them those of the answer."""

    def __init__(self, ask: Ask, typed: Any) -> None:
        super().__init__(__builtins__=builtins, __name__="__main__")
        self.ask, self.typed = ask, typed
        self.defined: frozenset[str] = frozenset()  # what the reference answer defines

    def __getitem__(self, name: str) -> Any:
        if name in self or (hasattr(builtins, name) and name not in self.defined):
            return super().__getitem__(name)
        found = self.ask({"op": "get", "name": name})
        if found.get("missing"):
            raise KeyError(name)
        return self.back(found)

    def __setitem__(self, name: str, value: Any) -> None:
        """A name of the answer goes to the answer; whatever else a test keeps, stays here and is never carried."""
        if name in self.defined:
            self.ask({"op": "set", "name": name, "given": self.carried(value)})
        else:
            super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        if super().pop(name, self) is self and self.ask({"op": "delete", "name": name}).get("missing"):
            raise KeyError(name)

    def carried(self, value: Any) -> dict[str, Any]:
        """A value as it is carried to the answer."""
        if isinstance(value, Far):
            return {"handle": value._handle}
        return {"value": self.typed.encode(value)}

    def back(self, told: dict[str, Any]) -> Any:
        """What came back from the answer: a plain value, a stand-in, or an error of Python's own kinds."""
        if "handle" in told:
            return Far(self, told["handle"])
        if "raised" in told:
            kinds = [getattr(builtins, name, None) for name in told["raised"]]
            kind = next((each for each in kinds if isinstance(each, type) and issubclass(each, Exception)), Exception)
            try:
                raise kind(told.get("text", ""))
            except TypeError:
                raise Exception(told.get("text", "")) from None
        return self.typed.decode(told["value"])


def main() -> None:
    """Run test cells as they come; each `ask` is a line out and a line in."""
    source, target = os.fdopen(os.dup(0), "rb"), os.dup(1)
    os.dup2(2, 1)
    typed = _typed()

    def tell(what: dict[str, Any]) -> None:
        data = json.dumps(what, ensure_ascii=True).encode() + b"\n"
        while data:
            data = data[os.write(target, data) :]

    def ask(what: dict[str, Any]) -> dict[str, Any]:
        tell({"ask": what})
        return dict(json.loads(source.readline()))

    tell({"ready": True})
    names = Names(ask, typed)
    for line in source:
        given = json.loads(line)
        try:
            names.defined = frozenset(given["defined"])
            if "value_of" in given:
                value = eval(compile(given["value_of"], "<test>", "eval", dont_inherit=True), names)
                tell({"end": True, "value": typed.encode(str(value) if isinstance(value, type) else value)})
                continue
            exec(compile(given["source"], "<test>", "exec", dont_inherit=True), names)
            tell({"end": True})
        except BaseException as error:
            tell({"end": False, "kind": type(error).__name__, "text": str(error)[:300]})


if __name__ == "__main__":
    main()
