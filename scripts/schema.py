"""Write the documents that are made from the code: openapi.json and two schemas, in docs/.

    python scripts/schema.py            write them
    python scripts/schema.py --check    end with 1 if a document is not what the code says

docs/openapi.json describes the REST routes. This script lists the routes; the answers are the typed
dicts of model/wire.py and server/messages.py. docs/records.schema.json describes what a scan keeps
on disk, and is made from model/records.py. docs/scan-file.schema.json describes a file of a scan,
and is made from the options in planning/declaration.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# The documents describe the code beside this script, whatever else is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jupyter_gridgpu import __version__
from jupyter_gridgpu.model import events, records, wire
from jupyter_gridgpu.model.numbers import Num
from jupyter_gridgpu.planning.scan_file.schema import schema as scan_file_schema
from jupyter_gridgpu.server import messages
from scripts.type_schemas import Naming, Schema, schema, structure, typed_dicts

DOCS = Path(__file__).resolve().parent.parent / "docs"

API = Naming(
    "#/components/schemas/",
    {
        wire.State: "State",
        wire.ScanState: "ScanState",
        wire.Action: "Action",
        wire.ChannelName: "ChannelName",
        Num: "Num",
    },
)
RECORDS = Naming(
    "#/$defs/",
    {
        records.State: "State",
        records.Reason: "Reason",
        records.CommandName: "CommandName",
        records.MetricReport: "MetricReport",
        Num: "Num",
    },
)


# docs/records.schema.json ---------------------------------------------------------


def records_document() -> Schema:
    """Return the JSON Schema of the records that a scan keeps on disk."""
    found = {name: structure(kind, RECORDS) for kind, name in RECORDS.names.items()}
    found.update(typed_dicts(records, RECORDS))
    head = found.pop("EventHead")
    lines = []
    for kind, event in events.RECORDS.items():
        found[event.__name__] = _line(head, kind, found[event.__name__])
        lines.append(schema(event, RECORDS))
    found["JournalLine"] = {"description": "A line of journal.jsonl: one event.", "oneOf": lines}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Records of a scan of jupyter_gridgpu",
        "description": (records.__doc__ or "").strip(),
        "$defs": dict(sorted(found.items())),
    }


def _line(head: Schema, kind: str, event: Schema) -> Schema:
    """Return the schema of a line of the journal: the keys of all events and those of `event`."""
    properties = {**head["properties"], "type": {"const": kind}, **event["properties"]}
    return {**event, "properties": properties, "required": head["required"] + event["required"]}


# docs/openapi.json ----------------------------------------------------------------


def components() -> dict[str, Schema]:
    """Return the schemas of all answers, by name."""
    found = {name: structure(kind, API) for kind, name in API.names.items()}
    for module in (wire, messages):
        found.update(typed_dicts(module, API))
    # The head of a scan travels only as a part of ScanInfo.
    del found["Head"]
    return dict(sorted(found.items()))


def _content(body: Schema, kind: str = "application/json") -> Schema:
    """Return the `content` of a request or an answer with this body. `kind` is its MIME type."""
    return {"content": {kind: {"schema": body}}}


def _in_query(name: str, kind: str, text: str, **more: Any) -> Schema:
    """Return a parameter of the query, which comes after the question mark of an address."""
    return {"name": name, "in": "query", "description": text, "schema": {"type": kind, **more}}


def _required(place: str, name: str, text: str) -> Schema:
    """Return a text that every request must have, in its `path` or in a `header`."""
    about = {"name": name, "in": place, "required": True, "description": text}
    return {**about, "schema": {"type": "string"}}


SCAN = _required("path", "scan", "Id or name of a scan.")
JOB_TEXT = "A variant, like v0017, whose latest attempt is meant; or an attempt, like v0017.2."
JOB = _required("path", "job", JOB_TEXT)
SORT_TEXT = (
    "id, state, value, started, ended, step, params.NAME or metrics.NAME;"
    " '-' before the name reverses the order."
)
ROWS = (
    _in_query("sort", "string", SORT_TEXT),
    _in_query("state", "string", "States to keep, with commas between them."),
    _in_query("q", "string", "Words that all have to occur in a row."),
    _in_query("offset", "integer", "Rows to skip.", minimum=0, maximum=10**9, default=0),
    _in_query("limit", "integer", "Rows to give.", minimum=1, maximum=1000, default=100),
)
POINTS = _in_query(
    "points", "integer", "Most points of a curve.", minimum=2, maximum=2000, default=300
)
START_TEXT = "First byte; without it, the end of the log."
PART = (
    _in_query("start", "integer", START_TEXT, minimum=0, maximum=10**15),
    _in_query("limit", "integer", "Most bytes.", minimum=1, maximum=1024 * 1024, default=64 * 1024),
)
FAULTS = {
    "400": "The request is wrong.",
    "403": "Not allowed.",
    "404": "Not there.",
    "409": "Owned by another runner.",
    "503": "A file cannot be read or written.",
}


def _operation(
    answer: Any, parameters: tuple[Schema, ...], summary: str, asked: Any = None
) -> Schema:
    """Return one operation. `asked` and `answer` are the typed dicts of request and answer."""
    responses: Schema = {"200": {"description": summary, **_content(schema(answer, API))}}
    for status, text in FAULTS.items():
        responses[status] = {"description": text, **_content(schema(messages.Fault, API))}
    made: Schema = {"summary": summary, "parameters": list(parameters), "responses": responses}
    if asked is not None:
        made["requestBody"] = {"required": True, **_content(schema(asked, API))}
    return made


def paths() -> dict[str, Schema]:
    """Return the routes below <base_url>gridgpu/api."""
    scan, job = "/scans/{scan}", "/scans/{scan}/jobs/{job}"
    of_job = (SCAN, JOB)
    gets = {
        "/scans": _operation(messages.ScanList, (), "All scans, newest first."),
        scan: _operation(wire.ScanInfo, (SCAN,), "One scan as a whole."),
        f"{scan}/jobs": _operation(
            messages.RowPage, (SCAN, *ROWS), "Rows of a scan, page by page."
        ),
        job: _operation(wire.JobDetails, of_job, "The attempts, defaults and limits of a variant."),
        f"{job}/metrics": _operation(
            wire.JobMetrics, (*of_job, POINTS), "The curves of a job, thinned."
        ),
        f"{job}/log": _operation(wire.LogText, (*of_job, *PART), "A part of the log of a job."),
        f"{job}/notebook": _operation(
            messages.Contents, of_job, "The notebook of a job as it was last saved."
        ),
        f"{scan}/log": _operation(
            messages.RunnerLog, (SCAN,), "The end of the log of a scan's runner."
        ),
        f"{scan}/output": _operation(
            messages.SavedOutput, (SCAN,), "The output of a scan's cell, as a notebook keeps it."
        ),
        "/queues": _operation(
            messages.Queues, (), "GPU queues, as they were at most a minute ago."
        ),
    }
    command = _operation(wire.Notice, (SCAN,), "Send a command to a scan.", messages.Command)
    home = _operation(messages.Home, (), "Keep scans in another folder from now on.", messages.Home)
    return {
        **{path: {"get": operation} for path, operation in gets.items()},
        f"{scan}/commands": {"post": command},
        "/home": {
            "get": _operation(messages.HomeSeen, (), "The folder of scans, and its mark."),
            "put": home,
        },
    }


SIGNED = (
    _required("header", "X-GridGpu", "What the request is and whose: see docs/channels.md."),
    _required("header", "X-GridGpu-Digest", "SHA-256 of the body, in hexadecimal digits."),
    _required(
        "header",
        "X-GridGpu-Signature",
        "HMAC-SHA-256 of scan, claim and digest, with the key of the claim.",
    ),
)
REFUSALS = {
    "400": "The request is wrong.",
    "403": "The signature is not that of a known user.",
    "404": "No such scan or job is known.",
    "409": "Earlier bytes are missing.",
    "410": "The collector takes nothing more for the scan.",
    "413": "Too much at once.",
    "429": "Too fast.",
    "503": "Not now.",
    "507": "No space left.",
}


def _signed_operation(summary: str, answer: Schema, lines: bool = False) -> Schema:
    """Return an operation of the collector. With `lines`, the request has lines of text."""
    responses: Schema = {"200": {"description": summary, **answer}}
    for status, text in REFUSALS.items():
        responses[status] = {"description": text, **_content(schema(messages.Refusal, API))}
    made: Schema = {
        "summary": summary,
        "security": [],  # the signature takes the place of the server's login
        "parameters": [_required("path", "scan", "Id of a scan."), *SIGNED],
        "responses": responses,
    }
    if lines:
        made["requestBody"] = {"required": True, **_content({"type": "string"}, "text/plain")}
    return made


def collector() -> Schema:
    """Return the operations of the collector's one route."""
    taken = _content(schema(messages.Taken, API))
    announced = _content(schema(messages.Announced, API))
    stopped = _content(schema(messages.Fault, API))
    frames = _content({"type": "string", "format": "binary"}, "application/octet-stream")
    return {
        "post": _signed_operation("A job: lines of its metrics file.", taken, lines=True),
        "put": _signed_operation("A runner: jobs that exist.", announced, lines=True),
        "get": _signed_operation("A runner: what has come since a position.", frames),
        "delete": _signed_operation("The user: take nothing more for the scan.", stopped),
    }


def api_document() -> Schema:
    """Return the OpenAPI document of the server extension."""
    about = (
        "Scans over REST, below the base URL of the Jupyter server. The stream of events, a"
        " WebSocket at api/events, sends AllScans first, then OneScan, Gone and LeftOutNow. For"
        " opened scans it sends Snapshot and Upsert, or Missing. It receives Open and Close."
    )
    routes = {f"/api{path}": item for path, item in paths().items()}
    token = {"type": "apiKey", "in": "header", "name": "Authorization"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "jupyter_gridgpu", "version": __version__, "description": about},
        "servers": [{"url": "/gridgpu"}],
        "security": [{"token": []}],
        "paths": {**routes, "/collect/{scan}": collector()},
        "components": {"schemas": components(), "securitySchemes": {"token": token}},
    }


def main() -> int:
    """Write the documents, or check them; return the exit code."""
    stale = []
    for name, body in (
        ("openapi.json", api_document()),
        ("records.schema.json", records_document()),
        ("scan-file.schema.json", scan_file_schema()),
    ):
        path = DOCS / name
        text = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
    if stale:
        names = ", ".join(stale)
        print(f"Out of date: {names}. Run python scripts/schema.py.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
