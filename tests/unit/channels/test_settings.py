"""`gridgpu collector` and `gridgpu drop`: what is kept, what is said, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import click
import pytest

from jupyter_gridgpu import channels
from jupyter_gridgpu.channels.drop import load_storage
from jupyter_gridgpu.channels.push import load_account
from jupyter_gridgpu.cli.collector import collector
from jupyter_gridgpu.cli.drop import drop
from jupyter_gridgpu.collector.members import InvitedMembers
from jupyter_gridgpu.doctor.channels import receivers
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.transport import key_files
from tests.engines.collectors import collecting, dav


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("GRIDGPU_COLLECTOR", str(tmp_path / "store"))


def run(command: click.Command, *words: str, stdin: str = "") -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(stdin))
        command.main(list(words), standalone_mode=False)


def test_an_invitation_is_all_that_a_member_needs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(collector, "invite", "alice", "https://gridgpu.example:8765/")
    line = capsys.readouterr().out
    run(collector, "use", stdin=line)
    said = capsys.readouterr().out
    found = load_account()
    assert found is not None
    assert (found.url, found.user) == ("https://gridgpu.example:8765/gridgpu/collect", "alice")
    assert line.split()[2] not in said
    assert key_files.collector_file().stat().st_mode & 0o077 == 0
    assert (tmp_path / "store" / "master.json").stat().st_mode & 0o077 == 0
    assert channels.choose("auto", live_files=False) == "push"


def test_the_same_invitation_is_given_again_and_not_to_who_was_expelled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(2):
        run(collector, "invite", "alice", "https://x/")
    one, two = capsys.readouterr().out.splitlines()
    assert one == two
    run(collector, "expel", "alice")
    with pytest.raises(UsageError, match="alice was expelled"):
        run(collector, "invite", "alice", "https://x/")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "a" * 100, "ä"])
def test_a_name_is_never_a_path(name: str, tmp_path: Path) -> None:
    for words in (["invite", name, "https://x/"], ["expel", name]):
        with pytest.raises(UsageError, match="no name for a member"):
            run(collector, *words)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "line",
    ["", "\n", "https://x/ alice", "https://x/ alice zz", "ftp://x/ alice " + "0" * 64, "x y z w"],
)
def test_what_is_no_invitation_is_refused_and_not_repeated(line: str) -> None:
    with pytest.raises(UsageError) as refused:
        run(collector, "use", stdin=line)
    assert "0" * 64 not in str(refused.value)
    assert load_account() is None


def test_ones_own_server_gets_a_secret_of_its_own_each_time() -> None:
    secrets = set()
    for _ in range(2):
        run(collector, "use", "http://127.0.0.1:8888/user/me/")
        secrets.add((key_files.read(key_files.collector_file()) or {})["secret"])
    assert len(secrets) == 2
    with pytest.raises(UsageError, match="no address"):
        run(collector, "use", "127.0.0.1:8888")


def test_a_storage_has_two_credentials_and_one_of_them_travels(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(drop, "use", "https://eos.example/eos/me/", stdin="Bearer READS\n?authz=WRITES\n")
    found = load_storage()
    assert found is not None
    sender = found.sender("id")
    assert (sender["query"], sender["headers"]) == ("?authz=WRITES", {})
    assert sender["url"].startswith("https://eos.example/eos/me/id-")
    assert "READS" not in str(sender)
    assert "READS" not in capsys.readouterr().out
    assert key_files.drop_file().stat().st_mode & 0o077 == 0
    assert channels.choose("auto", live_files=False) == "drop"
    assert found.sender("other")["url"].split("-")[-1] != sender["url"].split("-")[-1]


@pytest.mark.parametrize(
    ("url", "stdin", "said"),
    [
        ("https://x/", "me:secret\nme:secret\n", "Both credentials are the same"),
        ("https://x/", "secret\n\n", "no credential"),
        ("eos/me", "\n\n", "no address of a folder"),
        ("https://x/?authz=secret", "\n\n", "no address of a folder"),
        ("https://me:secret@x/", "\n\n", "no address of a folder"),
    ],
)
def test_what_gives_jobs_too_much_or_is_none_is_refused(url: str, stdin: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(drop, "use", url, stdin=stdin)
    assert load_storage() is None


def test_an_expelled_member_has_no_secret(tmp_path: Path) -> None:
    members = InvitedMembers(tmp_path / "store")
    assert members.secret("alice") not in (None, members.secret("bob"))
    members.expel("alice")
    assert members.secret("alice") is None
    assert InvitedMembers(tmp_path / "store").secret("bob") == members.secret("bob")


def test_the_doctor_says_which_receivers_answer(tmp_path: Path) -> None:
    assert [finding.level for finding in receivers()] == ["note"]
    with collecting(tmp_path / "store") as collector, dav(tmp_path / "dav") as storage:
        key_files.write(key_files.collector_file(), collector.member())
        key_files.write(key_files.drop_file(), storage.settings())
        assert [(finding.level, finding.text.split(",")[1]) for finding in receivers()] == [
            ("ok", " which knows you as alice."),
            ("ok", " which lets your runner in."),
        ]
        key_files.write(key_files.collector_file(), {**collector.member(), "secret": "0" * 64})
        key_files.write(key_files.drop_file(), {**storage.settings(), "runner": "runner:wrong"})
        refused = receivers()
        assert [finding.level for finding in refused] == ["problem", "problem"]
        assert "does not know your secret" in refused[0].text
        assert "answers 401" in refused[1].text
    assert [finding.level for finding in receivers()] == ["problem", "problem"]
