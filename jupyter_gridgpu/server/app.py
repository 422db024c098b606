"""The extension as the Jupyter server starts and stops it."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from jupyter_gridgpu.collector.handler import COLLECTOR, Collector
from jupyter_gridgpu.collector.members import OwnUser
from jupyter_gridgpu.server.event_socket import WATCHER
from jupyter_gridgpu.server.handlers import ROUTES
from jupyter_gridgpu.server.watched_scan import Pace
from jupyter_gridgpu.server.watcher import Watcher
from jupyter_gridgpu.store import home


class GridGpuApp(ExtensionApp):
    """The extension, with its settings.

    A user sets one in Jupyter's configuration, for example `c.GridGpuApp.poll_s = 0.2`. The values
    of all settings are seconds.
    """

    name = "jupyter_gridgpu"
    poll_s = Float(
        0.1, min=0.01, help="Seconds between two looks at a scan that a page shows."
    ).tag(config=True)
    head_s = Float(
        0.5, min=0.01, help="Seconds between two looks at any other scan that runs."
    ).tag(config=True)
    home_s = Float(1.0, min=0.01, help="Seconds between two looks for new scans.").tag(config=True)
    keep_s = Float(
        60.0,
        min=0.0,
        help="Seconds for which the rows of an ended scan are kept after the last request.",
    ).tag(config=True)
    respawn_s = Float(
        5.0,
        min=0.0,
        help="Seconds before a runner that died again is started again;"
        " each later pause is four times longer.",
    ).tag(config=True)

    def initialize_settings(self) -> None:
        """Make the watcher and the collector, and start the watcher with the event loop."""
        pace = Pace(self.poll_s, self.head_s, self.home_s, self.keep_s, self.respawn_s)
        self.watcher = Watcher(pace, self.log)
        self.settings[WATCHER] = self.watcher
        # The folder is looked up at every use, since the user may move the home of their scans.
        self.collector = Collector(OwnUser(), lambda: home.home() / ".collector")
        self.settings[COLLECTOR] = self.collector
        assert self.serverapp is not None
        # The loop does not run yet, and the watcher needs a running one.
        self.serverapp.io_loop.call_later(0, self.watcher.start)

    def initialize_handlers(self) -> None:
        """Add the routes of handlers.py to the server."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """Close the pages' sockets, the watcher and the collector when the server ends."""
        await self.watcher.stop()
        self.collector.close()
