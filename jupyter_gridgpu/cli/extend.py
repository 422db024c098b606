"""`gridgpu extend`: run more of a scan: points, values of axes, repeats."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import echo


@click.command("extend")
@click.argument("scan")
@click.option("--trials", type=int, metavar="N", help="Points that its sampler tries in addition.")
@click.option(
    "--add",
    multiple=True,
    metavar="'NAME = VALUES'",
    help="More values of a parameter that varies, like 'lr = [1e-5, 3e-5]'; may be repeated.",
)
@click.option(
    "--repeats",
    type=int,
    metavar="N",
    help="How often every point is run in all, as in repeats(N).",
)
@click.option(
    "--points",
    type=click.Path(),
    metavar="FILE",
    help="Own points that are tried next: a table (.csv), .json or .jsonl.",
)
def extend(
    scan: str,
    trials: int | None,
    add: tuple[str, ...],
    repeats: int | None,
    points: str | None,
) -> None:
    """Run more of SCAN: new points, values or repeats. Nothing that it has runs again."""
    handle = client.open_scan(scan)
    echo(handle.command("extend", trials=trials, add=add, repeats=repeats, points=points))
