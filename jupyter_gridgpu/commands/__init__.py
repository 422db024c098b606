"""Commands of `gridgpu` beside those that drive a scan: one module each, listed here; cli.py adds them."""

from __future__ import annotations

import click

from jupyter_gridgpu.commands.doctor import doctor
from jupyter_gridgpu.commands.image import image
from jupyter_gridgpu.commands.queues import queues
from jupyter_gridgpu.commands.rehearse import rehearse

COMMANDS: tuple[click.Command, ...] = (doctor, image, queues, rehearse)
