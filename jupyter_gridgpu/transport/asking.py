"""Asking several parts at once, each in a thread that nobody has to wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def ask_all(ways: Mapping[str, Callable[[], T]], patience_s: float) -> dict[str, T]:
    """Return the answers that came in time, by name; it takes `patience_s` at the most. A way must not raise."""
    answers: dict[str, T] = {}

    def ask(name: str, way: Callable[[], T]) -> None:
        answers[name] = way()

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in ways.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return dict(answers)
