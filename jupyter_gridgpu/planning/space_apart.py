"""Evaluates the space of a command line or a file in a process of its own, with limits.

A slip such as `[i for i in range(10**10)]` must not fill the memory of the machine, nor hang the
command. A space of numbers, texts, lists and the grammar's own functions needs no such process:
its size is known before it is computed. In a notebook, the cell is evaluated in the kernel, with
the user's variables.

Run as a program, the module reads `{"body": ..., "folder": ...}` from its standard input and
writes `{"space": [...]}` or `{"error": text}`.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Collection
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model import numbers, space_record
from jupyter_gridgpu.model.axis_words import FUNCTIONS
from jupyter_gridgpu.model.fields import Fields
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.operations import CALLS
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.store.json_decoder import parse_json

CPU_S = 3  # seconds of processor time
WAIT_S = 20.0  # seconds; a disk or a machine may be slow
MEMORY_LIMIT = 1 * 1024**3  # bytes
ANSWER_LIMIT = 100_000_000  # bytes
_PLAIN_NODES = (
    ast.BinOp, ast.Constant, ast.Dict, ast.List, ast.Load, ast.Tuple, ast.UnaryOp, ast.keyword,
    ast.operator, ast.unaryop,
)  # fmt: skip
_PLAIN_CALLS = frozenset((*FUNCTIONS, "range"))
_CONDITION_NODES = (ast.BoolOp, ast.Compare, ast.IfExp, ast.boolop, ast.cmpop)


def space_apart(body: str) -> Space:
    """Return the space that the lines of a file or a command describe. Raises SpaceError."""
    if _is_plain(body) or not sys.executable:
        return parse_space(body)
    question = json.dumps({"body": body, "folder": os.getcwd()})
    try:
        ended = subprocess.run(
            [sys.executable, "-m", __name__],
            input=question.encode(),
            stdout=subprocess.PIPE,
            # A folder that belongs to somebody else must not come first where Python looks for
            # modules.
            cwd="/",
            # NumPy asks for memory for each thread that it might start.
            env={"OPENBLAS_NUM_THREADS": "1", **os.environ},
            timeout=WAIT_S,
        )
    except subprocess.TimeoutExpired:
        raise SpaceError(f"The space took more than {WAIT_S:.0f} s to compute.") from None
    except OSError as error:
        raise SpaceError(f"The space cannot be computed: {error.strerror}.") from None
    return _answer(ended.stdout)


def is_quick(body: str) -> bool:
    """Return whether lines call no more than the words of a space, so that no process is needed."""
    return _is_plain(body)


def _is_plain(body: str) -> bool:
    """Return whether computing the space is sure to be quick. Wrong lines are: they are refused."""
    try:
        tree = ast.parse(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    nodes = list(ast.walk(tree))
    # What a condition reads of parameters is evaluated with bounds.
    names = (node for node in nodes if isinstance(node, ast.Name))
    given = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    sides = (node.value for node in nodes if isinstance(node, (ast.Assign, ast.AnnAssign)))
    tests = (node.test for node in nodes if isinstance(node, (ast.If, ast.Assert)))
    return all(_is_plain_value(side, _PLAIN_CALLS) for side in sides if side) and all(
        _is_plain_value(test, given.union(CALLS), _CONDITION_NODES) for test in tests
    )


def _is_plain_value(
    value: ast.expr, names: Collection[str], more: tuple[type[ast.AST], ...] = ()
) -> bool:
    """Return whether an expression has nothing in it but simple parts and these names."""
    for node in ast.walk(value):
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name):
                return False
        elif isinstance(node, ast.Name):
            if node.id not in names:
                return False
        elif not isinstance(node, (*_PLAIN_NODES, *more)):
            return False
    return True


def _answer(output: bytes) -> Space:
    """Return the space that the process wrote, or raise the SpaceError that it wrote."""
    try:
        body = parse_json(output, ANSWER_LIMIT)
    except ValueError:
        # The limit of processor time, or of memory, ended the process.
        raise SpaceError(
            f"The space takes more than {CPU_S} s or {MEMORY_LIMIT // 1024**3} GB to compute;"
            " write fewer or simpler values."
        ) from None
    if "error" in body:
        raise SpaceError(body["error"])
    return space_record.from_json(Fields(body, "The space").inner_list("space"))


def main() -> None:
    """Evaluate the space that standard input holds, with limits."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what the lines print is no part of the answer
    question = parse_json(sys.stdin.buffer.read())
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    with contextlib.suppress(OSError):
        os.chdir(question["folder"])
    with os.fdopen(answers, "w", encoding="utf-8") as file:
        json.dump(_evaluated(question["body"]), file)


def _evaluated(body: str) -> dict[str, Any]:
    try:
        return {"space": numbers.encode_all(space_record.to_json(parse_space(body)))}
    except SpaceError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    main()
