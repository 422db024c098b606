"""Finds the metrics that a notebook seems to report, in its code and without running it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from typing import TypeGuard

SOURCE_LIMIT = 200_000  # characters of a cell that are searched
METRIC_LIMIT = 30
COUNTERS = ("epoch", "epochs", "step", "steps")  # reported beside metrics, but no metrics


def reported_names(sources: Iterable[str]) -> list[str]:
    """Return names of metrics that Python cells seem to report, in the order of the cells.

    They are the keywords of `report(...)`, the first arguments of `glue(...)`, and the names that
    Keras prints after `compile(...)`. At most METRIC_LIMIT names are returned.
    """
    # One cell may fill a dictionary that another cell reports. So all cells are read together.
    nodes = [node for source in sources for node in _syntax(source)]
    found: dict[str, None] = {}
    for node in nodes:
        if isinstance(node, ast.Call):
            found.update(dict.fromkeys(_reported(node, nodes)))
    names = [name for name in found if name not in COUNTERS and name.isprintable()]
    return names[:METRIC_LIMIT]


def _syntax(source: str) -> list[ast.AST]:
    """Return the syntax nodes of a cell without its magics; no nodes if it is not Python."""
    lines = source[:SOURCE_LIMIT].split("\n")
    for index, line in enumerate(lines):
        if line.startswith(("%", "!")):
            lines[index] = ""
    try:
        with warnings.catch_warnings():
            # The parser warns of odd escapes in strings, which do no harm here.
            warnings.simplefilter("ignore")
            return list(ast.walk(ast.parse("\n".join(lines))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _reported(call: ast.Call, nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the names that one call reports. `nodes` is the syntax of the whole notebook."""
    called = getattr(call.func, "attr", getattr(call.func, "id", None))
    if called == "report":
        for keyword in call.keywords:
            if keyword.arg:
                yield keyword.arg
            else:  # report(**values)
                yield from _keys(keyword.value, nodes)
    elif called == "glue" and call.args:
        yield from _texts([call.args[0]])
    elif called == "compile" and call.keywords:
        # Keras reports the loss and the listed metrics, each for the validation data too.
        names = ["loss", *_listed_metrics(call)]
        yield from names
        for name in names:
            yield f"val_{name}"


def _listed_metrics(call: ast.Call) -> list[str]:
    """Return the texts in the list `metrics` of a call of Keras' compile."""
    names: list[str] = []
    for keyword in call.keywords:
        if keyword.arg == "metrics" and isinstance(keyword.value, ast.List):
            names += _texts(keyword.value.elts)
    return names


def _keys(values: ast.expr, nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the keys of a dictionary: those of literals, and those of `name["key"] = ...`."""
    # The dictionary may be a literal in the call, or a variable that is filled elsewhere.
    name = ast.unparse(values)
    literals = [values]
    for node in nodes:
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            if any(ast.unparse(target) == name for target in _targets(node)):
                literals.append(node.value)
        elif _is_assigned_key(node) and ast.unparse(node.value) == name:
            yield from _texts([node.slice])
    for literal in literals:
        if isinstance(literal, ast.Dict):
            yield from _texts(key for key in literal.keys if key is not None)


def _is_assigned_key(node: ast.AST) -> TypeGuard[ast.Subscript]:
    return isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)


def _targets(node: ast.Assign | ast.AugAssign) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target]


def _texts(nodes: Iterable[ast.expr]) -> list[str]:
    """Return the values of those nodes that are literal texts."""
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
