"""The curves of a job that was looked at before are read on from there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu import curve_cache
from jupyter_gridgpu.channels.metrics_file import parse_reading
from jupyter_gridgpu.curve_cache import CurveCache
from jupyter_gridgpu.store import tail
from jupyter_gridgpu.store.opener import opener_below


def reading(step: int, **values: float) -> str:
    return json.dumps({"t": 1000.0 + step, "s": step, "of": None, "m": values}) + "\n"


class Reads:
    """A cache, and how many bytes it parsed at the last look."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "metrics.jsonl"
        self.cache = CurveCache(2)
        self.parsed = 0
        self._folder = folder

        def counted(line: bytes, decode: Any) -> Any:
            self.parsed += 1
            return parse_reading(line, decode)

        monkeypatch.setattr(curve_cache, "parse_reading", counted)

    def steps(self, points: int = 50) -> list[int]:
        self.parsed = 0
        found = self.cache.read(self.path, points, opener_below(self._folder)).curves()
        return found["loss"]["steps"] if found else []


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(tmp_path, monkeypatch)


def test_only_what_is_new_is_read(reads: Reads) -> None:
    assert reads.steps() == []
    reads.path.write_text("".join(reading(n, loss=n) for n in range(1000)))
    first = reads.steps()
    assert (reads.parsed, len(first), first[0], first[-1]) == (1000, 50, 0, 999)
    assert reads.steps() == first
    assert reads.parsed == 0
    with reads.path.open("a") as file:
        file.write(reading(1000, loss=1) + reading(1001, loss=2) + '{"t": 1, "s"')
    assert reads.steps()[-1] == 1001
    assert reads.parsed == 2
    with reads.path.open("a") as file:
        file.write(': 1002, "m": {"loss": 3}}\n')
    assert reads.steps()[-1] == 1002
    assert reads.parsed == 1


def test_another_file_is_read_from_its_beginning(reads: Reads) -> None:
    reads.path.write_text("".join(reading(n, loss=n) for n in range(100)))
    reads.steps()
    # Of the same name, and longer.
    other = reads.path.with_name("other")
    other.write_text("".join(reading(n, loss=n) for n in range(5000, 5200)))
    os.replace(other, reads.path)
    assert reads.steps()[0] == 5000
    # Written anew in the same place, and longer.
    with reads.path.open("r+") as file:
        file.truncate(0)
        file.write("".join(reading(n, loss=n) for n in range(7000, 7400)))
    assert reads.steps()[0] == 7000
    # Shorter.
    with reads.path.open("r+") as file:
        file.truncate(0)
        file.write(reading(3, loss=1))
    assert reads.steps() == [3]
    reads.path.unlink()
    assert reads.steps() == []


def test_what_was_given_out_does_not_change(reads: Reads, tmp_path: Path) -> None:
    reads.path.write_text(reading(1, loss=1))
    found = reads.cache.read(reads.path, 50, opener_below(tmp_path))
    with reads.path.open("a") as file:
        file.write(reading(2, loss=1))
    assert reads.steps() == [1, 2]
    assert found.curves()["loss"]["steps"] == [1]


def test_few_files_are_kept(reads: Reads) -> None:
    reads.path.write_text(reading(1, loss=1))
    for points in (10, 20, 30, 10):
        reads.steps(points)
    assert reads.parsed == 1
    reads.steps(30)
    assert reads.parsed == 0


def test_a_link_is_refused_also_after_a_file(reads: Reads, tmp_path: Path) -> None:
    reads.path.write_text(reading(1, loss=1))
    reads.steps()
    aside = tmp_path.parent / "aside.jsonl"
    aside.write_text(reading(1, loss=1) * 9)
    reads.path.unlink()
    reads.path.symlink_to(aside)
    with pytest.raises(OSError, match=r"."):
        reads.steps()


LINES = st.lists(
    st.one_of(
        st.integers(0, 9).map(lambda step: reading(step, loss=1, acc=2).encode()),
        st.just(b'{"t": 1, "beat": {"cpu": 2}}\n'),
        st.binary(max_size=9).map(lambda text: text + b"\n"),
        st.binary(max_size=5),
    ),
    max_size=30,
)


@given(LINES, st.integers(1, 5))
def test_reading_in_pieces_finds_what_reading_at_once_does(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], step: int
) -> None:
    folder = tmp_path_factory.mktemp("curves")
    cache, whole = CurveCache(), b"".join(pieces)
    path = folder / "metrics.jsonl"
    with path.open("ab", buffering=0) as file:
        for start in range(0, len(pieces), step):
            file.write(b"".join(pieces[start : start + step]))
            found = cache.read(path, 10, opener_below(folder))
    if pieces:
        again = CurveCache().read(path, 10, opener_below(folder))
        assert (found.curves(), found.usage()) == (again.curves(), again.usage())
    assert len(whole) < tail.CHUNK
