"""A disk that shows an old state, as NFS does to a host that has looked before.

It stands between `os` and the real disk, in one process. What was looked up once is answered the
same way until `catch_up`. What this process makes or removes itself it sees at once, and the server
still refuses a name that is taken.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

LOOKS = ("stat", "lstat", "scandir", "listdir")
CHANGES = ("link", "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "symlink")


class StaleView:
    """The view that this process has of all below a folder."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.forgets: set[str] = set()  # paths at which the disk answers ESTALE
        # NFS forgets what it knew of a folder that this host changes. Others forget only the file.
        self.like_nfs = False
        self._root = str(root)
        self._kept: dict[tuple[str, str], Any] = {}
        self._off = False
        self._real: dict[str, Callable[..., Any]] = {}
        for name in (*LOOKS, *CHANGES, "open"):
            self._real[name] = getattr(os, name)
        for name in LOOKS:
            patch.setattr(os, name, self._look(name))
        for name in CHANGES:
            patch.setattr(os, name, self._change(name))
        patch.setattr(os, "open", self._open)

    def catch_up(self) -> None:
        """Forget all: from now on, the view shows what is there."""
        self._kept.clear()

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Be another host, whose view is another one."""
        self._off = True
        try:
            yield
        finally:
            self._off = False

    def _is_below(self, path: Any) -> bool:
        return not self._off and isinstance(path, (str, Path)) and str(path).startswith(self._root)

    def _answer(self, kind: str, path: str, ask: Callable[[], Any]) -> Any:
        if path in self.forgets:
            raise OSError(errno.ESTALE, "Stale file handle", path)
        if (kind, path) not in self._kept:
            try:
                self._kept[kind, path] = ask()
            except OSError as error:
                self._kept[kind, path] = error
        answer = self._kept[kind, path]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _look(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def look(path: Any = ".", *words: Any, **more: Any) -> Any:
            if not self._is_below(path) or more.get("dir_fd") is not None:
                return real(path, *words, **more)
            if name == "scandir":
                return _Entries(self._answer(name, str(path), lambda: list(real(path))))
            return self._answer(f"{name}{more}", str(path), lambda: real(path, *words, **more))

        return look

    def _change(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def change(*words: Any, **more: Any) -> Any:
            try:
                done = real(*words, **more)
            except FileExistsError:
                raise
            for word in words:
                self._touched(word)
            return done

        return change

    def _open(self, path: Any, flags: int, *words: Any, **more: Any) -> int:
        real = self._real["open"]
        if not self._is_below(path) or more.get("dir_fd") is not None:
            return int(real(path, flags, *words, **more))
        if flags & os.O_CREAT:
            handle = real(path, flags, *words, **more)
            self._touched(path)
            return int(handle)
        # A file that was found is opened as it is now; that one is missing is believed.
        self._answer("found", str(path), lambda: self._real["lstat"](path))
        return int(real(path, flags, *words, **more))

    def _touched(self, path: Any) -> None:
        if not self._is_below(path):
            return
        folder = os.path.dirname(path)

        def forgotten(known: str) -> bool:
            if self.like_nfs and folder in (known, os.path.dirname(known)):
                return True
            return known == str(path)

        self._kept = {key: kept for key, kept in self._kept.items() if not forgotten(key[1])}


class _Entries(list[Any]):
    """What scandir returns: it can be used in a `with` block."""

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def close(self) -> None:
        pass
