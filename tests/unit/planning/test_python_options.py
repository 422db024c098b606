"""Options as Python gives them: which kinds of values are texts, and which are refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_gridgpu.api import gridscan
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning.python_options import checked

SCAN = SimpleNamespace(folder=Path("scans/a"))


@pytest.mark.parametrize(
    ("name", "value", "made"),
    [
        ("shared", "/eos", ("/eos",)),
        ("exclude_site", "DESY", ("DESY",)),
        ("bind", [Path("/eos"), "/cvmfs"], ("/eos", "/cvmfs")),
        ("inputs", None, ()),
        ("files", (name for name in ("a", "b")), ("a", "b")),
        ("warm_start", SCAN, ("scans/a",)),
        ("warm_start", ["b", SCAN], ("b", "scans/a")),
        ("image", Path("a.sif"), "a.sif"),
        ("image", None, None),
        ("points", Path("a.csv"), "a.csv"),
        ("maximize", ["a", "b"], ["a", "b"]),
        ("gpus", 1, 1),
        ("memory", 500, 500),
        ("new", True, True),
    ],
)
def test_texts_are_texts(name: str, value: Any, made: Any) -> None:
    assert checked("gridscan", {name: value}) == {name: made}


@pytest.mark.parametrize("value", [3, 1.5, b"x", open, [3], {"a"}])
@pytest.mark.parametrize("name", ["image", "name", "queue", "kernel", "account", "on"])
def test_what_is_no_text_is_refused(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{name} has .*: give a text there"):
        checked("gridscan", {name: value})


@pytest.mark.parametrize("value", [3, b"x", open, [3], ["a", None], {1.5}])
@pytest.mark.parametrize("name", ["files", "warm_start", "shared", "exclude_site", "bind"])
def test_what_are_no_texts_is_refused(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{name} has .*: give a text there"):
        checked("gridscan", {name: value})


def test_save_takes_a_path() -> None:
    with pytest.raises(UsageError, match="save takes the path of a file"):
        gridscan("a.ipynb", {"lr": [1]}, save=3)
