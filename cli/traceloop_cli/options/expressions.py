# SPDX-License-Identifier: Apache-2.0
r"""Parses the expressions of ``--where``, such as ``errno == ENOENT && comm =~ "nginx"``, into conditions.

The grammar is below, in lark's notation; `selection.fields` of traceloop_decode has the fields.
In text, a backslash before the quote that it is in stands for the quote; others mean themselves, as in ``"\d+\.conf"``.
lark is loaded only when an expression is given.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from traceloop_decode.selection.conditions import (
    Comparison,
    Condition,
    Either,
    Every,
    Literal,
    Opposite,
    comparison,
    field_named,
)
from traceloop_decode.selection.fields import FIELDS, Kind
from traceloop_decode.spans import span_ns

if TYPE_CHECKING:
    from lark import Lark, Token, UnexpectedInput

_GRAMMAR: Final = r"""
    ?start: either
    ?either: every ((_OR | _OR_SIGN) every)*
    ?every: unary ((_AND | _AND_SIGN) unary)*
    ?unary: (_NOT | _NOT_SIGN) unary -> opposite
        | "(" either ")"
        | NAME SIGN value -> compared
        | NAME _IN "(" value ("," value)* ")" -> compared
        | NAME -> flag
    !?value: NAME | CLASS | TEXT | SPAN | NUMBER

    _OR: "or"
    _OR_SIGN: "||"
    _AND: "and"
    _AND_SIGN: "&&"
    _NOT: "not"
    _NOT_SIGN: "!"
    _IN: "in"
    SIGN: "==" | "!=" | "=~" | "!~" | "<=" | "<" | ">=" | ">"
    NAME: /[A-Za-z_][A-Za-z0-9_]*/
    CLASS: /%[a-z_]+/
    TEXT: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s
    SPAN.2: /[0-9]+(?:\.[0-9]+)?(?:ns|us|ms|s|min|m|h|d)\b/
    NUMBER: /-?(?:0x[0-9a-fA-F]+|[0-9]+)\b/
    %ignore /\s+/
"""
_EXPECTED: Final = {  # terminal -> its description in errors, in this order
    "SIGN": "a comparison (== != =~ !~ < <= > >=)",
    "_IN": "in (...)",
    "_NOT": "not",
    "LPAR": "(",
    "COMMA": ",",
    "RPAR": ")",
    "_AND": "and",
    "_OR": "or",
    "$END": "the end",
}
_VALUES: Final = frozenset(("CLASS", "TEXT", "SPAN", "NUMBER"))
_NAME: Final = "NAME"
_IS: Final = "=="
_LENGTH_MAX: Final = 4096


class ExpressionError(ValueError):
    """Text that is no expression, or that compares what cannot be compared. The message begins with the position."""


def parsed(text: str) -> Condition:
    """Returns the condition that an expression means. Raises ExpressionError."""
    from lark import UnexpectedInput  # noqa: PLC0415 - loading it takes 40 ms

    if len(text) > _LENGTH_MAX:
        raise ExpressionError(f"position {_LENGTH_MAX}: the expression is longer than {_LENGTH_MAX} characters")
    try:
        return _condition(_parser().parse(text))
    except UnexpectedInput as error:
        raise ExpressionError(_unexpected(error, text)) from error
    except RecursionError as error:
        raise ExpressionError("position 1: the expression is nested too deeply") from error


@cache
def _parser() -> Lark:
    from lark import Lark  # noqa: PLC0415

    return Lark(_GRAMMAR, parser="lalr")


def _condition(tree: Any) -> Condition:
    if tree.data == "every":
        return Every(tuple(map(_condition, tree.children)))
    if tree.data == "either":
        return Either(tuple(map(_condition, tree.children)))
    if tree.data == "opposite":
        return Opposite(_condition(tree.children[0]))
    name, *rest = tree.children
    field = _checked(name, lambda: field_named(str(name)))
    if tree.data == "flag":
        if FIELDS[field].kind is not Kind.FLAG:
            raise ExpressionError(f"position {_position(name)}: {field} must be compared, as in {_example(field)}")
        return Comparison(field)
    sign = str(rest.pop(0)) if rest[0].type == "SIGN" else _IS
    made: Condition = _checked(rest[0], lambda: comparison(field, sign, map(_literal, rest)))
    return made


def _checked(token: Token, made: Any) -> Any:
    try:
        return made()
    except ExpressionError:
        raise
    except ValueError as error:
        raise ExpressionError(f"position {_position(token)}: {error}") from error


def _position(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _literal(token: Token) -> Literal:
    if token.type == "TEXT":
        return Literal("text", token[1:-1].replace(f"\\{token[0]}", token[0]))
    if token.type == "SPAN":
        return Literal("span", span_ns(token))
    if token.type == "NUMBER":
        return Literal("number", int(token, 0) if "x" in token else int(token))
    return Literal("word", str(token))


def _example(field: str) -> str:
    examples = {
        Kind.NUMBER: "7",
        Kind.TEXT: '"..."',
        Kind.CALL: "openat",
        Kind.ERROR: "ENOENT",
        Kind.SIGNAL: "SIGTERM",
        Kind.SPAN: "10ms",
    }
    kind = FIELDS[field].kind
    return f"{field} {'>=' if kind is Kind.SPAN else _IS} {examples[kind]}"


def _unexpected(error: UnexpectedInput, text: str) -> str:
    # All the terminals that could stand there, in the words of an error message.
    allowed: set[str] = set()
    for attribute in ("allowed", "expected", "accepts"):  # the last is exact, but some errors lack it
        allowed = set(getattr(error, attribute, None) or allowed)
    words = [description for terminal, description in _EXPECTED.items() if terminal in allowed]
    if allowed >= _VALUES:
        words.insert(0, "a value, such as ENOENT, 5, 10ms or text in quotes")
    elif _NAME in allowed:
        words.insert(0, "a field")
    token = getattr(error, "token", None)
    at = error.pos_in_stream or 0
    ended = token is not None and token.type == "$END"
    found = "the end" if ended else repr(str(token) if token is not None else text[at : at + 1])
    position = len(text) + 1 if ended else at + 1
    expected = " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    return f"position {position}: expected {expected}, not {found}"
