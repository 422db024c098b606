"""Asks several parts of the system at once, so that a slow one holds up no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def ask_all(questions: Mapping[str, Callable[[], T]], patience_s: float) -> dict[str, T]:
    """Call each question in a thread of its own, and return name -> answer for those in time.

    The function returns after `patience_s` seconds at the latest. A question must not raise.
    """
    answers: dict[str, T] = {}

    def ask(name: str, question: Callable[[], T]) -> None:
        answers[name] = question()

    # Daemon threads: a question that hangs, for example on a network disk, does not keep this
    # process from ending.
    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in questions.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    # A copy, since the threads still add late answers to `answers`.
    return dict(answers)
