"""The verbs of `gridgpu`, each in a module of its own.

`gridgpu --help` imports all of these modules. So each imports late what only its verb needs.
"""

from __future__ import annotations

import click

from jupyter_gridgpu.cli.collector import collector
from jupyter_gridgpu.cli.compare import compare
from jupyter_gridgpu.cli.doctor import doctor
from jupyter_gridgpu.cli.drop import drop
from jupyter_gridgpu.cli.export import export
from jupyter_gridgpu.cli.extend import extend
from jupyter_gridgpu.cli.image import image
from jupyter_gridgpu.cli.import_batch import import_batch
from jupyter_gridgpu.cli.list_scans import list_scans
from jupyter_gridgpu.cli.logs import logs
from jupyter_gridgpu.cli.pack import pack
from jupyter_gridgpu.cli.pause import pause
from jupyter_gridgpu.cli.queues import queues
from jupyter_gridgpu.cli.rehearse import rehearse
from jupyter_gridgpu.cli.replay import replay
from jupyter_gridgpu.cli.resume import resume
from jupyter_gridgpu.cli.retry import retry
from jupyter_gridgpu.cli.run import run
from jupyter_gridgpu.cli.show import show
from jupyter_gridgpu.cli.stop import stop
from jupyter_gridgpu.cli.unpack import unpack
from jupyter_gridgpu.cli.verify import verify
from jupyter_gridgpu.cli.watch import watch

VERBS: tuple[click.Command, ...] = (
    collector,
    compare,
    doctor,
    drop,
    export,
    extend,
    image,
    import_batch,
    list_scans,
    logs,
    pack,
    pause,
    queues,
    rehearse,
    replay,
    resume,
    retry,
    run,
    show,
    stop,
    unpack,
    verify,
    watch,
)
