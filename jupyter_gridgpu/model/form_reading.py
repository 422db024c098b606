"""Reads the body of a cell as the rows of a form.

What the form has no fields for stays as lines: `epochs = list(range(10))` is a row of lines. So a
form that is opened on a cell writes a cell that means the same, with the comments of the first.
"""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from jupyter_gridgpu.model.form_cell import ParameterEntry, ParameterFacts
from jupyter_gridgpu.model.form_rows import (
    ASSERT,
    ELIF,
    ELSE,
    IF,
    PARAMETER,
    TEXT,
    TOGETHER,
    FormRow,
)
from jupyter_gridgpu.model.operations import CALLS
from jupyter_gridgpu.model.typed_values import LIST, parsed_expression, typed_line

# The functions of ranges: logarithmic, and with so many points.
_RANGES = {
    "uniform": (False, False),
    "integer": (False, False),
    "loguniform": (True, False),
    "logint": (True, False),
    "linspace": (False, True),
    "geomspace": (True, True),
}
_WHOLE = ("integer", "logint")
_VALUES = (
    ast.Constant, ast.Name, ast.Load, ast.List, ast.Tuple, ast.Dict, ast.UnaryOp, ast.unaryop,
    ast.BinOp, ast.operator, ast.BoolOp, ast.boolop, ast.Compare, ast.cmpop, ast.IfExp,
)  # fmt: skip
Start = Callable[[str], ParameterEntry]


def rows_of(body: str, facts: Mapping[str, ParameterFacts], start: Start) -> list[FormRow]:
    """Return the rows of a cell body.

    `facts` are of the parameters that the form knows; `start` makes the entry of one before the
    user has changed anything.
    """
    text = textwrap.dedent(body).strip("\n")
    try:
        tree, comments = ast.parse(text), _comments(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return _numbered([FormRow("", TEXT, text=text)]) if text.strip() else []
    reader = _Reader(text, comments, facts, start)
    reader.block(tree.body, 0)
    reader.comments_before(len(reader.lines) + 1, 0)
    return _numbered(reader.rows)


def _numbered(rows: Sequence[FormRow]) -> list[FormRow]:
    """Return the rows with names: that of the parameter, or a number where that is taken."""
    taken: set[str] = set()
    found: list[FormRow] = []
    for row in rows:
        name = "" if row.entry is None else row.entry.name
        ident = name if name and name not in taken else f"row {len(found) + 1}"
        taken.add(ident)
        found.append(replace(row, ident=ident))
    return found


def _comments(text: str) -> dict[int, str]:
    """Return the comments by their lines, from 1."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


class _Reader:
    """Makes rows of statements, one after another."""

    def __init__(
        self, text: str, comments: dict[int, str], facts: Mapping[str, ParameterFacts], start: Start
    ) -> None:
        self.lines = text.split("\n")
        self.rows: list[FormRow] = []
        self._text = text
        self._comments = comments
        self._facts = facts
        self._start = start

    def block(self, nodes: Sequence[ast.stmt], level: int) -> None:
        """Add the rows of some statements."""
        for node in nodes:
            self.comments_before(node.lineno, level)
            if isinstance(node, ast.If) and _is_formula(node.test):
                self._condition(node, level)
            elif not isinstance(node, ast.Pass) or not level:
                self.rows.append(self._row(node, level))

    def comments_before(self, line: int, level: int) -> None:
        """Add a row of the comments above a line that no row has yet."""
        above = [self._comments.pop(number) for number in sorted(self._comments) if number < line]
        if above:
            self.rows.append(FormRow("", TEXT, level, "\n".join(above)))

    def _condition(self, node: ast.If, level: int, word: str = IF) -> None:
        first = node.body[0].lineno
        note = self._note(node.lineno, min(node.lineno, first - 1))
        self.rows.append(FormRow("", word, level, self._source(node.test), note))
        self.block(node.body, level + 1)
        if not node.orelse:
            return
        (other, *more) = node.orelse
        is_elif = isinstance(other, ast.If) and self.lines[other.lineno - 1].lstrip()[:4] == "elif"
        if isinstance(other, ast.If) and is_elif and not more and _is_formula(other.test):
            self.comments_before(other.lineno, level + 1)
            self._condition(other, level, ELIF)
            return
        self.comments_before(other.lineno, level + 1)
        self.rows.append(FormRow("", ELSE, level))
        self.block(node.orelse, level + 1)

    def _note(self, first: int, last: int) -> str:
        """Take the comments behind some lines, and return them as one."""
        found = [self._comments.pop(line, "") for line in range(first, last + 1)]
        return " ".join(text.lstrip("# ") for text in found if text)

    def _row(self, node: ast.stmt, level: int) -> FormRow:
        row = self._assert(node) or self._assignment(node) or self._together(node)
        if row is None:
            end = node.end_lineno or node.lineno
            for line in range(node.lineno, end + 1):  # they stand in the lines
                self._comments.pop(line, None)
            lines = self.lines[node.lineno - 1 : end]
            return FormRow("", TEXT, level, textwrap.dedent("\n".join(lines)))
        note = self._note(node.lineno, node.end_lineno or node.lineno)
        return replace(row, level=level, note=typed_line(note))

    def _assert(self, node: ast.stmt) -> FormRow | None:
        if not isinstance(node, ast.Assert) or node.msg is not None or not _is_formula(node.test):
            return None
        return FormRow("", ASSERT, text=self._source(node.test))

    def _assignment(self, node: ast.stmt) -> FormRow | None:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            return None
        if not isinstance(target, ast.Name) or target.id not in self._facts or node.value is None:
            return None
        entry = self._entry(target.id, node.value)
        if entry is None:
            return None
        return FormRow("", PARAMETER, entry=entry, written=True)

    def _together(self, node: ast.stmt) -> FormRow | None:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            return None
        target, call = node.targets[0], node.value
        names = [getattr(item, "id", "") for item in getattr(target, "elts", ())]
        if _called(call) != "together" or len(call.args) != 1 or call.keywords:
            return None
        rows = getattr(call.args[0], "elts", None)
        if rows is None or len(names) < 2 or not set(names) <= set(self._facts):
            return None
        cells = [getattr(row, "elts", ()) for row in rows]
        if any(len(row) != len(names) or not all(map(_is_value, row)) for row in cells):
            return None
        texts = tuple(tuple(map(self._source, row)) for row in cells)
        return FormRow("", TOGETHER, names=tuple(names), cells=texts)

    def _entry(self, name: str, value: ast.expr) -> ParameterEntry | None:
        """Return the entry of an assignment, or None if the form has no fields for it."""
        about, entry = self._facts[name], self._start(name)
        if isinstance(value, ast.Call) and _called(value) not in CALLS:
            return self._call(entry, about, value)
        if isinstance(value, (ast.List, ast.Tuple)) and about.kind != LIST:
            return self._list(entry, value.elts)
        # A variable may hold several values.
        is_variable = isinstance(value, ast.Name) and value.id not in self._facts
        if is_variable or about.kind == LIST or not _is_formula(value):
            return None
        return replace(entry, kind="fixed", value=self._source(value))

    def _call(
        self, entry: ParameterEntry, about: ParameterFacts, call: ast.Call
    ) -> ParameterEntry | None:
        word, args = _called(call), call.args
        steps = [item.value for item in call.keywords if item.arg == "step"]
        if len(call.keywords) != len(steps) or not all(map(_is_value, [*args, *steps])):
            return None
        texts = [self._source(item) for item in [*args, *steps]]
        if word in _RANGES:
            return _range_entry(entry, about, word, texts, bool(steps))
        if steps:
            return None
        if word in ("choice", "ordinal"):
            listed = args[0].elts if len(args) == 1 and isinstance(args[0], ast.List) else args
            if len(args) == 1 and listed is args:
                return None
            made = self._list(entry, listed)
            return made and replace(made, ordered=word == "ordinal")
        if len(args) != 1 or word not in ("fixed", "repeats"):
            return None
        if word == "repeats":
            return replace(entry, kind="repeats", times=texts[0])
        is_plain = not isinstance(args[0], ast.Name) or about.kind in (LIST, None)
        return replace(entry, kind="fixed", value=texts[0]) if is_plain else None

    def _list(self, entry: ParameterEntry, items: Sequence[ast.expr]) -> ParameterEntry | None:
        if not items or not all(map(_is_value, items)):
            return None
        text = ", ".join(map(self._source, items))
        return replace(entry, kind="list", items=text, ordered=False) if _fits(text) else None

    def _source(self, node: ast.expr) -> str:
        """Return an expression as it is written; on one line, if it is on several."""
        text = ast.get_source_segment(self._text, node) or ""
        return text if _fits(text) and "\n" not in text else ast.unparse(node)


def _range_entry(
    entry: ParameterEntry, about: ParameterFacts, word: str, texts: Sequence[str], by_step: bool
) -> ParameterEntry | None:
    """Return the entry of a range, or None if the form would write it in another way."""
    log, stepped = _RANGES[word]
    made = replace(entry, kind="range", log=log, stepped=stepped, by_step=by_step)
    # For whole numbers, the form writes other functions.
    if about.whole != (word in _WHOLE) or len(texts) != 2 + (stepped or by_step):
        return None
    if by_step and (stepped or log):
        return None
    made = replace(made, low=texts[0], high=texts[1])
    if by_step:
        return replace(made, step=texts[2])
    return replace(made, points=texts[2]) if stepped else made


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "id", ""))


def _is_value(node: ast.expr) -> bool:
    """Return whether an expression is one that the form looks into."""
    return all(isinstance(part, _VALUES) for part in ast.walk(node))


def _is_formula(node: ast.expr) -> bool:
    """Return whether an expression is one that the form looks into, which may call functions."""
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    others = (part for part in ast.walk(node) if not isinstance(part, ast.Call))
    return all(_called(call) in CALLS and not call.keywords for call in calls) and all(
        isinstance(part, _VALUES) for part in others
    )


def _fits(text: str) -> bool:
    """Return whether a text is the same in a field of the form."""
    return typed_line(text) == text and parsed_expression(f"[{text}]") is not None
