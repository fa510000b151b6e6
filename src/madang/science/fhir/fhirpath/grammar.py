"""FHIRPath as text to a tree of tuples: tokens, and a parser by precedence.

Source of the grammar: HL7 FHIRPath N1 (normative release 1 and release 3 where it says more), appendix "Formal
specifications". A tree is a tuple whose first item names what it is: `("literal", value)`, `("name", text)`,
`("call", name, arguments)`, `("dot", left, right)`, `("index", left, inner)`, `("minus", inner)`,
`("binary", operator, left, right)`, `("type", "is" or "as", left, type)`, `("variable", name)`, `("dollar", name)`.
"""

import re
from decimal import Decimal
from typing import Any

from madang.science.fhir.fhirpath.values import CALENDAR, PathError, Quantity, moment

Tree = tuple[Any, ...]
LONGEST, DEEPEST = 20_000, 120  # letters of an expression; brackets in brackets

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<moment>@T?\d[\d:.T+-]*(?:(?<=T)|Z)?|@T\d[\d:.]*)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<quoted>`(?:[^`\\]|\\.)*`)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<variable>%(?:[A-Za-z_][A-Za-z0-9_-]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'|"[^"]*"))
    |(?P<dollar>\$(?:this|index|total))
    |(?P<symbol><=|>=|!=|!~|[-+*/&|<>=~()\[\]{}.,])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
# Operators from loose to tight; those of a level bind to the left.
LEVELS = (
    ("implies",), ("or", "xor"), ("and",), ("in", "contains"), ("=", "~", "!=", "!~"), ("<=", "<", ">", ">="), ("|",),
    ("is", "as"), ("+", "-", "&"), ("*", "/", "div", "mod"),
)  # fmt: skip


def tokens(text: str) -> list[tuple[str, str]]:
    """The tokens of an expression as (kind, text), the end last."""
    if len(text) > LONGEST:
        raise PathError("the expression is too long")
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise PathError(f"what stands at letter {at + 1} is no FHIRPath")
        at = match.end()
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group()))
    return [*found, ("end", "")]


def unescaped(text: str) -> str:
    """The text that a quoted token stands for."""

    def one(match: re.Match[str]) -> str:
        letter = match.group(1)
        return chr(int(letter[1:], 16)) if letter[0] == "u" and len(letter) == 5 else _ESCAPED.get(letter, letter)

    return _ESCAPE.sub(one, text[1:-1])


def parse(text: str) -> Tree:
    """The tree of an expression. Raises `PathError` where it is none."""
    parser = _Parser(tokens(text))
    tree = parser.expression(0)
    if parser.kind != "end":
        raise PathError("something stands after the end of the expression")
    return tree


class _Parser:
    def __init__(self, found: list[tuple[str, str]]) -> None:
        self.tokens, self.at, self.depth = found, 0, 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    @property
    def text(self) -> str:
        return self.tokens[self.at][1]

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def expect(self, symbol: str) -> None:
        if self.kind != "symbol" or self.text != symbol:
            raise PathError(f"{symbol} is missing")
        self.at += 1

    def expression(self, level: int) -> Tree:
        if level == len(LEVELS):
            return self.signed()
        if level == 0:
            self.depth += 1
            if self.depth > DEEPEST:
                raise PathError("brackets are nested too deeply")
        left = self.expression(level + 1)
        while self.kind in ("symbol", "word") and self.text in LEVELS[level]:
            operator = self.take()
            if operator in ("is", "as"):
                left = ("type", operator, left, self.type_name())
            else:
                left = ("binary", operator, left, self.expression(level + 1))
        if level == 0:
            self.depth -= 1
        return left

    def signed(self) -> Tree:
        if self.kind == "symbol" and self.text in "+-":
            return ("minus", self.signed()) if self.take() == "-" else ("plus", self.signed())
        return self.term()

    def term(self) -> Tree:
        tree = self.first()
        while self.kind == "symbol" and self.text in (".", "["):
            if self.take() == ".":
                tree = ("dot", tree, self.step())
            else:
                tree = ("index", tree, self.expression(0))
                self.expect("]")
        return tree

    def first(self) -> Tree:
        kind = self.kind
        if kind == "symbol" and self.text == "(":
            self.take()
            tree = self.expression(0)
            self.expect(")")
            return ("group", tree)
        if kind == "symbol" and self.text == "{":
            self.take()
            self.expect("}")
            return ("empty",)
        if kind == "string":
            return ("literal", unescaped(self.take()))
        if kind == "number":
            return ("literal", self.number())
        if kind == "moment":
            return ("literal", self.moment())
        if kind == "variable":
            name = self.take()[1:]
            return ("variable", unescaped(name) if name[0] in "`'\"" else name)
        if kind == "word" and self.text in ("true", "false"):
            return ("literal", self.take() == "true")
        return self.step()

    def number(self) -> Any:
        text = self.take()
        value = Decimal(text) if "." in text else int(text)
        if self.kind == "string":
            return Quantity(Decimal(value), unescaped(self.take()))
        if self.kind == "word" and self.text in CALENDAR:
            return Quantity(Decimal(value), CALENDAR[self.take()])
        return value

    def moment(self) -> Any:
        text = self.take()[1:]
        while text.endswith("."):  # the dot belongs to what is asked of the moment
            text = text[:-1]
            self.at -= 1
            self.tokens[self.at] = ("symbol", ".")
        value = moment(text, literal=True)
        if value is None:
            raise PathError("a date or time is written wrongly")
        return value

    def step(self) -> Tree:
        kind = self.kind
        if kind == "dollar":
            return ("dollar", self.take()[1:])
        if kind == "quoted":
            return ("name", unescaped(self.take()))
        if kind != "word":
            raise PathError("a name is missing")
        name = self.take()
        if self.kind != "symbol" or self.text != "(":
            return ("name", name)
        self.take()
        if name in ("is", "as", "ofType"):
            wanted = self.type_name()
            self.expect(")")
            return ("call", name, (("literal", wanted),))
        arguments = []
        while self.text != ")" or self.kind != "symbol":
            arguments.append(self.expression(0))
            if self.kind == "symbol" and self.text == ",":
                self.take()
                if self.text == ")":
                    raise PathError("an argument is missing")
            elif self.text != ")":
                raise PathError(") is missing")
        self.take()
        return ("call", name, tuple(arguments))

    def type_name(self) -> str:
        parts = []
        while True:
            if self.kind not in ("word", "quoted", "string"):
                raise PathError("the name of a type is missing")
            parts.append(unescaped(self.take()) if self.tokens[self.at][0] != "word" else self.take())
            if self.kind != "symbol" or self.text != ".":
                return ".".join(parts)
            self.take()
