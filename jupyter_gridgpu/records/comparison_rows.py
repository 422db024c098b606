"""The rows of a comparison as texts, for the table in a terminal and the one in a notebook."""

from __future__ import annotations

from jupyter_gridgpu.model.units import number_text
from jupyter_gridgpu.records.compare import REPRODUCED, ComparedMetric, ComparedVariants, Comparison

MISSING = "–"

# One pair with one of its metrics, or with None if no metric of the pair was compared.
PairRow = tuple[ComparedVariants, ComparedMetric | None]


def column_names(comparison: Comparison) -> list[str]:
    """Return the names of the columns; the last column, with the verdict, has none."""
    scans = (comparison.a, comparison.b)
    return ["variant", "metric", *scans, "difference", "relative", "sigma", ""]


def pairs_to_look_at_first(comparison: Comparison) -> list[ComparedVariants]:
    """Return all pairs; those that were not reproduced come first."""
    return sorted(comparison.pairs, key=lambda pair: pair.verdict == REPRODUCED)


def pair_rows(pairs: list[ComparedVariants]) -> list[PairRow]:
    """Return a row for each metric of each pair."""
    rows: list[PairRow] = []
    for pair in pairs:
        # A pair without metrics, because a variant is missing or failed, has one row as well.
        rows += [(pair, cell) for cell in pair.cells or (None,)]
    return rows


def row_texts(row: PairRow) -> list[str]:
    """Return the texts of one row, in the order of the columns.

    A pair without metrics shows the states of its two variants in place of values.
    """
    pair, cell = row
    variant = pair.a or ""
    if pair.a != pair.b:
        variant = f"{pair.a or MISSING} / {pair.b or MISSING}"
    if cell is None:
        states = [state or "missing" for state in pair.states]
        return [variant, MISSING, *states, "", "", "", pair.verdict]
    values = (cell.a, cell.b, cell.difference, cell.relative, cell.spread)
    return [variant, cell.metric, *map(_number, values), cell.verdict]


def _number(value: float | None) -> str:
    if value is None:
        return MISSING
    return number_text(value, 4)
