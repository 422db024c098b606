"""Says whether the lines of a space only describe: reading them must run nobody's code.

A file of a scan may come from anybody, and `--dry-run` of it must do nothing. So its lines may
compute with numbers, texts and lists, and call the functions of a space and a few of Python's, but
neither attributes nor other names. They are evaluated with limits (space_apart.py).
"""

from __future__ import annotations

import ast

from jupyter_gridgpu.model.axis_words import FUNCTIONS
from jupyter_gridgpu.model.expressions import QUOTED_LIMIT
from jupyter_gridgpu.model.operations import CALLS

# Functions of Python that do not call what they are given, if they have no `key=`.
_OF_PYTHON = (
    "bool", "dict", "enumerate", "float", "len", "list", "range", "reversed", "sorted",
    "str", "sum", "tuple", "zip",
)  # fmt: skip
_CALLS = frozenset((*FUNCTIONS, *CALLS, *_OF_PYTHON))
_NODES = (
    ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.Dict, ast.FormattedValue,
    ast.GeneratorExp, ast.IfExp, ast.JoinedStr, ast.List, ast.ListComp, ast.Name, ast.Slice,
    ast.Starred, ast.Subscript, ast.Tuple, ast.UnaryOp,
)  # fmt: skip


def other_code(body: str) -> ast.expr | None:
    """Return the first part of the lines that does more than to describe, or None.

    Lines that are no Python have no such part: whoever reads them refuses them.
    """
    try:
        tree = ast.parse(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    nodes = list(ast.walk(tree))
    # A name that the lines give a value may stand for any function when it is called.
    given = {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    parts = (node for node in nodes if isinstance(node, ast.expr))
    return next((node for node in parts if not _describes(node, given)), None)


def _describes(node: ast.expr, given: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return isinstance(node, _NODES)
    if not isinstance(node.func, ast.Name):
        return False
    name = node.func.id
    # `min(texts, key=eval)` would call what it is given.
    return name in _CALLS - given and (name in FUNCTIONS or not node.keywords)


def shown(node: ast.expr) -> str:
    """Return the beginning of a part of the lines, to be shown in an error."""
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= QUOTED_LIMIT else text[: QUOTED_LIMIT - 1] + "…"
