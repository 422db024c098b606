"""Commands of `gridgpu` beside those that drive a scan: one module each, listed here; cli.py adds them."""

from __future__ import annotations

import click

from jupyter_gridgpu.commands.carry import import_, pack, unpack
from jupyter_gridgpu.commands.collector import collector
from jupyter_gridgpu.commands.compare import compare, verify
from jupyter_gridgpu.commands.doctor import doctor
from jupyter_gridgpu.commands.drop import drop
from jupyter_gridgpu.commands.export import export
from jupyter_gridgpu.commands.image import image
from jupyter_gridgpu.commands.queues import queues
from jupyter_gridgpu.commands.rehearse import rehearse
from jupyter_gridgpu.commands.replay import replay

COMMANDS: tuple[click.Command, ...] = (
    collector, compare, doctor, drop, export, image, import_, pack, queues, rehearse, replay, unpack, verify,
)  # fmt: skip
