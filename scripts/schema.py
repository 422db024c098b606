"""Write docs/openapi.json and docs/records.schema.json, both made from the types in the code.

    python scripts/schema.py            write both documents
    python scripts/schema.py --check    end with 1 if a document is not what the code says

docs/openapi.json describes the REST routes. The routes stand here; the answers are the typed dicts
of model/wire.py and server/messages.py. docs/records.schema.json describes what a scan keeps on
disk, and is made from model/records.py. Docstrings become the descriptions of objects, comments at
the keys of a typed dict become those of the keys.

The schemas are made by hand, because no generator reads typed dicts on every Python that we run on.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import sys
import tokenize
import types
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from jupyter_gridgpu import __version__
from jupyter_gridgpu.model import events, records, wire
from jupyter_gridgpu.model.numbers import Num
from jupyter_gridgpu.server import messages

Schema = dict[str, Any]
DOCS = Path(__file__).resolve().parent.parent / "docs"
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


# From types to schemas ------------------------------------------------------------


@dataclass(frozen=True)
class Naming:
    """How a document refers to schemas that have a name."""

    prefix: str  # of a reference, for example #/$defs/
    names: dict[Any, str]  # of the types that have a name, beside the typed dicts

    def reference(self, kind: Any) -> Schema | None:
        """Return the reference to a type, or None if the type has no name."""
        if is_typeddict(kind) or kind in self.names:
            return {"$ref": self.prefix + (self.names.get(kind) or kind.__name__)}
        return None


API = Naming(
    "#/components/schemas/",
    {
        wire.State: "State",
        wire.ScanState: "ScanState",
        wire.Action: "Action",
        wire.ChannelName: "Way",
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


def schema(kind: Any, naming: Naming) -> Schema:
    """Return the schema of a type: a reference where the type has a name."""
    return naming.reference(kind) or structure(kind, naming)


def structure(kind: Any, naming: Naming) -> Schema:
    """Return the schema of a type itself. Raises TypeError for a type that no document has."""
    if kind is Any:
        return {}
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, types.UnionType):
        return _union(arguments, naming)
    if origin is list:
        return {"type": "array", "items": schema(arguments[0], naming)}
    if origin is tuple:
        items = [schema(item, naming) for item in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if origin is dict:
        return _mapping(arguments[0], arguments[1], naming)
    raise TypeError(f"{kind} has no schema here")


def _literal(values: tuple[Any, ...]) -> Schema:
    if values == (True,):
        return {"const": True}
    return {"type": "string", "enum": list(values)}


def _union(kinds: tuple[Any, ...], naming: Naming) -> Schema:
    """Return the schema of a union."""
    # Python flattens `Num | None` into the parts of Num and None: put Num together again.
    if set(get_args(Num)) < set(kinds):
        rest = [kind for kind in kinds if kind not in get_args(Num)]
        kinds = (Num, *rest)
    return {"anyOf": [schema(kind, naming) for kind in kinds]}


def _mapping(key: Any, value: Any, naming: Naming) -> Schema:
    """Return the schema of a dict; one whose keys are a Literal has all of these keys."""
    if get_origin(key) is Literal:
        return {
            "type": "object",
            "properties": {name: schema(value, naming) for name in get_args(key)},
            "required": list(get_args(key)),
            "additionalProperties": False,
        }
    return {"type": "object", "additionalProperties": schema(value, naming)}


def record(kind: Any, naming: Naming, comments: dict[str, str]) -> Schema:
    """Return the schema of a typed dict; `comments` are the descriptions of its keys."""
    hints = get_type_hints(kind)
    properties = {}
    for name, hint in hints.items():
        properties[name] = schema(hint, naming)
        # A reference stands alone: what reads the schemas for the browser takes a reference that
        # has a description for another type than the one that it refers to.
        if name in comments and "$ref" not in properties[name]:
            properties[name]["description"] = comments[name]
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": properties,
        "required": [name for name in hints if name in kind.__required_keys__],
        "additionalProperties": False,
    }


def typed_dicts(module: ModuleType, naming: Naming) -> dict[str, Schema]:
    """Return the schemas of the public typed dicts that a module defines, by name."""
    comments = key_comments(module)
    found = {}
    for name, kind in vars(module).items():
        own = is_typeddict(kind) and kind.__module__ == module.__name__
        if own and not name.startswith("_"):
            found[name] = record(kind, naming, comments.get(name, {}))
    return found


def key_comments(module: ModuleType) -> dict[str, dict[str, str]]:
    """Return the comments at the keys of the classes of a module, by class and key."""
    source = inspect.getsource(module)
    at_line = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        keys: dict[str, str] = {}
        # A typed dict has the keys of its bases too. Python 3.10 forgets the bases: read them.
        for base in node.bases:
            keys.update(found.get(ast.unparse(base), {}))
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and item.lineno in at_line:
                keys[ast.unparse(item.target)] = at_line[item.lineno]
        found[node.name] = keys
    return found


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
    """Return the schema of a line of the journal: the keys of all events, and those of this one."""
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
    """Return what the body of a request or an answer consists of; `kind` is its MIME type."""
    return {"content": {kind: {"schema": body}}}


def _in_query(name: str, kind: str, text: str, **more: Any) -> Schema:
    """Return a parameter that stands behind the question mark."""
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
    " '-' before it turns it round."
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
    "400": "Asked for wrongly.",
    "403": "Not allowed.",
    "404": "Not there.",
    "409": "Owned by another runner.",
    "503": "A file cannot be read or written.",
}


def _operation(
    answer: Any, parameters: tuple[Schema, ...], summary: str, asked: Any = None
) -> Schema:
    """Return one operation; `answer` and `asked` are the typed dicts of what it gives and takes."""
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
        job: _operation(wire.JobDetails, of_job, "The attempts and the surroundings of a variant."),
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
        "/queues": _operation(
            messages.Queues, (), "GPU queues, as they were at most a minute ago."
        ),
    }
    command = _operation(wire.Notice, (SCAN,), "Ask something of a scan.", messages.Command)
    home = _operation(messages.Home, (), "Keep scans in another folder from now on.", messages.Home)
    return {
        **{path: {"get": operation} for path, operation in gets.items()},
        f"{scan}/commands": {"post": command},
        "/home": {"put": home},
    }


SIGNED = (
    _required("header", "X-GridGpu", "What the request is and whose: see docs/channels.md."),
    _required("header", "X-GridGpu-Digest", "SHA-256 of the body, in hexadecimal digits."),
    _required(
        "header",
        "X-GridGpu-Signature",
        "HMAC-SHA-256 of scan, claim and digest, with the key that it takes.",
    ),
)
REFUSALS = {
    "400": "Asked for wrongly.",
    "403": "Signed by nobody who is known.",
    "404": "No such scan or job is known.",
    "409": "What comes before that is missing.",
    "410": "Nothing more is taken for the scan.",
    "413": "Too much at once.",
    "429": "Too fast.",
    "503": "Not now.",
    "507": "No space left.",
}


def _signed_operation(summary: str, answer: Schema, lines: bool = False) -> Schema:
    """Return an operation of the collector; with `lines`, it takes lines of text."""
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
        "get": _signed_operation("A runner: what came since.", frames),
        "delete": _signed_operation("The user: take nothing more for the scan.", stopped),
    }


def api_document() -> Schema:
    """Return the OpenAPI document of the server extension."""
    about = (
        "Scans over REST, below the base URL of the Jupyter server. The stream of events, a"
        " WebSocket at api/events, says AllScans first, then OneScan and Gone, and of opened scans"
        " Snapshot and Upsert, or Missing; it hears Open and Close."
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
    ):
        path = DOCS / name
        text = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
    if stale:
        names = " and ".join(stale)
        print(f"Out of date: {names}. Run python scripts/schema.py.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
