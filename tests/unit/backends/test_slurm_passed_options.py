"""Options of sbatch that a user gives in Slurm's own words: passed on, or refused in a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.backends.slurm import option_table
from jupyter_gridgpu.backends.slurm.backend import SlurmBackend
from jupyter_gridgpu.backends.slurm.passed_options import parse, passed_options
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.resources import Placement, Resources
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan


def backend_with(*given: str, **wanted: Any) -> SlurmBackend:
    scan = small_scan(
        backend="slurm", placement=Placement(options=given), resources=Resources(**wanted)
    )
    return SlurmBackend(scan, ScanPaths(Path("/scans/one")))


def refusal_of(*given: str) -> str:
    with pytest.raises(BackendError) as refused:
        backend_with(*given).check(ask=False)
    said = str(refused.value)
    assert said.startswith("--engine-option ")
    assert said.endswith(".")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--reservation=x", ["--reservation=x"]),
        ("--reservation x", ["--reservation=x"]),
        ("--reserv x", ["--reservation=x"]),
        ("-x node[1-3,7]", ["--exclude=node[1-3,7]"]),
        ("-xnode1", ["--exclude=node1"]),
        ("--exclude=node1 --nodelist node2", ["--exclude=node1", "--nodelist=node2"]),
        ("-Hx node1", ["--hold", "--exclude=node1"]),
        ("--nice", ["--nice"]),
        ("--nice=-5", ["--nice=-5"]),
        ("--exclusive=user", ["--exclusive=user"]),
        ("--licenses 'a:1,b:2'", ["--licenses=a:1,b:2"]),
        ("--wckey 'two words'", ["--wckey=two words"]),
        ("--mem=0", ["--mem=0"]),
        ("--new-in-the-next-version=5", ["--new-in-the-next-version=5"]),
        ("--share", ["--oversubscribe"]),
        ("--switches=1@5:00", ["--switches=1@5:00"]),
        ("-M other", ["--clusters=other"]),
    ],
)
def test_all_spellings_of_sbatch_are_read(text: str, words: list[str]) -> None:
    assert [option.word for option in parse(text)] == words
    passed = passed_options(small_scan(placement=Placement(options=(text,))))
    expected = [word for word in words if not word.startswith("--clusters")]
    assert passed.words() == expected
    backend_with(text)._request.words(1, None)


@pytest.mark.parametrize("name", sorted(option_table.REFUSED))
def test_what_a_scan_sets_is_refused_in_every_spelling(name: str) -> None:
    """Shortened as far as sbatch may take it, with and without its value, among others."""
    spellings = [f"--{name}", f"--{name}=x", f"--nice --{name} x"]
    spellings += [
        f"--{name[:end]}=x" for end in range(4, len(name)) if name[:end] not in option_table.KNOWN
    ]
    spellings += [f"-{letter} x" for letter, long in option_table.SHORT.items() if long == name]
    spellings += [f"-{letter}x" for letter, long in option_table.SHORT.items() if long == name]
    for text in spellings:
        assert refusal_of("--reservation=y", text)
    assert f"--{name}" in refusal_of(f"--{name}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--export=NONE", "say --env"),
        ("--exp=NONE", "say --env"),
        ("--mail-u me@here", "Slurm sends no mail"),
        ("--mail=me@here", "Slurm sends no mail"),
        ("--wrap=id", "the scan says what its jobs run"),
        ("--wra id", "the scan says what its jobs run"),
        ("-D /tmp", "jobs begin in the scan's folder"),
        ("--workd=/tmp", "jobs begin in the scan's folder"),
        ("-t 5", "say --walltime"),
        ("--task-pro=/tmp/x", "the scan says what its jobs run"),
        ("--bca", "say --files"),
        ("--tasks-per-node=4", "each job of a scan is one task on one node"),
        ("--reservation --export=ALL", "looks like another option"),
        ("--reservation=--export=ALL", "looks like another option"),
        ("--reservation -x", "looks like another option"),
        ("--reservation", "its value is missing"),
        ("--reservation=", "its value is missing"),
        ("--hold=5", "it takes no value"),
        ("--mem-per 5", "it may be --mem-per-cpu or --mem-per-gpu"),
        ("--exclu=n", "it may be --exclude or --exclusive"),
        ("-Zx", "write this option in its long form"),
        ("node1", "begins with '-'"),
        ("--nice : --nice", "begins with '-'"),
        ("--nice -- script", "begins with '-'"),
        ("-", "begins with '-'"),
        ("--reservation 'x", "no closing quotation"),
        ("--=x", "this is no name of an option"),
        ("--clusters=a,b", "name one cluster"),
        ("-M all", "name one cluster"),
        ("-HW", "a scan waits for its jobs by itself"),
    ],
)
def test_what_cannot_be_passed_on_is_refused_in_one_sentence(text: str, said: str) -> None:
    assert said in refusal_of(text)


@pytest.mark.parametrize(
    ("given", "left_out", "kept"),
    [
        ("--mem-per-cpu=2G", ["--mem="], ["--gres=gpu:2", "--mem-per-cpu=2G"]),
        ("--mem=0", ["--mem=3000M"], ["--mem=0"]),
        ("--mem-per-gpu=2G", ["--mem="], ["--gres=gpu:2"]),
        ("--gpus-per-node=a100:1", ["--gres"], ["--mem=3000M", "--gpus-per-node=a100:1"]),
        ("-G 2", ["--gres"], ["--gpus=2"]),
        ("--gres=gpu:a100:1", ["--gres=gpu:2"], ["--gres=gpu:a100:1"]),
        ("--gres=shard:4", ["--gres=gpu:2"], ["--gres=shard:4"]),
        ("--tres-per-task=cpu=1,gres/gpu=1", ["--gres"], ["--mem=3000M"]),
        ("--gres=tmp:10G", [], ["--gres=gpu:2,tmp:10G"]),
        ("--gres=gpufoo:1", [], ["--gres=gpu:2,gpufoo:1"]),
    ],
)
def test_the_user_s_words_for_gpus_and_memory_are_the_only_ones(
    given: str, left_out: list[str], kept: list[str]
) -> None:
    backend = backend_with(given, gpus=2, memory_mb=3000)
    said = backend._options(5)
    for start in left_out:
        assert not [word for word in said if word.startswith(start)], said
    assert set(kept) <= set(said)
    remarks = " ".join(backend.remarks())
    assert bool(remarks) is bool(left_out)
    assert ("--memory" in remarks) is ("mem" in given)
    assert ("--gpus." in remarks) is any("--gres" in word for word in left_out)


class FakeCommands:
    """Takes the place of Slurm's commands: notes each, and refuses sbatch with some words."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        refuses: Sequence[str] = (),
        why: str = "Unspecified error",
    ) -> None:
        self._why = why
        self.calls: list[list[str]] = []
        self._refuses = refuses
        monkeypatch.setattr(subprocess, "run", self.run)
        monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")

    def run(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.calls.append(list(command))
        bad = [word for word in command if word.startswith(tuple(self._refuses) or ("?",))]
        if command[0] == "sbatch" and bad:
            complaint = f"sbatch: error: Do not use {bad[0]}\nsbatch: error: {self._why}\n"
            return subprocess.CompletedProcess(command, 1, "", complaint)
        return subprocess.CompletedProcess(command, 0, "77;other\n", "")

    def sent(self) -> list[list[str]]:
        return [call for call in self.calls if call[0] == "sbatch" and "--test-only" not in call]


def batch_in(folder: Path) -> Batch:
    made = Batch("b0001", folder, (("v0001.1",),))
    made.tasks_file.write_text("v0001.1\n")
    return made


def test_every_command_is_given_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeCommands(monkeypatch)
    backend = backend_with("-M other", gpus=1, walltime_s=60)
    backend.check()
    assert backend.send(batch_in(tmp_path)) == "77"
    backend._ask_configuration()
    backend.query()
    backend.query_past(["77_1"])
    with pytest.raises(BackendError, match="Slurm has GPUs whose model is not told"):
        backend_with("-M other", gpus=1, gpu_model="a100").check()
    backend._search.find([batch_in(tmp_path)])
    backend.end(["77_1"], hard=True)
    backend.end(["77_1"], hard=False)
    assert {call[0] for call in fake.calls} == {
        "sbatch",
        "squeue",
        "sacct",
        "scancel",
        "scontrol",
        "sinfo",
    }
    assert {call[1] for call in fake.calls} == {"--clusters=other"}
    assert all(call.count("--clusters=other") == 1 for call in fake.calls)
    assert backend.cluster() == "other", "its answers are kept apart"


@pytest.mark.parametrize(
    ("refused", "taken"),
    [
        ((), "--gres=gpu:2"),
        (("--gres",), "--gpus-per-node=2"),
        (("--gres", "--gpus-per-node"), "--gpus=2"),
    ],
)
def test_gpus_are_asked_for_in_the_words_that_the_site_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Sequence[str], taken: str
) -> None:
    fake = FakeCommands(monkeypatch, refused)
    asked = backend_with(gpus=2)
    asked.check()
    assert len(asked.remarks()) == len(refused[:1])
    if refused:
        words = taken.partition("=")[0]
        assert asked.remarks() == [
            f"This Slurm refuses --gres, so GPUs are asked for with {words}."
        ]
    # The runner is another process, which finds it out again.
    assert backend_with(gpus=2).send(batch_in(tmp_path)) == "77"
    assert taken in fake.sent()[-1]
    assert len(fake.sent()) == (2 if refused else 1)


@pytest.mark.parametrize("refused", [(), ("--gres",), ("--time=5",)])
def test_slurm_is_asked_nothing_twice_before_a_scan_is_sent(
    monkeypatch: pytest.MonkeyPatch, refused: Sequence[str]
) -> None:
    fake = FakeCommands(monkeypatch, refused, "QOSMaxWallDurationPerJobLimit")
    backend_with(gpus=2, walltime_s=100).check()
    assert len({tuple(call) for call in fake.calls}) == len(fake.calls)


def test_where_a_qos_leaves_no_spare_time_the_bare_walltime_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeCommands(monkeypatch, ("--time=5",), "QOSMaxWallDurationPerJobLimit")
    backend = backend_with(walltime_s=100)
    backend.check()
    assert backend.send(batch_in(tmp_path)) == "77"
    assert {"--time=2", "--time-min=2"} <= set(fake.sent()[-1])
    FakeCommands(monkeypatch, ("--time=",), "QOSMaxWallDurationPerJobLimit")
    backend = backend_with(walltime_s=100)
    with pytest.raises(BackendError, match="QOSMaxWallDurationPerJobLimit"):
        backend.check()
    assert "--time=5" in backend._options(1)


def test_where_no_words_for_gpus_are_taken_the_first_refusal_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FakeCommands(monkeypatch, ("--gres", "--gpus"))
    with pytest.raises(BackendError, match="Do not use --gres=gpu:2"):
        backend_with(gpus=2).check()
    with pytest.raises(BackendError, match="Do not use --gpus-per-node=1"):
        backend_with("--gpus-per-node=1", gpus=2).check()


def test_a_record_that_was_changed_sends_nothing(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="--engine-option --export"):
        backend_with("--export=ALL").send(batch_in(tmp_path))
