"""The stream of events as a WebSocket, with the checks of Jupyter's own: who it is, what they may, where they come from."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_gridgpu.server.stream import Stream
from jupyter_gridgpu.server.watcher import Watcher

AUTH_RESOURCE = "gridgpu"
WATCHER = "gridgpu_collector"  # in the server's settings
MESSAGE_BYTES = 64 * 1024  # of what a page may say


class EventsSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One for each page."""

    auth_resource = AUTH_RESOURCE
    stream_of_page: Stream | None = None

    @property
    def collector(self) -> Watcher:
        found: Watcher = self.settings[WATCHER]
        return found

    @property
    def max_message_size(self) -> int:
        return MESSAGE_BYTES

    def set_default_headers(self) -> None:
        """A socket needs none."""

    def get_compression_options(self) -> dict[str, Any] | None:
        options: dict[str, Any] | None = self.settings.get("websocket_compression_options")
        return options

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        if not await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "read", AUTH_RESOURCE)
        ):
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        super().open(*args, **kwargs)
        self.stream_of_page = Stream(self.collector, self.send)
        self.telling = asyncio.ensure_future(self.tell(self.stream_of_page))
        self.collector.pages[self.stream_of_page] = self.end

    async def send(self, text: bytes) -> None:
        await self.write_message(text, binary=False)

    async def tell(self, stream: Stream) -> None:
        try:
            await stream.run()
        except WebSocketClosedError:
            pass
        except Exception:
            self.log.exception("The events of scans ended")
            self.close(1011)

    def on_message(self, message: str | bytes) -> None:
        if self.stream_of_page is not None:
            self.stream_of_page.hear(message)

    def on_close(self) -> None:
        if self.stream_of_page is not None:
            self.telling.cancel()
            self.collector.leave(self.stream_of_page)

    def end(self) -> None:
        with suppress(WebSocketClosedError):
            self.close(1001, "The server is ending.")
