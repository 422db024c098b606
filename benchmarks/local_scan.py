"""The same variants by five ways, two at once, in one run: what a scan costs beyond its trainings.

    python benchmarks/local_scan.py            # needs pip install '.[examples,bench]'
    python benchmarks/local_scan.py --only tiny --ways papermill,gridgpu

Ways: `xargs -P2 papermill`, `xargs -P2 python script`, Ray Tune, Optuna in two processes, and `gridgpu run` from start to
exit. The first and the last leave one executed notebook for each variant, the others run the notebook's code alone. Nothing
is asserted; ratios to `xargs -P2 papermill` are printed.
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
from typing import Any

import nbformat

TINY = ["seed = 0", "value = sum(i * i for i in range(1000)) + seed\nacc = float(seed)"]
TF = [
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
CASES: dict[str, tuple[list[str], list[dict[str, int]]]] = {
    "tf": (TF, [{"seed": seed, "units": units} for seed in range(4) for units in (32, 64)]),
    "tiny": (TINY, [{"seed": seed} for seed in range(100)]),
}


def write_notebook(path: Path, cells: list[str]) -> None:
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    code[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel}), path)


def by_papermill(cells: list[str], variants: list[dict[str, int]], folder: Path) -> int:
    notebook = folder / "train.ipynb"
    write_notebook(notebook, cells)
    lines = [
        _papermill_words(notebook, folder / f"out{i}.ipynb", params)
        for i, params in enumerate(variants)
    ]
    command = ["xargs", "-P2", "-L1", str(Path(sys.executable).with_name("papermill"))]
    subprocess.run(
        command, input="\n".join(lines), text=True, check=True, stderr=subprocess.DEVNULL
    )
    return len(list(folder.glob("out*.ipynb")))


def _papermill_words(notebook: Path, out: Path, params: dict[str, int]) -> str:
    words = [f"-p {name} {value}" for name, value in params.items()]
    return f"--no-progress-bar {notebook} {out} {' '.join(words)}"


def by_script(cells: list[str], variants: list[dict[str, int]], folder: Path) -> int:
    """The notebook's cells as a plain script, a process for each variant: nothing is kept of it."""
    script = folder / "train.py"
    assigned = "import sys\nfor pair in sys.argv[1:]:\n    globals()[pair.split('=')[0]] = int(pair.split('=')[1])"
    script.write_text("\n".join([cells[0], assigned, *cells[1:]]))
    lines = [
        f"{script} {' '.join(f'{name}={value}' for name, value in params.items())}"
        for params in variants
    ]
    subprocess.run(
        ["xargs", "-P2", "-L1", sys.executable], input="\n".join(lines), text=True, check=True
    )
    return len(variants)


def by_gridgpu(cells: list[str], variants: list[dict[str, int]], folder: Path) -> int:
    notebook = folder / "train.ipynb"
    write_notebook(notebook, cells)
    lines = [f"{name} = {sorted({params[name] for params in variants})}" for name in variants[0]]
    words = [word for line in lines for word in ("-p", line)]
    command = [
        sys.executable,
        "-m",
        "jupyter_gridgpu.cli",
        "run",
        str(notebook),
        *words,
        "--maximize",
        "acc",
        "--parallel",
        "2",
        "--json",
    ]
    env = {**os.environ, "GRIDGPU_HOME": str(folder / "home")}
    answer = json.loads(
        subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    )
    return sum(variant["state"] == "done" for variant in answer["variants"])


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


def by_optuna(cells: list[str], variants: list[dict[str, int]], folder: Path) -> int:
    """Two processes, each with its half: no storage in between, so that only the trials are timed."""
    halves = [variants[0::2], variants[1::2]]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", OPTUNA], stdin=subprocess.PIPE, cwd=folder, text=True
        )
        for _ in halves
    ]
    for process, half in zip(running, halves, strict=True):
        assert process.stdin is not None
        process.stdin.write(json.dumps([cells, half]))
        process.stdin.close()
    return len(variants) if all(process.wait() == 0 for process in running) else 0


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
    tune.with_resources(train, {"cpu": 1}), param_space={"params": tune.grid_search(variants)},
    tune_config=tune.TuneConfig(metric="acc", mode="max"), run_config=tune.RunConfig(verbose=0, storage_path=sys.argv[1]),
).fit()
assert results.num_errors == 0 and len(results) == len(variants)
"""


def by_ray(cells: list[str], variants: list[dict[str, int]], folder: Path) -> int:
    subprocess.run(
        [sys.executable, "-c", RAY, str(folder)], input=json.dumps([cells, variants]), text=True, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    return len(variants)


WAYS: dict[str, Callable[[list[str], list[dict[str, int]], Path], int]] = {
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=list(CASES), help="one case instead of both")
    parser.add_argument("--ways", default=",".join(WAYS), help="ways to compare, with commas")
    parser.add_argument(
        "--rounds", type=int, default=1, help="times every way is run, in turn; the median counts"
    )
    given = parser.parse_args()
    ways = given.ways.split(",")
    for case in [given.only] if given.only else CASES:
        print(f"{case}: {len(CASES[case][1])} variants, two at once", flush=True)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(given.rounds):
            for way in ways:
                times[way].append(timed(way, case))
                print(f"  {way:<10} {times[way][-1]:7.1f} s", flush=True)
        _print_ratios(times)


def _print_ratios(times: dict[str, list[float]]) -> None:
    middle: dict[str, Any] = {
        way: sorted(values)[len(values) // 2] for way, values in times.items()
    }
    base = middle.get("papermill")
    for way, seconds in middle.items():
        ratio = f"{seconds / base:5.2f} x xargs papermill" if base else ""
        print(f"  {way:<10} {seconds:7.1f} s  {ratio}", flush=True)


if __name__ == "__main__":
    main()
