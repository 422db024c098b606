"""Lets git read a repository that may be somebody else's, without running anything of it.

The configuration of a repository may name programs that git starts: filters, hooks, a monitor of
the file system, a program that shows differences. Not all their names are known beforehand. So git
never gets to see that configuration: it works in a git folder of our own, made for the moment, that
borrows the objects, the references and the index of the repository. Its configuration has nothing
but the harmless settings of CARRIED.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.records.git_command import GitCommands, git_program
from jupyter_gridgpu.store.opener import create_plain, open_users, read_bounded, users_opener

ALL_COMMANDS_S = 10.0  # seconds for all commands about one repository
FILE_LIMIT = 1_000_000  # bytes of a configuration or of a list of patterns
INDEX_LIMIT = 500_000_000  # bytes; a million files take about 100 MB
LISTED_LIMIT = 500_000  # bytes of a configuration as git lists it
SHARED_INDEXES = 20  # files of a split index
# Settings of a user or a repository that change what git finds, and that start nothing.
CARRIED = frozenset({
    "core.autocrlf", "core.checkstat", "core.eol", "core.filemode", "core.ignorecase",
    "core.precomposeunicode", "core.symlinks", "core.trustctime", "extensions.objectformat",
    "extensions.refstorage", "status.showuntrackedfiles",
})  # fmt: skip
_VALUE = re.compile(rb"[A-Za-z0-9-]{1,20}")  # every value of a setting of CARRIED
_OWN_CONFIG = """\
[core]
    bare = false
    fsmonitor = false
    hooksPath = /dev/null
    quotePath = false
    untrackedCache = false
[diff]
    ignoreSubmodules = dirty
"""


@dataclass(frozen=True)
class Repository:
    """Where a repository lies.

    `tree` is the folder with the files, `own` the git folder of these files, and `common` the git
    folder that all working trees of the repository share. The last two are mostly the same.
    """

    tree: Path
    own: Path
    common: Path


def find_repository(folder: Path) -> Repository | None:
    """Return the repository that a folder lies in, or None. The search is that of git."""
    try:
        start = folder.resolve()
        device = start.stat().st_dev
        ceilings = os.environ.get("GIT_CEILING_DIRECTORIES", "").split(os.pathsep)
        for tree in (start, *start.parents):
            is_above = tree != start and str(tree) in ceilings
            if is_above or tree.stat().st_dev != device:
                return None
            found = _repository_at(tree)
            if found is not None:
                return found
    except (OSError, ValueError, RuntimeError):
        pass
    return None


def _repository_at(tree: Path) -> Repository | None:
    own = tree / ".git"
    if not own.is_dir():
        # In a further working tree and in a submodule, `.git` is a file that names the folder.
        named = _small_file(own) or b""
        if not named.startswith(b"gitdir: "):
            return None
        own = tree / os.fsdecode(named.removeprefix(b"gitdir: ").rstrip(b"\r\n"))
    common = own
    named = _small_file(own / "commondir") or b""
    if named:
        common = own / os.fsdecode(named.rstrip(b"\r\n"))
    if not (common / "objects").is_dir() or _small_file(own / "HEAD") is None:
        return None
    return Repository(tree, own.resolve(), common.resolve())


@contextlib.contextmanager
def reading(repository: Repository, folder: Path) -> Iterator[GitCommands]:
    """Give the commands of git about a repository, which are run in `folder` inside of it.

    Raises OSError if git is missing, or if the repository cannot be read.
    """
    program = git_program()
    if program is None:
        raise FileNotFoundError("git is not installed")
    with tempfile.TemporaryDirectory(prefix="gridgpu-git-") as name:
        made = Path(name)
        _borrow(repository, made)
        ends = time.monotonic() + ALL_COMMANDS_S
        asking = GitCommands(program, made, _user_environment(made), ends)
        _carry(repository, made, asking)
        yield GitCommands(program, folder, _environment(repository, made), ends)


def _borrow(repository: Repository, made: Path) -> None:
    """Fill a git folder of our own with what lies in the repository. Raises OSError."""
    head = _small_file(repository.own / "HEAD")
    if head is None:
        raise FileNotFoundError("the repository has no HEAD")
    (made / "HEAD").write_bytes(head)
    (made / "config").write_text(_OWN_CONFIG, encoding="utf-8")
    for name in ("objects", "info", "git"):
        (made / name).mkdir()
    for name in ("refs", "packed-refs", "reftable", "shallow"):
        if os.path.lexists(repository.common / name):
            (made / name).symlink_to(repository.common / name)
    # A split index is two files, of which the second one lies in the git folder.
    shared = sorted(repository.own.glob("sharedindex.*"))
    for path in shared[:SHARED_INDEXES]:
        (made / path.name).symlink_to(path)
    for name in ("exclude", "attributes"):
        _copy(repository.common / "info" / name, made / "info" / name)
    _copy_index(repository.own / "index", made / "index")


def _copy_index(source: Path, target: Path) -> None:
    """Copy the index, if it is there and of a usual size. Raises OSError if it cannot be used.

    git writes an index that it has refreshed, `git diff` even if it is told not to. The copy has
    the times of the original: by them git knows which files changed after it.
    """
    try:
        index = open_users(source)
    except FileNotFoundError:
        return
    with index:
        about = os.fstat(index.fileno())
        if about.st_size > INDEX_LIMIT:
            raise OSError(f"the index has more than {INDEX_LIMIT} bytes")
        create_plain(target, index.read(INDEX_LIMIT))
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))


def _carry(repository: Repository, made: Path, asking: GitCommands) -> None:
    """Bring the harmless settings of the user and of the repository into our git folder."""
    # Listing a configuration runs nothing. What git reads from its standard input includes no
    # other files.
    user = asking.run(LISTED_LIMIT, "config", "--null", "--list") or b""
    texts = [repository.common / "config", repository.own / "config.worktree"]
    typed = b"\n".join(_small_file(path) or b"" for path in texts)
    listing = ("config", "--file", "-", "--null", "--list")
    theirs = asking.run(LISTED_LIMIT, *listing, typed=typed) or b""
    settings = _settings(user + theirs)
    if any(key.startswith("extensions.") for key in settings):
        settings["core.repositoryformatversion"] = "1"  # without it, git reads no extensions
    with open(made / "config", "a", encoding="utf-8") as file:
        for key, value in settings.items():
            section, name = key.split(".")
            file.write(f"[{section}]\n    {name} = {value}\n")
    # Our git folder is the home of the commands, and git looks for these files in `git` there.
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "git"
    named = _all_settings(user)
    for file_name, key in (("ignore", "core.excludesfile"), ("attributes", "core.attributesfile")):
        source = home / file_name
        if key in named:
            source = Path(os.path.expanduser(os.fsdecode(named[key])))
        _copy(source, made / "git" / file_name)


def _all_settings(listed: bytes) -> dict[str, bytes]:
    """Return the settings that git listed with --null; the last one of a name counts."""
    found = {}
    for entry in listed.split(b"\0"):
        key, _, value = entry.partition(b"\n")
        # A name without a value stands for true.
        found[key.decode("utf-8", "replace")] = value or b"true"
    return found


def _settings(listed: bytes) -> dict[str, str]:
    """Return the settings of CARRIED, whose values are words that need no quotes."""
    found = _all_settings(listed).items()
    return {
        key: value.decode() for key, value in found if key in CARRIED and _VALUE.fullmatch(value)
    }


def _user_environment(made: Path) -> dict[str, str]:
    """Return an environment in which git finds the configuration of the user and of the machine."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return {**environment, "GIT_DIR": str(made), "LC_ALL": "C"}


def _environment(repository: Repository, made: Path) -> dict[str, str]:
    """Return an environment in which git sees our git folder, and no other configuration."""
    return {
        **_user_environment(made),
        "HOME": str(made),
        "XDG_CONFIG_HOME": str(made),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_WORK_TREE": str(repository.tree),
        "GIT_OBJECT_DIRECTORY": str(repository.common / "objects"),
        "GIT_OPTIONAL_LOCKS": "0",  # `git status` would otherwise write into the repository
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
    }


def _copy(source: Path, target: Path) -> None:
    """Copy a small file, if it is there."""
    content = _small_file(source)
    if content is not None:
        target.write_bytes(content)


def _small_file(path: Path) -> bytes | None:
    """Return the content of a plain file of at most FILE_LIMIT bytes, else None."""
    try:
        return read_bounded(path, FILE_LIMIT, users_opener)
    except (OSError, ValueError):
        return None
