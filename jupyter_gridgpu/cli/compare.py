"""`gridgpu compare` and `gridgpu verify`: does it still say the same, is it still what it was?"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.units import number
from jupyter_gridgpu.records.compare import REPRODUCED, Cell, Comparison, Pair, Tolerance
from jupyter_gridgpu.records.compare import compare as compare_records
from jupyter_gridgpu.records.record import Record, load
from jupyter_gridgpu.records.verify import Verdict
from jupyter_gridgpu.records.verify import verify as verify_record

SHOWN = 20  # pairs, and differences of inputs, that are printed unless all are asked for


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def compare(
    first: str, second: str | None, rtol: float, atol: float, sigmas: float, metrics: tuple[str, ...], everything: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Compare scan B with scan A, variant by variant; a replay alone is compared with its origin.

    The exit code is 0 if B reproduced A or is within tolerance, 1 if it differs, 3 if something is missing.
    """
    from jupyter_gridgpu.api import two_scans  # late: other commands need not wait for it

    one, other = two_scans(first, second)
    made = compare_records(one, other, Tolerance(rtol, atol, sigmas), metrics)
    if as_json:
        click.echo(json.dumps(made.to_json()))
    else:
        _print(made, everything)
    sys.exit(made.exit_code)


def _print(made: Comparison, everything: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    shown = (
        made.pairs
        if everything
        else sorted(made.pairs, key=lambda pair: pair.verdict == REPRODUCED)[:SHOWN]
    )
    if shown:
        console.print(_table(made, shown))
    if len(shown) < len(made.pairs):
        click.echo(f"{len(made.pairs) - len(shown)} more variants; --all prints them.")
    inputs = made.inputs if everything else made.inputs[:SHOWN]
    if inputs:
        click.echo("What went in differed:")
    for item in inputs:
        click.echo(f"  {item.what}: {item.a} -> {item.b}")
        click.echo("".join(f"    {line}\n" for line in item.text.splitlines()), nl=False)
    if len(inputs) < len(made.inputs):
        click.echo(f"  {len(made.inputs) - len(inputs)} more; --all prints them.")
    for note in made.notes:
        click.echo(bounded(note))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in made.counts().items())
    click.echo(f"{made.b} against {made.a}: {made.verdict}{f' ({counts})' if counts else ''}.")


def _table(made: Comparison, pairs: list[Pair]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table("variant", "metric", box=None, header_style="dim", pad_edge=False)
    for name in (made.a, made.b, "difference", "relative", "sigma"):
        table.add_column(Text(name), justify="right")
    table.add_column("")
    for pair in pairs:
        ident = pair.a if pair.a == pair.b else f"{pair.a or '–'} / {pair.b or '–'}"
        for cell in pair.cells or (None,):
            table.add_row(*(Text(bounded(text) or "") for text in _row(ident or "", pair, cell)))
    return table


def _row(ident: str, pair: Pair, cell: Cell | None) -> list[str]:
    if cell is None:
        return [
            ident,
            "–",
            pair.states[0] or "missing",
            pair.states[1] or "missing",
            "",
            "",
            "",
            pair.verdict,
        ]
    values = (cell.a, cell.b, cell.difference, cell.relative, cell.spread)
    return [
        ident,
        cell.metric,
        *("–" if value is None else number(value, 4) for value in values),
        cell.verdict,
    ]


@click.command("verify")
@click.argument("scan")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def verify(scan: str, as_json: bool) -> None:
    """Check every file of SCAN whose digest was kept.

    The exit code is 0 if all are as they were, 1 if one was changed, 3 if one is missing or nothing was kept.
    """
    record = load(client.open_scan(scan).folder)
    verdict = verify_record(record)
    if as_json:
        click.echo(json.dumps(verdict.to_json()))
    else:
        for line in verdict_lines(record, verdict):
            click.echo(line)
    sys.exit(verdict.exit_code)


def verdict_lines(record: Record, verdict: Verdict) -> list[str]:
    """Say what was found, a line each."""
    lines = [f"changed  {bounded(name)}" for name in verdict.changed] + [
        f"missing  {bounded(name)}" for name in verdict.missing
    ]
    if verdict.running:
        lines.append(f"{verdict.running} jobs have not ended; theirs are checked later.")
    if not verdict.checked:
        return [
            *lines,
            f"{record.name} was made by an earlier version, which kept no digests: nothing can be checked.",
        ]
    if verdict.unrecorded:
        lines.append(
            f"Of {len(verdict.unrecorded)} jobs that ended no digests were kept, first {verdict.unrecorded[0]}."
        )
    good = verdict.checked - len(verdict.changed) - len(verdict.missing)
    counts = f"{len(verdict.changed)} changed, {len(verdict.missing)} missing"
    return [*lines, f"{record.name}: {good} of {verdict.checked} files are as they were, {counts}."]
