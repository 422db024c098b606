"""What scans do on a real GPU: time, utilisation, energy, and whether the memory is given back.

    python benchmarks/gpu.py --pack FOLDER    # download wheels for a machine without network
    python benchmarks/gpu.py                  # measure; needs an NVIDIA GPU, Keras, its backend
    python benchmarks/gpu.py --variants 64 --ways papermill,alone,4,8 --forks 200

The example notebook is trained several times with other seeds: one variant after the other with
plain papermill (`papermill`), one after the other with `gridgpu run` (`alone`), and N at once on
the same GPU (a number, `--per-gpu N`). `--forks N` runs N very short variants that each use the
GPU. The script prints one line of JSON for each way, then the ratios. NVML is read every 0.1 s.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "example_notebooks" / "train_btag.ipynb"
JETS = EXAMPLE.with_name("jets.npz")
READ_EVERY_S = 0.1
BYTES_PER_MB = 2**20
PYTHON = "3.12"
# pip compares these names exactly, so each one that wheels are published for is listed.
PLATFORMS = [
    *(f"manylinux_2_{minor}_x86_64" for minor in (5, 12, 17, 24, 26, 27, 28, 31, 34)),
    "manylinux1_x86_64",
    "manylinux2014_x86_64",
]
# What a GPU machine has with PyTorch or JAX. These wheels would be more than half of the folder.
LARGE = ("h5py", "ml_dtypes", "numpy", "pandas", "pillow", "scipy")
# A variant that does nothing but use the GPU shortly, for each framework.
SHORT = {
    "torch": "import torch\nx = torch.full((512, 512), float(seed), device='cuda')\n"
    "acc = float((x @ x).sum() / 512**3) ** 0.5",
    "jax": "import jax.numpy as jnp\nx = jnp.full((512, 512), float(seed))\n"
    "acc = float((x @ x).sum() / 512**3) ** 0.5",
}


class Gpu:
    """Reads one GPU through NVML in a thread of its own while a way runs."""

    def __init__(self) -> None:
        import pynvml

        pynvml.nvmlInit()
        self._nvml = pynvml
        self._handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        self.name = pynvml.nvmlDeviceGetName(self._handle)
        self.driver = pynvml.nvmlSystemGetDriverVersion()

    def memory_mb(self) -> float:
        """Return the used memory of the device in MB."""
        return float(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used / BYTES_PER_MB)

    def _energy_j(self) -> float:
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) / 1000)

    def measure(self, way: Callable[[], dict[str, float]]) -> dict[str, Any]:
        """Run `way` and return its time, utilisation, memory and energy, and its results."""
        uses: list[float] = []
        memories: list[float] = []
        ended = threading.Event()

        def read() -> None:
            while not ended.wait(READ_EVERY_S):
                uses.append(self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu)
                memories.append(self.memory_mb())

        before_mb, before_j, started = self.memory_mb(), self._energy_j(), time.monotonic()
        reader = threading.Thread(target=read)
        reader.start()
        try:
            results = way()
        finally:
            wall_s = time.monotonic() - started
            ended.set()
            reader.join()
        return {
            "wall_s": round(wall_s, 1),
            "gpu_percent": round(statistics.fmean(uses), 1),
            "peak_mb": round(max(memories) - before_mb),
            "left_mb": round(self.memory_mb() - before_mb),
            "energy_kj": round((self._energy_j() - before_j) / 1000, 1),
            "results": results,
        }


def papermill(folder: Path, seeds: list[int], epochs: int) -> dict[str, float]:
    """Execute the example with papermill for each seed, one after the other."""
    results = {}
    for seed in seeds:
        output = folder / f"{seed}.ipynb"
        values = ["-p", "seed", str(seed), "-p", "epochs", str(epochs)]
        command = [sys.executable, "-m", "papermill", str(EXAMPLE), str(output), *values]
        subprocess.run(
            [*command, "--no-progress-bar"], cwd=EXAMPLE.parent, check=True, capture_output=True
        )
        results[str(seed)] = _printed_rejection(output)
    return results


def _printed_rejection(notebook: Path) -> float:
    """Return the light-rejection that the last cell printed: `rej_light = 142.3, rej_c = 4.1`."""
    cells = nbformat.read(notebook, as_version=4).cells
    text = "".join(output.get("text", "") for output in cells[-1].outputs)
    return float(text.split("rej_light = ")[1].split(",")[0])


def scan(notebook: Path, home: Path, words: list[str]) -> dict[str, Any]:
    """Run `gridgpu run` on the GPU and return what `--json` prints."""
    home.mkdir()
    command = [sys.executable, "-m", "jupyter_gridgpu.cli", "run", str(notebook), *words]
    environment = {**os.environ, "GRIDGPU_HOME": str(home)}
    done = subprocess.run(
        [*command, "--new", "--json"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    shown = json.loads(done.stdout)
    assert isinstance(shown, dict)
    for variant in shown["variants"]:
        if variant["state"] != "done":
            print(variant["id"], variant["state"], variant["message"], file=sys.stderr)
    return shown


def example_scan(home: Path, seeds: list[int], epochs: int, per_gpu: int) -> dict[str, float]:
    """Train the example for each seed, `per_gpu` at once on the GPU."""
    space = ["-p", f"seed = {seeds}", "-p", f"epochs = {epochs}", "--maximize", "rej_light"]
    words = [*space, "--files", str(JETS), "--gpus", "1", "--per-gpu", str(per_gpu)]
    shown = scan(EXAMPLE, home, words)
    return {
        str(variant["params"]["seed"]): round(variant["metrics"]["rej_light"], 1)
        for variant in shown["variants"]
        if variant["state"] == "done"
    }


def short_scan(folder: Path, framework: str, count: int) -> dict[str, float]:
    """Run `count` very short variants that use the GPU; return how many are done and right."""
    cells = [nbformat.v4.new_code_cell("seed = 1", metadata={"tags": ["parameters"]})]
    cells.append(nbformat.v4.new_code_cell(SHORT[framework]))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "language": "python",
        "display_name": "Python 3",
    }
    path = folder / "short.ipynb"
    nbformat.write(notebook, path)
    seeds = list(range(1, count + 1))
    words = ["-p", f"seed = {seeds}", "--maximize", "acc", "--gpus", "1", "--per-gpu", "4"]
    shown = scan(path, folder / "home", words)
    done = [variant for variant in shown["variants"] if variant["state"] == "done"]
    right = [v for v in done if abs(v["metrics"]["acc"] - v["params"]["seed"]) < 1e-3 * count]
    return {"variants": count, "done": len(done), "right": len(right)}


def pack(folder: Path) -> None:
    """Download the wheels of the project, papermill, ipykernel and Keras, and build the project."""
    pip = [sys.executable, "-m", "pip"]
    target = ["--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp"]
    for platform in PLATFORMS:
        target += ["--platform", platform]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)], check=True)
    own = next(folder.glob("jupyter_gridgpu-*.whl"))
    download = [*pip, "download", "-q", *target, "-d", str(folder), str(own), "keras"]
    subprocess.run(download, check=True)
    for wheel in folder.glob("*.whl"):
        if wheel.name.lower().startswith(tuple(f"{name}-" for name in LARGE)):
            wheel.unlink()
    size = sum(wheel.stat().st_size for wheel in folder.glob("*.whl")) / BYTES_PER_MB
    print(f"{size:.0f} MB. On the GPU machine, where {', '.join(LARGE)} are installed:")
    print(f"  pip install --no-index --no-deps --target SITE {folder}/*.whl")
    print("  PYTHONPATH=SITE python benchmarks/gpu.py")


def main() -> None:
    """Measure what the command line asks for and print it."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pack", type=Path, metavar="FOLDER")
    options.add_argument("--variants", type=int, default=16)
    options.add_argument("--epochs", type=int, default=12)
    options.add_argument("--ways", default="papermill,alone,4,8")
    options.add_argument("--forks", type=int, default=0, metavar="N")
    options.add_argument("--frameworks", default="torch,jax", help="for --forks")
    given = options.parse_args()
    if given.pack:
        given.pack.mkdir(parents=True, exist_ok=True)
        pack(given.pack)
        return
    gpu = Gpu()
    print(f"{gpu.name}, driver {gpu.driver}, {os.cpu_count()} cores", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="gpu-"))
    try:
        if given.forks:
            measure_forks(gpu, folder, given)
        measure_ways(gpu, folder, given)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure_forks(gpu: Gpu, folder: Path, given: argparse.Namespace) -> None:
    """Run the short variants of each framework and print what was done and what was left."""
    for framework in given.frameworks.split(","):
        place = folder / framework
        place.mkdir()
        found = gpu.measure(functools.partial(short_scan, place, framework, given.forks))
        print(json.dumps({"short": framework, **found}), flush=True)


def measure_ways(gpu: Gpu, folder: Path, given: argparse.Namespace) -> None:
    """Run the example in each way, and print its figures and its time relative to the first's."""
    seeds = list(range(1, given.variants + 1))
    first_s = None
    for way in filter(None, given.ways.split(",")):
        place = folder / way
        place.mkdir()
        if way == "papermill":
            run = functools.partial(papermill, place, seeds, given.epochs)
        else:
            per_gpu = 1 if way == "alone" else int(way)
            run = functools.partial(example_scan, place / "home", seeds, given.epochs, per_gpu)
        found = gpu.measure(run)
        first_s = first_s or found["wall_s"]
        ratio = round(found["wall_s"] / first_s, 3)
        print(json.dumps({"way": way, "ratio": ratio, **found}), flush=True)


if __name__ == "__main__":
    main()
