"""The state of a repository is told, and nothing that the repository names is run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu.records import git_command
from jupyter_gridgpu.records.git_state import git_state

LFS = ("filter.lfs.clean", "filter.lfs.smudge", "filter.lfs.process")


class Ground:
    """A repository with one commit, and a program `trap` that leaves a mark when it is run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.folder.mkdir()
        self.mark = folder / "mark"
        self.trap = folder / "trap"
        self.trap.write_text(f"#!/bin/sh\necho \"$0 $*\" >>'{self.mark}'\ncat\n")
        self.trap.chmod(0o755)
        self.git("init", "-q", "-b", "main")
        self.write("train.ipynb", "{}")
        self.write("tool.py", "one = 1\n")
        self.commit()

    def git(self, *words: str, folder: Path | None = None) -> str:
        who = ["-c", "user.name=me", "-c", "user.email=me@example", "-c", "commit.gpgsign=false"]
        allowed = ["-c", "protocol.file.allow=always"]
        ended = subprocess.run(
            ["git", *who, *allowed, *words],
            cwd=folder or self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return ended.stdout.strip()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        # A file that is older than the index is compared by its times alone.
        os.utime(path, (1_600_000_000, 1_600_000_000))
        return path

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "a commit")

    def config(self, *names: str) -> None:
        for name in names:
            self.git("config", name, str(self.trap))

    def change(self) -> None:
        """Change a file in such a way that git has to read it."""
        path = self.folder / "tool.py"
        path.write_text("one = 2\n")

    def state(self) -> dict[str, object]:
        found = git_state(self.folder, "train.ipynb")
        assert found is not None
        return found


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def filters(ground: Ground) -> None:
    ground.write(".gitattributes", "*.py filter=lfs diff=lfs merge=lfs\n")
    ground.commit()
    ground.config(*LFS, "filter.lfs.process")


def included_filters(ground: Ground) -> None:
    filters(ground)
    for name in LFS:
        ground.git("config", "--unset", name)
    more = ground.folder.parent / "more"
    more.write_text(f'[filter "lfs"]\n clean = {ground.trap}\n required = true\n')
    ground.git("config", "include.path", str(more))
    ground.git("config", f"includeIf.gitdir:{ground.folder}/.path", str(more))


def attributes_of_the_git_folder(ground: Ground) -> None:
    (ground.folder / ".git/info/attributes").write_text("* filter=odd diff=odd\n")
    ground.config("filter.odd.clean", "diff.odd.textconv", "diff.odd.command")


def differences(ground: Ground) -> None:
    ground.write(".gitattributes", "*.py diff=odd\n")
    ground.config("diff.external", "diff.odd.command", "diff.odd.textconv")
    ground.config("interactive.diffFilter")


def monitor_and_hooks(ground: Ground) -> None:
    ground.config("core.fsmonitor")
    hooks = ground.folder.parent / "hooks"
    hooks.mkdir()
    for folder in (hooks, ground.folder / ".git/hooks"):
        folder.mkdir(exist_ok=True)
        for name in ("post-index-change", "post-checkout", "reference-transaction", "fsmonitor"):
            (folder / name).symlink_to(ground.trap)
    ground.git("config", "core.hooksPath", str(hooks))


def words_of_commands(ground: Ground) -> None:
    ground.config(
        "core.pager", "pager.status", "pager.diff", "core.editor", "core.askPass", "gpg.program",
        "core.sshCommand", "core.gitProxy", "credential.helper", "core.alternateRefsCommand",
    )  # fmt: skip
    for verb in ("status", "diff", "rev-parse", "config", "check-attr"):
        ground.git("config", f"alias.{verb}", f"!{ground.trap}")
    ground.git("config", "log.showSignature", "true")


def missing_objects(ground: Ground) -> None:
    """A repository that fetches what it lacks, by a program of its own."""
    blob = ground.git("rev-parse", "HEAD:tool.py")
    ground.git("config", "core.repositoryFormatVersion", "1")
    ground.git("config", "extensions.partialClone", "origin")
    ground.git("config", "remote.origin.promisor", "true")
    ground.git("config", "remote.origin.url", f"ext::{ground.trap}")
    ground.git("config", "protocol.ext.allow", "always")
    ground.config("remote.origin.uploadpack", "core.sshCommand")
    ground.change()
    (ground.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()


def submodule(ground: Ground) -> None:
    inner = ground.folder / "inner"
    inner.mkdir()
    ground.git("init", "-q", folder=inner)
    (inner / "a.py").write_text("a = 1\n")
    (inner / ".gitattributes").write_text("*.py filter=lfs\n")
    ground.git("add", "-A", folder=inner)
    ground.git("commit", "-qm", "inner", folder=inner)
    ground.git("submodule", "add", "-q", "./inner", "inner")
    ground.commit()
    for name in ("core.fsmonitor", "filter.lfs.clean", "filter.lfs.process"):
        ground.git("config", name, str(ground.trap), folder=inner)
    ground.git("config", "submodule.inner.ignore", "none")
    ground.git("config", "status.submoduleSummary", "true")
    (inner / "a.py").write_text("a = 2\n")


def git_beside_the_notebook(ground: Ground) -> None:
    (ground.folder / "git").symlink_to(ground.trap)


TRICKS: list[Callable[[Ground], None]] = [
    filters,
    included_filters,
    attributes_of_the_git_folder,
    differences,
    monitor_and_hooks,
    words_of_commands,
    missing_objects,
    submodule,
    git_beside_the_notebook,
]


@pytest.mark.parametrize("trick", TRICKS)
def test_nothing_that_a_repository_names_is_run(
    ground: Ground, trick: Callable[[Ground], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trick(ground)
    ground.change()
    commit = ground.git("rev-parse", "HEAD")
    ground.mark.unlink(missing_ok=True)
    monkeypatch.chdir(ground.folder)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.pathsep}{os.environ['PATH']}")
    found = ground.state()
    assert found["commit"] == commit
    assert found["branch"] == "main"
    assert found["dirty"] is (None if found["filtered"] else True)
    assert not ground.mark.exists(), ground.mark.read_text()


@pytest.mark.parametrize("variable", ["GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND"])
def test_variables_of_git_run_nothing(
    ground: Ground, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.change()
    monkeypatch.setenv(variable, str(ground.trap))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(ground.trap))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    assert ground.state()["dirty"] is True
    assert not ground.mark.exists()


def test_users_own_filters_are_not_run_on_strange_files(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[filter "lfs"]\n clean = {ground.trap}\n')
    monkeypatch.setenv("HOME", str(home))
    ground.write(".gitattributes", "*.py filter=lfs\n")
    ground.change()
    ground.state()
    assert not ground.mark.exists()


def test_a_clean_repository_is_clean_and_is_left_as_it_is(ground: Ground) -> None:
    index = (ground.folder / ".git/index").read_bytes()
    files = sorted((ground.folder / ".git").rglob("*"))
    found = ground.state()
    assert (found["dirty"], found["status"], found["diff"]) == (False, [], "")
    os.utime(ground.folder / "tool.py")
    assert ground.state()["dirty"] is False
    assert (ground.folder / ".git/index").read_bytes() == index
    assert sorted((ground.folder / ".git").rglob("*")) == files


def test_every_kind_of_change_counts(ground: Ground) -> None:
    ground.write("tool.py", "one = 2\n")
    (ground.folder / "tool.py").rename(ground.folder / 'odd "name"\n.py')
    ground.write("new.py", "")
    ground.git("add", "new.py")
    found = ground.state()
    assert found["dirty"] is True
    assert sorted(map(str, found["status"])) == [  # type: ignore[call-overload]
        " D tool.py",
        '?? "odd \\"name\\"\\n.py"',
        "A  new.py",
    ]


def test_a_renamed_file_has_both_names(ground: Ground) -> None:
    ground.git("mv", "tool.py", "tools.py")
    assert ground.state()["status"] == ["R  tool.py -> tools.py"]


def test_files_that_a_filter_would_turn_are_named(ground: Ground) -> None:
    """The index has what the filter made; the file in the folder is another one."""
    ground.write(".gitattributes", "*.npz filter=lfs\n")
    ground.git("config", "filter.lfs.clean", "sed s/jets/pointer/")
    ground.write("deep/jets.npz", "jets\n")
    ground.commit()
    assert ground.git("show", "HEAD:deep/jets.npz") == "pointer"
    assert ground.state()["dirty"] is False  # by the times of the file
    os.utime(ground.folder / "deep/jets.npz")
    found = git_state(ground.folder / "deep", "train.ipynb")
    assert found is not None
    assert (found["dirty"], found["filtered"]) == (None, ["deep/jets.npz"])
    assert found["diff"] == ""
    ground.change()
    found = ground.state()
    assert (found["dirty"], found["filtered"]) == (True, ["deep/jets.npz"])
    assert "+one = 2" in str(found["diff"])
    assert "jets" not in str(found["diff"])


def test_settings_that_change_what_git_finds_are_kept(ground: Ground) -> None:
    ground.git("config", "core.autocrlf", "input")
    ground.git("config", "core.fileMode", "false")
    (ground.folder / ".git/info/exclude").write_text("*.log\n")
    path = ground.write("tool.py", "one = 2\r\n")
    ground.commit()
    # The times differ, so git compares the contents.
    path.chmod(0o755)
    os.utime(path)
    ground.write("a.log", "")
    assert ground.state()["dirty"] is False


def test_a_further_working_tree_and_a_submodule_are_read(ground: Ground, tmp_path: Path) -> None:
    ground.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    found = git_state(tmp_path / "other", "train.ipynb")
    assert found is not None
    assert (found["branch"], found["dirty"]) == ("other", False)
    outer = tmp_path / "outer"
    outer.mkdir()
    ground.git("init", "-q", folder=outer)
    ground.git("submodule", "add", "-q", str(ground.folder), "inner", folder=outer)
    inner = git_state(outer / "inner", "train.ipynb")
    assert inner is not None
    assert (inner["commit"], inner["dirty"]) == (ground.git("rev-parse", "HEAD"), False)


@pytest.mark.parametrize(
    "words",
    [
        ("update-index", "--split-index"),
        ("update-index", "--index-version", "4"),
        ("update-index", "--untracked-cache"),
        ("sparse-checkout", "set", "--cone", "--sparse-index", "deep"),
        ("checkout", "-q", "--detach"),
        ("pack-refs", "--all"),
    ],
)
def test_repositories_of_other_shapes_are_read(ground: Ground, words: tuple[str, ...]) -> None:
    ground.write("deep/a.py", "")
    ground.write("away/far/b.py", "")
    ground.commit()
    ground.git(*words)
    found = ground.state()
    assert (found["commit"], found["dirty"]) == (ground.git("rev-parse", "HEAD"), False)
    ground.change()
    assert ground.state()["status"] == [" M tool.py"]


def test_a_repository_with_sha256_is_read(ground: Ground, tmp_path: Path) -> None:
    other = tmp_path / "sha256"
    other.mkdir()
    ground.git("init", "-q", "--object-format=sha256", folder=other)
    (other / "a.py").write_text("")
    ground.git("add", "-A", folder=other)
    ground.git("commit", "-qm", "first", folder=other)
    found = git_state(other, "train.ipynb")
    assert found is not None
    assert (len(found["commit"]), found["dirty"]) == (64, False)


@pytest.mark.parametrize("name", ["HEAD", "config", "index", "packed-refs", "info/exclude"])
def test_a_pipe_in_the_git_folder_is_not_waited_for_long(
    ground: Ground, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_command, "GIT_TIMEOUT_S", 0.3)
    path = ground.folder / ".git" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    found = git_state(ground.folder, "train.ipynb")
    if name in ("config", "info/exclude"):
        assert found is not None
        assert found["dirty"] is False


def test_what_git_does_not_find_in_time_is_not_known(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(ground.folder / ".gitignore")
    monkeypatch.setattr(git_command, "GIT_TIMEOUT_S", 0.3)
    found = ground.state()
    assert found["dirty"] is None


def test_a_folder_in_no_repository_has_no_state(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert git_state(tmp_path, "train.ipynb") is None
    for text in ("", "gitdir: ", "gitdir: /dev/zero", "gitdir: ..\0", "gitdir: .git"):
        folder = tmp_path / "odd"
        folder.mkdir(exist_ok=True)
        (folder / ".git").write_text(text)
        assert git_state(folder, "train.ipynb") is None
