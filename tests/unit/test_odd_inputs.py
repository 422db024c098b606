"""A user names a pipe, a device or a socket as an input: one sentence says so, and nothing waits.

A link to a plain file is as good as the file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu.cli.space_options import space_text
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.images import reference
from jupyter_gridgpu.planning.helper_files import helper_files, size_warnings
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.queues import cric, declarations
from jupyter_gridgpu.records.packing import unpack
from jupyter_gridgpu.records.papermill_batch import read_executed
from jupyter_gridgpu.records.parameter_table import read_table
from jupyter_gridgpu.store import home
from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.transport import key_files
from tests.odd_files import make_odd

pytestmark = pytest.mark.timeout(60)

WAITING = ("pipe", "endless", "socket")
REFUSING: dict[str, Callable[[Path], object]] = {
    "a notebook": read_notebook,
    "--space": lambda path: space_text(str(path), ()),
    "--files": lambda path: size_warnings(helper_files(path.parent, (path.name,))),
    "--files with a folder": lambda path: size_warnings({"folder": path.parent}),
    "--image": lambda path: reference.parse(str(path)),
    "queues of CRIC": cric.load,
    "a pack": unpack,
    "a table of parameters": read_table,
}


@pytest.mark.parametrize("kind", WAITING)
@pytest.mark.parametrize("what", sorted(REFUSING))
def test_an_input_that_is_no_file_is_refused(tmp_path: Path, kind: str, what: str) -> None:
    place = tmp_path / "in" / "input.ipynb"
    place.parent.mkdir()
    make_odd(place, kind)
    with pytest.raises(GridGpuError, match="plain file") as refusal:
        REFUSING[what](place)
    assert str(place) in str(refusal.value)


@pytest.mark.parametrize("kind", WAITING)
def test_what_is_no_file_is_passed_over_among_others(tmp_path: Path, kind: str) -> None:
    make_odd(tmp_path / "input.ipynb", kind)
    assert read_executed(tmp_path) == []
    assert key_files.read(tmp_path / "none.json") is None
    queues, problems = declarations.read(tmp_path / "input.ipynb")
    assert queues == []
    assert "plain file" in problems[0]


@pytest.mark.parametrize("kind", WAITING)
def test_a_folder_of_helper_files_is_copied_without_waiting(tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "good").write_text("good")
    make_odd(tmp_path / "folder" / "odd", kind)
    with pytest.raises(OSError, match="plain"):
        home._copy(tmp_path / "folder", tmp_path / "copy")


def test_a_link_to_a_file_is_as_good_as_the_file(tmp_path: Path) -> None:
    (tmp_path / "real.ipynb").write_text(notebook_json("lr = 1"))
    (tmp_path / "link.ipynb").symlink_to("real.ipynb")
    assert read_notebook(tmp_path / "link.ipynb", kernel_here=False).content
    (tmp_path / "real.py").write_text("lr = [1, 2]")
    (tmp_path / "link.py").symlink_to("real.py")
    assert space_text(str(tmp_path / "link.py"), ()) == "lr = [1, 2]"
    (tmp_path / "program").write_text("#!/bin/sh")
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "link").symlink_to("program")
    home._copy(tmp_path / "link", tmp_path / "copy" / "program")
    assert (tmp_path / "copy" / "program").stat().st_mode & 0o111
    assert not (tmp_path / "copy" / "program").is_symlink()
    key_files.write(tmp_path / "key.json", {"secret": 1})
    (tmp_path / "key-link.json").symlink_to("key.json")
    assert key_files.read(tmp_path / "key-link.json") == {"secret": 1}
