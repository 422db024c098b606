"""Packs and folders of somebody who is hostile: what their replay would do is shown, or refused."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.replay import read_replay_request
from jupyter_gridgpu.errors import GridGpuError, NotAccepted, UsageError
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.records.packing import pack, unpack
from jupyter_gridgpu.records.record import Record, load_record
from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay
from jupyter_gridgpu.store import ownership
from jupyter_gridgpu.transport import key_files
from tests.second_user import needs_root

from .kit import write_scan

KEY = "-----BEGIN PRIVATE KEY-----"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file of this user that nobody else may read."""
    path = tmp_path / "id_rsa"
    path.write_text(KEY)
    path.chmod(0o600)
    return path


def own(files: dict[str, Path] | None = None, **changes: Any) -> Record:
    """Return the record of a scan of this user, with its notebook's digest."""
    record = write_scan(files=files)
    digest = read_notebook(record.paths.notebook, False, None).digest
    return write_scan(files=files, notebook_digest=digest, **changes)


def sent(tmp_path: Path, **changes: Any) -> Record:
    """Return the record of a scan that somebody packed and this user unpacked."""
    packed = pack(own(**changes), tmp_path / "a.zip")
    return load_record(unpack(packed, tmp_path / "into"))


def refusal(record: Record, accept: bool | tuple[str, ...] = False) -> GridGpuError | None:
    """Return why a replay is refused: this machine may lack the batch system or the collector."""
    try:
        plan_replay(record, ReplayRequest(accept=accept), ask=False)
    except GridGpuError as error:
        return error
    return None


# What a hostile spec may say, and what of it has to be shown.
SAID: dict[str, tuple[dict[str, Any], list[str]]] = {
    "image": (
        {"container": Container("docker://evil/image")},
        ["--image docker://evil/image"],
    ),
    "binds": (
        {"container": Container("docker://evil/image", None, "podman", ("/root:/x", "/etc:/y"))},
        ["--image docker://evil/image", "--runtime podman", "--bind /root:/x", "--bind /etc:/y"],
    ),
    "slurm": (
        {"backend": "slurm", "placement": Placement("gpu", "them", "high", "a100&nvme")},
        ["--on slurm", "--queue gpu", "--account them", "--qos high", "--constraint 'a100&nvme'"],
    ),
    "htcondor": (
        {
            "backend": "htcondor",
            "placement": Placement(constraint='Machine == "evil.org"', shared=False),
        },
        ["--on htcondor", "--constraint 'Machine == \"evil.org\"'", "--no-shared-disk"],
    ),
    "panda": (
        {
            "backend": "panda",
            "placement": Placement(
                "SITE", exclude=("A",), inputs=("user.x:y",), output="user.me.z"
            ),
        },
        ["--on panda", "--queue SITE", "--exclude-site A", "--in user.x:y", "--out user.me.z"],
    ),
    "environment": (
        {"environment": Environment(("A=1", "B"), ("KEY",), ("module load x",), "python3")},
        ["--env A=1", "--env B", "--secret KEY", "--setup 'module load x'", "--python python3"],
    ),
    "channel": ({"metrics": "push"}, ["--channel push"]),
}


@pytest.mark.parametrize("case", SAID)
def test_all_that_a_foreign_scan_says_to_batch_systems_is_shown(tmp_path: Path, case: str) -> None:
    changes, told = SAID[case]
    record = sent(tmp_path, **changes)
    with pytest.raises(NotAccepted) as refused:
        plan_replay(record, ask=False)
    assert list(refused.value.effects) == told
    for option in told:
        assert option in str(refused.value)
    assert client.open_scan(record.paths.folder).to_accept() == told
    # What was seen is accepted, and no more than that.
    with pytest.raises(NotAccepted):
        plan_replay(record, ReplayRequest(accept=tuple(told[1:])), ask=False)
    for accept in (True, tuple(told)):
        assert not isinstance(refusal(record, accept), NotAccepted)


@pytest.mark.parametrize("case", SAID)
def test_a_replay_of_an_own_scan_needs_no_acceptance(case: str) -> None:
    changes, _ = SAID[case]
    record = own(**changes)
    assert client.open_scan(record.paths.folder).to_accept() == []
    assert not isinstance(refusal(record), NotAccepted)


def test_a_foreign_scan_that_only_runs_its_notebook_here_needs_no_acceptance(
    tmp_path: Path,
) -> None:
    plan = plan_replay(sent(tmp_path), ask=False)
    assert plan.foreign
    assert plan.scan.total() == 2


def test_what_the_user_gives_needs_no_acceptance(tmp_path: Path) -> None:
    record = sent(tmp_path, container=Container("docker://evil/image", None, "auto", ("/a:/b",)))
    with pytest.raises(NotAccepted, match="--bind /a:/b"):
        plan_replay(record, ReplayRequest(options={"image": "docker://my/image"}), ask=False)
    given = {"image": "docker://my/image", "bind": ()}
    assert plan_replay(record, ReplayRequest(options=given), ask=False).scan.container.binds == ()


@pytest.mark.parametrize("image", ["key", "/root/.ssh/id_rsa", "~/.ssh/id_rsa", "id_rsa.sif"])
def test_no_file_that_a_foreign_scan_names_is_sent_by_htcondor(
    tmp_path: Path, key: Path, image: str
) -> None:
    named = str(key) if image == "key" else image
    record = sent(
        tmp_path,
        backend="htcondor",
        container=Container(named),
        placement=Placement(shared=False),
    )
    for accept in (False, True):
        with pytest.raises(UsageError, match="name it yourself with --image") as refused:
            plan_replay(record, ReplayRequest(accept=accept), ask=False)
        assert not isinstance(refused.value, NotAccepted)


def test_nothing_is_hidden_behind_long_or_many_options(tmp_path: Path) -> None:
    long = replace(Container("docker://evil/image"), binds=("/" + "x" * 2000 + ":/x",))
    with pytest.raises(UsageError, match="--bind of the scan is longer"):
        plan_replay(sent(tmp_path, container=long), ReplayRequest(accept=True), ask=False)
    (tmp_path / "2").mkdir()
    many = replace(long, binds=tuple(f"/data/{number}:/x" for number in range(1000)))
    with pytest.raises(UsageError, match="more to batch systems and containers than can be shown"):
        plan_replay(sent(tmp_path / "2", container=many), ReplayRequest(accept=True), ask=False)


# folders -----------------------------------------------------------------------------------------


def notebook_link(folder: Path, key: Path) -> None:
    (folder / "notebook.ipynb").unlink()
    (folder / "notebook.ipynb").symlink_to(key)


def file_link(folder: Path, key: Path) -> None:
    (folder / "files" / "data.txt").unlink()
    (folder / "files" / "data.txt").symlink_to(key)


def file_with_a_second_name(folder: Path, key: Path) -> None:
    (folder / "files" / "data.txt").unlink()
    os.link(key, folder / "files" / "data.txt")


def folder_link(folder: Path, key: Path) -> None:
    (folder / "files" / "data.txt").unlink()
    (folder / "files").rmdir()
    (folder / "files").symlink_to(key.parent)


@needs_root
@pytest.mark.parametrize("change", [notebook_link, file_link, file_with_a_second_name, folder_link])
def test_no_other_file_of_this_machine_is_copied_from_a_foreign_folder(
    tmp_path: Path, key: Path, change: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "data.txt").write_text("data")
    record = own(files={"data.txt": tmp_path / "data.txt"})
    folder = record.paths.folder
    record.paths.provenance.unlink()  # as of the first version: no digest tells
    change(folder, key)
    os.lchown(folder, 65534, 65534)
    assert ownership.foreign(folder) is not None
    with pytest.raises(UsageError, match="may be another file of this machine"):
        plan_replay(load_record(folder), ReplayRequest(accept=True), ask=False)


def test_no_file_that_a_foreign_value_names_is_read(tmp_path: Path, key: Path) -> None:
    """A digest of a file would tell whether somebody's guess of its content is right."""
    record = sent(tmp_path, space=f"lr = [0.1, 0.2, 0.3]\nseed = fixed({str(key)!r})")
    made = client.create(plan_replay(record, ask=False))
    assert json.loads(made.paths.provenance.read_text())["data"] == {}
    assert KEY not in "".join(
        path.read_text(errors="replace") for path in made.folder.rglob("*") if path.is_file()
    )


def test_paths_of_helper_files_in_a_pack_lead_nowhere_else(tmp_path: Path, key: Path) -> None:
    """The names of `files` in scan.json are only names: what is copied lies in the folder."""
    packed = pack(own(), tmp_path / "a.zip")
    changed = tmp_path / "b.zip"
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename == "small/scan.json":
                data = json.dumps({**json.loads(data), "files": [str(key), "../x"]}).encode()
            new.writestr(member, data)
    try:
        record = load_record(unpack(changed, tmp_path / "into"))
        plan = plan_replay(record, ReplayRequest(accept=True), ask=False)
    except UsageError:
        return
    assert plan.files == {}


def test_the_magic_takes_the_word(scans_home: Path) -> None:
    assert read_replay_request(["small", "--accept"])[1].accept is True
    assert read_replay_request(["small"])[1].accept is False


def test_no_foreign_scan_gets_a_secret_of_this_session_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its notebook would get the value, and could send it anywhere."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.setenv("MY_TOKEN", "very-private")
    record = sent(tmp_path, environment=Environment(secrets=("MY_TOKEN",)))
    with pytest.raises(NotAccepted, match="--secret MY_TOKEN"):
        plan_replay(record)
    with pytest.raises(NotAccepted):
        client.open_scan(record.paths.folder).command("replay")
    assert not (tmp_path / "settings").exists()
    # A variable that only looks like none is not taken from this session either.
    (tmp_path / "2").mkdir()
    named = sent(tmp_path / "2", environment=Environment(("MY_TOKEN",)))
    with pytest.raises(NotAccepted, match="--env MY_TOKEN"):
        plan_replay(named)
    with pytest.raises(UsageError, match="Say --secret MY_TOKEN"):
        plan_replay(named, ReplayRequest(accept=True))
    # What was seen and accepted is taken when the replay starts.
    plan = plan_replay(record, ReplayRequest(accept=True))
    monkeypatch.setattr(client, "spawn", lambda folder: None)
    client.start(plan)
    kept = key_files.read(key_files.secrets_file(plan.scan.id))
    assert kept == {"MY_TOKEN": "very-private"}
