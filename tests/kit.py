"""What tests of every kind share: waiting for something that happens in another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
WITHIN_S = 90.0  # far more than anything here takes, since the machine may be busy otherwise
LOOK_S = 0.05


def eventually(look: Callable[[], T | None], what: str = "", within_s: float = WITHIN_S) -> T:
    """Return the first true value of `look()`. Fails if there is none within `within_s` seconds.

    `what` says in the failure what was waited for.
    """
    deadline = time.monotonic() + within_s
    while not (value := look()):
        assert time.monotonic() < deadline, (
            f"not within {within_s:g} s: {what or look}; last seen: {value!r}"
        )
        time.sleep(LOOK_S)
    return value
