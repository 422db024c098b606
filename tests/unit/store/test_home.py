from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import StorageError, UnknownScan, UsageError
from jupyter_gridgpu.model.scan import fingerprint
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan

Make = Callable[..., Path]


def equip(paths: ScanPaths) -> None:
    paths.worker.write_bytes(b"PK")


@pytest.fixture
def make() -> Make:
    def make(name: str, asked: str | None = None, **changes: Any) -> Path:
        with home.starting():
            scan = small_scan(name=name, id=f"id-{name}", **changes)
            return home.create(scan, b"{}", {}, equip, asked)

    return make


def test_home_is_where_the_variable_says(scans_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.home() == scans_home
    monkeypatch.setenv("GRIDGPU_HOME", "~/scans")
    assert home.home() == Path.home() / "scans"
    monkeypatch.delenv("GRIDGPU_HOME")
    assert home.home().name == "gridgpu"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-a", "_a", "a/b", "a b", "a\n", "é", "x" * 65, ".new-abc"]
)
def test_what_cannot_name_a_folder_cannot_name_a_scan(name: str) -> None:
    with pytest.raises(UsageError):
        home.check_name(name)


@given(st.text())
def test_a_name_made_of_any_notebook_names_a_scan(text: str) -> None:
    assert home.check_name(home.name_from(text + ".ipynb"))


def test_a_scan_is_made_whole(make: Make, tmp_path: Path, scans_home: Path) -> None:
    (tmp_path / "helper.py").write_text("x = 1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("1,2")
    with home.starting():
        files = {"sub/helper.py": tmp_path / "helper.py", "data": tmp_path / "data"}
        folder = home.create(small_scan(), b"{}", files, equip, None)
    assert sorted(os.listdir(folder)) == [
        "files",
        "inbox",
        "jobs",
        "notebook.ipynb",
        "scan.json",
        "worker.pyz",
    ]
    assert (folder / "files" / "sub" / "helper.py").read_text() == "x = 1"
    assert (folder / "files" / "data" / "a.csv").read_text() == "1,2"
    assert home.load(folder) == small_scan()
    assert [(folder.stat().st_mode & 0o777), (scans_home.stat().st_mode & 0o777)] == [0o700, 0o700]


def test_a_scan_is_found_by_name_id_and_folder(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make("btag")
    monkeypatch.chdir(folder.parent)
    for words in ("btag", "id-btag", str(folder), "./btag", f"{folder}/"):
        assert home.find(words) == folder
    monkeypatch.chdir(folder)
    assert home.find(".").samefile(folder)


@pytest.mark.parametrize("words", ["btga", "", "nothing", "/nowhere", "a/b", "..", "~", "x" * 300])
def test_an_unknown_scan_is_said_to_be_unknown(make: Make, words: str) -> None:
    make("btag")
    with pytest.raises(UnknownScan) as caught:
        home.find(words)
    assert "\n" not in str(caught.value)
    assert ("did you mean btag?" in str(caught.value)) == (words == "btga")


def test_without_a_home_there_is_no_scan() -> None:
    assert home.folders() == []
    assert home.find_fingerprint("x", None) is None
    with pytest.raises(UnknownScan):
        home.find("any")


def test_scans_are_listed_oldest_first_and_other_things_left_out(
    make: Make, scans_home: Path
) -> None:
    for age, name in enumerate(["b", "c", "a"]):
        os.utime(make(name) / "scan.json", (age, age))
    (scans_home / ".new-x").mkdir()
    (scans_home / "file").touch()
    (scans_home / "empty").mkdir()
    assert [folder.name for folder in home.folders()] == ["b", "c", "a"]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "3", '"x"', "{}", '{"format": 1}', '{"format": 99}']
)
def test_a_broken_scan_does_not_hide_the_others(make: Make, text: str) -> None:
    (make("broken") / "scan.json").write_text(text)
    folder = make("sound")
    assert home.find("id-sound") == folder
    assert home.find_fingerprint(fingerprint(small_scan()), None) == folder
    with pytest.raises((StorageError, UnknownScan)):
        home.load(folder.parent / "broken")


def test_an_axis_of_a_later_version_is_a_storage_error(make: Make) -> None:
    path = make("later") / "scan.json"
    body = json.loads(path.read_text())
    body["space"][0]["kind"] = "spiral"
    path.write_text(json.dumps(body))
    with pytest.raises(StorageError):
        home.load(path.parent)


def test_a_request_is_found_again_the_newest_first(make: Make) -> None:
    for age, name in enumerate(["a", "b"]):
        os.utime(make(name, asked="mine" if name == "a" else None) / "scan.json", (age, age))
    make("other", trials=3)
    same = fingerprint(small_scan())
    assert [
        f and f.name for f in (home.find_fingerprint(same, n) for n in (None, "a", "mine", "none"))
    ] == ["b", "a", "a", None]


def test_a_taken_name_is_counted_on(make: Make) -> None:
    assert home.free_name("scan") == "scan"
    make("scan")
    make("scan-2")
    assert home.free_name("scan") == "scan-3"


def test_a_long_taken_name_still_names_a_scan(make: Make) -> None:
    make("x" * 64)
    assert home.check_name(home.free_name("x" * 64))


def test_a_failed_creation_leaves_nothing(make: Make, scans_home: Path) -> None:
    def fail(paths: ScanPaths) -> None:
        raise OSError(28, "No space left on device")

    with home.starting(), pytest.raises(StorageError, match="No space left on device"):
        home.create(small_scan(), b"{}", {}, fail, None)
    with home.starting(), pytest.raises(StorageError):
        home.create(small_scan(), b"{}", {"helper.py": scans_home / "none"}, equip, None)
    make("taken")
    with home.starting(), pytest.raises(StorageError):
        home.create(small_scan(name="taken"), b"{}", {}, equip, None)
    assert sorted(os.listdir(scans_home)) == [".starting", "taken"]


def test_a_home_that_cannot_be_written_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / "file" / "scans"))
    with pytest.raises(StorageError, match="Set GRIDGPU_HOME"), home.starting():
        pass


@pytest.mark.parametrize("name", ["file", "file/scans"])
def test_looking_into_a_home_that_is_a_file_is_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / name))
    assert home.folders() == []
    with pytest.raises(UnknownScan):
        home.find("scan")


def test_two_at_once_start_one_after_the_other() -> None:
    inside, most = list[int](), list[int]()

    def run(number: int) -> None:
        with home.starting():
            inside.append(number)
            most.append(len(inside))
            name = home.free_name("scan")
            home.create(replace(small_scan(), name=name), b"{}", {}, equip, None)
            inside.remove(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(home.folders()) == 6
