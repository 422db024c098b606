"""`gridgpu image check`: whether jobs can run in a container image."""

from __future__ import annotations

import json
import sys

import click

from jupyter_gridgpu.model.resources import RUNTIMES


@click.group()
def image() -> None:
    """Container images that jobs run in."""


@image.command()
@click.argument("ref", metavar="IMAGE")
@click.option(
    "--runtime", default="auto", show_default=True, metavar="KIND", help="apptainer or podman."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def check(ref: str, runtime: str, as_json: bool) -> None:
    """Run IMAGE once on this machine, and list what jobs find in it and what they miss."""
    from jupyter_gridgpu import images
    from jupyter_gridgpu.errors import UsageError
    from jupyter_gridgpu.images.check import check as look

    if runtime not in RUNTIMES or runtime == "none":
        raise UsageError(f"--runtime {runtime!r} runs no image; choose apptainer or podman.")
    asked = images.parse(ref)
    if not asked.seen:
        raise UsageError(f"{ref} is not there on this machine; check it where it is.")
    findings = look(asked, images.runtimes(asked, runtime))
    missing = [one for one in findings if one.missing]
    if as_json:
        body = [{"name": one.name, "value": one.value, "missing": one.missing} for one in findings]
        click.echo(json.dumps({"image": ref, "usable": not missing, "findings": body}))
    else:
        width = max(len(one.name) for one in findings)
        for one in findings:
            click.echo(
                f"{one.name:<{width}}  {one.value}{f'  -> {one.missing}' if one.missing else ''}"
            )
        click.echo("Jobs cannot run in it as it is." if missing else "Jobs can run in it.")
    sys.exit(1 if missing else 0)
