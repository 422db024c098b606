from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.store import tail
from jupyter_gridgpu.store.tail import read_lines, text_part


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


def written(data: bytes) -> Path:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(data)
    return Path(file.name)


@given(st.text(max_size=80), st.integers(4, 30))
def test_parts_of_a_text_put_together_are_the_text(text: str, limit: int) -> None:
    path, start, found = written(text.encode(errors="ignore")), 0, ""
    try:
        for _ in range(1000):
            part = text_part(path, start, limit)
            assert (part.start, part.size) == (start, path.stat().st_size)
            assert part.end - part.start <= limit
            found += part.text
            if part.end == part.size:
                break
            assert part.end > start
            start = part.end
        assert found == text
    finally:
        path.unlink()


@given(st.binary(max_size=60), st.integers(0, 70), st.integers(1, 30))
def test_a_part_of_whatever_a_job_wrote_stays_in_its_bounds(
    data: bytes, start: int, limit: int
) -> None:
    path = written(data)
    try:
        part = text_part(path, start, limit)
        assert min(start, len(data)) <= part.start <= part.end <= len(data)
        assert part.end - part.start <= limit
        assert text_part(path, None, limit).end - text_part(path, None, limit).start <= limit
    finally:
        path.unlink()


def test_the_end_of_a_text_begins_with_a_whole_line_if_it_has_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("first\nsecond\nthird\n")
    assert text_part(path, None, 9) == ("third\n", 13, 19, 19)
    assert text_part(path, None, 4) == ("ird\n", 15, 19, 19)
    assert text_part(path, None, 100) == ("first\nsecond\nthird\n", 0, 19, 19)
    assert text_part(path, 0, 9) == ("first\n", 0, 6, 19)
    assert text_part(tmp_path / "missing", 5, 9) == ("", 0, 0, 0)


def test_a_character_that_is_still_being_written_is_left_for_the_next_part(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"ab\xe2\x82")
    assert text_part(path, 0, 100) == ("ab", 0, 2, 4)
    path.write_bytes(b"ab\xe2\x82\xac")
    assert text_part(path, 2, 100) == ("€", 2, 5, 5)
