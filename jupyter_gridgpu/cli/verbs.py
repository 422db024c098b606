"""Commands of `gridgpu` beside those that drive a scan: one module each, listed here; cli.py adds them."""

from __future__ import annotations

import click

from jupyter_gridgpu.cli.carry import import_, pack, unpack
from jupyter_gridgpu.cli.collector import collector
from jupyter_gridgpu.cli.compare import compare, verify
from jupyter_gridgpu.cli.doctor import doctor
from jupyter_gridgpu.cli.drop import drop
from jupyter_gridgpu.cli.export import export
from jupyter_gridgpu.cli.image import image
from jupyter_gridgpu.cli.queues import queues
from jupyter_gridgpu.cli.rehearse import rehearse
from jupyter_gridgpu.cli.replay import replay

COMMANDS: tuple[click.Command, ...] = (
    collector, compare, doctor, drop, export, image, import_, pack, queues, rehearse, replay, unpack, verify,
)  # fmt: skip
