"""The cause of a failure: what tells whether several variants failed for the same cause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jupyter_gridgpu.model.variant import VariantView
    from jupyter_gridgpu.model.view import ScanView

COMPARED = 200  # characters of a message that are compared
READ = 2_000  # characters of a message that are looked at
SHOWN = 300  # characters of a message that a sentence quotes
# A user, a batch system or a pruner ended these; they say nothing about notebook, image or nodes.
NO_FAILURE = ("user", "preempted", "pruned")
_EXCEPTION = re.compile(r"([A-Z]\w*(?:\.\w+)*)(?=:| in cell )")
# Quotes around a value, and none of those in words like "can't". The last one may be cut off.
_QUOTED = re.compile(r"""(?<!\w)(['"`]).*?(?:\1(?!\w)|$)""")
_KEPT_EPOCHS = re.compile(r"\s*Epochs up to \S+ are kept\.")
_CHANGING = re.compile(r"\S*[\d/\\]\S*|\b[0-9a-f]{8,}\b|\b(?:nan|inf|infinity)\b", re.IGNORECASE)
_HOLE = "*"


class Cause(NamedTuple):
    """Why a variant failed, without what differs from variant to variant."""

    reason: str  # one of REASONS; empty if it is not known
    exception: str  # the class of the exception; empty if there is none
    cell: int | None
    text: str  # the message without numbers, paths and quoted values


def cause_of(reason: str | None, message: str | None, cell: int | None) -> Cause:
    """Return the cause of a failure from its reason, its message and the cell."""
    said = (message or "")[:READ]
    exception = ""
    found = _EXCEPTION.match(said)
    if reason == "notebook" and found:
        exception = found[1]
    return Cause(reason or "", exception, cell, _constant_part(said))


def _constant_part(message: str) -> str:
    """Return a message in which everything that may differ between two variants is a hole."""
    text = _KEPT_EPOCHS.sub("", message)
    text = _CHANGING.sub(_HOLE, _QUOTED.sub(_HOLE, text))
    # Two lists of different lengths, or a value with its unit, leave one hole.
    text = re.sub(r"[^\w\s*]", " ", text)
    text = re.sub(r"\*(\s*\*)*", _HOLE, text)
    return " ".join(text.split())[:COMPARED]


def has_failed(view: ScanView, variant: VariantView) -> bool:
    """Return whether a variant has ended and failed.

    One that a user stopped, that was preempted, or that gets another attempt has not.
    """
    if variant.state not in ("failed", "lost") or variant.stop_asked:
        return False
    return variant.reason not in NO_FAILURE and not view.wants_job(variant)


def in_order(failed: Iterable[VariantView]) -> list[VariantView]:
    """Return failed variants in the order in which they ended."""
    # Of a variant that was lost, nobody knows when it ended.
    return sorted(failed, key=lambda variant: (variant.ended or float("inf"), variant.number))


def common_cause(failed: Sequence[VariantView]) -> str | None:
    """Return in words how all these variants failed, or None if the causes differ.

    The words continue a sentence: ` with KeyError: 'x' in cell 4`, `: The kernel died in cell 4`.
    """
    causes = {cause_of(variant.reason, variant.message, variant.cell) for variant in failed}
    if len(causes) != 1:
        return None
    (cause,) = causes
    messages = {variant.message for variant in failed}
    if cause.exception and len(messages) > 1:
        # The messages differ in values, so no single one of them is true for all.
        return f" with {cause.exception}{f' in cell {cause.cell}' if cause.cell else ''}"
    said = (failed[0].message or cause.reason or "nobody knows why").rstrip(".")
    if len(said) > SHOWN:
        said = said[: SHOWN - 1] + "…"
    return f" with {said}" if cause.exception else f": {said}"
