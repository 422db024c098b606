"""Runs scans, a few at a time, and kills or stops their processes at seeded instants."""

from __future__ import annotations

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.helpers import options
from tests.system.lab import ENDED, Lab

from .findings import Findings, check
from .victims import strike

ENDS_WITHIN_S = 180.0  # after the last strike; a retried variant takes a few seconds
GONE_WITHIN_S = 45.0  # within which the processes of a scan that has ended must be gone
STRIKES = (3, 8)  # the fewest and the most in one scan
PARAMETERS = "x = 0.0\nledger = ''\nsteps = 3\npause = 0.1"
# An `end` is written before the worker can know of it. So a job with an `end` may be tried again if
# it was killed before its result was there.
CELLS = (
    """
import os, time
from jupyter_gridgpu import report
def note(word):
    key = os.path.basename(os.environ["GRIDGPU_JOB"].rstrip("/"))
    with open(ledger, "a") as file:
        file.write(f"{word} {key}\\n")
note("start")
if "prefork.parent" in open(f"/proc/{os.getppid()}/cmdline").read():
    note("forked")
""",
    """
for epoch in range(1, steps + 1):
    time.sleep(pause)
    report(epoch=epoch, epochs=steps, loss=x * x + 1 + steps - epoch)
""",
    "note('end')",
)
# The spaces of the scans in turn: the options, and how many variants they make.
SPACES = (
    (("-p", "x = [3.0, 1.0, 2.0, 5.0, 4.0]"), 5),
    (("-p", "x = uniform(0, 4)", "--trials", "4", "--sampler", "tpe"), 4),
    (("-p", "x = uniform(0, 4)", "--trials", "6", "--sampler", "sobol"), 6),
)
COMMON = "--minimize loss --parallel 2 --retries 100 --max-failures none --new --no-wait --json"
REVIVE = "import sys; from jupyter_gridgpu.client import open_scan; open_scan(sys.argv[1]).revive()"


@dataclass
class Campaign:
    """Scans below one folder whose processes are killed; a seed says which, and when."""

    folder: Path
    seed: int
    together: int = 2
    findings: Findings = field(default_factory=Findings)

    def __post_init__(self) -> None:
        self.lab = Lab(self.folder)
        self.notebook = self.lab.notebook(*CELLS, name="chaos", parameters=PARAMETERS)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def run(self, for_s: float) -> Findings:
        """Start scans for so many seconds, let the last ones end, and return what was found."""
        until = time.monotonic() + for_s
        try:
            with ThreadPoolExecutor(self.together) as pool:
                for running in [pool.submit(self._run_until, until) for _ in range(self.together)]:
                    running.result()
        finally:
            self.lab.end()
        return self.findings

    def _run_until(self, until: float) -> None:
        while time.monotonic() < until:
            with self._lock:
                number = next(self._numbers)
            found = OneScan(self.lab, self.notebook, number, f"{self.seed}/{number}").run()
            with self._lock:
                self._add(found)

    def _add(self, found: Findings) -> None:
        total = self.findings
        total.scans += found.scans
        total.variants += found.variants
        total.attempts += found.attempts
        total.forked += found.forked
        total.strikes += found.strikes
        for kind, texts in found.found.items():
            total.found[kind] += texts


class OneScan:
    """One scan of the campaign, from its start to the check of what it left."""

    def __init__(self, lab: Lab, notebook: Path, number: int, seed: str) -> None:
        self.lab = lab
        self.chance = random.Random(seed)
        self.ledger = lab.folder / f"ledger-{number}.txt"
        space, self.count = SPACES[number % len(SPACES)]
        axes = [*space, "-p", f"ledger = {str(self.ledger)!r}"]
        pause = self.chance.choice([0.02, 0.1, 0.3])
        fixed = ["-p", f"pause = {pause}", "--name", f"chaos-{number}"]
        self.scan = lab.start(notebook, *axes, *fixed, *options(COMMON))
        self.done: dict[str, int] = {}  # variants that were seen done -> the attempt

    def run(self) -> Findings:
        """Strike the scan, let it end, and return what was found."""
        strikes = []
        for _ in range(self.chance.randint(*STRIKES)):
            # Half of the instants follow at once, so that they meet what has just begun.
            longest = 0.5 if self.chance.random() < 0.5 else 3.0
            time.sleep(self.chance.uniform(0.0, longest))
            self._look()
            struck = strike(self.scan, self.chance, self._revive)
            if struck is not None:
                strikes.append(struck)
            if struck is not None and struck.endswith(("runner", "once")):
                self._revive()
        self._let_it_end()
        found = check(self.scan, self.count, self.ledger, self.done)
        found.strikes.update(strikes)
        left = self._left_over()
        if left:
            found.found["left over"].append(f"{self.scan.folder}: {left}")
        return found

    def _look(self) -> None:
        """Note which variants are done. A result that was there once must stay."""
        for ident, variant in self.scan.variants().items():
            if variant["state"] == "done":
                self.done.setdefault(ident, variant["attempts"])

    def _revive(self) -> None:
        """Give the scan a runner again, as a user does or as the faces do."""
        if self.chance.random() < 0.5:
            self.scan.gridgpu("resume")
        else:
            self.lab.python(REVIVE, str(self.scan.folder))

    def _let_it_end(self) -> None:
        deadline = time.monotonic() + ENDS_WITHIN_S
        while (state := self.scan.state()) not in ENDED and time.monotonic() < deadline:
            if state == "orphaned":
                self._revive()
            self._look()
            time.sleep(0.2)

    def _left_over(self) -> list[str]:
        """Return the processes of the scan that do not end."""
        deadline = time.monotonic() + GONE_WITHIN_S
        while (left := self.scan.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return [str(process) for process in left]
