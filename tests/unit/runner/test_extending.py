"""Scans that are extended while they run, after they ended, and over killed runners."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.model import events, extension, wire
from jupyter_gridgpu.model.extension import Extension
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.runner.extending import applicable, check_extension, pending
from jupyter_gridgpu.runner.loop import Runner
from jupyter_gridgpu.samplers.base import OWN, SAMPLED
from jupyter_gridgpu.store import fold_cache, home, inbox, points
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import Story, small_scan

from .kit import runner_of, scan_folder


def ask(paths: ScanPaths, add: str = "", **more: Any) -> str:
    """Leave a command, as a client does, and return its id."""
    made = Extension(add=parse_space(add).body if add else (), **more)
    return inbox.post(paths.inbox, "extend", **extension.to_json(made))


def proposed(paths: ScanPaths) -> list[tuple[str, int, int, dict[str, Any]]]:
    """Let a runner obey and propose all that it can, and return the variants."""
    with runner_of(paths) as runner:
        runner.obey()
        while not _is_whole(runner):
            runner.proposer.propose()
        view = runner.scan.view
        others = ScanView(home.load(paths.folder)).apply_all(JournalReader(paths.journal).read())
        assert wire.head(others, "running", 1e9) == wire.head(view, "running", 1e9)
        return [(v.id, v.point, v.repeat, v.params) for v in view.variants.values()]


def _is_whole(runner: Runner) -> bool:
    view = runner.scan.view
    return view.points >= view.trials() and not policy.missing_variants(view)


SPACES = {
    "grid": "a = [1, 2]\nb = [5, 6]\nseed = repeats(2)",
    "random": "a = [1, 2, 3, 4, 5]\nb = uniform(0, 1)\nseed = repeats(2)",
    "sobol": "a = [1, 2, 3, 4, 5]\nb = uniform(0, 1)\nseed = repeats(2)",
    "tpe": "a = [1, 2, 3, 4, 5]\nb = uniform(0, 1)\nseed = repeats(2)",
}
STEPS: list[dict[str, Any]] = [
    {"add": "a = [7, 8]"},
    {"repeats": 3},
    {"add": "a = [9]", "repeats": 4},
    {"add": "b = WIDER"},
]


@pytest.mark.parametrize("sampler", list(SPACES))
def test_old_variants_stay_and_new_ones_come_behind(tmp_path: Path, sampler: str) -> None:
    """Whichever line of the journal was the last one that a killed runner wrote."""
    is_grid = sampler == "grid"
    paths = scan_folder(
        tmp_path,
        space=SPACES[sampler],
        sampler=sampler,
        trials=None if is_grid else 4,
        parallel=100,
    )
    seen = proposed(paths)
    for number, step in enumerate(STEPS):
        wider = "b = [7]" if is_grid else "b = uniform(1, 2)"
        add = step.get("add", "").replace("b = WIDER", wider)
        own = [{"a": 2, "b": 0.5}] if number == 1 and not is_grid else []
        ask(paths, add, repeats=step.get("repeats"), trials=0 if is_grid else 2, points=tuple(own))
        written = paths.journal.read_bytes()
        now = proposed(paths)
        assert now[: len(seen)] == seen
        assert [ident for ident, *_ in now] == [f"v{n:04d}" for n in range(1, len(now) + 1)]
        places = [(point, repeat) for _, point, repeat, _ in now]
        assert len(set(places)) == len(places)
        # A runner that was killed before its last lines were on the disk gives the same again.
        lines = paths.journal.read_bytes()[len(written) :].splitlines(keepends=True)
        for kept in {1, 2, 3, len(lines) - 1} if sampler != "tpe" else {1}:
            paths.journal.write_bytes(written + b"".join(lines[:kept]))
            if kept < 2:
                continue  # the runner's command may be lost with its line
            assert proposed(paths) == now
        paths.journal.write_bytes(written + b"".join(lines))
        seen = now
    numbers = {point for _, point, _, _ in seen}
    repeats = 4
    assert len(seen) == len(numbers) * repeats
    assert len(numbers) == (5 * 3 if is_grid else 4 + 2 * 4 + 1)
    if is_grid:
        values = {(params["a"], params["b"]) for *_, params in seen}
        assert values == {(a, b) for a in (1, 2, 7, 8, 9) for b in (5, 6, 7)}


@pytest.mark.parametrize("sampler", ["random", "sobol"])
def test_points_before_an_extension_are_those_of_the_seed(tmp_path: Path, sampler: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    changes: dict[str, Any] = {"space": SPACES[sampler], "sampler": sampler, "trials": 4}
    alone = scan_folder(tmp_path / "a", **changes)
    paths = scan_folder(tmp_path / "b", **changes)
    first = proposed(alone)
    assert proposed(paths) == first
    ask(paths, "a = [6, 7, 8, 9]", trials=30)
    more = proposed(paths)
    assert more[:8] == first
    assert {params["a"] for *_, params in more} > {6, 7}
    # A line of the old part that is damaged is written again as it was.
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if b'"point":2' in line]
    paths.journal.write_bytes(b"".join(line for n, line in enumerate(lines) if n not in places))
    assert sorted(proposed(paths)) == sorted(more)


def test_points_that_are_lost_before_own_points_come_again(tmp_path: Path) -> None:
    paths = scan_folder(tmp_path, space="x = uniform(0, 1)", sampler="random", trials=6)
    seen = proposed(paths)
    ask(paths, points=({"x": 0.25}, {"x": 0.75}))
    with runner_of(paths) as runner:
        runner.obey()
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    lost = (b'"point":4', b'"point":5')
    paths.journal.write_bytes(b"".join(line for line in lines if not any(map(line.count, lost))))
    now = proposed(paths)
    assert now[:6] == seen
    assert [params["x"] for *_, params in now[6:]] == [0.25, 0.75]


def test_a_scan_whose_constraint_left_no_points_goes_on_with_more_values(tmp_path: Path) -> None:
    space = "x = uniform(0, 1)\nassert x > 1.5"
    paths = scan_folder(tmp_path, space=space, sampler="random", trials=3)
    with runner_of(paths) as runner:
        runner.proposer.propose()
        assert runner.scan.view.rule == events.NO_POINTS
    ask(paths, "x = uniform(1, 2)")
    assert all(params["x"] > 1.5 for *_, params in proposed(paths))


def test_a_command_that_comes_twice_extends_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command after a kill, and another one that adds the same."""
    paths = scan_folder(tmp_path, space="a = [1, 2]")
    ident = ask(paths, "a = [3]")
    text = (paths.inbox / f"{ident}.json").read_text()
    assert len(proposed(paths)) == 3
    (paths.inbox / f"{ident}.json").write_text(text)
    again = ask(paths, "a = [3, 4]")
    lines = len(paths.journal.read_bytes().splitlines())
    assert len(proposed(paths)) == 3
    assert inbox.pending(paths.inbox) == []
    assert len(paths.journal.read_bytes().splitlines()) == lines
    assert f"The command {again} was dropped: a: 3 is there already" in capsys.readouterr().err


def test_a_scan_that_has_ended_goes_on_and_ends_anew() -> None:
    story = Story()
    story.tell("runner.started")
    for number in (1, 2, 3):
        story.run(number, acc=0.5, lr=number / 10)
    story.tell("scan.finished", state="done")
    view = ScanView(small_scan()).apply_all(story.events)
    assert (view.finished, policy.complete(view)) == (True, True)
    told = applicable(view, command("lr = [1e-05, 3e-05]"))
    view.apply_all([story.tell("command.applied", **told)])
    assert (view.finished, policy.complete(view), view.total()) == (False, False, 5)
    for number in (4, 5):
        before = len(story.events)
        story.run(number, acc=0.5, lr=[1e-5, 3e-5][number - 4])
        view.apply_all(story.events[before:])
    assert policy.complete(view)
    assert wire.summary(view, "done", "/f")["warnings"] == ["Extended by lr = 1e-05, 3e-05."]
    assert view.scan.space.axes["lr"] != view.growth.original.space.axes["lr"]


def command(add: str = "", **more: Any) -> Any:
    body = extension.to_json(Extension(add=parse_space(add).body if add else (), **more))
    return {"id": "a", "action": "extend", "variants": None, "by": None, **body}


def fold(*told: dict[str, Any], **changes: Any) -> ScanView:
    story = Story()
    for event in told:
        story.tell("command.applied", **event)
    return ScanView(small_scan(**changes)).apply_all(story.events)


GOOD = {**command("lr = [5]"), "first": 3}


@pytest.mark.parametrize(
    "changed",
    [
        {"first": None}, {"first": -1}, {"first": "3"}, {"add": 3}, {"add": [3]},
        {"add": [{"name": "moon", "kind": "choice", "values": [1]}]}, {"repeats": 10**9},
        {"add": [{"name": "lr", "kind": "choice", "values": [0.1]}]}, {"repeats": 3},
        {"points": "x"}, {"points": [3]}, {"add": [[[]] * 9] * 9},
    ],
)  # fmt: skip
def test_a_damaged_extension_is_unreadable_and_does_no_harm(changed: dict[str, Any]) -> None:
    view = fold({**GOOD, **changed}, {**GOOD, "id": "b"})
    assert view.unreadable == 1
    assert view.total() == 4
    assert len(view.extensions) == 1


def test_a_journal_full_of_damaged_extensions_is_not_looked_at_to_its_end() -> None:
    wrong = [{**GOOD, **command("lr = [0.1]"), "id": str(number)} for number in range(100)]
    view = fold(*wrong[1:], GOOD)
    assert (view.unreadable, len(view.extensions)) == (99, 1)
    view = fold(*wrong, GOOD)
    assert (view.unreadable, len(view.extensions)) == (101, 0)


def test_a_sampler_knows_the_points_that_it_has_not_proposed() -> None:
    told = {**command(points=({"lr": 0.2}, {"lr": 0.3})), "first": 1}
    story = Story()
    story.propose(1, lr=0.1)
    story.tell("command.applied", **told)
    for number in (2, 3, 4):
        story.propose(number, lr=0.1 * number)
    view = ScanView(small_scan(sampler="random", trials=2)).apply_all(story.events)
    sources = [trial.source for trial in policy.history(view)]
    assert sources == [SAMPLED, OWN, OWN, SAMPLED]
    assert [view.growth.sampled_before(point) for point in range(6)] == [0, 1, 1, 1, 2, 3]
    assert view.total() == 4


def test_extensions_of_an_earlier_version_are_read() -> None:
    old = {"id": "a", "action": "extend", "variants": None, "trials": 2, "by": None}
    view = fold(old, {**old, "id": "b"}, sampler="random", trials=3)
    assert (view.trials(), view.unreadable, view.extensions) == (7, 0, [])
    assert wire.summary(view, "done", "/f")["warnings"] == ["Extended by 4 points more."]


def test_a_cached_fold_has_the_extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_cache, "LEAST_VARIANTS", 1)
    paths = scan_folder(tmp_path, space="a = [1, 2]\nseed = repeats(2)")
    ask(paths, "a = [3, float('nan')]", repeats=3)
    proposed(paths)
    view = ScanView(home.load(tmp_path)).apply_all(JournalReader(paths.journal).read())
    fold_cache.write(paths, view, paths.journal.stat().st_size)
    found = fold_cache.read(paths, view.growth.original)
    assert found is not None
    cached, _ = found
    assert repr(cached.scan) == repr(view.scan)
    assert (cached.total(), cached.extensions) == (12, view.extensions)
    text = paths.fold.read_text()
    paths.fold.write_text(text.replace('"name": "a"', '"name": "moon"').replace('"a"', '"moon"'))
    assert fold_cache.read(paths, view.growth.original) is None


def test_a_grid_with_own_points_at_its_start_grows_too(tmp_path: Path) -> None:
    space = "a = [1, 2, 3]\nb = [5, 6]\nseed = repeats(2)"
    own = [{"a": 2, "b": 6}, {"a": 1, "b": 5}]
    lines = points.own_lines(parse_space(space), own)
    paths = scan_folder(tmp_path, space=space, own_points=2, recorded_digest=points.digest(lines))
    paths.points.write_text(lines)
    ask(paths, "a = [4]", repeats=3)  # before anything is proposed
    seen = proposed(paths)
    ask(paths, "b = [7]", repeats=4)
    now = proposed(paths)
    assert now[: len(seen)] == seen
    assert [params for *_, params in seen[:2]] == [{**own[0], "seed": 0}, {**own[0], "seed": 1}]
    places = [(params["a"], params["b"], params["seed"]) for *_, params in now]
    assert len(places) == len(set(places)) == 4 * 3 * 4


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {}, "extend needs what is to be added"),
    ({}, {"trials": 3}, r"small is a grid.*--add"),
    ({}, {"points": ({"lr": 0.1},)}, r"small is a grid.*--add"),
    ({"recorded": 3}, {"add": "lr = [5]"}, "has the points it was given"),
    ({"recorded": 3}, {"repeats": 5}, "has the points it was given"),
    ({}, {"repeats": 5}, "No parameter of the scan repeats"),
    ({}, {"add": "lr = linspace(1, 2, 100000)"}, "more than 100,000"),
    ({"space": "lr = [1]\nn = integer(1, 1000)"}, {"add": "lr = linspace(2, 3, 100)"}, "101,000"),
    ({"space": "lr = [1]\nseed = repeats(2)"}, {"add": "lr = linspace(2, 3, 50000)"}, "100,002"),
    ({"space": "lr = [1]\nassert lr < 2"}, {"add": "lr = [3]"}, "makes no new point"),
    ({"space": "lr = [1]\nn = [0]\nassert 5 / lr > 1"}, {"add": "n = [0.0]"}, "there already"),
    ({"sampler": "random", "trials": 3}, {"trials": 10**6}, "1,000,003 variants"),
    (
        {"sampler": "random", "trials": 9, "space": "n = [1, 2]\nlr = uniform(0, 1)"},
        {"points": ({"n": 1, "lr": 7.0},)},
        "the space does not have the value",
    ),
    (
        {"sampler": "random", "trials": 9, "space": "n = [1, 2]\nassert n < 2"},
        {"points": ({"n": 2},)},
        "Point 1 does not meet",
    ),
    (
        {"sampler": "random", "trials": 9, "space": "n = [1, 2]"},
        {"points": ({"n": 2}, {"n": 2})},
        "Point 2 is point 1 already",
    ),
    (
        {"sampler": "cmaes", "trials": 9, "space": "n = uniform(0, 1)"},
        {"add": "n = uniform(1, 2)"},
        "cannot get wider",
    ),
    (
        {"sampler": "cmaes", "trials": 9, "space": "n = uniform(0, 1)\nm = ordinal(1, 2)"},
        {"add": "m = [3]"},
        "cannot get wider",
    ),
]


@pytest.mark.parametrize(("changes", "asked", "words"), REFUSED)
def test_what_a_scan_cannot_have_is_refused(
    changes: dict[str, Any], asked: dict[str, Any], words: str
) -> None:
    view = ScanView(small_scan(**changes))
    add = parse_space(asked["add"]).body if "add" in asked else ()
    with pytest.raises(GridGpuError, match=words):
        check_extension(view, Extension(**{**asked, "add": add}))
    with pytest.raises(GridGpuError, match=words):
        applicable(view, command(**asked))
    assert view.extensions == []


def test_values_may_be_added_to_what_cmaes_draws_at_random() -> None:
    view = ScanView(small_scan("n = uniform(0, 1)\nm = [1, 2]", sampler="cmaes", trials=9))
    check_extension(view, Extension(add=parse_space("m = [3]").body))


def test_what_waits_in_the_inbox_counts() -> None:
    view = ScanView(small_scan())
    first, second, third = command("lr = [5]"), command("lr = [5, 6]"), command("lr = [7]")
    third["id"] = "c"
    seen = pending(view, [None, first, second, third])
    assert seen.scan.points() == 5
    assert view.scan.points() == 3
    with pytest.raises(UsageError, match="5 is there already"):
        applicable(seen, second)


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Draw what happens to a scan: commands, proposals, and kills that lose lines."""
    kinds = st.sampled_from(["value", "repeats", "points", "trials", "propose", "lose"])
    return [(draw(kinds), draw(st.integers(0, 9))) for _ in range(draw(st.integers(1, 9)))]


@pytest.mark.parametrize("sampler", ["grid", "random"])
@settings(max_examples=25, deadline=None)
@given(happens=steps())
def test_whatever_happens_each_point_runs_as_often_as_was_asked(
    sampler: str, happens: list[tuple[str, Any]]
) -> None:
    is_grid = sampler == "grid"
    space = "b = [0, 1]\nx = uniform(0, 1)"
    if is_grid:
        space = "a = [1, 2]\nb = [0, 1]\nif a > 2:\n    c = [5, 6]"
    repeats, trials, own, value = 1, 3, 0, 3
    with tempfile.TemporaryDirectory() as name:
        changes: dict[str, Any] = {"space": f"{space}\nseed = repeats(1)", "sampler": sampler}
        paths = scan_folder(Path(name), **changes, trials=None if is_grid else trials)
        for kind, number in happens:
            if kind == "value":
                ask(paths, f"{'a' if is_grid else 'b'} = [{value}]")
                value += 1
            elif kind == "repeats" and repeats < 4:
                repeats += 1
                ask(paths, repeats=repeats)
            elif kind == "points" and not is_grid:
                ask(paths, points=tuple({"b": n % 2, "x": (own + n) / 97} for n in range(2)))
                own += 2
            elif kind == "trials" and not is_grid:
                ask(paths, trials=number + 1)
                trials += number + 1
            elif kind == "propose":
                with runner_of(paths) as runner:
                    runner.obey()
                    runner.proposer.propose()
            elif kind == "lose" and paths.journal.exists():
                lose(paths, number)
        found = proposed(paths)
    view = fold_of(found)
    assert [ident for ident, *_ in found] == [f"v{n:04d}" for n in range(1, len(found) + 1)]
    assert all(sorted(seen) == list(range(repeats)) for seen in view.values())
    if not is_grid:
        assert len(view) == trials + own
        assert {n / 97 for n in range(own)} <= {dict(key)["x"] for key in view}
        return
    a = [1, 2, *range(3, value)]
    wanted = {(n, b, c) for n in a for b in (0, 1) for c in ((5, 6) if n > 2 else (None,))}
    assert {(dict(key)["a"], dict(key)["b"], dict(key).get("c")) for key in view} == wanted


def lose(paths: ScanPaths, number: int) -> None:
    """Take the last lines of the journal away, but no command, which is on the disk for sure."""
    lines = paths.journal.read_bytes().splitlines(keepends=True)
    for _ in range(number):
        if not lines or b"command.applied" in lines[-1]:
            break
        lines.pop()
    paths.journal.write_bytes(b"".join(lines))


def fold_of(found: list[tuple[str, int, int, dict[str, Any]]]) -> dict[Any, list[int]]:
    """Return the repeats of each point, by its values."""
    seen: dict[Any, list[int]] = {}
    for _, _, repeat, params in found:
        values = {name: value for name, value in params.items() if name != "seed"}
        assert params["seed"] == repeat
        seen.setdefault(tuple(sorted(values.items())), []).append(repeat)
    return seen
