from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import (
    END_STATES,
    STATES,
    job_key,
    may_follow,
    one_line,
    split_key,
    variant_id,
)


@given(st.integers(1, 9_999_999), st.integers(1, 9999))
def test_a_key_names_variant_and_attempt(index: int, attempt: int) -> None:
    assert split_key(job_key(variant_id(index), attempt)) == (variant_id(index), attempt)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "v0001",
        "v1.1",
        "v0001.",
        "v0001.1\n",
        "../v0001.1",
        "v0001.12345",
        "w0001.1",
        "v0001.1/x",
    ],
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError):
        split_key(key)


@pytest.mark.parametrize("state", sorted(END_STATES))
def test_an_end_state_absorbs(state: str) -> None:
    assert not any(may_follow(state, seen) for seen in STATES)


def test_steps_may_be_skipped_and_a_running_job_may_be_requeued() -> None:
    assert may_follow("new", "done")
    assert may_follow("queued", "failed")
    assert may_follow("running", "queued")
    assert not may_follow("running", "new")


def test_a_state_nobody_knows_is_not_believed() -> None:
    assert not may_follow("running", "exploded")
    assert not may_follow("exploded", "done")


@given(st.text(), st.integers(1, 50))
def test_bounded_text_is_one_short_line_without_control_characters(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line is not None
    assert len(line) <= limit
    assert all(char.isprintable() for char in line)


def test_long_text_ends_in_dots() -> None:
    assert one_line("a" * 100_000, 10) == "a" * 9 + "…"


@pytest.mark.parametrize("value", [None, 3, ["text"], b"text"])
def test_what_is_no_text_is_none(value: object) -> None:
    assert one_line(value) is None
