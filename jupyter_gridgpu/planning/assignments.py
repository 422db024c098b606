"""Finds what the parameters cell of a Python notebook assigns: names, defaults, types, comments.

Every assignment at module level counts, also one in an `if`, a `try`, a `with` or a loop: the
injected cell comes after all of them. Names of functions, classes, modules and loop variables are
no parameters.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from jupyter_gridgpu.planning.parameter import NO_VALUE, Parameter
from jupyter_gridgpu.planning.python_cell import comments, parse_cell

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
Found = tuple[str, str | None, Any]  # name, annotation, default


def python_parameters(source: str) -> dict[str, Parameter]:
    """Return the parameters of a cell by name, in their order. Raises NotPython."""
    found: dict[str, Parameter] = {}
    notes = comments(source)
    for statement in parse_cell(source).body:
        note = notes.get(statement.end_lineno or 0) or notes.get(statement.lineno, "")
        if isinstance(statement, ast.Delete):
            for target in statement.targets:
                found.pop(getattr(target, "id", ""), None)
        # In a block, it is not known which of the assignments is made.
        is_plain = isinstance(statement, (ast.Assign, ast.AnnAssign))
        for node in module_nodes(statement):
            for name, kind, default in _assigned(node):
                shown = default if is_plain else NO_VALUE
                found[name] = _parameter(name, kind, shown, note)
    return found


def module_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and those in it that belong to the same scope."""
    # No recursion: a long sum is nested as deeply as it has terms.
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def _assigned(node: ast.AST) -> Iterator[Found]:
    """Yield what one node assigns to names."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _unpacked(target, node.value)
    elif isinstance(node, ast.AnnAssign) and node.value:
        for name, _, default in _unpacked(node.target, node.value):
            yield name, _annotation(node.annotation), default
    elif isinstance(node, (ast.AugAssign, ast.NamedExpr)) and isinstance(node.target, ast.Name):
        yield node.target.id, None, NO_VALUE


def _unpacked(target: ast.expr, value: ast.expr | None) -> Iterator[Found]:
    """Yield the names of a target with the values that they get, where these are literals."""
    if isinstance(target, ast.Starred):
        target, value = target.value, None
    if isinstance(target, ast.Name):
        yield target.id, None, _literal(value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        values: list[ast.expr | None] = [None] * len(target.elts)
        is_listed = isinstance(value, (ast.Tuple, ast.List))
        has_star = any(isinstance(item, ast.Starred) for item in target.elts)
        if is_listed and not has_star and len(getattr(value, "elts", ())) == len(values):
            values = list(getattr(value, "elts", ()))
        for item, part in zip(target.elts, values, strict=True):
            yield from _unpacked(item, part)


def _literal(value: ast.expr | None) -> Any:
    """Return the value of a literal, or NO_VALUE for any other expression."""
    if value is None:
        return NO_VALUE
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return NO_VALUE


def _annotation(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ast.unparse(node)


def _parameter(name: str, kind: str | None, default: Any, note: str) -> Parameter:
    """Return a parameter. A comment like `# type: int of the network` holds its type, too."""
    if note.startswith("type:"):
        written, _, note = note.removeprefix("type:").strip().partition(" ")
        kind = kind or written
    return Parameter(name, kind, default, note.strip())
