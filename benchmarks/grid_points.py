"""How long a grid of 100,000 combinations with conditions takes: to read, to count, to go through.

    python benchmarks/grid_points.py

Times are of the processor, the best of RUNS. The memory is the peak while all points are gone
through one after another.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from functools import partial

from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space import Space

RUNS = 5
LINES = """
lr     = linspace(1e-4, 1e-2, 10)
units  = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512]
layers = integer(1, 10)
batch  = integer(1, 10)
kind   = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
if kind > 4:
    momentum = 0.5
else:
    momentum = 0.9
"""
CELLS = {
    "two constraints": "assert units * layers <= 2400\nassert lr * batch < 0.05 and kind != 3",
    "ten constraints": "\n".join(
        f"assert units * layers + batch * kind < {bound}" for bound in range(4000, 5000, 100)
    ),
}


def count_anew(body: str) -> int | None:
    """Return how many points the cell has; a space keeps the number, so it is read again."""
    return parse_space(body).grid_size()


def go_through(space: Space) -> int:
    """Return how many points come one after another."""
    return sum(1 for _ in space.grid())


def best(measured: Callable[[], object]) -> str:
    """Return the shortest processor time of several runs."""
    spent = []
    for _ in range(RUNS):
        begin = time.process_time()
        measured()
        spent.append(time.process_time() - begin)
    return f"{min(spent):.3f} s"


def main() -> None:
    """Measure each cell, and print a line for it."""
    for name, constraints in CELLS.items():
        body = LINES + constraints
        space = parse_space(body)
        count = space.grid_size()
        read = best(partial(parse_space, body))
        counted = best(partial(count_anew, body))
        walked = best(partial(go_through, space))
        tracemalloc.start()
        go_through(space)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(
            f"{name}: {count:,} points; read {read}, counted {counted}, gone through {walked},"
            f" peak {peak / 1000:.0f} kB",
            flush=True,
        )


if __name__ == "__main__":
    main()
