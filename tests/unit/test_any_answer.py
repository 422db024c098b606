"""Any bytes as a job's spec, as metadata of the grid, as a header: a value or a sentence."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.collector.handler import body_size
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.worker.grid_metadata import FILES, VERSION, unpack
from jupyter_gridgpu.worker.job_spec import read_spec
from tests.any_record import ANY_BYTES, ANY_JSON, one_changed
from tests.unit.test_any_record import EXAMPLES

pytestmark = pytest.mark.any_record
SPEC = {"key": "v0001.1", "params": {"lr": 0.1}, "env": {"A": "b"}, "notebook": "train.ipynb"}
METADATA = {
    "gridgpu": VERSION,
    "jobs": {"v0001.1": {"copy": "ab12cd34", "files": {"result.json": "eJyrrgUAAXUA+Q=="}}},
}


def read_or_refused(spec: Path) -> dict[str, Any] | None:
    """Return the spec of a job, or None if it was refused in one line."""
    try:
        return read_spec(spec)
    except SystemExit as end:
        sentence = str(end.code)
        assert sentence.endswith("; retry the variant.")
        assert len(sentence.splitlines()) == 1
        return None


@EXAMPLES
@given(st.one_of(ANY_BYTES, one_changed(SPEC).map(lambda body: json.dumps(body).encode())))
def test_a_job_with_any_spec_says_a_sentence_or_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    spec = tmp_path_factory.getbasetemp() / "job.json"
    spec.write_bytes(data)
    job = read_or_refused(spec)
    if job is not None:
        assert isinstance(job["key"], str)
        assert isinstance(job.get("env", {}), dict)


def test_a_job_whose_spec_is_gone_says_so(tmp_path: Path) -> None:
    assert read_or_refused(tmp_path / "job.json") is None


@EXAMPLES
@given(st.one_of(ANY_JSON, one_changed(METADATA)))
def test_metadata_of_any_kind_give_known_files_or_nothing(body: Any) -> None:
    found = unpack(body, "v0001.1")
    if found is not None:
        copy, files = found
        assert copy.isalnum()
        assert set(files) <= set(FILES)


def test_sound_metadata_give_their_files() -> None:
    assert unpack(METADATA, "v0001.1") == ("ab12cd34", {"result.json": b"{}"})


@EXAMPLES
@given(ANY_BYTES)
def test_json_of_any_bytes_is_a_value_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        parse_json(data)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("65536", 65536), ("", None), ("-1", None), ("1e3", None), ("\u0663", None),
     ("9" * 5000, None), (" 7", None)],
)  # fmt: skip
def test_the_size_of_a_body_is_a_number_or_nothing(text: str, size: int | None) -> None:
    assert body_size(text) == size
