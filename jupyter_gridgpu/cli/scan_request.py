"""What a command asks for: a notebook with its space, or a file of a whole scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.cli.space_options import space_text
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.options import to_options
from jupyter_gridgpu.planning.request import Plan, plan


class ScanRequest:
    """What a command asks for. `given` are the options of the command line, by name.

    `target` is a notebook, or a file with a whole scan, of which the options win that are given.
    """

    def __init__(
        self, target: str, space: str | None, params: tuple[str, ...], given: Mapping[str, Any]
    ) -> None:
        """Read the file, if one is named. Raises UsageError."""
        self._target = target
        self._given = given
        self._file: scan_file.ScanFile | None = None
        if not scan_file.is_scan_file(target):
            self._space = space_text(space, params)
            return
        if space is not None or params:
            word = "-p" if params else "--space"
            raise UsageError(
                f"{target} has a space of its own: change its lines there, and leave {word} out."
            )
        self._file = scan_file.read(target)

    def plan(self) -> Plan:
        """Return the plan, and say which options are other ones than the file has."""
        if self._file is None:
            return plan(self._target, self._space, to_options(self._given))
        made = self._file.plan(self._given)
        if text := self._file.differences(self._given):
            echo(text, err=True)
        return made

    def save(self, path: str | None, overwrite: bool) -> str:
        """Write the request into a file if one is named, and return a sentence about it."""
        scan_file.check_named(path, overwrite)
        if path is None:
            return ""
        if self._file is None:
            return scan_file.save(path, self._target, self._space, self._given, overwrite=overwrite)
        return scan_file.save_again(self._file, self._given, path, overwrite)
