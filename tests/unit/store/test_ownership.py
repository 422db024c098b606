"""Whose a scan folder is: the table of what makes a scan foreign."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu.errors import ForeignScan
from jupyter_gridgpu.store import home, ownership
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from tests.second_user import give_away, needs_root

FILES = (
    "scan.json",
    "notebook.ipynb",
    "worker.pyz",
    "worker.sh",
    "journal.jsonl",
    "points.jsonl",
    "earlier.jsonl",
)
FOLDERS = (".", "files", "jobs", "inbox", "files/lib")
CODE = "files/lib/network.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scan folder of this user, two folders below the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody-is-at-home"))
    monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / "shared" / "home"))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "network.py").write_text("")
    home.home().mkdir(parents=True, mode=0o755)
    made = home.create(small_scan(), b"{}", {"lib": tmp_path / "lib"}, equip, None)
    assert ownership.foreign(made) is None
    return made


def equip(paths: ScanPaths) -> None:
    for name in FILES[2:]:
        (paths.folder / name).write_text("")


def writable(name: str, mode: int) -> Callable[[Path], None]:
    return lambda folder: (folder / name).chmod(mode)


def linked(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        elsewhere = folder.parent.parent / "elsewhere"
        (folder / name).rename(elsewhere)
        (folder / name).symlink_to(elsewhere)

    return change


def of_another_kind(folder: Path) -> None:
    os.mkfifo(folder / "runner.lock")


CHANGES = {
    **{f"{name} {mode:o}": (writable(name, mode), ownership.WRITABLE)
       for name in (*FILES, CODE) for mode in (0o666, 0o602, 0o620, 0o664)},
    **{f"{name} {mode:o}": (writable(name, mode), ownership.WRITABLE)
       for name in FOLDERS for mode in (0o777, 0o770, 0o702, 0o1777)},
    **{f"{name} is a link": (linked(name), ownership.LINK)
       for name in (*FILES, "files", "jobs", "inbox", CODE)},
    "a pipe": (of_another_kind, ownership.LINK),
    "unpacked": (lambda folder: (folder / "unpacked.json").write_text("{}"), ownership.UNPACKED),
    "unpacked, a link that leads nowhere":
        (lambda folder: (folder / "unpacked.json").symlink_to("gone"), ownership.LINK),
    "a parent that others may write": (writable("..", 0o777), ownership.WRITABLE),
    "a parent of the parent": (writable("../..", 0o777), ownership.WRITABLE),
}  # fmt: skip


@pytest.mark.skipif(os.getgid() != 0, reason="the user's group may be the user's alone")
@pytest.mark.parametrize("change", CHANGES)
def test_what_others_may_change_is_foreign(folder: Path, change: str) -> None:
    make, why = CHANGES[change]
    make(folder)
    found = ownership.foreign(folder)
    assert found is not None
    assert found.why == why
    assert len(found.text) < 150 + len(str(folder / CODE))  # so that nothing is cut off
    with pytest.raises(ForeignScan):
        ownership.require_own(folder)


@needs_root
@pytest.mark.parametrize("name", [*FILES, *FOLDERS, CODE])
def test_what_belongs_to_somebody_else_is_foreign(folder: Path, name: str) -> None:
    give_away(folder / name)
    found = ownership.foreign(folder)
    assert found is not None
    assert found.why == ownership.OWNER
    assert f"belongs to {ownership.owner_name(65534)}" in found.text


@needs_root
def test_a_scan_may_lie_in_an_area_that_a_group_shares(folder: Path) -> None:
    give_away(folder.parent)
    folder.parent.chmod(0o2775)
    assert ownership.foreign(folder) is None
    ownership.require_own_home(home.home())


def test_the_sticky_bit_protects_what_lies_below(folder: Path) -> None:
    folder.parent.parent.chmod(0o1777)
    assert ownership.foreign(folder) is None


def test_who_can_write_the_home_of_the_user_needs_no_scan(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.parent.parent.chmod(0o777)
    assert ownership.foreign(folder) is not None
    monkeypatch.setenv("HOME", str(folder.parent.parent))
    assert ownership.foreign(folder) is None


def test_each_folder_that_a_link_leads_through_counts(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "link").symlink_to(folder)
    (tmp_path / "far").symlink_to("open/link")
    found = ownership.foreign(tmp_path / "far")
    assert found is not None
    assert str(tmp_path / "open") in found.text
    (tmp_path / "open").chmod(0o755)
    assert ownership.foreign(tmp_path / "far") is None
    (tmp_path / "circle").symlink_to("circle")
    found = ownership.foreign(tmp_path / "circle" / "scan")
    assert found is not None
    assert found.why == ownership.UNREADABLE


def test_a_new_scan_is_the_users_alone_whatever_the_umask(folder: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / "open").mkdir()
        (tmp_path / "open" / "code.py").write_text("")
        files = {"open": tmp_path / "open", "one.py": tmp_path / "open" / "code.py"}
        made = home.create(small_scan(name="second"), b"{}", files, equip, None)
    finally:
        os.umask(before)
    assert ownership.foreign(made) is None


def test_a_new_home_is_the_users_alone_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / "some" / "where" / "home"))
    before = os.umask(0)
    try:
        assert home.make_home() == home.make_home() == tmp_path / "some" / "where" / "home"
    finally:
        os.umask(before)
    ownership.require_own_home(home.home())


def test_a_group_of_the_user_alone_may_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "ROOT", -1)  # as for a user whose own group has another number
    (folder / "scan.json").chmod(0o664)
    (folder / "jobs").chmod(0o775)
    user = pwd.getpwuid(os.geteuid())
    own = grp.struct_group((user.pw_name, "x", os.getegid(), []))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: _account(user, os.getegid()))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: own)
    assert ownership.foreign(folder) is None
    shared = grp.struct_group((user.pw_name, "x", os.getegid(), ["somebody"]))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: shared)
    assert ownership.foreign(folder) is not None
    users = grp.struct_group(("users", "x", os.getegid(), []))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: users)
    assert ownership.foreign(folder) is not None


def _account(user: pwd.struct_passwd, group: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((*user[:3], group, *user[4:]))
