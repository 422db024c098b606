"""`gridgpu import`, `pack` and `unpack`: scans that come from elsewhere or go there.

What they need is imported late: it is more than other commands wait for.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import command_line
from jupyter_gridgpu.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.command("import")
@click.argument("batch", type=_PATH)
@click.option(
    "--notebook",
    type=_PATH,
    metavar="NOTEBOOK",
    help="The notebook that a CSV or YAML of parameters is for.",
)
@click.option(
    "--files",
    multiple=True,
    metavar="FILE",
    help="File the notebook needs beside it; may be repeated.",
)
@click.option(
    "--maximize",
    metavar="NAME",
    help="Metric to make large; max(NAME) counts its best epoch, NAME its last.",
)
@click.option("--minimize", metavar="NAME", help="Metric to make small.")
@click.option("--name", metavar="NAME", help="Name of the scan. Default: that of BATCH.")
def import_(
    batch: Path,
    notebook: Path | None,
    files: tuple[str, ...],
    maximize: str | None,
    minimize: str | None,
    name: str | None,
) -> None:
    """Make a scan of BATCH: a folder of notebooks that papermill executed, or a CSV or YAML file of parameters.

    Nothing is run. Parameters alone make a scan of variants that wait: `gridgpu retry` runs them.
    """
    from jupyter_gridgpu.records.importing import fill, plan_import

    if maximize and minimize:
        raise UsageError("--maximize and --minimize are both given; a scan has one objective.")
    objective = (maximize, "maximize") if maximize else (minimize, "minimize") if minimize else None
    made, variants = plan_import(batch.absolute(), notebook, name, files, objective, command_line())
    handle = client.create(made, partial(fill, made, variants))
    click.echo(f"Imported {len(variants)} variants as {handle.name} in {handle.folder}.")
    if variants[0].path is None:
        click.echo(f"They have not run yet: `gridgpu retry {handle.name}` runs them.")


@click.command("pack")
@click.argument("scan")
@click.option(
    "-o", "--output", type=_PATH, metavar="FILE", help="Where to. Default: SCAN.gridscan.zip, here."
)
def pack(scan: str, output: Path | None) -> None:
    """Put SCAN, which has ended, into one file that can be sent."""
    from jupyter_gridgpu.records.packing import pack as pack_record
    from jupyter_gridgpu.records.record import load

    click.echo(str(pack_record(load(client.open_scan(scan).folder), output)))


@click.command("unpack")
@click.argument("file", type=_PATH)
@click.option(
    "--into", type=_PATH, metavar="FOLDER", help="Where to. Default: where scans are kept."
)
@click.option("--name", metavar="NAME", help="Name of the scan here. Default: the one it has.")
def unpack(file: Path, into: Path | None, name: str | None) -> None:
    """Put the scan in FILE, made by `gridgpu pack`, among the scans here. Nothing in it is run."""
    from jupyter_gridgpu.records.packing import unpack as unpack_file

    click.echo(str(unpack_file(file, into, name)))
