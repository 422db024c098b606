"""A batch of small jobs in a scan folder, handed over through the real panda-client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_gridgpu.backends.base import Job, job_spec
from jupyter_gridgpu.backends.panda.backend import PandaBackend
from jupyter_gridgpu.errors import AnswerPending
from jupyter_gridgpu.model.job import END_STATES, Observation
from jupyter_gridgpu.model.scan import ScanSpec, to_json
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan
from tests.kit import eventually


def scan_folder(folder: Path, scan: ScanSpec | None = None) -> ScanPaths:
    """Make a scan folder whose files hold nothing that could run."""
    paths = ScanPaths(folder)
    paths.folder.mkdir()
    write_json(paths.spec, to_json(scan or small_scan(backend="panda")))
    for path in (paths.worker, paths.launcher, paths.notebook):
        path.write_text(path.name)
    return paths


@dataclass
class SmallBatch:
    """Jobs v0001.1, v0002.1, ... of a scan, and the backend that has them."""

    paths: ScanPaths
    count: int = 2
    scan: ScanSpec = field(default_factory=lambda: small_scan(backend="panda"))

    def __post_init__(self) -> None:
        self.backends: list[PandaBackend] = []
        self.another_runner()
        self.keys = [f"v{number:04d}.1" for number in range(1, self.count + 1)]
        self.ids: dict[str, str] = {}
        self.seen: dict[str, Observation] = {}  # what was observed last of each job

    def submit(self) -> dict[str, str | Exception]:
        """Submit once, as a runner does, and return the answers."""
        specs = [(key, job_spec(self.scan, key, {"lr": 0.1})) for key in self.keys]
        return self.backend.submit([Job(key, self.paths.job(key), spec) for key, spec in specs])

    def hand_over(self) -> dict[str, str | Exception]:
        """Submit until there is an answer that is not 'later', and return the answers."""

        def settled() -> dict[str, str | Exception] | None:
            answers = self.submit()
            if any(isinstance(answer, AnswerPending) for answer in answers.values()):
                return None
            return answers

        answers = eventually(settled, "PanDA answers")
        self.ids = {key: answer for key, answer in answers.items() if isinstance(answer, str)}
        return answers

    def poll(self) -> dict[str, Observation]:
        """Poll the jobs that have not ended, and return what was seen last of each."""
        ended = {key for key, seen in self.seen.items() if seen.state in END_STATES}
        live = {key: ident for key, ident in self.ids.items() if key not in ended}
        self.seen.update(self.backend.poll(live))
        return self.seen

    def until(self, wanted: Callable[[], bool], what: str) -> None:
        """Poll until `wanted` is true."""

        def look() -> bool:
            self.poll()
            return wanted()

        eventually(look, what)

    def until_all(self, state: str) -> None:
        """Poll until all jobs are in a state."""
        self.until(lambda: self.states() == {state}, f"all jobs are {state}")

    def states(self) -> set[str]:
        """Return the states in which jobs were seen last."""
        return {self.seen[key].state if key in self.seen else "new" for key in self.keys}

    def message(self, key: str = "v0001.1") -> str:
        """Return what was said last of a job."""
        return str(self.seen[key].message) if key in self.seen else ""

    def cancel(self, *keys: str) -> None:
        """Ask the backend to end jobs."""
        self.backend.cancel({key: self.ids[key] for key in keys})

    def another_runner(self) -> None:
        """Go on with a new backend, as after the death of a runner."""
        self.backend = PandaBackend(self.scan, self.paths)
        self.backends.append(self.backend)

    def close(self) -> None:
        """Wait for the processes that send."""
        for backend in self.backends:
            backend.close()
