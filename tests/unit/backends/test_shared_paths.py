"""What nodes see although they do not see the scan's folder is used where it lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.batch.shared_paths import files_on_nodes
from jupyter_gridgpu.backends.htcondor.backend import HTCondorBackend
from jupyter_gridgpu.backends.htcondor.checks import brought_image, usable_files
from jupyter_gridgpu.backends.htcondor.transfer import FileTransfer
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.records import SharedFile
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.store.shared_paths import place_on_nodes
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.worker import work_folder
from jupyter_gridgpu.worker.shared_files import SharedFileProblem, shared_places


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a folder with a shared part `eos`, a private part `home`, and links between them."""
    for folder in ("eos/data", "eosx", "home"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("eos/data/jets.npz", "eosx/jets.npz", "home/own.txt"):
        (tmp_path / file).write_text(file)
    (tmp_path / "home" / "eos").symlink_to(tmp_path / "eos" / "data")
    (tmp_path / "eos" / "own.txt").symlink_to(tmp_path / "home" / "own.txt")
    (tmp_path / "mounted").symlink_to(tmp_path / "eos")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "shared", "seen"),
    [
        ("eos/data/jets.npz", "eos", "eos/data/jets.npz"),
        ("eos/data/../data/jets.npz", "eos", "eos/data/jets.npz"),
        ("eos", "eos", "eos"),
        ("eosx/jets.npz", "eos", None),
        ("home/own.txt", "eos", None),
        # A link counts as what it leads to.
        ("home/eos/jets.npz", "eos", "eos/data/jets.npz"),
        ("eos/own.txt", "eos", None),
        # The shared folder has another place here.
        ("mounted/data/jets.npz", "mounted", "mounted/data/jets.npz"),
        ("home/eos/jets.npz", "mounted", "mounted/data/jets.npz"),
    ],
)
def test_where_nodes_see_a_file(disk: Path, path: str, shared: str, seen: str | None) -> None:
    place = place_on_nodes(disk / path, ["/cvmfs", str(disk / shared)])
    assert place == (None if seen is None else str(disk / seen))
    assert place_on_nodes(disk / path, []) is None


def test_of_a_folder_each_file_counts_for_itself(disk: Path) -> None:
    found = files_on_nodes({"in": disk / "eos", "own": disk / "home"}, [str(disk / "eos")])
    assert found == {
        "in/data/jets.npz": {"path": str(disk / "eos/data/jets.npz"), "size": 17},
    }
    assert files_on_nodes({"in": disk / "eos"}, []) == {}


SEEN: dict[str, SharedFile] = {
    "a.txt": {"path": "/eos/a.txt", "size": 1},
    "b.txt": {"path": "/data/b.txt", "size": 1},
}


def scan_with(shared: tuple[str, ...] = ("/eos", "/data"), **container: Any) -> ScanSpec:
    place = Placement(shared=False, shared_paths=shared)
    return small_scan(backend="htcondor", placement=place, container=Container(**container))


@pytest.mark.parametrize(
    ("container", "brought", "usable"),
    [
        ({}, None, ["a.txt", "b.txt"]),
        # HTCondor starts these, and what they see of the node is its administrator's choice.
        ({"image": "/home1/ml.sif"}, "/home1/ml.sif", []),
        ({"image": "docker://example/ml:1"}, "docker://example/ml:1", []),
        # Our launcher starts this one.
        ({"image": "/eos/ml.sif"}, None, []),
        ({"image": "/eos/ml.sif", "binds": ("/eos",)}, None, ["a.txt"]),
        ({"image": "/eos/ml.sif", "binds": ("/eos:/elsewhere",)}, None, []),
    ],
)
def test_what_a_job_can_use_where_it_lies(
    container: dict[str, Any], brought: str | None, usable: list[str]
) -> None:
    scan = scan_with(**container)
    assert brought_image(scan) == brought
    assert list(usable_files(scan, SEEN)) == usable


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"image": "/eos/ml.sif", "binds": ("/eos/x", "/data/y:/y:ro")}, None),
        ({"image": "/eos/ml.sif", "binds": ("/scratch",)}, "--bind /scratch"),
        ({"image": "/home1/ml.sif", "binds": ("/eos",)}, "image below a folder of --shared"),
    ],
)
def test_a_folder_to_bind_is_one_that_nodes_see(
    tmp_path: Path, container: dict[str, Any], said: str | None
) -> None:
    pytest.importorskip("htcondor2")
    backend = HTCondorBackend(scan_with(**container), ScanPaths(tmp_path))
    if said is None:
        backend.check(ask=False)
        return
    with pytest.raises(BackendError, match=said):
        backend.check(ask=False)


def test_only_what_lies_elsewhere_travels(tmp_path: Path) -> None:
    paths = ScanPaths(tmp_path / "scan")
    (paths.files / "sub").mkdir(parents=True)
    for name in ("a.txt", "sub/c.txt"):
        (paths.files / name).write_text(name)
    batch = BatchStore(paths).make([["v0001.1"]])
    write_json(paths.shared_files, {"files": {"a.txt": SEEN["a.txt"]}})
    transfer = FileTransfer(paths)
    in_place = transfer.seen_by_nodes()
    assert in_place == {"a.txt": SEEN["a.txt"]}
    for _ in range(2):  # for two batches
        commands = transfer.description(batch, None, in_place=in_place)
    sent = commands["transfer_input_files"].split(", ")
    (folder,) = [Path(name) for name in sent if name.endswith("/files")]
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / "sub" / "c.txt"]
    assert str(batch.folder / "shared-files.json") in sent
    # All of them lie there, and then none travels.
    (paths.files / "sub" / "c.txt").unlink()
    commands = transfer.description(batch, None, in_place=in_place)
    assert "/files" not in commands["transfer_input_files"]


@pytest.mark.parametrize("body", [None, [], {"files": 3}, {"files": {"a": {"path": 3}}}, {}])
def test_a_damaged_list_is_no_list(tmp_path: Path, body: Any) -> None:
    paths = ScanPaths(tmp_path)
    write_json(paths.shared_files, body)
    assert FileTransfer(paths).seen_by_nodes() == {}
    assert shared_places(paths) == {}


def test_a_node_says_what_it_does_not_see(disk: Path) -> None:
    paths = ScanPaths(disk / "task")
    paths.folder.mkdir()
    jets = disk / "eos" / "data" / "jets.npz"

    def listed(path: str, size: int, name: str = "in/jets.npz") -> dict[Path, Path]:
        write_json(paths.shared_files, {"files": {name: {"path": path, "size": size}}})
        return shared_places(paths)

    with pytest.raises(SharedFileProblem, match=r"does not see .*gone, which --shared promises"):
        listed(str(disk / "gone"), 1)
    for path, size in ((jets, 3), (jets.parent, os.stat(jets.parent).st_size)):
        with pytest.raises(SharedFileProblem, match="was changed after the scan was started"):
            listed(str(path), size)
    for name in ("../jets.npz", "/jets.npz", "a//b", ""):
        assert listed(str(jets), 17, name) == {}
    assert listed(str(jets), 17) == {Path("in/jets.npz"): jets}
    # What travelled, or lies in the scan's folder, is taken from there.
    (paths.files / "in").mkdir(parents=True)
    (paths.files / "in" / "jets.npz").write_text("here")
    assert listed(str(jets), 17) == {}


@pytest.mark.parametrize("large", [False, True])
def test_a_file_that_did_not_travel_is_beside_the_notebook_and_no_artifact(
    disk: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(work_folder, "COPY_BYTES", 3)
        monkeypatch.setattr(work_folder.WorkFolder, "_cloned", lambda *_: False)
    paths = ScanPaths(disk / "task")
    copy = paths.job("v0001.1").copy("ab12")
    copy.folder.mkdir(parents=True)
    about = {"path": str(disk / "eos/data/jets.npz"), "size": 17}
    write_json(paths.shared_files, {"files": {"in/sub/jets.npz": about}})
    work = work_folder.WorkFolder(paths, copy, print)
    folder = work.fill()
    beside = folder / "in" / "sub" / "jets.npz"
    assert (work.problem, beside.read_text(), beside.is_symlink()) == (
        None,
        "eos/data/jets.npz",
        large,
    )
    work.tidy()
    assert list(folder.iterdir()) == []
    (disk / "eos/data/jets.npz").unlink()
    work = work_folder.WorkFolder(paths, paths.job("v0001.1").copy("cd34"), print)
    paths.job("v0001.1").copy("cd34").folder.mkdir()
    work.fill()
    assert (work.reason, "does not see" in str(work.problem)) == ("node", True)
