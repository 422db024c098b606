"""Only tests that are marked are tried again, and each of them is listed with its reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tried_again import reason_of

ROOT = Path(__file__).parents[2]
HEAD = """
import pathlib
import pytest

def succeeds_at_try(wanted, name):
    tries = pathlib.Path(__file__).with_name(name)
    count = tries.stat().st_size + 1 if tries.exists() else 1
    tries.write_bytes(b"x" * count)
    assert count == wanted
"""
MARKED = """
@pytest.mark.may_be_tried_again("the moon is full")
def test_late():
    succeeds_at_try({tries}, "late")
"""
PLAIN = """
def test_plain():
    succeeds_at_try({tries}, "plain")
"""


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a test file with the plugin, in a process of its own, and return what it printed."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    (folder / "test_file.py").write_text(HEAD + text)
    # Without the other plugins that are installed, pytest starts in a second.
    plugins = ("tests.tried_again", "pytest_rerunfailures", "xdist.plugin", "no:cacheprovider")
    words = [word for plugin in plugins for word in ("-p", plugin)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize("options", [(), ("--numprocesses", "1")], ids=["here", "by xdist"])
def test_a_marked_test_is_tried_again_and_listed(tmp_path: Path, options: tuple[str, ...]) -> None:
    ran = run(tmp_path, MARKED.format(tries=3) + PLAIN.format(tries=1), *options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "tests that were tried again" in ran.stdout
    assert "test_file.py::test_late: 2 more; the moon is full" in ran.stdout
    assert "test_plain:" not in ran.stdout


def test_a_marked_test_that_fails_each_time_fails(tmp_path: Path) -> None:
    ran = run(tmp_path, MARKED.format(tries=4))
    assert ran.returncode == 1
    assert "1 failed" in ran.stdout
    assert "2 rerun" in ran.stdout
    assert "test_file.py::test_late: 2 more; the moon is full" in ran.stdout


def test_other_tests_have_one_try(tmp_path: Path) -> None:
    ran = run(tmp_path, MARKED.format(tries=1) + PLAIN.format(tries=2))
    assert ran.returncode == 1
    assert "1 failed, 1 passed" in ran.stdout
    assert "tried again" not in ran.stdout


def test_a_marker_without_a_reason_is_an_error(tmp_path: Path) -> None:
    ran = run(tmp_path, MARKED.format(tries=1).replace('("the moon is full")', ""))
    assert ran.returncode == 4
    assert "test_file.py::test_late: may_be_tried_again needs a reason" in ran.stderr


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        (pytest.mark.may_be_tried_again("the moon is full"), "the moon is full"),
        (pytest.mark.may_be_tried_again(reason="the moon is full"), "the moon is full"),
        (pytest.mark.may_be_tried_again(), ""),
        (pytest.mark.may_be_tried_again("  "), ""),
        (pytest.mark.may_be_tried_again(3), ""),
        (pytest.mark.may_be_tried_again("one", "two"), ""),
    ],
)
def test_a_reason_is_one_text(marker: pytest.MarkDecorator, reason: str) -> None:
    assert reason_of(marker.mark) == reason


def test_who_tries_all_again_is_told_which(tmp_path: Path) -> None:
    ran = run(tmp_path, PLAIN.format(tries=2), "--reruns", "1")
    assert ran.returncode == 0
    assert "test_file.py::test_plain: 1 more; no reason is given" in ran.stdout
