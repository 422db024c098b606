"""Every key of a scan.json is checked when it is read, and the sentence names file and key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_gridgpu.errors import DamagedRecord, StorageError
from jupyter_gridgpu.model.scan import Objective, Origin, to_json
from jupyter_gridgpu.model.scan_record import from_json
from jupyter_gridgpu.testing.examples import small_scan

DEEP: Any = 1
for _ in range(200):
    DEEP = [DEEP]
BODY = to_json(
    small_scan("lr = loguniform(1e-5, 1e-2)\nunits = [64, 'x']\nseed = repeats(3)", trials=5)
)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The body of a scan.json with another value at a path like `space.0.low`."""
    body = json.loads(json.dumps({**BODY, "origin": {"kind": "replay"}}))
    *inner, last = path.split(".")
    place = body
    for name in inner:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[int(last) if isinstance(place, list) else last] = value
    return dict(body)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("created", value) for value in ("x", None, True, -1, 1e12, 1e999, [], {})),
        *(("id", value) for value in ("../../../x", "", "a/b", "\x1b[31m", 7, None, "{0}", ".x")),
        *(("name", value) for value in ("..", "x" * 65, "a b", 1, "\u202e")),
        *(("notebook", value) for value in ("../x.ipynb", "", "a\0b", 3, "x" * 300)),
        *(("kernel", value) for value in ("../x", "", ["python3"])),
        *(("backend", value) for value in ("", "a b", {}, "../x")),
        *(("space", value) for value in ({}, "x", 3, None, [3], [{}], ["x"])),
        *(("space.0.low", value) for value in ("x", None, -1, 1, 1e999, True)),
        *(("space.0.log", value) for value in (1, "x", None)),
        *(("space.0.name", value) for value in ("", 3, "units", "a\x1b[31mb", "x" * 300)),
        *(("space.1.values", value) for value in ([], "x", {}, DEEP, None)),
        *(("space.2.count", value) for value in (0, 2.5, "3", 10**9)),
        ("space.0.kind", 3),
        *(("objective", value) for value in ("x", [], 3)),
        *(("objective.direction", value) for value in ("up", None, 3, [])),
        *(("objective.metric", value) for value in ("", None, 3)),
        *(("files", value) for value in ("x", [3], ["../x"], ["/etc/passwd"], ["a/../../b"], None)),
        *(("seed", value) for value in ("x", -1, 1.5, True, 10**400)),
        *(("trials", value) for value in (0, "x", 10**9, 1.5)),
        *(("recorded", value) for value in (-1, "x", None, 10**9)),
        *(("resources", value) for value in (None, [], "x")),
        *(("resources.gpus", value) for value in (-1, None, "x", 1e9)),
        *(("resources.cuda", value) for value in ("twelve", 12, "\x1b")),
        *(("resources.gpu_model", value) for value in ("-x", "\x1b[31m", 3)),
        *(("container.runtime", value) for value in ("docker", 3, None)),
        *(("container.binds", value) for value in ("x", [3])),
        *(("placement.queue", value) for value in ("--wrap=x", "a\nb", "", 3)),
        *(("placement.shared", value) for value in ("x", 1)),
        *(("origin.kind", value) for value in ("", "a b", 3, None)),
        ("origin.changes", [3]),
        *(("warnings", value) for value in ("x", [3])),
        *(("metrics", value) for value in ("pigeon", 3)),
        *(("channel", value) for value in ("pigeon", None, "auto")),
        *(("prefork", value) for value in ("x", 1)),
        *(("max_failures", value) for value in (0, "x", -3)),
        *(("notebook_digest", value) for value in (3, "a b", "../x")),
    ],
)
def test_a_key_that_is_not_sound_is_named(path: str, value: Any) -> None:
    with pytest.raises(DamagedRecord) as caught:
        from_json(changed(path, value), "scan.json in /data/btag")
    text = str(caught.value)
    first = path.split(".", maxsplit=1)[0]
    assert text.startswith(f"scan.json in /data/btag cannot be read: `{first}")
    assert text.isprintable()
    assert text.endswith(".")


def test_a_grid_without_an_end_is_refused() -> None:
    body = changed("space.1", {"name": "n", "kind": "choice", "values": list(range(99_999))})
    body["space"][0] = {
        "name": "m", "kind": "range", "low": 1, "high": 9**9, "log": False, "whole": True
    }  # fmt: skip
    from_json(body)
    with pytest.raises(DamagedRecord, match="`space`"):
        from_json({**body, "trials": None})


def test_keys_of_a_later_version_are_passed_over() -> None:
    body = changed("later", {"x": DEEP})
    body["resources"]["later"] = body["container"]["later"] = body["origin"]["later"] = [1]
    body["objective"]["later"] = body["space"][0]["later"] = "x"
    made = from_json(body)
    assert made.objective == Objective("acc", "maximize")
    assert made.origin == Origin("replay")


@pytest.mark.parametrize("body", [{}, {"format": 1}, {"format": "x"}, {"format": [1]}])
def test_an_object_that_is_no_spec_is_refused(body: Any) -> None:
    with pytest.raises(StorageError):
        from_json(body)
