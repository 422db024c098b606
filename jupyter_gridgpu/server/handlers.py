"""The REST side: what a page asks for once. Every answer is JSON, every refusal one sentence."""

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
from jupyter_gridgpu.queues import discovery
from jupyter_gridgpu.server import listing, notebook
from jupyter_gridgpu.server.event_socket import AUTH_RESOURCE, WATCHER, EventsSocket
from jupyter_gridgpu.server.scans import WatchedScans
from jupyter_gridgpu.server.statuses import status_of
from jupyter_gridgpu.server.watched_scan import dumps
from jupyter_gridgpu.server.watcher import Watcher
from jupyter_gridgpu.store import home

BODY_BYTES = 1_000_000
LOG_BYTES = 64 * 1024
LOG_LIMIT = 1024 * 1024
ROWS_LIMIT = 1000
WORDS_LIMIT = 200
PATH_LIMIT = 4096
_WHOLE = re.compile(r"[0-9]{1,15}")


class Api(APIHandler):
    """What all routes share."""

    auth_resource = AUTH_RESOURCE

    @property
    def collector(self) -> Watcher:
        found: Watcher = self.settings[WATCHER]
        return found

    @property
    def scans(self) -> WatchedScans:
        return self.collector.scans

    def whole(self, name: str, default: int | None, low: int, high: int) -> int | None:
        """Return a whole number of the query. Raises UsageError."""
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise UsageError(
                f"{name} is {text[:40]!r}; give a whole number from {low:,} to {high:,}."
            )
        return int(text)

    def compute_etag(self) -> None:
        """Nothing here is asked for twice unchanged."""

    # refusals -----------------------------------------------------------------------------

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, GridGpuError):
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        super().send_error(
            status_of(error) if isinstance(error, GridGpuError) else status_code, **kwargs
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        message = f"{responses.get(status_code, 'Refused')}."
        if isinstance(error, GridGpuError):
            message = str(error)
        elif isinstance(error, web.HTTPError):
            message = error.log_message or message
        elif error is not None:
            message = "The server could not do that; its log says why."
        self.finish(json.dumps({"message": message}))


class ScansHandler(Api):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        heads = await self.collector.call(self.scans.heads)
        self.finish(b'{"scans":[%s]}' % b",".join(map(dumps, heads)))


class ScanHandler(Api):
    @web.authenticated
    @authorized
    async def get(self, scan: str) -> None:
        self.finish(dumps(await self.collector.call(lambda: self.scans.find(scan).fresh_head())))


class JobsHandler(Api):
    @web.authenticated
    @authorized
    async def get(self, scan: str) -> None:
        wanted = listing.Wanted(
            self.get_query_argument("sort", "id") or "id",
            tuple(filter(None, self.get_query_argument("state", "").split(",")[: len(STATES) + 1])),
            self.get_query_argument("q", "")[:WORDS_LIMIT],
            self.whole("offset", 0, 0, 10**9) or 0,
            self.whole("limit", 100, 1, ROWS_LIMIT) or 1,
        )
        self.finish(
            await self.collector.call(lambda: listing.page(self.scans.handle(scan), wanted))
        )


class JobHandler(Api):
    @web.authenticated
    @authorized
    async def get(self, scan: str, job: str) -> None:
        self.finish(dumps(await self.collector.call(lambda: self.scans.handle(scan).job(job))))


class MetricsHandler(Api):
    @web.authenticated
    @authorized
    async def get(self, scan: str, job: str) -> None:
        points = self.whole("points", POINTS, 2, 2000) or POINTS
        handle = await self.collector.call(self.scans.handle, scan)
        self.finish(await self.collector.read(lambda: dumps(handle.curves(job, points))))


class LogHandler(Api):
    @web.authenticated
    @authorized
    async def get(self, scan: str, job: str) -> None:
        start, limit = (
            self.whole("start", None, 0, 10**15),
            self.whole("limit", LOG_BYTES, 1, LOG_LIMIT) or 1,
        )
        self.finish(
            dumps(
                await self.collector.call(
                    lambda: self.scans.handle(scan).log_part(job, start, limit)
                )
            )
        )


class NotebookHandler(Api):
    @web.authenticated
    @authorized
    async def get(self, scan: str, job: str) -> None:
        handle = await self.collector.call(self.scans.handle, scan)
        self.finish(await self.collector.read(notebook.contents, handle, job))


class RunnerLogHandler(Api):
    @web.authenticated
    @authorized
    async def get(self, scan: str) -> None:
        text = await self.collector.call(lambda: self.scans.handle(scan).runner_log(LOG_BYTES))
        self.finish(dumps({"text": text}))


class CommandsHandler(Api):
    @web.authenticated
    @authorized
    async def post(self, scan: str) -> None:
        action, variants, trials = command_of(self.request.body)
        if (
            action == "replay"
        ):  # it may ask an engine, and reads the scan anew: not in the thread that follows them all
            folder = (await self.collector.call(self.scans.find, scan)).folder
            said = await self.collector.ask(lambda: open_scan(folder).command(action, variants))
        else:
            said = await self.collector.call(
                lambda: self.scans.find(scan).command(action, variants, trials)
            )
        self.collector.hurry()
        self.finish(dumps({"type": "said", "text": said}))


class HomeHandler(Api):
    """Where scans are kept: a setting of the page, for this server and the kernels that it starts."""

    @web.authenticated
    @authorized
    async def put(self) -> None:
        body = _parsed(self.request.body)
        folder = body.get("home") if isinstance(body, dict) else None
        if not isinstance(folder, str) or len(folder) > PATH_LIMIT:
            raise UsageError('No folder was named; send an object like {"home": "/data/scans"}.')
        where = await self.collector.call(home.move, folder)
        self.collector.hurry()
        self.finish(dumps({"home": str(where)}))


class QueuesHandler(Api):
    """GPU queues; the engines are asked at most once a minute, in a thread that nobody else waits for."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        found = await self.collector.ask(discovery.find, discovery.FRESH_S)
        body = {
            "asked": found.at,
            "queues": [to_json(queue) for queue in found.queues],
            "problems": list(found.problems),
        }
        self.finish(dumps(body))


class UnknownHandler(Api):
    """What is no route answers in JSON too, and only to who is logged in."""

    @web.authenticated
    @authorized
    async def get(self, *args: Any) -> None:
        raise web.HTTPError(404)

    post = put = patch = delete = get


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def command_of(text: bytes) -> tuple[str, list[str] | None, int | None]:
    """Return action, variants and trials of a command's body. Raises UsageError for whatever is wrong with it."""
    if len(text) > BODY_BYTES:
        raise UsageError(
            f"The command is larger than {BODY_BYTES // 1000:,} kB; name fewer variants."
        )
    body = _parsed(text)
    if not isinstance(body, dict):
        raise UsageError(
            'The command is no JSON object; send one like {"action": "stop", "variants": ["v0001"]}.'
        )
    action, variants, trials = body.get("action"), body.get("variants"), body.get("trials")
    if not isinstance(action, str):
        raise UsageError("The command has no action; give one as a text, like stop.")
    if variants is not None and not (
        isinstance(variants, list) and all(isinstance(item, str) for item in variants)
    ):
        raise UsageError(
            "variants is no list of texts; give ids like v0001, or null for the whole scan."
        )
    if trials is not None and type(trials) is not int:
        raise UsageError("trials is no whole number; give how many points to add.")
    return action, variants, trials


_API = "gridgpu/api"
_SCAN, _JOB = rf"{_API}/scans/([^/]+)", rf"{_API}/scans/([^/]+)/jobs/([^/]+)"
ROUTES: list[tuple[str, type[web.RequestHandler]]] = [
    (rf"{_API}/scans", ScansHandler),
    (_SCAN, ScanHandler),
    (rf"{_SCAN}/jobs", JobsHandler),
    (_JOB, JobHandler),
    (rf"{_JOB}/metrics", MetricsHandler),
    (rf"{_JOB}/log", LogHandler),
    (rf"{_JOB}/notebook", NotebookHandler),
    (rf"{_SCAN}/log", RunnerLogHandler),
    (rf"{_SCAN}/commands", CommandsHandler),
    (rf"{_API}/home", HomeHandler),
    (rf"{_API}/queues", QueuesHandler),
    (rf"{_API}/events", EventsSocket),
    (rf"{_API}/.*", UnknownHandler),
    (ROUTE, CollectHandler),
]
