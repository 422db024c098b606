"""Reading declared queues from the files in queues.d.

A mistake is reported in one sentence with its line, and hides no other queue.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.model.queue import GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import declarations

WHOLE = """
queues:
  - name: a100
    backend: slurm
    title: A100 nodes
    gpus:
      - {model: A100-SXM4-40GB, cuda: 12.10, count: 4}
      - {vendor: nvidia, model: T4, vram: 15109MB}
    limits: {walltime: 1:30:00, memory: 256GB, cpus: 64, gpus: 4}
    containers: {runtimes: [apptainer], images: [/cvmfs, "docker://lab/*"]}
    placement: {queue: gpu, account: atlas, qos: high, constraint: "a100|t4"}
    gpu_only: yes
    state: online
    rank: 10
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder of declarations, which comes before that of the site."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "site"))
    found = declarations.folders()
    assert found[:2] == [tmp_path / "user/gridgpu/queues.d", tmp_path / "site/gridgpu/queues.d"]
    for place in found[:2]:
        place.mkdir(parents=True)
    return found[0]


def read_one(text: str, folder: Path) -> tuple[list[Queue], list[str]]:
    path = folder / "one.yaml"
    path.write_text(text)
    return declarations.read(path)


def test_all_fields_of_a_queue_are_read(folder: Path) -> None:
    [queue], problems = read_one(WHOLE, folder)
    assert problems == []
    assert queue == Queue(
        name="a100",
        backend="slurm",
        title="A100 nodes",
        gpus=(
            GpuKind("nvidia", "A100-SXM4-40GB", 40960, "12.10", 4),
            GpuKind("nvidia", "T4", 15109),
        ),
        limits=QueueLimits(5400, 256 * 1024, 64, 4),
        runtimes=("apptainer",),
        images=("/cvmfs", "docker://lab/*"),
        gpu_only=True,
        state="online",
        queue="gpu",
        account="atlas",
        qos="high",
        constraint="a100|t4",
        rank=10,
        source=str(folder / "one.yaml"),
    )


def test_a_queue_is_written_and_read_back(folder: Path) -> None:
    [queue], _ = read_one(WHOLE, folder)
    declarations.write(folder / "one.yaml", [queue], "again")
    assert declarations.read(folder / "one.yaml") == ([queue], [])


@pytest.mark.parametrize("empty", ["", "~", "null"])
def test_a_field_without_a_value_counts_as_missing(folder: Path, empty: str) -> None:
    text = f"queues:\n- name: a\n  backend: slurm\n  title: {empty}\n  limits: {empty}\n"
    assert read_one(text, folder) == (
        [Queue("a", "slurm", source=str(folder / "one.yaml"))],
        [],
    )


@pytest.mark.parametrize("gpus", [None, (), (GpuKind("nvidia", "T4", 15360),)])
def test_a_queue_without_gpus_is_not_one_whose_gpus_are_unknown(
    folder: Path, gpus: tuple[GpuKind, ...] | None
) -> None:
    path = folder / "one.yaml"
    declarations.write(path, [Queue("a", "slurm", gpus=gpus)], "again")
    [queue], problems = declarations.read(path)
    assert (queue.gpus, queue.has_gpus, problems) == (gpus, gpus != (), [])


def test_the_user_wins_over_the_site_by_name(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site/gridgpu/queues.d/site.yaml"
    site.write_text(
        "queues:\n- {name: a, backend: slurm, rank: 1}\n- {name: b, backend: slurm, rank: 1}\n"
    )
    (folder / "mine.yml").write_text(
        "queues:\n- {name: a, backend: slurm, rank: 2}\n- {name: b, backend: htcondor, rank: 2}\n"
    )
    queues, problems = declarations.read_all()
    assert [(queue.name, queue.backend, queue.rank) for queue in queues] == [
        ("a", "slurm", 2),
        ("b", "htcondor", 2),
        ("b", "slurm", 1),
    ]
    assert problems == []


MISTAKES = [
    (
        "queues:\n- name: a\n  backend: slurm\n  gpus:\n  - {model: A100, vram: 40 gigs}\n",
        "line 5: vram: '40 gigs' is no amount",
    ),
    (
        "queues:\n- name: a\n  backend: slurm\n  wall: 2h\n",
        "line 4: a queue has no field 'wall'; there are name, backend",
    ),
    ("queues:\n- backend: slurm\n", "line 2: the queue has no name; write `name: gpu-a100`"),
    ("queues:\n- name: a\n", "line 2: the queue has no backend; write `backend: slurm`"),
    ("queues:\n- name: a b\n  backend: x\n", "line 2: name: 'a b' cannot name a queue"),
    (
        "queues:\n- name: a\n  backend: x\n  state: up\n",
        "line 4: state: 'up' is no state; write one of online, offline, unknown",
    ),
    (
        "queues:\n- name: a\n  backend: x\n  gpu_only: perhaps\n",
        "line 4: gpu_only: 'perhaps' is neither true nor false",
    ),
    ("queues:\n- name: a\n  backend: x\n  rank: high\n", "line 4: rank: 'high' is no whole number"),
    (
        "queues:\n- name: a\n  backend: x\n  limits: {gpus: 0}\n",
        "line 4: gpus: '0' is no whole number from 1 up",
    ),
    (
        "queues:\n- name: a\n  backend: x\n  limits: {walltime: soon}\n",
        "line 4: walltime: 'soon' is no length of time",
    ),
    (
        "queues:\n- name: a\n  backend: x\n  gpus: A100\n",
        "line 4: gpus is the text 'A100'; write a list",
    ),
    (
        "queues:\n- name: a\n  backend: x\n  gpus: [A100]\n",
        "line 4: a kind of GPU is the text 'A100'; write fields like `vendor",
    ),
    (
        "queues:\n- name: a\n  backend: x\n  gpus: [{cuda: new}]\n",
        "line 4: cuda: 'new' is no version; write one like 12.4",
    ),
    (
        "queues:\n- name: a\n  backend: x\n  placement: {queue: --all}\n",
        "line 4: queue: '--all' looks like an option",
    ),
    ("queues:\n- name: a\n  name: b\n  backend: x\n", "line 3: name is given twice; keep one"),
    ("queues: gpu\n", "line 1: queues is the text 'gpu'; write a list"),
    ("- name: a\n", "line 1: the file is a list; write fields like `queues"),
    ("queues:\n- name: [\n", "line 3: it is not YAML"),
    ("queues:\n\t- name: a\n", "line 2: it is not YAML"),
    ("queues: !!python/object:os.system [x]\n", ""),
    ("[" * 5000, ""),
    (
        "queues:\n" + "- {name: a, backend: x}\n" * 2001,
        "line 2: queues has 2,001 entries; 2,000 are the most",
    ),
    ("#" * 1_000_001, "is no list of queues: it is larger than 1,000 kB"),
    ("\x00", "it is not YAML"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_reported_in_one_sentence_with_its_line(
    text: str, message: str, folder: Path
) -> None:
    queues, problems = read_one(text, folder)
    assert len(problems) <= 1
    if message:
        assert queues == []
        assert message in problems[0]
        assert problems[0].startswith(str(folder / "one.yaml"))
        assert problems[0].endswith(".")
        assert "\n" not in problems[0]


def test_a_wrong_queue_and_a_wrong_file_hide_no_others(folder: Path) -> None:
    (folder / "a.yaml").write_text(
        "queues:\n- {name: good, backend: slurm}\n- {name: bad, backend: slurm, gpus: 3}\n"
    )
    (folder / "b.yaml").write_bytes(b"\xff\xfe\xfa")
    (folder / "c.yaml").mkdir()
    (folder / "d.yaml").write_text("queues:\n- {name: also, backend: slurm}\n")
    (folder / "e.txt").write_text("no declaration")
    queues, problems = declarations.read_all()
    assert [queue.name for queue in queues] == ["good", "also"]
    assert [Path(problem.split(",")[0].split(" ")[0]).name for problem in problems] == [
        "a.yaml",
        "b.yaml",
        "c.yaml",
    ]


def test_a_bomb_of_aliases_is_no_danger(folder: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 60)
    ]
    queues, problems = read_one("\n".join(lines), folder)
    assert queues == []
    assert "more than 500,000 values" in problems[0]


def test_an_empty_file_declares_nothing(folder: Path) -> None:
    assert read_one("", folder) == ([], [])
    assert read_one("# later\n", folder) == ([], [])
    assert read_one("queues:\n", folder)[0] == []
