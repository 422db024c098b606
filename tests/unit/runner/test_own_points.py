"""A runner tries the user's own points first, and learns from earlier scans, also when killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.scan import EarlierScan
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.samplers.base import OWN as OWN_SOURCE
from jupyter_gridgpu.samplers.base import SAMPLED
from jupyter_gridgpu.store import earlier, inbox, points
from jupyter_gridgpu.store.earlier import EarlierResult
from jupyter_gridgpu.store.paths import ScanPaths

from .kit import runner_of, scan_folder, seen_by_others, shown

SPACE = """
kind = ["a", "b"]
if kind == "b":
    n, m = together([(1, 2), (3, 4)])
x = integer(0, 2)
y = x * 10
seed = repeats(2)
"""
OWN: list[dict[str, Any]] = [
    {"kind": "b", "n": 3, "m": 4, "x": 1},
    {"kind": "a", "x": 2},
    {"kind": "b", "n": 1, "m": 2, "x": 0},
]
WHOLE = {
    "v0001": {"kind": "b", "n": 3, "m": 4, "x": 1, "y": 10, "seed": 0},
    "v0002": {"kind": "b", "n": 3, "m": 4, "x": 1, "y": 10, "seed": 1},
    "v0003": {"kind": "a", "x": 2, "y": 20, "seed": 0},
    "v0004": {"kind": "a", "x": 2, "y": 20, "seed": 1},
    "v0005": {"kind": "b", "n": 1, "m": 2, "x": 0, "y": 0, "seed": 0},
    "v0006": {"kind": "b", "n": 1, "m": 2, "x": 0, "y": 0, "seed": 1},
}


def folder_of(folder: Path, sampler: str, trials: int | None, **changes: Any) -> ScanPaths:
    text = points.own_lines(parse_space(SPACE, {}), OWN)
    paths = scan_folder(
        folder,
        space=SPACE,
        sampler=sampler,
        trials=trials,
        own_points=len(OWN),
        recorded_digest=points.digest(text),
        **changes,
    )
    paths.points.write_text(text)
    return paths


def proposed(paths: ScanPaths) -> dict[str, dict[str, Any]]:
    with runner_of(paths) as runner:
        runner.proposer.propose()
        runner.proposer.propose()
        view = runner.scan.view
        assert shown(view) == seen_by_others(paths)
        assert [(v.point, v.repeat) for v in view.variants.values()] == [
            divmod(number, 2) for number in range(len(view.variants))
        ]
        return {variant.id: variant.params for variant in view.variants.values()}


TRIALS = {"grid": None, "random": 6, "sobol": 6, "tpe": 6}


@pytest.mark.parametrize("sampler", TRIALS)
def test_own_points_come_first_and_the_sampler_goes_on(tmp_path: Path, sampler: str) -> None:
    found = proposed(folder_of(tmp_path, sampler, TRIALS[sampler], parallel=8))
    assert {name: found[name] for name in WHOLE} == WHOLE
    assert list(found["v0001"]) == ["kind", "n", "m", "x", "y", "seed"]
    assert len(found) == {"grid": 18, "tpe": 8}.get(sampler, 12)


@pytest.mark.parametrize("sampler", TRIALS)
def test_a_sampler_begins_where_it_would_without_own_points(tmp_path: Path, sampler: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    trials = TRIALS[sampler]
    own = proposed(folder_of(tmp_path / "a", sampler, trials, parallel=50))
    alone = proposed(scan_folder(tmp_path / "b", space=SPACE, sampler=sampler, trials=trials))
    after = [params for name, params in own.items() if name not in WHOLE]
    if sampler == "grid":
        # All of the grid, each point once; what comes after is in the order of the grid.
        others = [params for params in alone.values() if params not in WHOLE.values()]
        assert after == others
        assert len(own) == len(alone)
    elif sampler != "tpe":
        assert after == list(alone.values())[: len(after)]


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_a_runner_that_was_killed_at_any_time_proposes_the_same(
    tmp_path: Path, sampler: str
) -> None:
    paths = folder_of(tmp_path, sampler, TRIALS[sampler])
    whole = proposed(paths)
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    for count in range(len(lines)):
        # The last line is torn.
        paths.journal.write_bytes(b"".join(lines[:count]) + lines[count][:-9])
        assert proposed(paths) == whole


@pytest.mark.parametrize("lost", [0, 1, 2, 5, 6, 7])
def test_a_line_that_was_lost_is_proposed_again(tmp_path: Path, lost: int) -> None:
    paths = folder_of(tmp_path, "grid", None)
    whole = proposed(paths)
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    del lines[lost]
    paths.journal.write_bytes(b"".join(lines))
    with runner_of(paths) as runner:
        runner.proposer.propose()
        found = {variant.id: variant.params for variant in runner.scan.view.variants.values()}
    assert found == whole


def test_a_scan_of_own_points_alone_is_complete_with_them(tmp_path: Path) -> None:
    paths = folder_of(tmp_path, "random", len(OWN))
    assert proposed(paths) == WHOLE
    with runner_of(paths) as runner:
        view = runner.scan.view
        assert (view.total(), view.trials()) == (6, 3)
        assert policy.missing_points(view, paths.points) == []


def test_what_a_sampler_learns_from_has_own_points_too(tmp_path: Path) -> None:
    with runner_of(folder_of(tmp_path, "tpe", 6)) as runner:
        runner.proposer.propose()
        history = policy.history(runner.scan.view)
    assert [trial.params for trial in history[: len(OWN)]] == OWN


@pytest.mark.parametrize("text", [None, "", "{", "17", '{"variant": "../x"}'])
def test_points_that_are_gone_or_damaged_are_a_sentence(tmp_path: Path, text: str | None) -> None:
    paths = folder_of(tmp_path, "grid", None)
    paths.points.unlink()
    if text is not None:
        paths.points.write_text(text)
    words = r"points of the scan.*(cannot be read|not sound)"
    with runner_of(paths) as runner, pytest.raises(StorageError, match=words):
        runner.proposer.propose()


def test_points_are_read_no_further_than_they_are_expected(tmp_path: Path) -> None:
    paths = folder_of(tmp_path, "grid", None)
    count = len(paths.points.read_text().splitlines())
    with paths.points.open("a") as file:
        file.write("damaged\n")
    with pytest.raises(StorageError, match="the file was changed"):
        points.read_all(paths.points, count)
    with pytest.raises(StorageError, match=f"there are more than {count - 2}"):
        points.read_all(paths.points, count - 2)


EARLIER = [
    EarlierResult("id-old", number, {"kind": "a", "x": number % 3}, (number / 10,))
    for number in range(12)
]
WRONG = (("0.5", '"x"'), ("0.5", "0.5, 1"), ('"x": 1', '"x": 7'), ('"a", "x"', '17, "x"'))
EARLIER_LINE = '{"scan": "a", "point": 0, "params": {"kind": "a", "x": 1}, "values": [0.5]}\n'


def test_a_runner_that_was_killed_learns_from_the_same_earlier_results(tmp_path: Path) -> None:
    """The results lie in the scan's folder; the earlier scan itself is not looked for."""
    told: dict[str, Any] = {"warm_start": (EarlierScan("id-old", "old", 12),), "parallel": 8}
    (tmp_path / "cold").mkdir()
    paths = folder_of(tmp_path / "cold", "tpe", 9, parallel=8)
    without = proposed(paths)
    (tmp_path / "warm").mkdir()
    paths = folder_of(tmp_path / "warm", "tpe", 9, **told)
    paths.earlier.write_text(earlier.lines(EARLIER))
    whole = proposed(paths)
    assert len(whole) == 8
    assert {name: whole[name] for name in WHOLE} == WHOLE
    assert whole != without
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    for count in range(len(lines)):
        paths.journal.write_bytes(b"".join(lines[:count]) + lines[count][:-9])
        assert proposed(paths) == whole
    damaged = ("", "{}", *(EARLIER_LINE.replace(*pair) * 12 for pair in WRONG), EARLIER_LINE * 11)
    for text in (None, *damaged):
        paths.earlier.unlink(missing_ok=True)
        if text is not None:
            paths.earlier.write_text(text)
        paths.journal.unlink(missing_ok=True)
        with runner_of(paths) as runner, pytest.raises(StorageError, match="results of earlier"):
            runner.proposer.propose()


MORE: list[dict[str, Any]] = [{"kind": "a", "x": 0}, {"kind": "a", "x": 1}]


@pytest.mark.parametrize("proposed_before", [False, True])
def test_own_points_of_extensions_come_behind_those_of_the_start(
    tmp_path: Path, proposed_before: bool
) -> None:
    """Also if several extensions wait for a runner that has proposed nothing yet."""
    paths = folder_of(tmp_path, "random", len(OWN) + 1)
    if proposed_before:
        proposed(paths)
    for point in MORE:
        inbox.post(paths.inbox, "extend", points=[point], trials=None)
    with runner_of(paths) as runner:
        runner.obey()
        for _ in range(4):
            runner.proposer.propose()
        view = runner.scan.view
        history = [(trial.params, trial.source) for trial in policy.history(view)]
    assert len(history) == view.trials() == len(OWN) + 1 + len(MORE)
    sampled = [params for params, source in history if source == SAMPLED]
    assert len(sampled) == 1
    assert [params for params, source in history if source == OWN_SOURCE] == [*OWN, *MORE]
    assert proposed(paths) == {v.id: v.params for v in view.variants.values()}
