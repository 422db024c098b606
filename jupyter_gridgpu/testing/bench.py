"""A bench for contract tests: a scan folder, a backend, and jobs to test the backend with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_gridgpu.backends.base import Backend, Job, job_spec
from jupyter_gridgpu.errors import Unreachable
from jupyter_gridgpu.model.job import END_STATES, STATES, Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths

PAUSE_S = 0.05  # between two looks at a job

# Jobs run this notebook. It can wait until a file is there (`hold`), for `hold_s` seconds at most,
# kill its worker (`die`), fail, and print a text.
FOR_EVER_S = 1e9
PARAMETERS = f"x = 1.0\nhold = False\nhold_s = {FOR_EVER_S}\ndie = False\nfail = False\ntext = ''"
CELLS = (
    "import os, time, pathlib\nprint('begin', text, flush=True)",
    "if die:\n    os.kill(os.getppid(), 9)\n"
    "end = time.time() + hold_s\n"
    "while hold and time.time() < end and not pathlib.Path(GATE).exists():\n    time.sleep(0.05)",
    "if fail:\n    raise ValueError('asked to fail')",
    "square = x * x\nprint('end', square)",
)
# The number of the cell that fails, as In [n] counts in the user's notebook: the parameters come
# before the cells above, and the cell with the values that papermill adds is not counted.
FAILING_CELL = 4


class Bench:
    """A scan folder, a backend for it, and jobs to test the backend with."""

    def __init__(
        self,
        scan: ScanSpec,
        paths: ScanPaths,
        make: Callable[[], Backend],
        patience_s: float,
        output: Callable[[Bench, str], str | None],
        hold_s: float = FOR_EVER_S,
    ) -> None:
        """`make` returns a new backend; `output` returns what the worker of a job logged so far.

        `patience_s` is how many seconds a job may take to start, run and be seen. `hold_s` is how
        long a job waits for the gate at most.
        """
        self.scan = scan
        self.paths = paths
        self.gate = paths.folder / "open-the-gate"  # held jobs go on when it is there
        self.ids: dict[str, str] = {}
        self._make = make
        self._patience_s = patience_s
        self._output = output
        self._hold_s = hold_s
        self._backends: list[Backend] = []
        self.backend = self.another()

    def another(self) -> Backend:
        """Return a new backend on the same folder, as after the death of a runner."""
        backend = self._make()
        self._backends.append(backend)
        backend.check()
        return backend

    def job(self, key: str, **params: Any) -> Job:
        """Return a job with these parameters; it is not handed over."""
        if params.get("hold"):
            params = {"hold_s": self._hold_s, **params}
        return Job(key, self.paths.job(key), job_spec(self.scan, key, params))

    def hand_over(
        self, jobs: Sequence[Job], backend: Backend | None = None
    ) -> dict[str, str | Exception]:
        """Submit jobs until there is an answer for each, and return the answers by key."""
        if backend is None:
            backend = self.backend
        deadline = time.monotonic() + self._patience_s
        while True:
            # A batch system may take its time to say that it has the jobs: the runner, too, calls
            # again after Unreachable.
            answers = backend.submit(jobs)
            if not any(isinstance(answer, Unreachable) for answer in answers.values()):
                return answers
            assert time.monotonic() < deadline, answers
            time.sleep(PAUSE_S)

    def submit(self, key: str, **params: Any) -> None:
        """Submit a job; fail if the backend does not take it."""
        answers = self.hand_over([self.job(key, **params)])
        assert set(answers) == {key}
        ident = answers[key]
        assert isinstance(ident, str), ident
        self.ids[key] = ident

    def poll(self, key: str) -> Observation | None:
        """Return the backend's observation of a job now; None if it has nothing new."""
        return self.backend.poll({key: self.ids[key]}).get(key)

    def until(self, key: str, wanted: Callable[[Observation], bool]) -> Observation:
        """Poll a job until `wanted` accepts an observation, and return this observation.

        Fails if the job ends before that, since no state follows an end state.
        """
        deadline = time.monotonic() + self._patience_s
        last = None
        while time.monotonic() < deadline:
            seen = self.poll(key)
            if seen is not None:
                last = seen
                assert seen.state in STATES
                if wanted(seen):
                    return seen
                assert seen.state not in END_STATES, seen
            time.sleep(PAUSE_S)
        raise AssertionError(
            f"{key} did not get there within {self._patience_s:g} s; it was last seen as {last}."
        )

    def end(self, key: str) -> Observation:
        """Wait until a job has ended, collect it, and return its last observation."""
        seen = self.until(key, lambda seen: seen.state in END_STATES)
        self.backend.collect(key, self.ids[key])
        return seen

    def held(self, key: str) -> Observation:
        """Wait until a job waits for the gate, as its output tells, and return its observation.

        Where its output is not seen, the backend's word that the job runs must do.
        """

        def waits(seen: Observation) -> bool:
            output = self.output(key)
            return seen.state == "running" and (output is None or "begin" in output)

        return self.until(key, waits)

    def output(self, key: str) -> str | None:
        """Return what the worker of a job logged so far; None where that is not seen."""
        return self._output(self, key)

    def runs(self, key: str) -> int:
        """Return how many copies of a job ran the notebook."""
        return sum(copy.notebook.exists() for copy in self.paths.job(key).copies())

    def notebook(self, seen: Observation) -> Any:
        """Return the output notebook that an observation names."""
        assert seen.notebook is not None
        return json.loads((self.paths.folder / seen.notebook).read_text(encoding="utf-8"))

    def close(self) -> None:
        """Let all jobs end, and close all backends."""
        self.gate.touch()
        for key, ident in self.ids.items():
            if not has_ended(self.poll(key)):
                self.backend.cancel({key: ident})
                self.end(key)
        for backend in self._backends:
            backend.close()


def has_ended(seen: Observation | None) -> bool:
    """Return whether an observation says that a job has ended; None says nothing."""
    return seen is not None and seen.state in END_STATES
