from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.events import Event
from jupyter_gridgpu.store.journal import JournalReader, JournalWriter
from jupyter_gridgpu.testing.examples import Story


def whole_story() -> Story:
    story = Story()
    story.run(1, acc=0.5, lr=0.1, name="ünïcode")
    story.run(2, "failed", lr=0.2)
    return story


STORY = whole_story().text()


def read(path: Path) -> list[Event]:
    return JournalReader(path).read()


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal", seq=4, term=2)
    written = writer.append([("a", {"x": 1}), ("b", {"y": float("nan")})], durable=True)
    assert read(tmp_path / "journal") == written
    assert [(e.seq, e.term, e.type, e.data) for e in written] == [
        (5, 2, "a", {"x": 1}),
        (6, 2, "b", {"y": "NaN"}),
    ]
    assert (writer.append([]), writer.seq) == ([], 6)
    writer.close()


def test_a_reader_gets_each_event_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    reader = JournalReader(path)
    assert (reader.grown(), reader.read()) == (False, [])
    writer = JournalWriter(path, 0, 1)
    for n in range(3):
        written = writer.append([("a", {"n": n})])
        assert (reader.grown(), reader.read(), reader.grown()) == (True, written, False)
    writer.close()


def test_a_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "journal", 0, 1).close()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


@settings(max_examples=300)
@given(st.integers(0, len(STORY)))
def test_a_line_torn_at_any_byte_loses_at_most_that_event(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        path.write_bytes(STORY[:size])
        before = read(path)
        assert len(before) == STORY[:size].count(b"\n")
        writer = JournalWriter(path, seq=100, term=2)
        new = writer.append([("runner.started", {}), ("scan.finished", {})])
        writer.close()
        after = read(path)
    assert after[-2:] == new
    assert after[: len(before)] == before
    assert len(before) <= len(after) - 2 <= len(before) + 1


@given(st.binary(max_size=80).filter(lambda junk: not junk.endswith(b"\n")))
def test_junk_in_the_middle_hides_nothing_behind_it(junk: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        path.write_bytes(STORY + junk + b"\n" + STORY)
        assert len(read(path)) == 2 * STORY.count(b"\n")


def test_a_reader_in_the_middle_of_a_write_waits_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    reader = JournalReader(path)
    path.write_bytes(STORY[:-5])
    count = len(reader.read())
    with open(path, "ab") as file:
        file.write(STORY[-5:])
    assert count + len(reader.read()) == STORY.count(b"\n")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_takes_a_batch_whole_or_not_at_all(tiny_disk: Path) -> None:
    path, ballast, written = tiny_disk / "journal", tiny_disk / "ballast", list[Event]()
    ballast.write_bytes(b"x" * 32_000)
    writer = JournalWriter(path, 0, 1)
    batch = [("job.reported", {"n": n, "pad": "x" * 300}) for n in range(11)]
    while os.statvfs(tiny_disk).f_bavail > 1:
        written += writer.append(batch)
    with pytest.raises(StorageError, match="No space left on device"):
        writer.append(batch * 2)
    assert len(written) > 30
    assert read(path) == written
    assert path.read_bytes().endswith(b"\n")
    ballast.unlink()
    written += writer.append(batch)
    assert read(path) == written
    assert [event.seq for event in written] == list(range(1, len(written) + 1))
    writer.close()


LIMITED = """
import sys
from pathlib import Path
from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.store.journal import JournalReader, JournalWriter
path = Path(sys.argv[1])
writer, count = JournalWriter(path, 0, 1), 0
try:
    while True:
        count += len(writer.append([("a", {"pad": "x" * 100})] * 7))
except StorageError as error:
    assert "\\n" not in str(error)
    assert len(JournalReader(path).read()) == count > 0, count
    print("refused", count)
"""


def test_a_file_that_may_not_grow_takes_a_batch_whole_or_not_at_all(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    command = [sys.executable, "-c", LIMITED, str(tmp_path / "journal")]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("refused"), done.stderr


def test_a_journal_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "journal", tmp_path / "none" / "journal", tmp_path):
        with pytest.raises(StorageError, match="cannot be written"):
            JournalWriter(path, 0, 1)


def test_a_journal_that_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    with pytest.raises(StorageError, match="cannot be read"):
        read(tmp_path / "journal")


KILLED = """
import os, sys
from pathlib import Path
from jupyter_gridgpu.store.journal import JournalWriter
writer = JournalWriter(Path(sys.argv[1]), 0, 1)
while True:
    writer.append([("a", {"pad": "x" * 200})] * 5)
    print(flush=True)
"""


def test_a_killed_writer_leaves_a_readable_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        writer.kill()
    before = read(path)
    resumed = JournalWriter(path, before[-1].seq, 2)
    resumed.append([("runner.started", {})])
    resumed.close()
    after = read(path)
    assert len(before) >= 100
    assert [e.seq for e in after] == list(range(1, len(after) + 1))
    assert os.stat(path).st_size > 0
