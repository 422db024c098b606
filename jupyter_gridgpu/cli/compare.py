"""`gridgpu compare`: whether two scans gave the same results."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jupyter_gridgpu.cli.output import console, echo, json_option, print_json
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.records.compare import ComparedVariants, Comparison, Tolerance
from jupyter_gridgpu.records.compare import compare as compare_records
from jupyter_gridgpu.records.comparison_rows import (
    column_names,
    pair_rows,
    pairs_to_look_at_first,
    row_texts,
)

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 20  # the most pairs, and the most differences of inputs, without --all


@click.command("compare")
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False)
@click.option(
    "--rtol",
    type=float,
    default=0.01,
    show_default=True,
    metavar="X",
    help="Relative difference that is tolerated.",
)
@click.option(
    "--atol",
    type=float,
    default=0.0,
    show_default=True,
    metavar="X",
    help="Absolute difference that is tolerated.",
)
@click.option(
    "--sigmas",
    type=float,
    default=2.0,
    show_default=True,
    metavar="N",
    help="The same in sigma over repeats.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Compare this metric alone; may be repeated.",
)
@click.option("--all", "everything", is_flag=True, help="Print all variants and all differences.")
@json_option
def compare(
    first: str,
    second: str | None,
    rtol: float,
    atol: float,
    sigmas: float,
    metrics: tuple[str, ...],
    everything: bool,
    as_json: bool,
) -> None:
    """Compare scan B with scan A, variant by variant; a replay alone is compared with its origin.

    The exit code is 0 if B reproduced A or is within tolerance, 1 if it differs, 3 if something is
    missing.
    """
    # Imported late: api.py imports the widgets, for which other verbs need not wait.
    from jupyter_gridgpu.api import two_scans

    record_a, record_b = two_scans(first, second)
    comparison = compare_records(record_a, record_b, Tolerance(rtol, atol, sigmas), metrics)
    if as_json:
        print_json(comparison.to_json())
    else:
        _print(comparison, everything)
    sys.exit(comparison.exit_code)


def _print(comparison: Comparison, everything: bool) -> None:
    pairs = comparison.pairs
    if not everything:
        pairs = pairs_to_look_at_first(comparison)[:SHOWN]
    if pairs:
        console(highlight=False).print(_table(comparison, pairs))
    if len(pairs) < len(comparison.pairs):
        echo(f"{len(comparison.pairs) - len(pairs)} more variants; --all prints them.")
    _print_inputs(comparison, everything)
    # Names in notes come from scan folders, which anybody may have written: they are bounded.
    for note in comparison.notes:
        echo(one_line(note))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in comparison.counts().items())
    sentence = f"{comparison.b} against {comparison.a}: {comparison.verdict}"
    if counts:
        sentence += f" ({counts})"
    echo(f"{sentence}.")


def _print_inputs(comparison: Comparison, everything: bool) -> None:
    """Print which inputs of the two scans differed; of a notebook also the lines of a diff."""
    inputs = comparison.inputs
    if not everything:
        inputs = inputs[:SHOWN]
    if inputs:
        echo("What went in differed:")
    for item in inputs:
        echo(f"  {item.what}: {item.a} -> {item.b}")
        echo("".join(f"    {line}\n" for line in item.text.splitlines()), nl=False)
    if len(inputs) < len(comparison.inputs):
        echo(f"  {len(comparison.inputs) - len(inputs)} more; --all prints them.")


def _table(comparison: Comparison, pairs: list[ComparedVariants]) -> Table:
    from rich.table import Table
    from rich.text import Text

    names = column_names(comparison)
    table = Table(*names[:2], box=None, header_style="dim", pad_edge=False)
    # As Text, so that a name with brackets is not read as rich's markup.
    for name in names[2:-1]:
        table.add_column(Text(name), justify="right")
    table.add_column(names[-1])
    for row in pair_rows(pairs):
        table.add_row(*(Text(one_line(text) or "") for text in row_texts(row)))
    return table
