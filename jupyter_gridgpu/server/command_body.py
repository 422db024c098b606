"""Reads the JSON bodies of requests and refuses what is wrong in them with one sentence."""

from __future__ import annotations

from typing import Any, NamedTuple

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.store import json_decoder

BODY_BYTES = 1_000_000  # the largest body of a command
# What only some commands can say.
_OF_ONE = {"trials": "extend", "add": "extend", "repeats": "extend", "points": "extend"}


class CommandBody(NamedTuple):
    """A command as a page sent it. The scan that gets the command checks what it means."""

    action: str
    variants: list[str] | None  # None: the whole scan
    trials: int | None  # how many points to add, for extend
    accept: list[str]  # options of a foreign scan that the user has seen, for replay
    extension: dict[str, Any]  # what else is to be added, for extend

    @property
    def more(self) -> dict[str, Any]:
        """What the command has that only an extension has, as ScanHandle.command takes it."""
        # Lines that came from elsewhere run nothing but the words of a space.
        return {**self.extension, "any_call": False} if self.action == "extend" else {}


def parse_json(text: bytes) -> Any:
    """Return the value that a JSON text holds, or None if the text is no JSON."""
    try:
        return json_decoder.parse_json(text)
    except ValueError:
        return None


def parse_command(text: bytes) -> CommandBody:
    """Return the command that the body of a request holds.

    Raises UsageError if the body is too large or holds no command.
    """
    # Checked first: while JSON is read, no other thread of the server runs.
    if len(text) > BODY_BYTES:
        raise UsageError(
            f"The command is larger than {BODY_BYTES // 1000:,} kB; name fewer variants."
        )
    body = parse_json(text)
    if not isinstance(body, dict):
        raise UsageError(
            "The command is no JSON object;"
            ' send one like {"action": "stop", "variants": ["v0001"]}.'
        )
    action = body.get("action")
    variants = body.get("variants")
    trials = body.get("trials")
    if not isinstance(action, str):
        raise UsageError("The command has no action; give one as a text, like stop.")
    for name, only in _OF_ONE.items():
        if body.get(name) is not None and action != only:
            raise UsageError(f"{name} is for the action {only}; leave it out of {action}.")
    if variants is not None and not _is_list_of_texts(variants):
        raise UsageError(
            "variants is no list of texts; give ids like v0001, or null for the whole scan."
        )
    # type(), since True is an int for isinstance.
    if trials is not None and type(trials) is not int:
        raise UsageError("trials is no whole number; give how many points to add.")
    accept = body.get("accept")
    if accept is not None and not _is_list_of_texts(accept):
        raise UsageError("accept is no list of texts; give the options that the scan's head has.")
    return CommandBody(action, variants, trials, accept or [], _extension(body))


def _extension(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a command adds to a scan, beside points of its sampler. Raises UsageError."""
    add, repeats = body.get("add"), body.get("repeats")
    if add is not None and not _is_list_of_texts(add):
        raise UsageError('add is no list of texts; give lines like "lr = [1e-5, 3e-5]".')
    if repeats is not None and type(repeats) is not int:
        raise UsageError("repeats is no whole number; give how often every point is run in all.")
    points = body.get("points")
    if points is not None and not isinstance(points, list):
        raise UsageError('points is no list; give one like [{"lr": 0.1}, {"lr": 0.2}].')
    return {"add": add or [], "repeats": repeats, "points": points}


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
