"""A scan with two objectives on this machine, from the command line to JSON and back."""

from __future__ import annotations

from .helpers import options
from .lab import Lab

# `speed` is reported in two epochs, of which the first is the better one. `size` is never
# reported: it is read from the notebook's variable.
CELL = """\
from jupyter_gridgpu import report
report(epoch=1, speed=10 - x * x, other=x)
report(epoch=2, speed=0.0, other=x)
size = abs(x - 2)
"""


def test_two_objectives_have_a_front_and_later_a_best(shared_lab: Lab) -> None:
    notebook = shared_lab.notebook(CELL, parameters="x = 0.0")
    words = options("--maximize max(speed) --minimize size --parallel 2")
    # At -1 and 3 both objectives are worse than at 1.
    scan = shared_lab.run(notebook, "-p", "x = [0.0, 1.0, 2.0, 3.0, -1.0]", *words)
    told = scan.summary()
    front = [variant["id"] for variant in told["variants"] if 0 <= variant["params"]["x"] <= 2]
    assert (told["best"], told["pareto"], len(front)) == (None, front, 3)
    by = scan.gridgpu("show", "--by", "maximize other").stdout
    assert "Best by maximize other: v0004 with other 3.000" in by
    assert "3 variants" in scan.gridgpu("replay", "--dry-run", "--only", "pareto").stdout
    # NSGA-II searches for both.
    found = shared_lab.run(
        notebook, "-p", "x = uniform(-3, 3)", *words, *options("--sampler nsgaii --trials 3")
    )
    assert found.summary()["pareto"]
