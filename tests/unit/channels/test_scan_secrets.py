"""The secrets of a scan are kept in one private file, from its start to its end."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.transport import key_files, scan_secrets
from jupyter_gridgpu.worker.secret_values import SecretsMissing, secret_values


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "settings"))
    return tmp_path / "settings"


def scan_with(*names: str) -> ScanSpec:
    return small_scan(environment=Environment(secrets=names))


def test_values_are_kept_until_the_end_whatever_becomes_of_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = scan_with("KEY", "OTHER")
    monkeypatch.setenv("KEY", "two\nlines \u00e9")
    monkeypatch.setenv("OTHER", "x")
    scan_secrets.keep(scan)
    path = scan_secrets.kept_file(scan)
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    monkeypatch.delenv("KEY")
    monkeypatch.setenv("OTHER", "new")
    scan_secrets.keep(scan)  # a second runner finds what the first one kept
    assert key_files.read(path) == {"KEY": "two\nlines \u00e9", "OTHER": "x"}
    scan_secrets.remove(scan)
    scan_secrets.remove(scan)
    assert not path.exists()
    with pytest.raises(UsageError, match="--secret KEY: it is neither in the environment nor in"):
        scan_secrets.keep(scan)


def test_a_scan_without_secrets_touches_nothing(settings: Path) -> None:
    scan = scan_with()
    scan_secrets.check(scan)
    scan_secrets.keep(scan)
    scan_secrets.remove(scan)
    assert scan_secrets.kept_file(scan) is None
    assert not settings.exists()


@pytest.mark.parametrize(("value", "words"), [("", "is neither"), ("x" * 60_001, "more than")])
def test_what_cannot_be_kept_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    monkeypatch.setenv("KEY", value)
    with pytest.raises(UsageError, match=words) as refused:
        scan_secrets.check(scan_with("KEY"))
    assert "xxx" not in str(refused.value)


def test_a_file_that_others_may_read_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    scan = scan_with("KEY")
    monkeypatch.setenv("KEY", "x")
    scan_secrets.keep(scan)
    key_files.secrets_file(scan.id).chmod(0o644)
    with pytest.raises(StorageError, match="others may read it"):
        scan_secrets.keep(scan)


def test_the_environment_comes_before_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyring is a fake one."""
    asked: list[Any] = []

    def fake_get(service: str, name: str) -> str | None:
        asked.append((service, name))
        if name == "LOCKED":
            raise RuntimeError("the wallet holds very-private")
        return "from the keyring" if name == "KEY" else None

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=fake_get, __spec__=1))
    monkeypatch.setenv("HERE", "x")
    scan = scan_with("HERE", "KEY")
    scan_secrets.check(scan, ask=False)  # a keyring may wait for its user, and a form must not
    assert asked == []
    scan_secrets.keep(scan)
    assert asked == [("gridgpu", "KEY")]
    kept = key_files.read(key_files.secrets_file(scan.id))
    assert kept == {"HERE": "x", "KEY": "from the keyring"}
    with pytest.raises(UsageError, match="keyring set gridgpu NONE"):
        scan_secrets.check(scan_with("NONE"))
    with pytest.raises(UsageError, match=r"does not answer \(RuntimeError\)") as refused:
        scan_secrets.check(scan_with("LOCKED"))
    assert "very-private" not in str(refused.value)


def test_a_worker_reads_the_file_or_the_copy_that_came_along(tmp_path: Path) -> None:
    scan = ScanPaths(tmp_path / "scan")
    scan.folder.mkdir()
    path = tmp_path / "there" / "7.json"
    job = {"secrets": ["KEY"], "secrets_file": str(path)}
    assert secret_values({}, scan) == {}
    with pytest.raises(SecretsMissing, match="JUPYTER_CONFIG_DIR"):
        secret_values(job, scan)
    key_files.write(scan.folder / "7.json", {"KEY": "copy", "MORE": "not asked for"})
    assert secret_values(job, scan) == {"KEY": "copy"}
    key_files.write(path, {"KEY": "first"})
    assert secret_values(job, scan) == {"KEY": "first"}
    key_files.write(path, {"OTHER": "x"})
    assert secret_values(job, scan) == {"KEY": "copy"}
