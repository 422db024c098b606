"""Scans whose jobs run in real containers.

Apptainer runs a SIF, podman an OCI archive and an image of a registry.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import write_stop
from tests.engines import images
from tests.engines.registry import registry, trusting
from tests.kit import eventually

from .helpers import one_sentence, options, space, strict_json
from .lab import Lab
from .notebooks import Executed

TRAIN = """
import math
from jupyter_gridgpu import report
loss = 10.0
for epoch in range(1, 5):
    loss = loss * (1 - lr) + math.sin(epoch) * lr
    report(epoch=epoch, loss=loss)
"""
LOOK = """
import json, os, pathlib, sys
def writable(folder):
    try:
        (pathlib.Path(folder) / "trial").write_text("x")
        return True
    except OSError:
        return False
names = ("SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES", "GRIDGPU_TRIAL", "JUPYTER_PATH")
print(json.dumps({
    "executable": sys.executable,
    "release": "bookworm" in open("/etc/os-release").read(),
    "usr": writable("/usr"),
    "tmp": writable("/tmp"),
    "home": writable(pathlib.Path.home()),
    "packages": [place for place in sys.path if place.startswith(USERHOME)],
    "env": {name: os.environ.get(name) for name in names},
    "data": pathlib.Path("/data/jets.txt").read_text(),
    "data_writable": writable("/data"),
    "more": writable(MORE),
}))
"""
HOLD = "import time\nprint('begin', flush=True)\ntime.sleep(600)"
RUNTIMES = ("apptainer", "podman")


@pytest.fixture(scope="module")
def runtimes() -> dict[str, str]:
    """Return the environment in which both runtimes are found."""
    return {**images.apptainer_environment(), **images.podman_environment()}


@pytest.fixture(autouse=True)
def found(lab: Lab, runtimes: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runtimes be found, and no GPU."""
    for name, value in {**runtimes, "CUDA_VISIBLE_DEVICES": ""}.items():
        monkeypatch.setenv(name, value)


def image_for(runtime: str) -> Path:
    """Return an image file of the kind that a runtime takes."""
    return images.sif() if runtime == "apptainer" else images.archive()


def broken_sif(lab: Lab) -> Path:
    """Return a SIF that looks like one until it is used."""
    path = lab.folder / "broken.sif"
    with open(images.sif(), "rb") as file:
        path.write_bytes(file.read(200_000))
    return path


def losses(body: dict[str, Any]) -> dict[float, float]:
    """Return the loss of each variant by its learning rate, from what `show` says."""
    return {variant["params"]["lr"]: variant["metrics"]["loss"] for variant in body["variants"]}


def test_a_scan_in_an_image_gives_what_it_gives_without(lab: Lab) -> None:
    notebook = lab.notebook(TRAIN, parameters="lr = 0.1")
    words = [*space(lr=[0.1, 0.2]), *options("--minimize loss")]
    # The three scans run at the same time.
    scans = {}
    for runtime in RUNTIMES:
        image = ["--image", str(image_for(runtime)), "--runtime", runtime]
        scans[runtime] = lab.start(notebook, *words, *image)
    plain = losses(lab.run(notebook, *words).show())
    assert len(set(plain.values())) == 2
    for runtime, scan in scans.items():
        assert losses(scan.wait("done")) == plain
        container = strict_json((scan.folder / "scan.json").read_text())["container"]
        assert container["digest"].startswith("sha256:")
        for about in scan.folder.glob("jobs/*/*/copy.json"):
            assert strict_json(about.read_text())["image"] == str(image_for(runtime))
            assert strict_json(about.with_name("provenance.json").read_text())["image_mark"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_jobs_see_the_image_their_folder_and_the_data_and_nothing_of_the_user(
    lab: Lab, runtime: str
) -> None:
    user = lab.folder / "user"
    site = user / ".local/lib/python3.11/site-packages"
    for folder in (site, lab.folder / "data", lab.folder / "more"):
        folder.mkdir(parents=True)
    (site / "os_trap.pth").write_text("import sys; sys.exit('the packages of the user got in')")
    (lab.folder / "data" / "jets.txt").write_text("jets")
    kept = {"SLURM_JOB_ID": "7", "GRIDGPU_TRIAL": "on", "CUDA_VISIBLE_DEVICES": ""}
    env = {**kept, "HOME": str(user), "JUPYTER_PATH": str(user)}
    code = LOOK.replace("USERHOME", repr(str(user))).replace("MORE", repr(str(lab.folder / "more")))
    image = options(f"--image {image_for(runtime)} --runtime {runtime}")
    binds = options(f"--bind {lab.folder}/data:/data:ro --bind {lab.folder}/more")
    notebook = lab.notebook(code, parameters="lr = 0.1")
    scan = lab.run(notebook, *space(lr=[0.1]), *image, *binds, env=env)
    seen = json.loads(Executed.read(scan.folder / scan.variant("v0001")["notebook"]).text())
    writable = {"usr": False, "tmp": True, "home": True, "data_writable": False, "more": True}
    assert {name: seen.pop(name) for name in writable} == writable
    # The variable JUPYTER_PATH of the user would lead to kernels that the image does not have.
    assert seen.pop("env") == {**kept, "JUPYTER_PATH": None}
    assert seen.pop("executable") == "/usr/bin/python3"
    assert seen == {"release": True, "packages": [], "data": "jets"}
    Path("/tmp/trial").unlink(missing_ok=True)


def test_an_image_without_papermill_fails_with_one_line_that_says_so(lab: Lab) -> None:
    notebook = lab.notebook(TRAIN, parameters="lr = 0.1")
    for runtime in RUNTIMES:
        words = ["--image", str(images.bare_sandbox()), "--runtime", runtime]
        scan = lab.run(notebook, *space(lr=[0.1]), *words, code=1)
        [variant] = scan.show()["variants"]
        assert (variant["state"], variant["reason"]) == ("failed", "image")
        assert scan.variant("v0001")["message"] == (
            f"The image {images.bare_sandbox()} has no papermill: pip install papermill ipykernel."
        )


def test_an_image_that_the_runtime_cannot_use_fails_with_its_words(lab: Lab) -> None:
    notebook = lab.notebook(TRAIN, parameters="lr = 0.1")
    words = [*space(lr=[0.1]), "--image", str(broken_sif(lab))]
    scan = lab.run(notebook, *words, code=1)
    variant = scan.variant("v0001")
    assert (variant["state"], variant["reason"]) == ("failed", "image")
    assert "FATAL" in variant["message"]
    assert "\n" not in variant["message"]


def test_what_is_no_image_or_has_no_runtime_is_refused_before_anything_starts(lab: Lab) -> None:
    notebook = lab.notebook(TRAIN, parameters="lr = 0.1")
    (lab.folder / "no.sif").write_text("no image")

    def refused(code: int, words: str, env: dict[str, str] | None = None) -> str:
        asked = ["run", str(notebook), *space(lr=[0.1]), *options(words)]
        return one_sentence(lab.gridgpu(*asked, code=code, env=env).stderr)

    sif = images.sif()
    assert "there is no such file" in refused(2, f"--image {lab.folder}/missing.sif")
    assert "no SIF and no OCI archive" in refused(2, "--image no.sif")
    assert "podman: it does not run a SIF" in refused(2, f"--image {sif} --runtime podman")
    assert "there is no /no/data" in refused(2, f"--image {sif} --bind /no/data")
    bare = {"PATH": "/no/where"}
    said = refused(3, f"--image {sif}", env=bare)
    assert "This machine has no apptainer or singularity to run" in said
    made = list(lab.home.iterdir()) if lab.home.exists() else []
    assert not [path for path in made if not path.name.startswith(".")]


def test_a_python_kernel_that_is_only_here_is_replaced_and_another_languages_is_not(
    lab: Lab,
) -> None:
    words = [*space(lr=[0.1]), "--image", str(images.sandbox())]
    mine = lab.notebook(TRAIN, parameters="lr = 0.1", kernel="my-venv")
    scan = lab.run(mine, *words)
    said = scan.gridgpu("logs", variant="v0001").stdout
    assert "The image has no kernel 'my-venv'; its 'python3' runs the notebook." in said
    other = lab.notebook(
        "lr <- 0.1", parameters="lr <- 0.1", kernel="ir", language="R", name="other"
    )
    variant = lab.run(other, *words, code=1).variant("v0001")
    assert variant["reason"] == "image"
    assert variant["message"] == "There is no kernel named ir where the job ran."


def write(handle: ScanHandle, key: str) -> None:
    """Write the job.json of a job."""
    write_spec(Job(key, handle.paths.job(key), job_spec(handle.scan, key, {"lr": 0.1})), {})


@pytest.fixture
def held(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a function that has worker.sh alone run a job, as a batch system does.

    It returns the scan and the process.
    """
    monkeypatch.setenv("GRIDGPU_HOME", str(lab.home))
    started: list[subprocess.Popen[bytes]] = []

    def start(runtime: str, image: str, *cells: str) -> tuple[ScanHandle, subprocess.Popen[bytes]]:
        lab.home.mkdir(exist_ok=True)
        notebook = lab.notebook(*cells, parameters="lr = 0.1", name=f"held-{runtime}")
        asked = Options(on="local", image=image, runtime=runtime, new=True)
        handle = client.create(plan(notebook, "lr = [0.1]", asked))
        key = f"v{len(started) + 1:04d}.1"
        write(handle, key)
        started.append(subprocess.Popen(["sh", handle.paths.launcher, handle.folder, key]))
        return handle, started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGTERM, "preempted"), (signal.SIGUSR1, "timeout"), (None, "user")],
)
def test_a_signal_to_the_launcher_or_the_stop_file_saves_the_notebook(
    held: Any, runtime: str, number: signal.Signals | None, reason: str
) -> None:
    handle, process = held(runtime, str(images.sandbox()), HOLD)
    job = handle.paths.job("v0001.1")

    def begun() -> bool:
        logs = [copy.log for copy in job.copies() if copy.log.exists()]
        return any("begin" in log.read_text() for log in logs)

    eventually(begun, what="the cell runs")
    if number is None:
        write_stop(job.stop)
    else:
        process.send_signal(number)
    assert process.wait(timeout=90) == 0
    result = strict_json(job.result.read_text())
    assert (result["state"], result["reason"]) == ("failed", reason)
    assert "begin" in Executed.read(job.copy(result["copy"]).notebook).text()
    assert all(path.stat().st_uid == os.getuid() for path in job.folder.rglob("*"))


def test_an_image_of_a_registry_is_fetched_once_and_a_tag_that_moved_is_noticed(
    lab: Lab, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with registry() as served:
        ref = served.push("ml/base:latest", images.archive())
        for name, value in trusting(lab.folder, served).items():
            monkeypatch.setenv(name, value)
        handle, process = held("podman", ref, TRAIN)
        assert process.wait(timeout=120) == 0, handle.paths.job("v0001.1").log.read_text()
        [first] = handle.paths.job("v0001.1").copies()
        moved_from = served.tags["ml/base:latest"]
        subprocess.run(["podman", "rmi", ref.partition("://")[2]], check=True, capture_output=True)
        served.move("ml/base:latest")
        write(handle, "v0002.1")
        for _ in range(2):
            subprocess.run(["sh", handle.paths.launcher, handle.folder, "v0002.1"], check=True)
        [second] = handle.paths.job("v0002.1").copies()
        # The runner compares these; see tests/unit/runner/test_driven_image.py.
        marks = [strict_json(copy.about.read_text())["image_mark"] for copy in (first, second)]
        assert marks == [moved_from, served.tags["ml/base:latest"]]
        assert len(set(marks)) == 2
        assert served.pulls == ["ml/base:latest"] * 2
        subprocess.run(["podman", "rmi", ref.partition("://")[2]], check=True, capture_output=True)


def test_an_image_that_cannot_be_fetched_ends_with_the_runtimes_words(held: Any) -> None:
    handle, process = held("podman", "docker://127.0.0.1:9/no/such:image", TRAIN)
    assert process.wait(timeout=120) == 73
    said = handle.paths.job("v0001.1").log.read_text()
    assert "cannot get docker://127.0.0.1:9/no/such:image (an image of a registry): Error:" in said
    assert said.count("\n") == 1


def test_image_check_says_what_is_there_and_what_is_missing(lab: Lab) -> None:
    body = strict_json(lab.gridgpu("image", "check", str(images.sif()), "--json").stdout)
    found = {one["name"]: one["value"] for one in body["findings"]}
    assert (body["usable"], found["Python"][:5], found["kernels"]) == (True, "3.11.", "python3")
    assert found["runtime"].startswith("apptainer version")
    bare = options(f"image check {images.bare_sandbox()} --runtime podman")
    text = lab.gridgpu(*bare, code=1).stdout
    assert "papermill  none  -> pip install papermill ipykernel in the image." in text
    assert "no SIF" in one_sentence(lab.gridgpu("image", "check", "/etc/passwd", code=2).stderr)
    nowhere = options("image check docker://127.0.0.1:9/x --runtime podman")
    assert "cannot get" in one_sentence(lab.gridgpu(*nowhere, code=3).stderr)


def test_an_image_that_only_nodes_have_is_let_through(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = plan(lab.notebook(TRAIN, parameters="lr = 0.1"), "lr = [0.1]", Options())
    image = "/cvmfs/no.such.repository/ml:latest"
    scan = replace(found.scan, container=replace(found.scan.container, image=image))
    monkeypatch.setenv("GRIDGPU_HOME", str(lab.home))
    lab.home.mkdir()
    handle = client.create(replace(found, scan=scan))
    assert image in handle.paths.launcher.read_text()


@pytest.mark.usefixtures("slurm")
def test_jobs_of_a_batch_system_run_in_the_image_with_the_gpus_that_it_gives(lab: Lab) -> None:
    show = "import os\nprint('GPU', os.environ['CUDA_VISIBLE_DEVICES'])"
    notebook = lab.notebook(TRAIN, show, parameters="lr = 0.1")
    there = options("--on slurm --gpus 1 --image")
    pair = [*space(lr=[0.1, 0.2]), *options("--per-job 2")]
    # The three scans run at the same time: in a sound image, a bare one and a broken one.
    scan = lab.start(notebook, *pair, *there, str(images.sandbox()))
    bare = lab.start(notebook, *space(lr=[0.3]), *there, str(images.bare_sandbox()))
    broken = lab.start(notebook, *pair, *there, str(broken_sif(lab)))
    scan.wait("done")
    assert [variant["state"] for variant in scan.show()["variants"]] == ["done", "done"]
    for about in scan.folder.glob("jobs/*/*/copy.json"):
        body = strict_json(about.read_text())
        assert (body["image"], "SLURM_JOB_ID" in body["engine"]) == (str(images.sandbox()), True)
    assert "GPU 0" in scan.gridgpu("logs", variant="v0002").stdout
    # `watch` follows a scan to its end and tells by its exit code that jobs failed, as `run` does.
    bare.gridgpu("watch", code=1)
    assert bare.variant("v0001")["reason"] == "image"
    assert "has no papermill" in bare.variant("v0001")["message"]
    broken.gridgpu("watch", code=1)
    for variant in broken.show()["variants"]:
        assert (variant["state"], variant["reason"]) == ("failed", "image")
        assert "The container did not start. FATAL:" in broken.variant(variant["id"])["message"]


@pytest.mark.usefixtures("condor_pool")
@pytest.mark.parametrize("disk", [(), ("--no-shared-disk",)])
def test_jobs_of_htcondor_run_in_a_sif_that_it_sees_or_brings(
    lab: Lab, disk: tuple[str, ...]
) -> None:
    image = lab.folder / "ml.sif"  # the pool sees the folders of the tests alone
    shutil.copy(images.sif(), image)
    cells = (TRAIN, "import sys\nprint(sys.executable)")
    notebook = lab.notebook(*cells, parameters="lr = 0.1", kernel="my-venv")
    words = options(f"--on htcondor --image {image}")
    scan = lab.run(notebook, *space(lr=[0.1, 0.2]), *words, *disk)
    assert [variant["state"] for variant in scan.show()["variants"]] == ["done", "done"]
    said = scan.gridgpu("logs", variant="v0001").stdout
    assert "/usr/bin/python3" in said
    assert "The image has no kernel 'my-venv'" in said
