"""How much `--files` brings along, which is counted before it is copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning import helper_files
from jupyter_gridgpu.planning.helper_files import size_warnings


def sparse(path: Path, size: int) -> Path:
    """Make a file of this size that takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        handle.truncate(size)
    return path


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([], []),
        ([10, 20], []),
        ([helper_files.BYTES_TOLD // 2] * 3, ["1.5 GB in 3 files"]),
        ([helper_files.BYTES_TOLD], ["1.0 GB in 1 file"]),
    ],
)
def test_much_is_said(tmp_path: Path, sizes: list[int], words: list[str]) -> None:
    for number, size in enumerate(sizes):
        sparse(tmp_path / "data" / str(number), size)
    (tmp_path / "data").mkdir(exist_ok=True)
    said = size_warnings({"data": tmp_path / "data"})
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_too_much_is_refused_by_name(tmp_path: Path) -> None:
    sparse(tmp_path / "small", 10)
    sparse(tmp_path / "home" / "deep" / "large", helper_files.BYTES_LIMIT + 1)
    with pytest.raises(UsageError, match=r"--files: home .* more than 20\.0 GB.*Name the files"):
        size_warnings({"small": tmp_path / "small", "home": tmp_path / "home"})


def test_too_many_are_refused_without_counting_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helper_files, "COUNT_LIMIT", 5)
    for number in range(20):
        sparse(tmp_path / "many" / str(number), 0)
    with pytest.raises(UsageError, match="in 6 files"):
        size_warnings({"many": tmp_path / "many"})


def test_what_links_lead_to_counts_as_it_is_copied(tmp_path: Path) -> None:
    sparse(tmp_path / "elsewhere" / "large", helper_files.BYTES_LIMIT + 1)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="more than"):
        size_warnings({"data": tmp_path / "data"})
