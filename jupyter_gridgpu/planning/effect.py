"""Looks whether the values of a scan reach the training of a Python notebook.

papermill puts the values into a cell behind the first cell that is tagged 'parameters'. So they do
nothing where a later cell sets the name again, and nothing to what the parameters cell computes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TypeGuard

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.planning.assignments import module_nodes
from jupyter_gridgpu.planning.python_cell import NotPython, parse_cell

# With these, code may use a name without writing it.
_OPAQUE = ("exec", "eval", "globals", "locals", "vars", "get_ipython")
Cell = tuple[int, str]  # number of the cell from 1, and its source


def check_effect(name: str, before: Sequence[Cell], after: Sequence[Cell]) -> str | None:
    """Return a warning if a later cell sets a parameter again, or None.

    `before` are the code cells up to the parameters cell, `after` those behind it. Raises
    SpaceError if the value would be replaced before anything can have read it.
    """
    # A function that an earlier cell defines may read the parameter when a later cell calls it.
    is_read = any(_functions_read(source, name) for _, source in before)
    for number, source in after:
        for statement in _statements(source):
            if statement is None:
                is_read = is_read or name in source
                continue
            if _sets(statement, name) and not _reads_first(statement, name):
                where = f"cell {number} sets {name} again"
                if is_read:
                    return f"{where}; from there on, the value of the scan is not used."
                raise SpaceError(
                    f"{name}: {where} before anything reads it, so the value of the scan would"
                    " do nothing; remove that line."
                )
            is_read = is_read or _may_read(statement, name)
            if not is_read and _may_set(statement, name):
                return f"cell {number} may set {name} again before anything reads it."
    return None


def derived_warning(names: Sequence[str], source: str) -> str | None:
    """Return a warning if the parameters cell computes other values from some of its parameters.

    These values keep what the notebook's own parameters give.
    """
    old: dict[str, int] = {}
    known = set(names)
    for statement in _statements(source):
        if statement is None or isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        nodes = list(module_nodes(statement))
        loaded = {node.id for node in nodes if _is_name(node, ast.Load)}
        if loaded & known:
            for node in nodes:
                if _is_name(node, ast.Store) and node.id not in names:
                    old.setdefault(node.id, statement.lineno)
                    known.add(node.id)
    if not old:
        return None
    listed = ", ".join(f"{name} (line {line})" for name, line in old.items())
    return (
        f"The parameters cell computes {listed} from {', '.join(names)} before the scan sets its"
        " values, so the old ones stay: move these lines to a later cell."
    )


def _statements(source: str) -> Iterator[ast.stmt | None]:
    """Yield the statements of a cell, or None for a cell that cannot be read."""
    try:
        yield from parse_cell(source).body
    except NotPython:
        yield None


def _sets(statement: ast.stmt, name: str) -> bool:
    """Return whether a statement gives the name another value, whatever happens."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return any((alias.asname or alias.name.split(".")[0]) == name for alias in statement.names)
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return statement.name == name
    targets: list[ast.expr] = []
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        targets = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value:
        targets = [statement.target]
    nodes = [node for target in targets for node in ast.walk(target)]
    return any(_is_name(node, ast.Store) and node.id == name for node in nodes)


def _may_set(statement: ast.stmt, name: str) -> bool:
    """Return whether a block gives the name another value: a branch, a loop, a `with`, a `try`."""
    if not hasattr(statement, "body"):
        return False
    nodes = list(module_nodes(statement))
    # The loop variable of a comprehension is seen in the comprehension alone.
    inner = {
        id(part)
        for node in nodes
        if isinstance(node, ast.comprehension)
        for part in ast.walk(node.target)
    }
    stored = (node for node in nodes if _is_name(node, ast.Store) and id(node) not in inner)
    return any(node.id == name for node in stored)


def _reads_first(statement: ast.stmt, name: str) -> bool:
    """Return whether a statement that sets a name reads it before."""
    if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value:
        return _may_read(statement.value, name)
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return _may_read(statement.iter, name)
    return False


def _may_read(part: ast.AST, name: str) -> bool:
    """Return whether code reads a name, or may do so in a way that cannot be seen."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for node in ast.walk(part):
        if _is_name(node, ast.Load) and (node.id == name or node.id in _OPAQUE):
            return True
        is_string = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_string and word.search(str(getattr(node, "value", ""))):
            return True
    return False


def _functions_read(source: str, name: str) -> bool:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for statement in _statements(source):
        if statement is None:
            return name in source
        for node in ast.walk(statement):
            if isinstance(node, kinds) and _may_read(node, name):
                return True
    return False


def _is_name(node: ast.AST, context: type[ast.expr_context]) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, context)
