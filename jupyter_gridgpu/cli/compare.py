"""`gridgpu compare`: whether a scan gave the results of another one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jupyter_gridgpu.cli.output import json_option, print_json
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.units import number_text
from jupyter_gridgpu.records.compare import (
    REPRODUCED,
    ComparedMetric,
    ComparedVariants,
    Comparison,
    Tolerance,
)
from jupyter_gridgpu.records.compare import compare as compare_records

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 20  # pairs of variants, and differences of inputs, unless --all is given


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
    # Imported late: the Python face brings the widgets, which other verbs need not wait for.
    from jupyter_gridgpu.api import two_scans

    record_a, record_b = two_scans(first, second)
    comparison = compare_records(record_a, record_b, Tolerance(rtol, atol, sigmas), metrics)
    if as_json:
        print_json(comparison.to_json())
    else:
        _print(comparison, everything)
    sys.exit(comparison.exit_code)


def _print(comparison: Comparison, everything: bool) -> None:
    from rich.console import Console

    pairs = comparison.pairs
    if not everything:
        # Those that differ come first: they are what the user looks for.
        pairs = sorted(pairs, key=lambda pair: pair.verdict == REPRODUCED)[:SHOWN]
    if pairs:
        Console(highlight=False).print(_table(comparison, pairs))
    if len(pairs) < len(comparison.pairs):
        click.echo(f"{len(comparison.pairs) - len(pairs)} more variants; --all prints them.")
    _print_inputs(comparison, everything)
    # Notes hold names from the folders of scans, which may come from anybody: they are bounded.
    for note in comparison.notes:
        click.echo(one_line(note))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in comparison.counts().items())
    sentence = f"{comparison.b} against {comparison.a}: {comparison.verdict}"
    if counts:
        sentence += f" ({counts})"
    click.echo(f"{sentence}.")


def _print_inputs(comparison: Comparison, everything: bool) -> None:
    """Print which inputs of the two scans differed, as lines of a diff where there are some."""
    inputs = comparison.inputs
    if not everything:
        inputs = inputs[:SHOWN]
    if inputs:
        click.echo("What went in differed:")
    for item in inputs:
        click.echo(f"  {item.what}: {item.a} -> {item.b}")
        click.echo("".join(f"    {line}\n" for line in item.text.splitlines()), nl=False)
    if len(inputs) < len(comparison.inputs):
        click.echo(f"  {len(comparison.inputs) - len(inputs)} more; --all prints them.")


def _table(comparison: Comparison, pairs: list[ComparedVariants]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("variant", "metric", box=None, header_style="dim", pad_edge=False)
    for name in (comparison.a, comparison.b, "difference", "relative", "sigma"):
        table.add_column(Text(name), justify="right")
    table.add_column("")
    for pair in pairs:
        # A pair without metrics, because a variant is missing or failed, has one row as well.
        for cell in pair.cells or (None,):
            table.add_row(*(Text(one_line(text) or "") for text in _row(pair, cell)))
    return table


def _row(pair: ComparedVariants, cell: ComparedMetric | None) -> list[str]:
    """Return the texts of one row: a metric of a pair, or its states if it has no metrics."""
    ident = pair.a or ""
    if pair.a != pair.b:
        ident = f"{pair.a or '–'} / {pair.b or '–'}"
    if cell is None:
        state_a, state_b = pair.states
        return [ident, "–", state_a or "missing", state_b or "missing", "", "", "", pair.verdict]
    values = (cell.a, cell.b, cell.difference, cell.relative, cell.spread)
    return [ident, cell.metric, *(_number(value) for value in values), cell.verdict]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return number_text(value, 4)
