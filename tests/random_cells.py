"""Cells of all kinds of lines, by chance, and what they mean to Python itself.

A cell is Python but for its axes. So its points are found by running it as a program, once for each
combination of values of the axes: nothing here reads the code that is tested.
"""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

LINES = 150  # of a cell: less than what a space may have
NAMES = [f"p{number}" for number in range(9)]
# What the notebook holds: its own values of the parameters, and variables.
DEFAULTS: dict[str, Any] = {name: number - 3 for number, name in enumerate(NAMES)}
VARIABLES: dict[str, Any] = {"k": 3, "words": ["s", "t"], "table": {"most": 2}, "none": None}
# Right sides of axes, as a cell has them, and the values that they stand for.
AXES: list[tuple[str, list[Any]]] = [
    ("[0, 1]", [0, 1]),
    ("[2, -1, 0]", [2, -1, 0]),
    ("[k, 1]", [3, 1]),
    ("[2]", [2]),
    ("choice(-2, 0)", [-2, 0]),
    ("ordinal(0, 1, 3)", [0, 1, 3]),
    ("integer(-1, 1)", [-1, 0, 1]),
    ("integer(0, 3, step=2)", [0, 2]),
    ("uniform(0, 0.2, step=0.1)", [0.0, 0.1, 0.2]),
    ("linspace(0, 1, 2)", [0.0, 1.0]),
    ("[True, False]", [True, False]),
    ("[2**i for i in range(2)]", [1, 2]),
]
TEXTS: list[tuple[str, list[Any]]] = [('["s", "t"]', ["s", "t"]), ("words", ["s", "t"])]
ROWS = [
    ("together([(1, 2), (0, -1)])", [(1, 2), (0, -1)]),
    ("together(zip([1, 0, 2], [0, 1, 2]))", [(1, 0), (0, 1), (2, 2)]),
    ("together([(0, 3)])", [(0, 3)]),
]


@dataclass
class Cell:
    """A cell, and the same as a program that takes the value of each axis from PICKS."""

    risky: bool = False  # whether its expressions may have no value
    lines: list[str] = field(default_factory=list)
    program: list[str] = field(default_factory=list)
    options: dict[str, list[Any]] = field(default_factory=dict)  # by the key of the axis

    @property
    def text(self) -> str:
        """The body of the cell."""
        return "\n".join(self.lines)

    def add(self, level: int, line: str, program: str = "") -> None:
        """Add a line, and the line of the program where that is another one."""
        self.lines.append("    " * level + line)
        self.program.append("    " * level + (program or line))

    def picks(self) -> Iterator[dict[str, Any]]:
        """Yield each combination of values of all axes."""
        for values in itertools.product(*self.options.values()):
            yield dict(zip(self.options, values, strict=True))

    def size(self) -> int:
        """Return how many combinations there are."""
        return math.prod(map(len, self.options.values()))

    def meaning(self) -> Meaning:
        """Return what the cell means to Python."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of `1 is not None`
            return Meaning(compile("\n".join(self.program), "<cell>", "exec"))


@dataclass
class Meaning:
    """Runs the program of a cell."""

    code: Any

    def params(self, picks: dict[str, Any]) -> dict[str, Any] | Exception | None:
        """Return the active parameters; None where a constraint is not met; or what went wrong."""
        found: dict[str, Any] = {}
        try:
            exec(self.code, {**DEFAULTS, **VARIABLES, "PICKS": picks}, found)
        except AssertionError:
            return None
        except Exception as error:  # whatever Python has to say of an expression
            return error
        return found


class Writer:
    """Writes the lines of a cell that read only what is given above them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cell = Cell(risky=self.random.random() < 0.4)
        self.keys: dict[str, int] = {}
        self.texts: set[str] = set()  # the parameters whose values are texts

    def block(self, given: list[str], free: list[str], level: int) -> None:
        """Write some lines; `given` and `free` are changed."""
        count = self.random.randint(3, 8) if level == 0 else self.random.randint(1, 3)
        begin = len(self.cell.lines)
        for _ in range(count):
            kinds = ["axis", "axis", "fixed"] * bool(free) + ["rows"] * (len(free) > 1)
            if given:
                kinds += ["require"] + ["derived"] * bool(free) + ["when"] * 2 * (level < 3)
            if kinds:
                getattr(self, f"_{self.random.choice(kinds)}")(given, free, level)
        if len(self.cell.lines) == begin:
            self.cell.add(level, "pass")

    def _key(self, names: str) -> str:
        self.keys[names] = self.keys.get(names, 0) + 1
        return names if self.keys[names] == 1 else f"{names} ({self.keys[names]})"

    def _drawn(self, names: str, option: tuple[str, list[Any]], level: int) -> None:
        key = self._key(names)
        self.cell.options[key] = option[1]
        self.cell.add(level, f"{names} = {option[0]}", f"{names} = PICKS[{key!r}]")

    def _axis(self, given: list[str], free: list[str], level: int) -> None:
        name = free.pop(0)
        given.append(name)
        is_text = self.random.random() < 0.15
        if is_text:
            self.texts.add(name)
        self._drawn(name, self.random.choice(TEXTS if is_text else AXES), level)

    def _rows(self, given: list[str], free: list[str], level: int) -> None:
        names = [free.pop(0), free.pop(0)]
        given += names
        self._drawn(", ".join(names), self.random.choice(ROWS), level)

    def _fixed(self, given: list[str], free: list[str], level: int) -> None:
        name = free.pop(0)
        given.append(name)
        right = self.random.choice(["0", "1", "-2", "0.5", "k", "table['most']", "True", "none"])
        if right == "none" and not self.cell.risky:
            right = "3"
        self.cell.add(level, f"{name} = {right}")

    def _derived(self, given: list[str], free: list[str], level: int) -> None:
        right = self.value(given, 0)
        name = free.pop(0)
        given.append(name)
        self.cell.add(level, f"{name} = {right}")

    def _require(self, given: list[str], free: list[str], level: int) -> None:
        # One that reads nothing is decided for all points at once, so it is rare.
        reading = level > 0 or self.random.random() < 0.98
        self.cell.add(level, f"assert {self.condition(given, reading)}")

    def _when(self, given: list[str], free: list[str], level: int) -> None:
        ways: list[tuple[list[str], list[str]]] = []
        for word in ["if", *["elif"] * self.random.choice([0, 0, 1]), "else"]:
            if word == "else" and self.random.random() < 0.5:
                break
            condition = "" if word == "else" else f" {self.condition(given)}"
            self.cell.add(level, f"{word}{condition}:")
            # The other branches may give the same names again.
            inside, left = list(given), list(free)
            self.block(inside, left, level + 1)
            ways.append((inside, left))
        given += sorted({name for inside, _ in ways for name in inside} - set(given))
        free[:] = [name for name in free if all(name in left for _, left in ways)]

    def number(self, given: list[str]) -> str:
        """Return something that is a number."""
        numbers = [name for name in given if name not in self.texts]
        others = ["0", "1", "2", "-1", "0.5", "k", "table['most']", "len(words)"]
        return self.random.choice(numbers if numbers and self.random.random() < 0.7 else others)

    def value(self, given: list[str], level: int) -> str:
        """Return an expression whose value is a number."""
        one, other = self.number(given), self.number(given)
        if level < 2 and self.random.random() < 0.3:
            one = f"({self.value(given, level + 1)})"
        signs = ["+", "-", "*"] + ["/", "//", "%"] * self.cell.risky
        forms = [
            f"{one} {self.random.choice(signs)} {other}",
            f"-{one}",
            f"{one} ** {2 - 3 * self.cell.risky}",
            f"max({one}, {other})",
            f"min({one}, {other}, 1)",
            f"abs({one})",
            f"int({one})",
            f"round({one} / 2, 1)",
            f"{one} if {other} > 0 else {self.number(given)}",
            one,
        ]
        return self.random.choice([*forms[:1] * 4, *forms])

    def condition(self, given: list[str], reading: bool = True) -> str:
        """Return an expression that is true or not, and that reads a parameter if it is to."""
        while True:
            text = self._condition(given)
            if not reading or any(name in text for name in given):
                return text

    def _condition(self, given: list[str]) -> str:
        one, other = self.value(given, 1), self.number(given)
        sign = self.random.choice(["<", "<=", "==", "!=", ">", ">="])
        texts = [name for name in given if name in self.texts] or ["'t'"]
        forms = [
            f"{one} {sign} {other}",
            f"{one} {sign} {other}",
            f"{one} in (0, 1, 2)",
            f"{self.number(given)} not in [k, 1]",
            f"-1 < {one} <= {other}",
            f"{self.random.choice(texts)} == 's'",
            f"{self.random.choice(texts)} in words",
            f"{self.number(given)}",
            f"{self.number(given)} is not None",
        ]
        text = self.random.choice(forms)
        if self.random.random() < 0.3:
            word = self.random.choice(["and", "or", "and not"])
            text = f"{text} {word} {self.random.choice(forms)}"
        return f"not ({text})" if self.random.random() < 0.1 else text


def cell_of(seed: int, most: int = 300) -> Cell:
    """Return a cell that makes sense, with at most so many combinations of values."""
    for number in itertools.count(seed * 1_000):
        writer = Writer(number)
        writer.block([], list(NAMES), 0)
        if writer.cell.size() <= most and len(writer.cell.lines) <= LINES:
            return writer.cell
    raise AssertionError
