from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.store import inbox


def test_commands_are_found_in_the_order_they_were_left(tmp_path: Path) -> None:
    ids = [inbox.post(tmp_path, action) for action in ("pause", "resume", "stop")]
    found = [inbox.read(path) for path in inbox.pending(tmp_path)]
    assert [command and (command["id"], command["action"]) for command in found] == list(
        zip(ids, ("pause", "resume", "stop"), strict=True)
    )


def test_a_command_keeps_its_words(tmp_path: Path) -> None:
    inbox.post(tmp_path, "stop", ["v0001"], by="a\nb" + "c" * 200)
    inbox.post(tmp_path, "extend", trials=5)
    stop, extend = (inbox.read(path) for path in inbox.pending(tmp_path))
    assert stop is not None
    assert extend is not None
    by = stop["by"] or ""
    assert (stop["variants"], len(by), by[:3]) == (["v0001"], 80, "a b")
    assert (extend["variants"], extend["trials"]) == (None, 5)


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "null", "3", "[" * 100_000,
        '{"action": "explode"}', '{"action": null}', '{"action": ["stop"]}',
        '{"action": "stop", "variants": "v0001"}', '{"action": "stop", "variants": [1]}',
        '{"action": "extend"}', '{"action": "extend", "trials": 0}',
        '{"action": "extend", "trials": 1e9}', '{"action": "extend", "trials": "9"}',
        '{"action": "extend", "trials": 10000000}',
        '{"action": "stop", "pad": "' + "x" * 1_000_001 + '"}',
    ],
)  # fmt: skip
def test_an_unsound_command_is_not_read(tmp_path: Path, body: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(body)
    assert inbox.read(path) is None


def test_half_written_commands_are_not_seen(tmp_path: Path) -> None:
    (tmp_path / ".c.json.12.part").write_text("{")
    (tmp_path / ".c.json").write_text("{")
    assert inbox.pending(tmp_path) == []


def test_an_inbox_that_is_not_there_is_empty_and_takes_nothing(tmp_path: Path) -> None:
    assert inbox.pending(tmp_path / "none") == []
    assert inbox.read(tmp_path / "none" / "c.json") is None
    with pytest.raises(StorageError, match="cannot be left"):
        inbox.post(tmp_path / "none", "stop")


def test_what_is_read_is_json_again(tmp_path: Path) -> None:
    inbox.post(tmp_path, "stop", None, trials={"any": ["thing"]})
    command: Any = inbox.read(inbox.pending(tmp_path)[0])
    assert json.loads(json.dumps(command)) == command
