"""Checks the rows of a form one by one and all together, and makes a space of them.

Each error belongs to a row. A row with an error is left out of the space, and so is what reads its
parameters: so the others can still be counted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_gridgpu.errors import GridGpuError, SpaceError
from jupyter_gridgpu.model.expressions import names_of, quoted
from jupyter_gridgpu.model.form_cell import (
    ParameterEntry,
    ParameterFacts,
    check_entry,
    complaint,
    one_value,
    right_side,
)
from jupyter_gridgpu.model.form_rows import (
    ASSERT,
    ELIF,
    HEADERS,
    IF,
    INDENT,
    TEXT,
    TOGETHER,
    FormRow,
    RowLine,
    block_end,
    cell_rows,
    cell_text,
)
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space import Axis, Choice, Fixed, Range, Repeats, Space, axis_size
from jupyter_gridgpu.model.typed_formulas import check_formula, reads_any
from jupyter_gridgpu.model.typed_values import (
    FieldError,
    check_one,
    is_plain,
    parsed_expression,
)
from jupyter_gridgpu.planning.notebook import Notebook, check_space

NO_CONDITION = 'Give a condition, like optimizer == "sgd".'


@dataclass
class CheckedRows:
    """The rows of a form, their lines, and what is wrong with them.

    `errors` are sent to the browser; each has the row as its field, a part of the row, a sentence,
    and perhaps a suggestion.
    """

    notebook: Notebook
    rows: Sequence[FormRow]
    facts: Mapping[str, ParameterFacts]
    variables: Mapping[str, Any]
    # What lines mean that the form has no fields for, as their user's cell was read: other lines.
    evaluated: Mapping[str, str] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    space: Space | None = None  # of the rows without errors; None if nothing is left of them
    body: str = ""  # the lines of those rows
    lines: list[RowLine] = field(default_factory=list)  # of all rows
    sizes: dict[str, int | None] = field(default_factory=dict)  # points of each row that varies
    follows: dict[str, list[str]] = field(default_factory=dict)  # what derived rows follow from
    unchecked: bool = False  # whether a row has lines that only the cell can evaluate
    _left_out: set[int] = field(default_factory=set)

    def check(self) -> None:
        """Look at each row, and then at the space that they make together."""
        self.lines = cell_rows(self.rows, self.facts, self.variables)
        _RowLoop(self).run()
        self._leave_out_what_depends()
        self._parse()

    def add_error(self, row: int, text: str, part: str = "", suggestion: str | None = None) -> None:
        """Add an error of a row, and leave the row out of the space."""
        where = self.rows[row].ident
        self.errors.append({"field": where, "part": part, "text": text, "suggestion": suggestion})
        self.leave_out(row)

    def leave_out(self, row: int) -> None:
        """Leave a row out of the space, with all that stands below it."""
        self._left_out |= set(range(row, block_end(self.rows, row)))

    def ident_of(self, name: str) -> str:
        """Return the row of a parameter, by which the browser knows it."""
        return next((row.ident for row in self.rows if name in row.given()), name)

    def row_of(self, error: GridGpuError) -> int | None:
        """Return the row that an error of the whole space is about, or None."""
        text = str(error)
        for index, row in enumerate(self.rows):
            found = None if index in self._left_out else parsed_expression(self._formula(row))
            if found is not None and quoted(ast.unparse(found)) in text:
                return index
        if not isinstance(error, SpaceError):
            return None
        for index, row in enumerate(self.rows):
            named = any(re.match(rf"{re.escape(name)}\b", text) for name in row.given())
            if named and index not in self._left_out:
                return index
        return None

    def complain(self, row: int, text: str) -> None:
        """Add what the grammar or the plan says of a row, without its line and its name."""
        text = re.sub(r"^Line \d+(?:, [^:]*)?:? ", "", text)
        first = re.match(r"\w+", text)
        name = next(iter(self.rows[row].given()), "")
        if first is None or first[0] not in self.facts or text.startswith(f"{name}: "):
            text = complaint(text, name)
        self.add_error(row, text)

    def _formula(self, row: FormRow) -> str:
        if row.entry is not None:
            return row.entry.value if row.ident in self.follows else ""
        return row.text if row.row in (*HEADERS, ASSERT) else ""

    def _parse(self) -> None:
        """Parse the rows that are left; the row with an error is left out, until there is none."""
        while True:
            lines = self._lines_left()
            self.body = cell_text(lines)
            if not any(self._counts(line) for line in lines):
                self.body = ""
                return
            try:
                self.space = parse_space(self.body, self.variables)
            except SpaceError as error:
                row = self._row_at(lines, str(error))
                if row is None or row in self._left_out:
                    text = complaint(str(error), "")
                    self.errors.append({"field": "", "part": "", "text": text, "suggestion": None})
                    self.body = ""
                    return
                self.complain(row, str(error))
                self._leave_out_what_depends()
            else:
                return

    def _row_at(self, lines: Sequence[RowLine], text: str) -> int | None:
        """Return the row that a complaint of the grammar is about, or None."""
        found = re.match(r"Line (\d+)", text)
        if found is not None and 0 < int(found[1]) <= len(lines):
            return lines[int(found[1]) - 1].row
        if not text.startswith("repeats()"):
            return None
        # Two parameters cannot both repeat points: the second one is too much.
        kinds = (getattr(row.entry, "kind", "") for row in self.rows)
        return max((index for index, kind in enumerate(kinds) if kind == "repeats"), default=None)

    def _counts(self, line: RowLine) -> bool:
        row = self.rows[line.row]
        return line.row not in self._left_out and bool(row.given())

    def _lines_left(self) -> list[RowLine]:
        """Return the lines; those of rows that are left out are empty, so that all keep numbers."""
        found: list[RowLine] = []
        cut: int | None = None  # the level of a header that is left out, while in its block
        for line in self.lines:
            row = self.rows[line.row]
            if cut is not None and row.level <= cut:
                cut = None
            if line.row not in self._left_out:
                found.append(self._evaluated(line, found))
                continue
            level = row.level if cut is None else cut
            if cut is None and row.row in HEADERS:
                cut = row.level
            # A block needs a line, and a cell no `pass` outside of blocks.
            found.append(RowLine(INDENT * level + "pass" if level else "", line.row))
        return found

    def _evaluated(self, line: RowLine, before: Sequence[RowLine]) -> RowLine:
        """Return a line, or what it means if it is one of lines that are known to the form."""
        row = self.rows[line.row]
        if row.row != TEXT or row.text not in self.evaluated:
            return line
        lines = self.evaluated[row.text].split("\n")
        number = sum(other.row == line.row for other in before)
        blank = "pass" if row.level else ""
        text = lines[number] if number < len(lines) else blank
        return RowLine(INDENT * row.level + text if text else "", line.row)

    def _leave_out_what_depends(self) -> None:
        """Leave out rows that read parameters which no row gives any more."""
        changed = True
        while changed:
            lost = self._lost()
            changed = False
            for index, row in enumerate(self.rows):
                if index not in self._left_out and not lost.isdisjoint(_read_by(row)):
                    self.leave_out(index)
                    changed = True

    def _lost(self) -> set[str]:
        given: set[str] = set()
        lost: set[str] = set()
        for index, row in enumerate(self.rows):
            (lost if index in self._left_out else given).update(row.given())
        return lost - given


class _RowLoop:
    """Looks at each row on its own, from the top to the bottom."""

    def __init__(self, checked: CheckedRows) -> None:
        self._checked = checked
        self._parameters = {name for row in checked.rows for name in row.given()}
        # What values may read: variables, and parameters above that have one value. One for each
        # level, since what a branch gives is not known below it.
        self._known: list[dict[str, Any]] = [_plain_variables(checked.variables)]
        # Of all levels: a condition on variables may make a line count always.
        self._single: dict[str, Any] = {}
        self._written = {line.row for line in checked.lines}

    def run(self) -> None:
        for index, row in enumerate(self._checked.rows):
            while len(self._known) > row.level + 1:
                self._end_block()
            while len(self._known) < row.level + 1:
                self._known.append(dict(self._known[-1]))
            try:
                self._look_at(index, row)
            except FieldError as error:
                self._checked.add_error(index, str(error), error.part, error.suggestion)
            except SpaceError as error:
                self._checked.complain(index, str(error))
                self._forget(row)

    def _end_block(self) -> None:
        """Go back to the level above, where the values of the block's parameters are not known."""
        inner = self._known.pop()
        for name in list(self._known[-1]):
            if name not in inner or inner[name] is not self._known[-1][name]:
                del self._known[-1][name]

    def _forget(self, row: FormRow) -> None:
        for name in row.given():
            self._known[-1].pop(name, None)

    def _look_at(self, index: int, row: FormRow) -> None:
        if row.entry is not None:
            self._parameter(index, row)
        elif row.row == TOGETHER:
            self._together(row)
        elif row.row == TEXT:
            if row.text not in self._checked.evaluated:
                self._checked.unchecked |= _is_code(row.text)
                self._checked.leave_out(index)
            self._forget(row)
        elif row.text:
            self._check_formula(row.text, "text")
        elif row.row in (IF, ELIF, ASSERT):
            raise FieldError(NO_CONDITION, "text")

    def _parameter(self, index: int, row: FormRow) -> None:
        entry, checked = row.entry, self._checked
        assert entry is not None
        known = self._known[-1]
        about = checked.facts[entry.name]
        if right_side(entry, about, checked.variables) is None:
            if index in self._written:  # kept, and read by another row
                axis = parse_space(f"x = {one_value(about.default, about)}").axes["x"]
                self._keep(entry.name, axis)
            return
        open_names = self._parameters - set(known)
        if entry.kind == "fixed" and reads_any(entry.value, open_names):
            self._forget(row)
            found = parsed_expression(entry.value)
            assert found is not None
            self._check_formula(entry.value, "value")
            checked.follows[row.ident] = sorted(names_of(found) & self._parameters)
            return
        self._forget(row)
        axis = check_entry(entry, about, known)
        check_space(checked.notebook, Space({entry.name: axis}))
        if not self._keep(entry.name, axis):
            checked.sizes[row.ident] = _size(axis)

    def _check_formula(self, text: str, part: str) -> None:
        check_formula(text, part, self._parameters, {**self._single, **self._known[-1]})

    def _keep(self, name: str, axis: Axis) -> bool:
        """Remember the value of a parameter that has only one; return whether it has."""
        if isinstance(axis, Fixed):
            self._known[-1][name] = self._single[name] = axis.value
        return isinstance(axis, Fixed)

    def _together(self, row: FormRow) -> None:
        self._forget(row)
        checked = self._checked
        if len(row.names) < 2:
            raise FieldError("Choose at least two parameters that take their values together.")
        if not row.cells:
            raise FieldError("Give at least one row of values.")
        for number, cells in enumerate(row.cells):
            for place, name in enumerate(row.names):
                text = cells[place] if place < len(cells) else ""
                kind = checked.facts[name].kind
                check_one(text, f"{number},{place}", kind, self._known[-1])
        (line,) = cell_rows([row], checked.facts)
        made = parse_space(line.text.strip(), self._known[-1])
        check_space(checked.notebook, made)
        checked.sizes[row.ident] = len(row.cells)


def _plain_variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in variables.items() if is_plain(value)}


def _size(axis: Axis) -> int | None:
    """Return the number of values of an axis, or None if there are infinitely many."""
    if isinstance(axis, Repeats):
        return axis.count
    assert isinstance(axis, (Choice, Range))
    return axis_size(axis)


def _is_code(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.split("\n"))


def _read_by(row: FormRow) -> frozenset[str]:
    """Return the names that a row reads."""
    text = row.text
    if row.entry is not None:
        text = f"[{_text_of(row.entry)}]"
    elif row.row == TOGETHER:
        text = f"[{', '.join(', '.join(cells) for cells in row.cells)}]"
    found = parsed_expression(text) if row.row != TEXT else None
    return frozenset() if found is None else names_of(found)


def _text_of(entry: ParameterEntry) -> str:
    """Return what is typed for the chosen kind."""
    if entry.kind == "range":
        return f"{entry.low}, {entry.high}"
    return {"fixed": entry.value, "list": entry.items}.get(entry.kind, entry.times)
