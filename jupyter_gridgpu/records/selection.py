"""Which variants of a scan are meant: `v0003,v0007`, `failed`, `best 5`, or a condition like `lr < 1e-3 and loss < 0.2`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import STATES
from jupyter_gridgpu.model.view import ScanView, VariantView

TEXT_LIMIT = 2000
DEPTH_LIMIT = 50
_IDS = re.compile(r"v\d{4,7}(\s*,\s*v\d{4,7})*")
_BEST = re.compile(r"best\s+(\d{1,6})")
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
MISSING = object()


def choose(view: ScanView, text: str) -> list[VariantView]:
    """Return the variants that `text` means, in the order of the scan; all for an empty text. Raises UsageError."""
    text = text.strip()
    if len(text) > TEXT_LIMIT:
        raise UsageError(f"--only has more than {TEXT_LIMIT:,} characters.")
    found = _chosen(view, text)
    if not found:
        raise UsageError(
            f"--only {text}: no variant of {view.scan.name} is meant."
            if text
            else f"{view.scan.name} has no variants."
        )
    return found


def _chosen(view: ScanView, text: str) -> list[VariantView]:
    variants = list(view.variants.values())
    if not text:
        return variants
    if _IDS.fullmatch(text):
        return _by_id(view, re.findall(r"v\d+", text))
    if text in STATES:
        return [variant for variant in variants if variant.state == text]
    if best := _BEST.fullmatch(text):
        return _best(view, variants, int(best[1]))
    condition = _parsed(text)
    names = {*view.scan.space, *(name for variant in variants for name in variant.metrics)}
    _check(condition, text, names)
    return [variant for variant in variants if _true(condition, _values(variant), text)]


def _by_id(view: ScanView, ids: list[str]) -> list[VariantView]:
    for ident in ids:
        if ident not in view.variants:
            raise UsageError(
                f"{view.scan.name} has no variant {ident!r}; it has v0001 to v{len(view.variants):04d}."
            )
    return [variant for variant in view.variants.values() if variant.id in set(ids)]


def _best(view: ScanView, variants: list[VariantView], count: int) -> list[VariantView]:
    objective = view.scan.objective
    if objective is None:
        raise UsageError(
            f"--only best: {view.scan.name} has no objective that could rank its variants."
        )
    done = [(view.value(variant), variant) for variant in variants if variant.state == "done"]
    ranked = sorted(
        ((value, variant) for value, variant in done if value is not None and value == value),
        key=lambda pair: -objective.sign * pair[0],
    )
    ids = {variant.id for _, variant in ranked[:count]}
    return [variant for variant in variants if variant.id in ids]


def _values(variant: VariantView) -> Mapping[str, Any]:
    """What a condition may name: metrics by their last value, parameters, which win."""
    return {**{name: series.last for name, series in variant.metrics.items()}, **variant.params}


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unclear(text) from None


def _unclear(text: str) -> UsageError:
    return UsageError(
        f"--only {text[:80]!r} is not understood; write ids like v0003,v0007, or a state like failed, or best 5, or a condition"
        " like 'lr < 1e-3'."
    )


def _check(node: ast.expr, text: str, names: set[str], depth: int = 0) -> None:
    """Raise UsageError unless the condition is made of comparisons, and names what the scan has."""
    if isinstance(node, ast.Name) and node.id not in names:
        known = ", ".join(sorted(names)[:8])
        raise UsageError(
            f"--only: {node.id[:60]} is neither a parameter nor a metric of the scan; it has {known}."
        )
    fits = (
        isinstance(node, (ast.Name, ast.Constant, ast.List, ast.Tuple, ast.BoolOp))
        or (isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.UAdd)))
        or (isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC)
        or (isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops))
    )
    if (
        not fits
        or depth > DEPTH_LIMIT
        or (depth == 0 and not isinstance(node, (ast.Compare, ast.BoolOp, ast.UnaryOp)))
    ):
        raise _unclear(text)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            _check(child, text, names, depth + 1)


def _true(node: ast.expr, values: Mapping[str, Any], text: str) -> bool:
    try:
        return _value(node, values) is True
    except (TypeError, ArithmeticError, ValueError):
        raise UsageError(f"--only {text[:80]!r} compares values of different kinds.") from None


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """Compute a checked condition; a comparison with what a variant has not is not true."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values.get(node.id, MISSING)
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item, values) for item in node.elts]
    if isinstance(node, ast.BoolOp):
        found = [_value(item, values) is True for item in node.values]
        return all(found) if isinstance(node.op, ast.And) else any(found)
    if isinstance(node, ast.UnaryOp):
        return _unary(node.op, _value(node.operand, values))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, values), _value(node.right, values)
        return (
            MISSING
            if left is MISSING or right is MISSING
            else _ARITHMETIC[type(node.op)](left, right)
        )
    assert isinstance(node, ast.Compare)
    sides = [_value(side, values) for side in (node.left, *node.comparators)]
    if any(side is MISSING for side in sides):
        return False
    return all(
        _COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, sides, sides[1:], strict=False)
    )


def _unary(op: ast.unaryop, value: Any) -> Any:
    if isinstance(op, ast.Not):
        return value is not True
    return value if value is MISSING or isinstance(op, ast.UAdd) else -value
