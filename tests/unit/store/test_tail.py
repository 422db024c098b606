from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.store import tail
from jupyter_gridgpu.store.tail import read_lines


def read_all(path: Path, cursor: int = 0) -> list[bytes]:
    found: list[bytes] = []
    while True:
        lines, after = read_lines(path, cursor)
        found += lines
        if after == cursor:
            return found
        cursor = after


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_each_whole_line_is_read_once_however_the_file_grows(data: bytes, cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, cursor, found = Path(folder) / "file", 0, list[bytes]()
        for end in [*sorted(cuts), len(data)]:
            path.write_bytes(data[:end])
            lines, cursor = read_lines(path, cursor)
            found += lines
    assert found == data.split(b"\n")[:-1]
    assert cursor == data.rfind(b"\n") + 1


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none", 0) == ([], 0)


def test_a_file_that_shrank_has_no_new_lines(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\n")
    assert read_lines(path, 10) == ([], 10)


def test_a_big_file_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    path, line = tmp_path / "file", b"x" * 99 + b"\n"
    path.write_bytes(line * 100_000)
    lines, cursor = read_lines(path, 0)
    assert 0 < cursor <= tail.CHUNK
    assert len(lines) + len(read_all(path, cursor)) == 100_000


def test_a_line_without_end_does_not_block_the_lines_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\n" + b"x" * (tail.CHUNK + 10) + b"\nb\n")
    lines = read_all(path)
    assert (lines[0], lines[-1]) == (b"a", b"b")
    assert all(set(line) <= {ord("x")} for line in lines[1:-1])
