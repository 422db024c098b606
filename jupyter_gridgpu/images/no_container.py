"""No container: a Python of the node; this machine's own, if the node has it under the same name."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jupyter_gridgpu.images.base import Bind, Fetching, Image


class NoContainer:
    name = "none"
    programs: tuple[str, ...] = (sys.executable, "python3")
    kinds: frozenset[str] = frozenset()
    hides: tuple[str, ...] = ()

    def command(
        self,
        program: str,
        image: Image | None,
        binds: Sequence[Bind],
        gpus: bool,
        argv: Sequence[str],
    ) -> list[str]:
        return [program, *argv]

    def fetching(self, program: str, image: Image) -> Fetching | None:
        return None
