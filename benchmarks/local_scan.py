"""How much time a scan takes besides its trainings: the same variants are run in five ways.

    python benchmarks/local_scan.py            # needs pip install '.[examples,bench]'
    python benchmarks/local_scan.py --only tiny --ways papermill,gridgpu

Two variants run at a time. The ways are `xargs -P2 papermill`, `xargs -P2 python script`, Ray Tune,
Optuna in two processes, and `gridgpu run` from start to exit. The first and the last leave one
executed notebook for each variant; the others run only the notebook's code. The script prints the
ratio of each time to that of `xargs -P2 papermill`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat

Variants = list[dict[str, int]]

TINY = ["seed = 0", "value = sum(i * i for i in range(1000)) + seed\nacc = float(seed)"]
TENSORFLOW = [
    "seed = 0\nunits = 32",
    "import os\nos.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\nimport keras\nimport numpy as np",
    "keras.utils.set_random_seed(seed)\n"
    "x = np.random.default_rng(0).normal(size=(20000, 20)).astype('float32')\n"
    "y = (x[:, :5].sum(axis=1) > 0).astype('int32')",
    "hidden = keras.layers.Dense(units, activation='relu')\n"
    "model = keras.Sequential([keras.Input((20,)), hidden, keras.layers.Dense(1, 'sigmoid')])\n"
    "model.compile('adam', 'binary_crossentropy', metrics=['accuracy'])\n"
    "history = model.fit(x, y, epochs=4, batch_size=256, verbose=0).history\n"
    "acc = float(history['accuracy'][-1])",
]
# By name: the cells of a notebook, of which the first holds the parameters, and its variants.
CASES: dict[str, tuple[list[str], Variants]] = {
    "tf": (TENSORFLOW, [{"seed": seed, "units": units} for seed in range(4) for units in (32, 64)]),
    "tiny": (TINY, [{"seed": seed} for seed in range(100)]),
}

# A script gets its parameters as arguments like seed=3.
READ_PARAMETERS = """
import sys
for pair in sys.argv[1:]:
    name, value = pair.split("=")
    globals()[name] = int(value)
"""
# Optuna and Ray run the cells in one process for many variants, without a kernel or a notebook.
OPTUNA = """
import json, sys
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
code, mine = json.loads(sys.stdin.read())
def objective(trial):
    names = {}
    exec(code[0], names)
    names.update(mine[trial.number])
    for cell in code[1:]:
        exec(cell, names)
    return names["acc"]
optuna.create_study(direction="maximize").optimize(objective, n_trials=len(mine))
"""
RAY = """
import json, sys
import ray
from ray import tune
code, variants = json.loads(sys.stdin.read())
def train(config):
    names = {}
    exec(code[0], names)
    names.update(config["params"])
    for cell in code[1:]:
        exec(cell, names)
    return {"acc": names["acc"]}
ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
results = tune.Tuner(
    tune.with_resources(train, {"cpu": 1}),
    param_space={"params": tune.grid_search(variants)},
    tune_config=tune.TuneConfig(metric="acc", mode="max"),
    run_config=tune.RunConfig(verbose=0, storage_path=sys.argv[1]),
).fit()
assert results.num_errors == 0 and len(results) == len(variants)
"""


def write_notebook(path: Path, cells: list[str]) -> None:
    """Write a notebook whose first cell is the one with the parameters."""
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    code[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel}), path)


# The ways: each runs the variants in an empty folder and returns how many of them were done.


def by_papermill(cells: list[str], variants: Variants, folder: Path) -> int:
    """Run papermill once for each variant."""
    notebook = folder / "train.ipynb"
    write_notebook(notebook, cells)
    lines = []
    for number, params in enumerate(variants):
        words = " ".join(f"-p {name} {value}" for name, value in params.items())
        lines.append(f"--no-progress-bar {notebook} {folder / f'out{number}.ipynb'} {words}")
    _run_two_at_once([str(Path(sys.executable).with_name("papermill"))], lines, quiet=True)
    return len(list(folder.glob("out*.ipynb")))


def by_script(cells: list[str], variants: Variants, folder: Path) -> int:
    """Run the cells as a plain script, in a process for each variant; no output is kept."""
    script = folder / "train.py"
    script.write_text("\n".join([cells[0], READ_PARAMETERS, *cells[1:]]))
    lines = []
    for params in variants:
        words = " ".join(f"{name}={value}" for name, value in params.items())
        lines.append(f"{script} {words}")
    _run_two_at_once([sys.executable], lines)
    return len(variants)


def _run_two_at_once(command: list[str], lines: list[str], quiet: bool = False) -> None:
    """Run the command with the words of each line; `quiet` drops its stderr."""
    stderr = None
    if quiet:
        stderr = subprocess.DEVNULL
    subprocess.run(
        ["xargs", "-P2", "-L1", *command],
        input="\n".join(lines),
        text=True,
        check=True,
        stderr=stderr,
    )


def by_gridgpu(cells: list[str], variants: Variants, folder: Path) -> int:
    """Run `gridgpu run`, from start to exit."""
    notebook = folder / "train.ipynb"
    write_notebook(notebook, cells)
    # The variants are all combinations of the values, so a grid runs the same ones.
    words = [str(notebook)]
    for name in variants[0]:
        values = sorted({params[name] for params in variants})
        words += ["-p", f"{name} = {values}"]
    words += ["--maximize", "acc", "--parallel", "2", "--json"]
    ran = subprocess.run(
        [sys.executable, "-m", "jupyter_gridgpu.cli", "run", *words],
        env={**os.environ, "GRIDGPU_HOME": str(folder / "home")},
        check=True,
        capture_output=True,
        text=True,
    )
    return sum(variant["state"] == "done" for variant in json.loads(ran.stdout)["variants"])


def by_optuna(cells: list[str], variants: Variants, folder: Path) -> int:
    """Run Optuna in two processes, each with one half of the variants."""
    # The two share no storage, so that only the trials are timed.
    running = []
    for half in (variants[0::2], variants[1::2]):
        process = subprocess.Popen(
            [sys.executable, "-c", OPTUNA], stdin=subprocess.PIPE, cwd=folder, text=True
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps([cells, half]))
        process.stdin.close()
        running.append(process)
    codes = [process.wait() for process in running]
    # How many variants a process did before it failed is not known.
    if any(codes):
        return 0
    return len(variants)


def by_ray(cells: list[str], variants: Variants, folder: Path) -> int:
    """Run Ray Tune with two processors."""
    subprocess.run(
        [sys.executable, "-c", RAY, str(folder)],
        input=json.dumps([cells, variants]),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
    )
    return len(variants)


WAYS: dict[str, Callable[[list[str], Variants, Path], int]] = {
    "papermill": by_papermill,
    "script": by_script,
    "ray": by_ray,
    "optuna": by_optuna,
    "gridgpu": by_gridgpu,
}


def timed(way: str, case: str) -> float:
    """Return the wall seconds of one way through one case."""
    cells, variants = CASES[case]
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        start = time.perf_counter()
        done = WAYS[way](cells, variants, folder)
        seconds = time.perf_counter() - start
        if done != len(variants):
            raise SystemExit(f"{way}: only {done} of {len(variants)} variants of {case} were done")
        return seconds
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def print_ratios(times: dict[str, list[float]]) -> None:
    """Print the median of each way, and its ratio to papermill where that was run."""
    medians = {way: sorted(values)[len(values) // 2] for way, values in times.items()}
    base = medians.get("papermill")
    for way, seconds in medians.items():
        ratio = ""
        if base:
            ratio = f"{seconds / base:5.2f} x xargs papermill"
        print(f"  {way:<10} {seconds:7.1f} s  {ratio}", flush=True)


def main() -> None:
    """Run the cases in all ways that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=list(CASES), help="one case instead of both")
    parser.add_argument("--ways", default=",".join(WAYS), help="ways to compare, with commas")
    parser.add_argument(
        "--rounds", type=int, default=1, help="times every way is run, in turn; the median counts"
    )
    given = parser.parse_args()
    cases = list(CASES)
    if given.only:
        cases = [given.only]
    ways = given.ways.split(",")
    for case in cases:
        print(f"{case}: {len(CASES[case][1])} variants, two at once", flush=True)
        times: dict[str, list[float]] = {way: [] for way in ways}
        # The ways take turns, so that a machine that is busy for a while slows down all of them.
        for _ in range(given.rounds):
            for way in ways:
                times[way].append(timed(way, case))
                print(f"  {way:<10} {times[way][-1]:7.1f} s", flush=True)
        print_ratios(times)


if __name__ == "__main__":
    main()
