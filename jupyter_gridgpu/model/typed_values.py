"""Checks texts that a user types into a form: each must be one value, or several.

A form checks texts while they are typed. So a text is parsed as Python and looked at before the
grammar evaluates it, and only values and arithmetic on numbers pass. A call never passes, so that
checking a half-written text cannot run anything:

    0.1, 2 * lr, "adam", [256, 128]     values
    0,1                                 a mistake, with 0.1 as a suggestion
    open("file")                        refused: the cell takes it, the form does not
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.axis_words import FUNCTIONS

TEXT_LIMIT = 2000  # characters
DEPTH_LIMIT = 100  # levels of an expression
NAME_SHOWN = 60  # characters of a name in a complaint
# Kinds of values, as the texts of the form name them.
NUMBER, TEXT, TRUTH, LIST = "a number", "a string", "True or False", "a list"
_COMPLAINTS = {
    NUMBER: "Not a number.",
    TEXT: "Not a text in quotes.",
    TRUTH: "Neither True nor False.",
}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
# Powers may be huge and take for ever, so both sides are limited.
_LARGEST_BASE, _LARGEST_EXPONENT = 10**6, 100
_Names = Mapping[str, Any]


class FieldError(SpaceError):
    """One field of a form is wrong; `part` names the input, `suggestion` is a text that fits."""

    def __init__(self, text: str, part: str = "", suggestion: str | None = None) -> None:
        """Keep what the form shows beside the field."""
        super().__init__(text)
        self.part = part
        self.suggestion = suggestion


def typed_line(text: object) -> str:
    """Return a typed text as one line of at most TEXT_LIMIT characters; "" if it is no text."""
    if not isinstance(text, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in text[:TEXT_LIMIT]).strip()


def parsed_expression(text: str) -> ast.expr | None:
    """Return the text as one expression, or None if it is none or nested too deeply."""
    try:
        with warnings.catch_warnings():
            # Python warns of odd code, for example of `1 is 1`. A user who types sees no log.
            warnings.simplefilter("ignore")
            found = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    # The expression must reach to the end: a comment would swallow what the text is put into.
    if found.end_col_offset != len(text.encode()) or _depth(found) > DEPTH_LIMIT:
        return None
    return found


def _depth(node: ast.AST) -> int:
    """Return how deeply an expression is nested.

    The levels are counted one after another, since recursion could end in a RecursionError.
    """
    depth, level = 0, [node]
    while level:
        depth += 1
        level = [child for parent in level for child in ast.iter_child_nodes(parent)]
    return depth


def check_one(text: str, part: str, kind: str | None, names: _Names) -> None:
    """Raise FieldError unless the text is one value, of the kind `kind` if that is not None.

    `part` names the input of the form. `names` are the variables that the text may use.
    """
    problem = _problem(text, part, kind, names)
    if problem is not None:
        raise FieldError(problem, part, _suggestion(text, part, kind, names))


def check_several(text: str, part: str, kind: str | None, names: _Names) -> None:
    """Raise FieldError unless the text is values with commas between them.

    The parameters are those of `check_one`; `kind` only helps to make a suggestion.
    """
    if not text:
        raise FieldError("Give at least one value, with commas between several.", part)
    problem: str | None = "Write values with commas between them."
    found = parsed_expression(f"[{text}]")
    if isinstance(found, ast.List):
        problem = _refusal(found, names)
    if problem is not None:
        raise FieldError(problem, part, _suggestion_of_several(text, part, kind, names))


def _suggestion_of_several(text: str, part: str, kind: str | None, names: _Names) -> str | None:
    """Return values that were probably meant, each corrected on its own, or None."""
    pieces = [piece.strip() for piece in re.split("[,;]", text)]
    better = ", ".join(_suggestion(piece, part, kind, names) or piece for piece in pieces)
    meant = parsed_expression(f"[{better}]")
    if better == text or not isinstance(meant, ast.List) or _refusal(meant, names) is not None:
        return None
    return better


def _problem(text: str, part: str, kind: str | None, names: _Names) -> str | None:
    """Return why the text is not one value of the kind, or None if it is one."""
    if not text:
        return "Give a value."
    wrong = _COMPLAINTS.get(kind or "")
    item = _only_item(text)
    if item is None:
        return wrong or "Not one value."
    # A single unknown name is probably a text without its quotes.
    if wrong and isinstance(item, ast.Name) and item.id not in names:
        return wrong
    if isinstance(item, ast.Constant) and item.value is None and part == "value":
        return None
    refusal = _refusal(item, names)
    if refusal is None and kind == NUMBER and not _is_numeric(item, names):
        return wrong
    return refusal


def _only_item(text: str) -> ast.expr | None:
    """Return the expression of a text that is one value, or None.

    The text is parsed as the argument of a call. So `1, 2` and `a=1`, which are Python elsewhere,
    are refused: they are no single argument.
    """
    call = parsed_expression(f"x({text})")
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    if len(call.args) != 1 or call.keywords or text.endswith(","):
        return None
    return call.args[0]


def _suggestion(text: str, part: str, kind: str | None, names: _Names) -> str | None:
    """Return a text that was probably meant, or None."""
    for guess in _guesses(text, kind):
        if guess != text and _problem(guess, part, kind, names) is None:
            return guess
    return None


def _guesses(text: str, kind: str | None) -> list[str]:
    """Return texts that may have been meant, the likeliest first."""
    if kind == NUMBER:
        # `1,000` and `10 000` may be one number, `0,2` is one in many countries.
        joined = re.sub(r"(?<=[0-9])[ ,'](?=[0-9]{3}(?![0-9]))", "", text)
        return [
            text.rstrip(","),
            joined,
            text.replace(",", "."),
            text.replace("^", "**"),
            text.strip("\"'"),
        ]
    if kind == TRUTH:
        return [text.capitalize()]
    if kind == TEXT and text and not set(text) & set('"\\'):
        return ['"' + text.strip("'") + '"']
    return []


def _refusal(node: ast.expr, names: _Names) -> str | None:
    """Return what in an expression is more than a value, or None."""
    return next(_refusals(node, names), None)


def _refusals(node: ast.expr, names: _Names) -> Iterator[str]:
    """Yield a sentence for each part of an expression that is more than a value."""
    if isinstance(node, (ast.List, ast.Tuple)):
        for item in node.elts:
            yield from _refusals(item, names)
    # None as a key stands for `{**other}`.
    elif isinstance(node, ast.Dict) and None not in node.keys:
        for part in (*node.keys, *node.values):
            if part is not None:
                yield from _refusals(part, names)
    elif isinstance(node, ast.Name):
        if node.id in FUNCTIONS or node.id not in names or not is_plain(names[node.id]):
            yield f"{node.id[:NAME_SHOWN]} is no variable with a value in this notebook."
    elif not isinstance(node, ast.Constant) and not _is_numeric(node, names):
        yield "Only values can be written here; the cell takes other expressions too."


def is_plain(value: object) -> bool:
    """Return whether a variable holds a value, rather than a function, a model or a file."""
    plain = type(value) in (bool, int, float, str, type(None), list, tuple, dict, range)
    return plain or type(value).__module__ == "numpy"


def _is_numeric(node: ast.expr, names: _Names) -> bool:
    """Return whether an expression is arithmetic on numbers that is soon computed."""
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Name):
        value = names.get(node.id)
        number = type(value) in (int, float) or type(value).__module__ == "numpy"
        return number and node.id not in FUNCTIONS
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, (ast.UAdd, ast.USub)) and _is_numeric(node.operand, names)
    if not isinstance(node, ast.BinOp):
        return False
    if isinstance(node.op, ast.Pow):
        return _is_small(node.left, _LARGEST_BASE) and _is_small(node.right, _LARGEST_EXPONENT)
    if not isinstance(node.op, _OPERATORS):
        return False
    return _is_numeric(node.left, names) and _is_numeric(node.right, names)


def _is_small(node: ast.expr, limit: int) -> bool:
    """Return whether an expression is a number, with or without a sign, of at most `limit`."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        node = node.operand
    if not isinstance(node, ast.Constant):
        return False
    value = node.value
    # A bool is an int to isinstance, and is no number here.
    return type(value) in (int, float) and abs(value) <= limit  # type: ignore[arg-type]
