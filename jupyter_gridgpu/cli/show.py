"""`gridgpu show`: a scan as it is now."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import say_end, say_place
from jupyter_gridgpu.cli.output import by_option, console, json_option, print_json

SHOWN_ROWS = 200  # drawing thousands of rows takes seconds


@click.command("show")
@click.argument("scan")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help=f"Print all rows where there are more than {SHOWN_ROWS}.",
)
@by_option
@json_option
def show(scan: str, everything: bool, by: str | None, as_json: bool) -> None:
    """Show SCAN as it is now."""
    handle = client.open_scan(scan)
    if by is not None:
        handle.rank_by(by)
    if as_json:
        print_json(handle.summary())
        return
    # Imported late: JSON needs no tables.
    from jupyter_gridgpu.terminal import render

    if handle.scan.profile:
        say_place(handle)
    screen = console()
    limit = None if everything else SHOWN_ROWS
    screen.print(render(handle, handle.state, screen, limit=limit))
    say_end(handle, handle.state)
