"""`gridgpu unpack`: a scan from the file that `gridgpu pack` made."""

from __future__ import annotations

from pathlib import Path

import click

from jupyter_gridgpu.cli.output import echo

_PATH = click.Path(path_type=Path)


@click.command("unpack")
@click.argument("file", type=_PATH)
@click.option(
    "--into", type=_PATH, metavar="FOLDER", help="Where to. Default: where scans are kept."
)
@click.option("--name", metavar="NAME", help="Name of the scan here. Default: the one it has.")
def unpack(file: Path, into: Path | None, name: str | None) -> None:
    """Put the scan in FILE, made by `gridgpu pack`, among the scans here. Nothing in it is run."""
    from jupyter_gridgpu.records.packing import unpack as unpack_file

    echo(str(unpack_file(file, into, name)))
