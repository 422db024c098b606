"""The REST routes, for all that a page asks for once.

Every answer is JSON, and every refusal is one sentence. The *head* of a scan in an answer describes
the scan as a whole, without its rows: name, state, counts, best variant (`ScanInfo` in
model/wire.py).
"""

from __future__ import annotations

import json
import re
from http.client import responses
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_gridgpu.client import POINTS, open_scan
from jupyter_gridgpu.collector.handler import ROUTE, CollectHandler
from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.model.job import STATES
from jupyter_gridgpu.model.queue import to_json
from jupyter_gridgpu.planning import profile_files
from jupyter_gridgpu.planning.profile_text import profile_info
from jupyter_gridgpu.queues import discovery
from jupyter_gridgpu.server import listing, notebook
from jupyter_gridgpu.server.command_body import parse_command, parse_json
from jupyter_gridgpu.server.event_socket import AUTH_RESOURCE, WATCHER, EventsSocket
from jupyter_gridgpu.server.scans import WatchedScans
from jupyter_gridgpu.server.statuses import status_of
from jupyter_gridgpu.server.watched_scan import dumps, list_parts
from jupyter_gridgpu.server.watcher import Watcher
from jupyter_gridgpu.store import home, home_mark
from jupyter_gridgpu.widgets.saved_output import output_forms

LOG_BYTES = 64 * 1024  # bytes of a log in one answer, if the page does not ask for a number
LOG_LIMIT = 1024 * 1024  # the most bytes of a log that a page may ask for
ROWS_LIMIT = 1000  # the most rows in one answer
POINTS_LIMIT = 2000  # the most points of a curve in one answer
FILTER_LIMIT = 200  # characters of a filter; the rest is ignored
PATH_LIMIT = 4096  # characters of the longest path
_WHOLE_NUMBER = re.compile(r"[0-9]{1,15}")


class Api(APIHandler):
    """The base class of all routes: access to the scans, checks of the query, and refusals."""

    auth_resource = AUTH_RESOURCE

    @property
    def watcher(self) -> Watcher:
        """The watcher of this server."""
        found: Watcher = self.settings[WATCHER]
        return found

    @property
    def scans(self) -> WatchedScans:
        """The watched scans; only the watcher's scan thread may call their methods."""
        return self.watcher.scans

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number from the query, or `default` if the query does not have it.

        Raises UsageError if the text is no whole number, or is out of bounds.
        """
        found = self.optional_integer(name, low, high)
        if found is None:
            return default
        return found

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number from the query, or None if the query does not have it.

        Raises UsageError if the text is no whole number, or is out of bounds.
        """
        text = self.get_query_argument(name, None)
        if text is None:
            return None
        # int() alone accepts signs, spaces, underscores and digits of other scripts.
        if not _WHOLE_NUMBER.fullmatch(text) or not low <= int(text) <= high:
            raise UsageError(
                f"{name} is {text[:40]!r}; give a whole number from {low:,} to {high:,}."
            )
        return int(text)

    def compute_etag(self) -> None:
        """Make no etag: to hash every answer takes time, and two answers are seldom the same."""

    # refusals ------------------------------------------------------------------------

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log unexpected errors only. The sentence of an error of ours is in the answer."""
        if not isinstance(value, GridGpuError):
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with the status that belongs to an error of ours."""
        error = _error_in(kwargs)
        if isinstance(error, GridGpuError):
            status_code = status_of(error)
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write a refusal as JSON with one sentence."""
        error = _error_in(kwargs)
        message = f"{responses.get(status_code, 'Refused')}."
        if isinstance(error, GridGpuError):
            message = str(error)
        elif isinstance(error, web.HTTPError):
            message = error.log_message or message
        elif error is not None:
            # An unexpected error may tell of the server's inside, so only its log says more.
            message = "The server could not do that; its log says why."
        self.finish(json.dumps({"message": message}))


def _error_in(kwargs: dict[str, Any]) -> Any:
    """Return the exception that tornado hands over to send_error and write_error, or None."""
    return kwargs.get("exc_info", (None, None))[1]


class ScansHandler(Api):
    """All scans."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the heads of all scans, newest first."""
        heads, left_out = await self.watcher.in_scan_thread(self.scans.listed)
        self.finish(b"{%s}" % list_parts(heads, left_out))


class ScanHandler(Api):
    """One scan."""

    @web.authenticated
    @authorized
    async def get(self, scan: str) -> None:
        """Answer with the head of a scan as it is now."""
        head = await self.watcher.in_scan_thread(lambda: self.scans.find(scan).fresh_head())
        self.finish(dumps(head))


class JobsHandler(Api):
    """The rows of a scan, page by page."""

    @web.authenticated
    @authorized
    async def get(self, scan: str) -> None:
        """Answer with the rows that the query asks for."""
        # A query may be long. Of its states, one more than exist is kept: more cannot be needed.
        states = self.get_query_argument("state", "").split(",")[: len(STATES) + 1]
        query = listing.RowQuery(
            sort=self.get_query_argument("sort", "id") or "id",
            states=tuple(state for state in states if state),
            text=self.get_query_argument("q", "")[:FILTER_LIMIT],
            offset=self.integer("offset", 0, 0, 10**9),
            limit=self.integer("limit", 100, 1, ROWS_LIMIT),
        )
        answer = await self.watcher.in_scan_thread(
            lambda: listing.row_page(self.scans.handle(scan), query)
        )
        self.finish(answer)


class JobHandler(Api):
    """One variant."""

    @web.authenticated
    @authorized
    async def get(self, scan: str, job: str) -> None:
        """Answer with attempts, defaults and limits of a variant, which its row does not have."""
        details = await self.watcher.in_scan_thread(lambda: self.scans.handle(scan).job(job))
        self.finish(dumps(details))


class MetricsHandler(Api):
    """The curves of one job."""

    @web.authenticated
    @authorized
    async def get(self, scan: str, job: str) -> None:
        """Answer with the curves of all metrics, thinned to the number of points in the query."""
        points = self.integer("points", POINTS, 2, POINTS_LIMIT)
        handle = await self.watcher.in_scan_thread(self.scans.handle, scan)
        answer = await self.watcher.in_curve_thread(lambda: dumps(handle.curves(job, points)))
        self.finish(answer)


class LogHandler(Api):
    """The log of one job."""

    @web.authenticated
    @authorized
    async def get(self, scan: str, job: str) -> None:
        """Answer with the part of the log from byte `start` on, or with its end without a start."""
        start = self.optional_integer("start", 0, 10**15)
        limit = self.integer("limit", LOG_BYTES, 1, LOG_LIMIT)
        part = await self.watcher.in_scan_thread(
            lambda: self.scans.handle(scan).log_part(job, start, limit)
        )
        self.finish(dumps(part))


class NotebookHandler(Api):
    """The executed notebook of one job."""

    @web.authenticated
    @authorized
    async def get(self, scan: str, job: str) -> None:
        """Answer with the notebook as it was last saved, without marks of trust."""
        handle = await self.watcher.in_scan_thread(self.scans.handle, scan)
        self.finish(await self.watcher.in_file_thread(notebook.contents, handle, job))


class RunnerLogHandler(Api):
    """The log of a scan's runner."""

    @web.authenticated
    @authorized
    async def get(self, scan: str) -> None:
        """Answer with the last LOG_BYTES bytes of the log."""
        text = await self.watcher.in_scan_thread(
            lambda: self.scans.handle(scan).runner_log(LOG_BYTES)
        )
        self.finish(dumps({"text": text}))


class OutputHandler(Api):
    """What a notebook keeps of a scan."""

    @web.authenticated
    @authorized
    async def get(self, scan: str) -> None:
        """Answer with the output of the scan's cell in all forms that need no kernel."""
        watched = await self.watcher.in_scan_thread(self.scans.find, scan)
        head, handle = await self.watcher.in_scan_thread(
            lambda: (watched.fresh_head(), watched.handle())
        )
        forms = await self.watcher.in_file_thread(output_forms, handle, head)
        self.finish(dumps({"data": forms}))


class CommandsHandler(Api):
    """Commands to a scan."""

    @web.authenticated
    @authorized
    async def post(self, scan: str) -> None:
        """Leave a command for the runner, or start a replay, and answer with a sentence."""
        body = parse_command(self.request.body)
        if body.action == "replay":
            answer = await self._replay(scan, body.variants, body.accept)
        else:
            answer = await self.watcher.in_scan_thread(
                lambda: self.scans.find(scan).command(
                    body.action, body.variants, body.trials, **body.more
                )
            )
        self.watcher.sweep_soon()
        self.finish(dumps({"type": "said", "text": answer}))

    async def _replay(self, scan: str, variants: list[str] | None, accept: list[str]) -> str:
        watched = await self.watcher.in_scan_thread(self.scans.find, scan)
        # A replay may ask a batch system, so it runs in the query thread. The watched scan
        # belongs to the scan thread, so the scan is opened anew.
        return await self.watcher.in_query_thread(
            lambda: open_scan(watched.folder).command("replay", variants, accept=accept)
        )


class HomeHandler(Api):
    """The folder where scans are kept: a setting of this server and of the kernels it starts."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the folder, and with the mark that a kernel has left in it."""
        mark = await self.watcher.in_file_thread(home_mark.read)
        self.finish(dumps({"home": str(home.home()), "mark": mark}))

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Keep scans in another folder from now on, and answer with its path."""
        body = parse_json(self.request.body)
        folder = None
        if isinstance(body, dict):
            folder = body.get("home")
        if not isinstance(folder, str) or len(folder) > PATH_LIMIT:
            raise UsageError('No folder was named; send an object like {"home": "/data/scans"}.')
        where = await self.watcher.in_scan_thread(home.use_home, folder)
        self.watcher.sweep_soon()
        self.finish(dumps({"home": str(where)}))


class QueuesHandler(Api):
    """The GPU queues that jobs can be sent to."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the queues; batch systems are asked at most once a minute."""
        found = await self.watcher.in_query_thread(discovery.find_queues, discovery.MAX_AGE_S)
        profiles, mistakes = await self.watcher.in_query_thread(profile_files.read_all)
        body = {
            "asked": found.at,
            "queues": [to_json(queue) for queue in found.queues],
            "profiles": [profile_info(profile) for profile in profiles],
            "problems": [*found.problems, *(mistake.text for mistake in mistakes)],
        }
        self.finish(dumps(body))


class UnknownHandler(Api):
    """Every other path: refused in JSON too, and only to users who are logged in."""

    @web.authenticated
    @authorized
    async def get(self, *args: Any) -> None:
        """Raise HTTPError 404."""
        raise web.HTTPError(404)

    post = put = patch = delete = get


_API = "gridgpu/api"
_SCAN = rf"{_API}/scans/([^/]+)"
_JOB = rf"{_SCAN}/jobs/([^/]+)"
# The first pattern that fits is taken. So the pattern for unknown paths comes after all others of
# gridgpu/api.
ROUTES: list[tuple[str, type[web.RequestHandler]]] = [
    (rf"{_API}/scans", ScansHandler),
    (_SCAN, ScanHandler),
    (rf"{_SCAN}/jobs", JobsHandler),
    (_JOB, JobHandler),
    (rf"{_JOB}/metrics", MetricsHandler),
    (rf"{_JOB}/log", LogHandler),
    (rf"{_JOB}/notebook", NotebookHandler),
    (rf"{_SCAN}/log", RunnerLogHandler),
    (rf"{_SCAN}/output", OutputHandler),
    (rf"{_SCAN}/commands", CommandsHandler),
    (rf"{_API}/home", HomeHandler),
    (rf"{_API}/queues", QueuesHandler),
    (rf"{_API}/events", EventsSocket),
    (rf"{_API}/.*", UnknownHandler),
    (ROUTE, CollectHandler),
]
