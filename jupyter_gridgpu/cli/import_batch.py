"""`gridgpu import`: a scan made of runs that another tool did, or of a list of parameters."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import command_line, say_place
from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.planning.options import given, import_options, to_options

_PATH = click.Path(path_type=Path)


@click.command("import")
@click.argument("batch", type=_PATH)
@click.option(
    "--notebook",
    type=_PATH,
    metavar="NOTEBOOK",
    help="The notebook that a CSV or YAML of parameters is for.",
)
@import_options
def import_batch(batch: Path, notebook: Path | None, **options: Any) -> None:
    """Make a scan of BATCH: a folder of notebooks that papermill executed, or a CSV or YAML file
    of parameters.

    Nothing is run. Parameters alone make a scan of variants that wait: `gridgpu retry` runs them,
    where and how the options say.
    """
    # Imported late: other verbs need not wait for the modules that read tables and notebooks.
    from jupyter_gridgpu.records.importing import plan_import, write_imported_scan

    made, variants = plan_import(
        batch.absolute(), notebook, to_options(given(options)), command_line()
    )
    for text in made.scan.warnings:
        echo(f"Warning: {text}", err=True)
    handle = client.create(made, partial(write_imported_scan, made, variants))
    echo(f"Imported {len(variants)} variants as {handle.name} in {handle.folder}.")
    say_place(handle)
    # Variants of a CSV or YAML file have parameters only, and no executed notebook.
    if variants[0].path is None:
        echo(f"They have not run yet: `gridgpu retry {handle.name}` runs them.")
