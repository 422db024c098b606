"""Writes docs/openapi.json: the routes as they stand here, their answers from the types in the code.

    python scripts/schema.py            write it
    python scripts/schema.py --check    say whether it is as it should be

The answers are typed dicts of the standard library, which no schema generator reads on every Python we run on.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from jupyter_gridgpu import __version__
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.numbers import Num
from jupyter_gridgpu.server import messages

TARGET = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
NAMED = {
    wire.State: "State",
    wire.ScanState: "ScanState",
    wire.Action: "Action",
    wire.ChannelName: "Way",
    Num: "Num",
}


def schema(kind: Any, names: dict[Any, str] | None = None) -> dict[str, Any]:
    """Return the JSON schema of a type, which names the typed dicts in it."""
    names = NAMED if names is None else names
    if is_typeddict(kind) or kind in names:
        return {"$ref": f"#/components/schemas/{names.get(kind) or kind.__name__}"}
    if kind is Any:
        return {}
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    origin, words = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"type": "string", "enum": list(words)}
    if origin in (Union, types.UnionType):
        return _union(words)
    if origin is list:
        return {"type": "array", "items": schema(words[0])}
    if origin is dict:
        return _mapping(*words)
    raise TypeError(f"{kind} has no schema here")


def _union(words: tuple[Any, ...]) -> dict[str, Any]:
    """A union; `Num | None` arrives as its parts and is put together again."""
    if set(get_args(Num)) < set(words):
        rest = [word for word in words if word not in get_args(Num)]
        return {"anyOf": [schema(Num), *map(schema, rest)]}
    return {"anyOf": [schema(word) for word in words]}


def _mapping(key: Any, value: Any) -> dict[str, Any]:
    if get_origin(key) is Literal:
        return {
            "type": "object",
            "properties": {name: schema(value) for name in get_args(key)},
            "required": list(get_args(key)),
            "additionalProperties": False,
        }
    return {"type": "object", "additionalProperties": schema(value)}


def record(kind: Any) -> dict[str, Any]:
    """Return the schema of a typed dict itself."""
    hints = get_type_hints(kind)
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": {name: schema(hint) for name, hint in hints.items()},
        "required": [name for name in hints if name in kind.__required_keys__],
        "additionalProperties": False,
    }


def components() -> dict[str, Any]:
    found = {name: schema(kind, names={}) for kind, name in NAMED.items()}
    for module in (wire, messages):
        for name, kind in vars(module).items():
            if (
                is_typeddict(kind)
                and kind.__module__ == module.__name__
                and not name.startswith("_")
                and name != "Head"
            ):
                found[name] = record(kind)
    return dict(sorted(found.items()))


def _query(name: str, kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": {"type": kind, **more}}


def _way(name: str, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text,
        "schema": {"type": "string"},
    }


SCAN = _way("scan", "Id or name of a scan.")
JOB = _way(
    "job", "A variant, like v0017, whose latest attempt is meant; or an attempt, like v0017.2."
)
ROWS = (
    _query(
        "sort",
        "string",
        "id, state, value, started, ended, step, params.NAME or metrics.NAME; '-' before it turns it round.",
    ),
    _query("state", "string", "States to keep, with commas between them."),
    _query("q", "string", "Words that all have to occur in a row."),
    _query("offset", "integer", "Rows to skip.", minimum=0, maximum=10**9, default=0),
    _query("limit", "integer", "Rows to give.", minimum=1, maximum=1000, default=100),
)
POINTS = _query(
    "points", "integer", "Most points of a curve.", minimum=2, maximum=2000, default=300
)
PART = (
    _query(
        "start", "integer", "First byte; without it, the end of the log.", minimum=0, maximum=10**15
    ),
    _query("limit", "integer", "Most bytes.", minimum=1, maximum=1024 * 1024, default=64 * 1024),
)
FAULTS = {
    "400": "Asked for wrongly.",
    "403": "Not allowed.",
    "404": "Not there.",
    "409": "Owned by another runner.",
    "503": "A file cannot be read or written.",
}


def _answered(name: str, words: tuple[dict[str, Any], ...], summary: str) -> dict[str, Any]:
    def holds(component: str, text: str) -> dict[str, Any]:
        return {
            "description": text,
            "content": {
                "application/json": {"schema": {"$ref": f"#/components/schemas/{component}"}}
            },
        }

    faults = {status: holds("Fault", text) for status, text in FAULTS.items()}
    return {
        "summary": summary,
        "parameters": list(words),
        "responses": {"200": holds(name, summary), **faults},
    }


def _sent(name: str) -> dict[str, Any]:
    return {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


def paths() -> dict[str, Any]:
    """Return the routes below <base_url>gridgpu/api."""
    scan, job = "/scans/{scan}", "/scans/{scan}/jobs/{job}"
    home = {
        **_answered("Home", (), "Keep scans in another folder from now on."),
        "requestBody": _sent("Home"),
    }
    return {
        "/scans": {"get": _answered("Scans", (), "All scans, newest first.")},
        scan: {"get": _answered("ScanInfo", (SCAN,), "One scan as a whole.")},
        f"{scan}/jobs": {
            "get": _answered("RowPage", (SCAN, *ROWS), "Rows of a scan, page by page.")
        },
        job: {
            "get": _answered("Job", (SCAN, JOB), "The attempts and the surroundings of a variant.")
        },
        f"{job}/metrics": {
            "get": _answered("Metrics", (SCAN, JOB, POINTS), "The curves of a job, thinned.")
        },
        f"{job}/log": {
            "get": _answered("LogText", (SCAN, JOB, *PART), "A part of the log of a job.")
        },
        f"{job}/notebook": {
            "get": _answered("Contents", (SCAN, JOB), "The notebook of a job as it was last saved.")
        },
        f"{scan}/log": {
            "get": _answered("RunnerLog", (SCAN,), "The end of the log of a scan's runner.")
        },
        f"{scan}/commands": {
            "post": {
                **_answered("Said", (SCAN,), "Ask something of a scan."),
                "requestBody": _sent("Command"),
            }
        },
        "/home": {"put": home},
        "/queues": {
            "get": _answered("Queues", (), "GPU queues, as they were at most a minute ago.")
        },
    }


SIGNED = tuple(
    {
        "name": name,
        "in": "header",
        "required": True,
        "description": text,
        "schema": {"type": "string"},
    }
    for name, text in {
        "X-GridGpu": "What the request is and whose: see docs/channels.md.",
        "X-GridGpu-Digest": "SHA-256 of the body, in hexadecimal digits.",
        "X-GridGpu-Signature": "HMAC-SHA-256 of scan, claim and digest, with the key that it takes.",
    }.items()
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


def _collected(summary: str, answer: dict[str, Any], sent: str = "") -> dict[str, Any]:
    """An operation that is signed; `sent` is the kind of its body."""

    def holds(schema: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
        return {"content": {kind: {"schema": schema}}}

    fault = {"$ref": "#/components/schemas/Refusal"}
    faults = {status: {"description": text, **holds(fault)} for status, text in REFUSALS.items()}
    made = {
        "summary": summary,
        "security": [],
        "parameters": [_way("scan", "Id of a scan."), *SIGNED],
    }
    body = {"requestBody": {"required": True, **holds({"type": "string"}, sent)}} if sent else {}
    return {**made, **body, "responses": {"200": {"description": summary, **answer}, **faults}}


def collect() -> dict[str, Any]:
    """Return the route of the collector, which no login opens."""

    def named(name: str) -> dict[str, Any]:
        return {
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        }

    frames = {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
    return {
        "post": _collected("A job: lines of its metrics file.", named("Taken"), "text/plain"),
        "put": _collected("A runner: jobs that exist.", named("Announced"), "text/plain"),
        "get": _collected("A runner: what came since.", frames),
        "delete": _collected("The user: take nothing more for the scan.", named("Fault")),
    }


def document() -> dict[str, Any]:
    about = (
        "Scans over REST, below the base URL of the Jupyter server. The stream of events, a WebSocket at api/events, says"
        " AllScans first, then OneScan and Gone, and of opened scans Snapshot and Upsert, or Missing; it hears Open and Close."
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "jupyter_gridgpu", "version": __version__, "description": about},
        "servers": [{"url": "/gridgpu"}],
        "security": [{"token": []}],
        "paths": {
            **{f"/api{path}": item for path, item in paths().items()},
            "/collect/{scan}": collect(),
        },
        "components": {
            "schemas": components(),
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"}
            },
        },
    }


def main() -> int:
    text = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        print(
            "docs/openapi.json is not what the code says: run python scripts/schema.py.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
