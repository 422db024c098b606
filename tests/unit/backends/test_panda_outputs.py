from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from jupyter_gridgpu.backends.batch.batches import Batch, BatchStore
from jupyter_gridgpu.backends.panda.outputs import (
    Rucio,
    has_metadata,
    metadata_folder,
    take_archive,
    take_metadata,
)
from jupyter_gridgpu.store.paths import ScanPaths, read_json
from jupyter_gridgpu.worker.grid_metadata import pack
from tests.kit import eventually

KEY, COPY = "v0001.1", "4f1c09aa"
RESULT = json.dumps({"key": KEY, "copy": COPY, "state": "done"})


@pytest.fixture
def paths(tmp_path: Path) -> ScanPaths:
    paths = ScanPaths(tmp_path / "scan")
    paths.job(KEY).folder.mkdir(parents=True)
    return paths


@pytest.fixture
def batch(paths: ScanPaths) -> Batch:
    return BatchStore(paths).make([[KEY]])


def archive(path: Path, *members: tuple[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in members:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            if text.startswith("->"):
                info.type, info.linkname, info.size = tarfile.SYMTYPE, text[2:], 0
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def test_metadata_become_the_files_of_a_copy(
    paths: ScanPaths, batch: Batch, tmp_path: Path
) -> None:
    node = ScanPaths(tmp_path / "node").job(KEY).copy(COPY)
    node.folder.mkdir(parents=True)
    node.result.write_text(RESULT)
    node.notebook.write_text("{}")
    metadata_folder(batch).mkdir()
    assert not has_metadata(batch, 1)
    (metadata_folder(batch) / "1.json").write_text(pack({KEY: node}))
    assert has_metadata(batch, 1)
    for _ in range(2):
        take_metadata(paths, batch, 1)
        assert read_json(paths.job(KEY).result)["state"] == "done"
        assert paths.job(KEY).copy(COPY).notebook.read_text() == "{}"


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"loss": 0.5}', '{"gridgpu": 1, "jobs": {"v0001.1": {"copy": "..", "files": {}}}}'],
)
def test_false_metadata_are_nothing(paths: ScanPaths, batch: Batch, text: str) -> None:
    metadata_folder(batch).mkdir()
    (metadata_folder(batch) / "1.json").write_text(text)
    take_metadata(paths, batch, 1)
    assert list(paths.job(KEY).folder.iterdir()) == []


def test_an_output_file_is_unpacked_with_its_artifacts(paths: ScanPaths, tmp_path: Path) -> None:
    head = f"jobs/{KEY}/{COPY}"
    members = (
        (f"{head}/result.json", RESULT),
        (f"{head}/artifacts/deep/model.h5", "weights"),
        (f"jobs/{KEY}/launch.log", "said"),
    )
    assert take_archive(paths, [KEY], archive(tmp_path / "a.tgz", *members))
    assert read_json(paths.job(KEY).result)["state"] == "done"
    assert (
        paths.job(KEY).copy(COPY).folder / "artifacts" / "deep" / "model.h5"
    ).read_text() == "weights"
    assert paths.job(KEY).log.read_text() == "said"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x",
        "../x",
        f"jobs/{KEY}/../../x",
        "jobs/v0002.1/4f1c09aa/result.json",
        f"jobs/{KEY}/{COPY}/artifacts/../../../../x",
        f"jobs/{KEY}/job.json",
        f"jobs/{KEY}/stop",
        f"jobs/{KEY}/{COPY}/other",
        "scan.json",
        f"jobs/{KEY}/UPPER/result.json",
    ],
)
def test_no_member_gets_out_of_the_jobs_folder(paths: ScanPaths, tmp_path: Path, name: str) -> None:
    before = set(tmp_path.rglob("*"))
    take_archive(paths, [KEY], archive(tmp_path / "a.tgz", (name, "bad")))
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "a.tgz"}


def test_a_link_leads_nowhere_and_what_is_there_stays(paths: ScanPaths, tmp_path: Path) -> None:
    head = f"jobs/{KEY}/{COPY}"
    members = (
        (f"{head}/artifacts/out", f"->{tmp_path}"),
        (f"{head}/artifacts/out/x", "bad"),
        (f"{head}/output.ipynb", "new"),
    )
    paths.job(KEY).copy(COPY).folder.mkdir()
    paths.job(KEY).copy(COPY).notebook.write_text("old")
    take_archive(paths, [KEY], archive(tmp_path / "a.tgz", *members))
    assert not (tmp_path / "x").exists()
    assert paths.job(KEY).copy(COPY).notebook.read_text() == "old"


def test_a_torn_archive_leaves_what_is_sound(paths: ScanPaths, tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.tgz", (f"jobs/{KEY}/{COPY}/result.json", RESULT)).read_bytes()
    (tmp_path / "a.tgz").write_bytes(whole[: len(whole) // 2])
    assert take_archive(paths, [KEY], tmp_path / "a.tgz")
    assert not take_archive(paths, [KEY], tmp_path / "none.tgz")


FAKE_RUCIO = """\
#!/bin/sh
# A fake of rucio: `download --no-subdir --dir DIR SCOPE:NAME...` copies from the folder beside it.
echo "$@" >>"$(dirname "$0")/calls"
shift 2; dir=$2; shift 2
for one; do cp "$(dirname "$0")/store/${one#*:}" "$dir/"; done
"""


def test_rucio_brings_output_files_where_it_is_set_up(
    paths: ScanPaths, batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUCIO_ACCOUNT", raising=False)
    rucio, names = Rucio(paths), ["user.lab:user.lab.1._000001.gridgpu.tgz"]
    assert rucio.settled(batch, 1, names)
    (tmp_path / "bin" / "store").mkdir(parents=True)
    (tmp_path / "bin" / "rucio").write_text(FAKE_RUCIO)
    (tmp_path / "bin" / "rucio").chmod(0o755)
    archive(
        tmp_path / "bin" / "store" / "user.lab.1._000001.gridgpu.tgz",
        (f"jobs/{KEY}/{COPY}/result.json", RESULT),
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RUCIO_ACCOUNT", "lab")
    assert not rucio.settled(batch, 1, names)
    eventually(lambda: rucio.settled(batch, 1, names), "the output file is here")
    assert read_json(paths.job(KEY).result)["state"] == "done"
    eventually(lambda: rucio.settled(batch, 1, ["user.lab:not-there"]), "Rucio gives up")
    assert (tmp_path / "bin" / "calls").read_text().count("download") == 1
