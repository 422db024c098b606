"""What was typed into a form: one value or several, and nothing that runs.

A text is looked at as a tree of Python before the grammar reads it. Only values and arithmetic on numbers pass, never a
call, so that checking a half-written text cannot do anything.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.grammar import WORDS

TEXT_LIMIT = 2000
DEPTH_LIMIT = 100
NUMBER, TEXT, TRUTH, LIST = "a number", "a string", "True or False", "a list"
_NOT = {NUMBER: "Not a number.", TEXT: "Not a text in quotes.", TRUTH: "Neither True nor False."}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_Names = Mapping[str, Any]


class FieldError(SpaceError):
    """One field of a form is wrong; `part` names the input, `suggestion` is a text that would do there."""

    def __init__(self, text: str, part: str = "", suggestion: str | None = None) -> None:
        super().__init__(text)
        self.part, self.suggestion = part, suggestion


def line(text: object) -> str:
    """Return a typed text as one bounded line."""
    return (
        "".join(c if c.isprintable() else " " for c in text[:TEXT_LIMIT]).strip()
        if isinstance(text, str)
        else ""
    )


def tree(text: str) -> ast.expr | None:
    """Return the text as one expression, or None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = ast.parse(text, mode="eval").body
            whole = found.end_col_offset == len(
                text.encode()
            )  # a comment would swallow what the text is put into
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return found if whole and _depth(found) <= DEPTH_LIMIT else None


def _depth(node: ast.AST) -> int:
    """How deeply an expression is nested, counted without recursion."""
    depth, level = 0, [node]
    while level:
        depth, level = (
            depth + 1,
            [child for parent in level for child in ast.iter_child_nodes(parent)],
        )
    return depth


def check_one(text: str, part: str, kind: str | None, names: _Names) -> None:
    """Raise Slip unless the text is one value, of the kind where that is known."""
    problem = _problem(text, part, kind, names)
    if problem is not None:
        raise FieldError(problem, part, _suggestion(text, part, kind, names))


def check_several(text: str, part: str, kind: str | None, names: _Names) -> None:
    """Raise Slip unless the text is values with commas between them."""
    if not text:
        raise FieldError("Give at least one value, with commas between several.", part)
    found = tree(f"[{text}]")
    problem = (
        _untame(found, names)
        if isinstance(found, ast.List)
        else "Write values with commas between them."
    )
    if problem is not None:
        pieces = [piece.strip() for piece in re.split("[,;]", text)]
        better = ", ".join(_suggestion(piece, part, kind, names) or piece for piece in pieces)
        meant = tree(f"[{better}]")
        fits = better != text and isinstance(meant, ast.List) and _untame(meant, names) is None
        raise FieldError(problem, part, better if fits else None)


def _problem(text: str, part: str, kind: str | None, names: _Names) -> str | None:
    """Say why the text is not one value, or return None."""
    wrong = _NOT.get(kind or "")
    call = tree(f"x({text})")
    if (
        not isinstance(call, ast.Call)
        or not isinstance(call.func, ast.Name)
        or len(call.args) != 1
        or call.keywords
    ):
        return "Give a value." if not text else wrong or "Not one value."
    item = call.args[0]
    if text.endswith(",") or (wrong and isinstance(item, ast.Name) and item.id not in names):
        return wrong or "Not one value."
    if isinstance(item, ast.Constant) and item.value is None and part == "value":
        return None
    if kind == NUMBER and not _is_numeric(item, names) and _untame(item, names) is None:
        return wrong
    return _untame(item, names)


def _suggestion(text: str, part: str, kind: str | None, names: _Names) -> str | None:
    """A text that was probably meant."""
    guesses: list[str] = []
    if kind == NUMBER:
        joined = re.sub(r"(?<=[0-9])[ ,'](?=[0-9]{3}(?![0-9]))", "", text)
        guesses = [
            text.rstrip(","),
            joined,
            text.replace(",", "."),
            text.replace("^", "**"),
            text.strip("\"'"),
        ]
    elif kind == TRUTH:
        guesses = [text.capitalize()]
    elif kind == TEXT and text and not set(text) & set('"\\'):
        guesses = ['"' + text.strip("'") + '"']
    return next(
        (
            guess
            for guess in guesses
            if guess != text and _problem(guess, part, kind, names) is None
        ),
        None,
    )


def _untame(node: ast.expr, names: _Names) -> str | None:
    """Say what in an expression is more than a value, or return None."""
    return next(_complaints(node, names), None)


def _complaints(node: ast.expr, names: _Names) -> Iterator[str]:
    if isinstance(node, (ast.List, ast.Tuple)):
        for item in node.elts:
            yield from _complaints(item, names)
    elif isinstance(node, ast.Dict) and None not in node.keys:
        for item in filter(None, [*node.keys, *node.values]):
            yield from _complaints(item, names)
    elif isinstance(node, ast.Name):
        if node.id in WORDS or node.id not in names or not _is_plain(names[node.id]):
            yield f"{node.id[:60]} is no variable with a value in this notebook."
    elif not isinstance(node, ast.Constant) and not _is_numeric(node, names):
        yield "Only values can be written here; the cell takes other expressions too."


def _is_plain(value: object) -> bool:
    plain = type(value) in (bool, int, float, str, type(None), list, tuple, dict, range)
    return plain or type(value).__module__ == "numpy"


def _is_numeric(node: ast.expr, names: _Names) -> bool:
    """Whether an expression is arithmetic on numbers that is soon computed."""
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Name):
        value = names.get(node.id)
        return node.id not in WORDS and (
            type(value) in (int, float) or type(value).__module__ == "numpy"
        )
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, (ast.UAdd, ast.USub)) and _is_numeric(node.operand, names)
    if not isinstance(node, ast.BinOp):
        return False
    if isinstance(node.op, ast.Pow):
        return _is_small(node.left, 10**6) and _is_small(node.right, 100)
    return (
        isinstance(node.op, _OPERATORS)
        and _is_numeric(node.left, names)
        and _is_numeric(node.right, names)
    )


def _is_small(node: ast.expr, limit: int) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        node = node.operand
    if not isinstance(node, ast.Constant):
        return False
    value = node.value
    # A bool is an int to isinstance, and is no number here.
    return type(value) in (int, float) and abs(value) <= limit  # type: ignore[arg-type]
