"""The WebSocket on which a page receives events and opens scans.

It makes the same checks as Jupyter's own sockets: who the user is, what they may do, and from which
host the page comes.
"""

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
WATCHER = "gridgpu_watcher"  # the key of the watcher in the server's settings
MESSAGE_BYTES = 64 * 1024  # the largest message that a page may send
# Status codes of RFC 6455 with which a socket is closed.
GOING_AWAY = 1001
INTERNAL_ERROR = 1011


class EventsSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """The server's end of one page's socket."""

    auth_resource = AUTH_RESOURCE
    # Not named `stream`: tornado keeps its own connection under that name.
    page_stream: Stream | None = None

    @property
    def watcher(self) -> Watcher:
        """The watcher of this server."""
        found: Watcher = self.settings[WATCHER]
        return found

    @property
    def max_message_size(self) -> int:
        """The size in bytes above which tornado closes the socket for a message."""
        return MESSAGE_BYTES

    def set_default_headers(self) -> None:
        """Set no headers, since those that Jupyter sets for pages mean nothing for a WebSocket."""

    def get_compression_options(self) -> dict[str, Any] | None:
        """Compress as the server's user has configured for all WebSockets."""
        options: dict[str, Any] | None = self.settings.get("websocket_compression_options")
        return options

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the socket. Raises HTTPError 403 if the user may not read scans."""
        # ws_authenticated asks who the user is, but not whether they may read this resource.
        allowed = await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "read", AUTH_RESOURCE)
        )
        if not allowed:
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Begin to send events to the page."""
        super().open(*args, **kwargs)
        self.page_stream = Stream(self.watcher, self.send)
        self.sending = asyncio.ensure_future(self.send_events(self.page_stream))
        self.watcher.add_page(self.page_stream, self.end)

    async def send(self, text: bytes) -> None:
        """Send one message; returns when the connection has accepted it."""
        await self.write_message(text, binary=False)

    async def send_events(self, stream: Stream) -> None:
        """Run the page's stream until the page has gone."""
        try:
            await stream.run()
        except WebSocketClosedError:
            pass  # the page went away while a message was sent; on_close does the rest
        except Exception:
            self.log.exception("The events of scans ended")
            self.close(INTERNAL_ERROR)

    def on_message(self, message: str | bytes) -> None:
        """Hand a message of the page to its stream."""
        if self.page_stream is not None:
            self.page_stream.receive(message)

    def on_close(self) -> None:
        """Forget the page."""
        # tornado calls this also where the connection ended before open().
        if self.page_stream is not None:
            self.sending.cancel()
            self.watcher.remove_page(self.page_stream)

    def end(self) -> None:
        """Close the socket because the server ends."""
        with suppress(WebSocketClosedError):
            self.close(GOING_AWAY, "The server is ending.")
