"""A scan in one file and out of it again; and what somebody could put into such a file."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.errors import ForeignScan, UsageError
from jupyter_gridgpu.records import packing
from jupyter_gridgpu.records.packing import pack, unpack
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.records.verify import verify

from .kit import tree, write_scan

SPEC = '{"format": 2}'


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_scan_is_the_same_after_the_journey(tmp_path: Path) -> None:
    (tmp_path / "größe.txt").write_text("x")
    record = write_scan(files={"größe.txt": tmp_path / "größe.txt"})
    artifacts = record.paths.job("v0001.1").copy("ab").folder / "artifacts"
    artifacts.mkdir()
    (artifacts / "model.bin").write_bytes(os.urandom(3_000_000))
    (artifacts / "größe.txt").symlink_to(record.paths.files / "größe.txt")
    (record.paths.job("v0001.1").claim).write_text("{}")
    before = contents(record.paths.folder)
    written = tree(record.paths.folder)
    packed = pack(record, tmp_path / "a.zip")
    assert tree(record.paths.folder) == written
    there = unpack(packed, tmp_path / "elsewhere")
    gone = {"jobs/v0001.1/claim.json", "jobs/v0001.1/ab/artifacts/größe.txt", "worker.pyz"}
    came = contents(there)
    assert "a.zip" in json.loads(came.pop("unpacked.json"))["file"]
    assert came == {name: data for name, data in before.items() if name not in gone}
    assert verify(load_record(there)).exit_code == 0
    assert stat.S_IMODE(there.stat().st_mode) == 0o700
    assert client.open_scan(there).summary()["state"] == "done"


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    record = write_scan()
    packed = pack(record, tmp_path / "a.zip")
    with pytest.raises(UsageError, match="is there already"):
        pack(record, packed)
    with pytest.raises(UsageError, match="is here already"):
        unpack(packed)
    there = unpack(packed, tmp_path / "x")
    with pytest.raises(UsageError, match="is here already"):
        unpack(packed, tmp_path / "x")
    spec = json.loads((there / "scan.json").read_text())
    (there / "scan.json").write_text(json.dumps({**spec, "id": "another"}))
    assert unpack(packed, tmp_path / "x").name == "small-2"
    assert load_record(tmp_path / "x" / "small-2").name == "small-2"
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["small", "small-2"]


def test_a_scan_that_runs_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        pack(write_scan(finished=False), tmp_path / "a.zip")
    assert list(tmp_path.glob("*.zip*")) == []


# what somebody could send ---------------------------------------------------------------------


def bad(tmp_path: Path, write: Callable[[zipfile.ZipFile], None]) -> Path:
    packed = tmp_path / "bad.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("btag/scan.json", SPEC)
        write(archive)
    return packed


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("btag/jobs/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def device(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("btag/jobs/device")
    info.external_attr = (stat.S_IFCHR | 0o777) << 16
    archive.writestr(info, "")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "btag/../../x",
        "/etc/x",
        "btag/./x",
        "btag//x",
        "btag\\x",
        "C:/x",
        "btag/a\nb",
        "btag/..",
        "x",
        "btag/" + "y" * 2000,
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    packed = bad(tmp_path, lambda archive: archive.writestr(name, "x"))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="is no sound pack"):
        unpack(packed, tmp_path / "into")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "into"}


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (link, "no plain file"),
        (device, "no plain file"),
        (lambda archive: archive.writestr("other/scan.json", "{}"), "one folder"),
        (lambda archive: archive.writestr("btag/SCAN.json", "{}"), "a file twice"),
        (lambda archive: archive.writestr("btag/inbox/1.json", "{}"), "belongs in no pack"),
        (lambda archive: archive.writestr("btag/Inbox/1.json", "{}"), "belongs in no pack"),
        (lambda archive: archive.writestr("btag/unpacked.json", "{}"), "belongs in no pack"),
        (lambda archive: archive.writestr("btag/Unpacked.json/x", "{}"), "belongs in no pack"),
        (lambda archive: archive.writestr("btag/bomb", b"\0" * 30 * 2**20), "would become"),
        (lambda archive: archive.writestr("btag/x", ""), "has format 2|cannot be read"),
    ],
)
def test_what_is_no_scan_is_refused(
    tmp_path: Path, write: Callable[[zipfile.ZipFile], None], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        unpack(bad(tmp_path, write), tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("name", ["worker.pyz", "worker.sh", "WORKER.PYZ", "worker.pyz/x.py"])
def test_the_code_in_a_pack_of_an_earlier_version_is_not_unpacked(
    tmp_path: Path, name: str
) -> None:
    packed = pack(write_scan(), tmp_path / "a.zip")
    with zipfile.ZipFile(packed, "a") as archive:
        assert not {"small/worker.pyz", "small/worker.sh"} & set(archive.namelist())
        archive.writestr(f"small/{name}", "evil")
    there = unpack(packed, tmp_path / "into")
    assert [path for path in there.iterdir() if path.name.lower().startswith("worker")] == []


def test_an_unpacked_scan_is_foreign_also_when_it_is_packed_again(tmp_path: Path) -> None:
    packed = pack(write_scan(), tmp_path / "a.zip")
    there = client.open_scan(unpack(packed, tmp_path / "b"))
    assert there.foreign == (
        "Unpacked: read only; `gridgpu replay small` runs it again as a scan of your own."
    )
    for command in ("retry", "resume", "stop", "pause"):
        with pytest.raises(ForeignScan, match="read only"):
            there.command(command)
    with pytest.raises(ForeignScan):
        there.revive()
    assert list(there.paths.inbox.iterdir()) == []
    again = client.open_scan(unpack(pack(load_record(there.folder), tmp_path / "c.zip"), tmp_path))
    assert again.foreign is not None


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "COUNT_LIMIT", 5)

    def many(archive: zipfile.ZipFile) -> None:
        for number in range(9):
            archive.writestr(f"btag/{number}", "")

    packed = bad(tmp_path, many)
    with pytest.raises(UsageError, match="more than 5 files"):
        unpack(packed, tmp_path / "into")


def test_a_size_that_is_a_lie_is_found_out(tmp_path: Path) -> None:
    packed = pack(write_scan(), tmp_path / "a.zip")
    with zipfile.ZipFile(packed) as archive:
        info = archive.getinfo("small/notebook.ipynb")
    data = packed.read_bytes()
    head = info.CRC.to_bytes(4, "little") + info.compress_size.to_bytes(4, "little")
    wrong = data.replace(
        head + info.file_size.to_bytes(4, "little"),
        head + (info.file_size - 100).to_bytes(4, "little"),
    )
    assert wrong != data
    packed.write_bytes(wrong)
    with pytest.raises(UsageError, match="no sound pack"):
        unpack(packed, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-300],
        lambda data: data[:200] + b"\xff" * 200 + data[400:],
        lambda data: b"no zip",
    ],
)
def test_a_damaged_pack_leaves_nothing(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    packed = pack(write_scan(), tmp_path / "a.zip")
    packed.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(UsageError, match="no sound pack"):
        unpack(packed, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_an_unfinished_scan_is_refused_since_it_would_be_gone_on_with(tmp_path: Path) -> None:
    record = write_scan()
    lines = record.paths.journal.read_text().splitlines(keepends=True)
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(record.paths.spec, "small/scan.json")
        archive.writestr("small/journal.jsonl", "".join(lines[:-1]))
    with pytest.raises(UsageError, match="had not ended"):
        unpack(packed, tmp_path / "into")
