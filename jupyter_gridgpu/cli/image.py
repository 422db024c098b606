"""`gridgpu image check`: whether jobs can run in a container image."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jupyter_gridgpu.cli.output import echo, json_option, print_json
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.resources import RUNTIMES

if TYPE_CHECKING:
    from jupyter_gridgpu.images.check import ImageFact


@click.group("image")
def image() -> None:
    """Container images that jobs run in."""


@image.command("check")
@click.argument("ref", metavar="IMAGE")
@click.option(
    "--runtime", default="auto", show_default=True, metavar="KIND", help="apptainer or podman."
)
@json_option
def check(ref: str, runtime: str, as_json: bool) -> None:
    """Run IMAGE once on this machine, and list what jobs find in it and what they miss."""
    from jupyter_gridgpu import images
    from jupyter_gridgpu.images.check import check as check_image

    if runtime not in RUNTIMES or runtime == "none":
        raise UsageError(f"--runtime {runtime!r} runs no image; choose apptainer or podman.")
    asked = images.parse(ref)
    # An image on another machine's disk cannot be run here.
    if not asked.seen:
        raise UsageError(f"{ref} is not there on this machine; check it where it is.")
    findings = check_image(asked, images.runtimes(asked, runtime))
    usable = not any(finding.missing for finding in findings)
    if as_json:
        bodies = [_finding_json(finding) for finding in findings]
        print_json({"image": ref, "usable": usable, "findings": bodies})
    else:
        _print(findings, usable)
    sys.exit(0 if usable else 1)


def _finding_json(finding: ImageFact) -> dict[str, str | None]:
    return {"name": finding.name, "value": finding.value, "missing": finding.missing}


def _print(findings: list[ImageFact], usable: bool) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        line = f"{finding.name:<{width}}  {finding.value}"
        if finding.missing:
            line += f"  -> {finding.missing}"
        echo(line)
    # What to do about a missing thing is printed in its line, after the arrow.
    if usable:
        echo("Jobs can run in it.")
    else:
        echo("Jobs cannot run in it as it is.")
