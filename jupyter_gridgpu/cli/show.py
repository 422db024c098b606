"""`gridgpu show`: a scan as it is now."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import say_end, say_place
from jupyter_gridgpu.cli.output import by_option, console, echo, json_option, print_json
from jupyter_gridgpu.model import notes

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
@click.option(
    "--save",
    metavar="FILE.yaml",
    help="Write its notebook, space and options into a file, which `gridgpu run` takes.",
)
@click.option(
    "--overwrite", is_flag=True, help="With --save: change a file that describes another scan."
)
@json_option
def show(
    scan: str, everything: bool, by: str | None, save: str | None, overwrite: bool, as_json: bool
) -> None:
    """Show SCAN as it is now."""
    handle = client.open_scan(scan)
    if save is not None or overwrite:
        _save(handle, save, overwrite, as_json)
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


def _save(handle: client.ScanHandle, path: str | None, overwrite: bool, as_json: bool) -> None:
    """Write the file of a scan if one is named, and say what is to be looked at in it."""
    # Imported late: only this needs YAML.
    from jupyter_gridgpu.planning import scan_file
    from jupyter_gridgpu.records.saved_scan import save_scan

    scan_file.check_named(path, overwrite)
    if path is None:
        return
    began = handle.view.growth.original
    first, *others = save_scan(began, handle.paths.points, path, overwrite)
    if notes.extended(handle.view) is not None:
        others.append(f"{handle.name} was extended; {path} has the scan as it was started.")
    # With --json, stdout must have one object only.
    echo(first, err=as_json)
    if handle.foreign is not None:
        others.append(f"{handle.foreign} Read {path} before you run it.")
    for text in others:
        echo(text, err=True)
