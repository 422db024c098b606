"""JSON that anybody may have written: nested deeply, no UTF-8, huge numbers, other types.

Each reader takes it for unreadable, in its own way, and nothing else is raised.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu.backends.panda import client_call, credentials
from jupyter_gridgpu.channels.drop import _copy_name
from jupyter_gridgpu.channels.metrics_file import parse_reading
from jupyter_gridgpu.doctor.jupyter import _read_object
from jupyter_gridgpu.errors import Unreachable
from jupyter_gridgpu.images.check import _read_answer
from jupyter_gridgpu.queues import htcondor_process
from jupyter_gridgpu.records.papermill_batch import _read_notebook
from jupyter_gridgpu.records.parameter_table import cell_value
from jupyter_gridgpu.server.command_body import parse_json as parse_body
from jupyter_gridgpu.store import lease, manifest
from jupyter_gridgpu.store.paths import read_json
from jupyter_gridgpu.transport import key_files
from jupyter_gridgpu.worker.grid_metadata import _without_outputs
from jupyter_gridgpu.worker.metrics import sender
from jupyter_gridgpu.worker.prefork import provisioner
from jupyter_gridgpu.worker.provenance import _source
from jupyter_gridgpu.worker.sound_notebook import sound_notebook
from jupyter_gridgpu.worker.stop_file import read_stop

HOSTILE = {
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "no UTF-8": b'{"a": "\xff\xfe"}',
    "huge number": b'{"next": ' + b"9" * 100_000 + b"}",
    "empty": b"",
    "torn": b'{"a": ',
}
READERS: dict[str, tuple[Callable[[bytes], object], object]] = {
    "the reading of a job": (parse_reading, None),
    "the offset of a collector": (sender._next_offset, None),
    "the age of a reading": (lambda data: sender._age_s(data + b"\n"), 0.0),
    "the copy of a dropped file": (_copy_name, ""),
    "the body of a request": (parse_body, None),
    "a notebook in metadata": (lambda data: _without_outputs(data, 10), b""),
    "a line of a manifest": (manifest._parse, None),
}
READERS_OF_FILES: dict[str, tuple[Callable[[Path], object], object]] = {
    "read_json": (read_json, None),
    "a lease": (lease.held, False),
    "a stop file": (read_stop, ("user", None)),
    "a key file": (key_files.read, None),
    "an executed notebook": (_read_notebook, {}),
    "settings of Jupyter": (_read_object, {}),
    "where a package came from": (lambda path: _source(str(path.parent)), ""),
}
REFUSING: dict[
    str, tuple[Callable[[bytes], object], type[Exception] | tuple[type[Exception], ...]]
] = {
    "a notebook": (sound_notebook, ValueError),
    "an answer of panda-client": (
        lambda data: client_call.unpacked(data.decode("utf-8", "replace")[:-1]),
        Unreachable,
    ),
    "an answer of HTCondor": (
        lambda data: htcondor_process._unpacked(data.decode("utf-8", "replace")[:-1], ""),
        Unreachable,
    ),
    "an answer of an image": (
        lambda data: _read_answer(data.decode("utf-8", "replace")[:-1]),
        (ValueError, IndexError),
    ),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_json_is_nothing(data: bytes, tmp_path: Path) -> None:
    for what, (read, nothing) in READERS.items():
        assert read(data) == nothing, what
    path = tmp_path / "direct_url.json"
    path.write_bytes(data)
    path.chmod(0o600)
    for what, (read_file, nothing) in READERS_OF_FILES.items():
        assert read_file(path) == nothing, what


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("what", sorted(REFUSING))
def test_what_is_no_json_is_refused_in_one_way(data: bytes, what: str) -> None:
    read, error = REFUSING[what]
    with pytest.raises(error):
        read(data)


@pytest.mark.parametrize(
    "data", [*HOSTILE.values(), b"[]", b"3", b"null"], ids=[*HOSTILE, "list", "number", "null"]
)
def test_a_prepared_parent_that_answers_nonsense_is_not_used(data: bytes) -> None:
    reader, writer = os.pipe()
    os.write(writer, data[:4000])
    os.close(writer)
    with pytest.raises(RuntimeError, match="does not answer"):
        provisioner._receive(reader)
    os.close(reader)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
def test_an_answer_of_another_type_is_no_answer(text: str) -> None:
    with pytest.raises(Unreachable):
        htcondor_process._unpacked(text, "")
    with pytest.raises(Unreachable):
        client_call.unpacked(text)


def test_a_cell_of_a_table_may_hold_anything() -> None:
    text = "[" * 100_000
    assert cell_value(text) == text


def test_a_token_with_anything_in_it_is_no_token() -> None:
    import base64

    for data in HOSTILE.values():
        token = f"a.{base64.urlsafe_b64encode(data).decode()}.c"
        assert credentials._claims(token) is None
