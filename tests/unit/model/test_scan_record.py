"""Every key of a scan.json is checked when it is read, and the sentence names file and key."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings

from jupyter_gridgpu.errors import DamagedRecord, GridGpuError, StorageError
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.scan import Origin, fingerprint, to_json
from jupyter_gridgpu.model.scan_record import from_json
from jupyter_gridgpu.model.space import value_at
from jupyter_gridgpu.model.space_cell import cell_body
from jupyter_gridgpu.testing.examples import small_scan
from tests.any_record import one_changed

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


def each(path: str, *values: Any) -> list[tuple[str, Any]]:
    """Return the path with each of the values."""
    return [(path, value) for value in values]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *each("created", "x", None, True, -1, 1e12, 1e999, [], {}),
        *each("id", "../../../x", "", "a/b", "\x1b[31m", 7, None, "{0}", ".x"),
        *each("name", "..", "x" * 65, "a b", 1, "\u202e"),
        *each("notebook", "../x.ipynb", "", "a\0b", 3, "x" * 300),
        *each("kernel", "../x", "", ["python3"]),
        *each("backend", "", "a b", {}, "../x"),
        *each("space", {}, "x", 3, None, [3], [{}], ["x"]),
        *each("space.0.low", "x", None, -1, 1, 1e999, True),
        *each("space.0.log", 1, "x", None),
        *each("space.0.name", "", 3, "units", "a\x1b[31mb", "x" * 300),
        *each("space.1.values", [], "x", {}, DEEP, None),
        *each("space.2.count", 0, 2.5, "3", 10**9),
        ("space.0.kind", 3),
        *each("objective", "x", [], 3),
        *each("objective.direction", "up", None, 3, []),
        *each("objective.metric", "", None, 3),
        *each("files", "x", [3], ["../x"], ["/etc/passwd"], ["a/../../b"], None),
        *each("seed", "x", -1, 1.5, True, 10**400),
        *each("trials", 0, "x", 10**9, 1.5),
        *each("recorded", -1, "x", None, 10**9),
        *each("resources", None, [], "x"),
        *each("resources.gpus", -1, None, "x", 1e9),
        *each("resources.cuda", "twelve", 12, "\x1b"),
        *each("resources.gpu_model", "-x", "\x1b[31m", 3),
        *each("container.runtime", "docker", 3, None),
        *each("container.binds", "x", [3]),
        *each("placement.queue", "--wrap=x", "a\nb", "", 3),
        *each("placement.shared", "x", 1),
        *each("origin.kind", "", "a b", 3, None),
        ("origin.changes", [3]),
        *each("warnings", "x", [3]),
        *each("metrics", "pigeon", 3),
        *each("channel", "pigeon", None, "auto"),
        *each("prefork", "x", 1),
        *each("max_failures", 0, "x", -3),
        *each("notebook_digest", 3, "a b", "../x"),
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


DEFAULT = {"name": "lr", "kind": "default", "value": 1}
CONDITIONS = to_json(
    small_scan(
        "kind = ['a', 'b']\nif kind == 'b':\n    lr = uniform(0, 1, step=0.5)\nelif kind == 'c':\n"
        "    lr = 2\nelse:\n    units, layers = together([(1, [2]), (3, [4])])\n"
        "assert lr < 3 and kind != 'd'\nx = fixed([lr, 2])\nseed = repeats(2)\nz = seed + 1",
    )
)


@pytest.mark.any_record
@settings(max_examples=int(os.environ.get("GRIDGPU_TEST_EXAMPLES", "200")))
@given(one_changed({**CONDITIONS, "space": [DEFAULT, *CONDITIONS["space"]]}))
def test_any_space_is_one_that_can_be_used_or_refused(body: dict[str, Any]) -> None:
    with contextlib.suppress(GridGpuError):
        scan = from_json(body)
        again = from_json(json.loads(json.dumps(to_json(scan))))
        assert repr(again.space) == repr(scan.space)
        fingerprint(scan)
        if scan.space.grid_size() is not None:
            list(itertools.islice(scan.space.grid(), 20))
        for draw in scan.space.draws:
            value_at(draw.axis, 0.5)
        scan.space.complete(scan.space.point(lambda draw: value_at(draw.axis, 0.5)).params)
        cell_body(scan.space)
