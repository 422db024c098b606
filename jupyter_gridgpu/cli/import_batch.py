"""`gridgpu import`: a scan made of runs that another tool did, or of a list of parameters."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import command_line
from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.planning.option_values import read_objective

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
def import_batch(
    batch: Path,
    notebook: Path | None,
    files: tuple[str, ...],
    maximize: str | None,
    minimize: str | None,
    name: str | None,
) -> None:
    """Make a scan of BATCH: a folder of notebooks that papermill executed, or a CSV or YAML file
    of parameters.

    Nothing is run. Parameters alone make a scan of variants that wait: `gridgpu retry` runs them.
    """
    # Imported late: other verbs need not wait for the modules that read tables and notebooks.
    from jupyter_gridgpu.records.importing import plan_import, write_imported_scan

    objective = read_objective(maximize, minimize)
    made, variants = plan_import(batch.absolute(), notebook, name, files, objective, command_line())
    handle = client.create(made, partial(write_imported_scan, made, variants))
    echo(f"Imported {len(variants)} variants as {handle.name} in {handle.folder}.")
    # Variants of a CSV or YAML file have parameters only, and no executed notebook.
    if variants[0].path is None:
        echo(f"They have not run yet: `gridgpu retry {handle.name}` runs them.")
