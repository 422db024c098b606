"""Where an answer of the stand-in differs from the one that a real server gave."""

from __future__ import annotations

import re
from typing import Any

from tests.engines.panda.fake import FakePanda
from tests.engines.panda.tasks import Job

# Fields whose values must be the same; of the others, only the kind is compared.
SAME = {
    "success",
    "status",
    "superStatus",
    "oldStatus",
    "errorDialog",
    "nFiles",
    "nFilesFinished",
    "nFilesFailed",
    "pctFinished",
    "pctFailed",
    "jobStatus",
    "attemptNr",
    "maxAttempt",
    "transExitCode",
    "pilotErrorCode",
    "pilotErrorDiag",
    "exeErrorCode",
    "exeErrorDiag",
    "computingSite",
    "computingElement",
    "jobMetrics",
    "metadata",
    "message",
    "type",
    "container_name",
}
COMMA_LISTS = ("statistics", "outDS")  # texts that name things in any order, with commas
IDENT_LISTS = {"PandaID", "mergePandaID"}
OWN_TASKS = 10_000  # in texts, smaller numbers are those of tasks of the recorded server


class Comparison:
    """Compares answers in which the numbers of tasks and jobs differ.

    `tasks` and `jobs` say which task and job of the stand-in is which recorded number. The replay
    adds to them while it goes on.
    """

    def __init__(self, panda: FakePanda) -> None:
        self.tasks: dict[int, int] = {}  # recorded -> the stand-in's
        self.jobs: dict[int, Job] = {}
        self._panda = panda

    def differs(self, real: Any, ours: Any, cut: Any, name: str = "") -> str | None:
        """Return where two answers differ, or None if they are the same as far as they must be.

        `cut` is true where the recording holds only a part of the answer; `name` is the field that
        holds the values.
        """
        if isinstance(real, dict) and isinstance(ours, dict):
            return self._differ_dicts(real, ours, cut, name)
        if isinstance(real, list) and isinstance(ours, list):
            return self._differ_lists(real, ours, cut, name)
        if name in SAME:
            wanted = self._mapped(real)
            given = str(ours) if isinstance(real, str) else ours
            return _unless(wanted == given, f"{name} is {ours!r}, not {wanted!r}")
        if name in COMMA_LISTS:
            same = sorted(str(real).split(",")) == sorted(str(ours).split(","))
            return _unless(same, f"{name} is {ours!r}, not {real!r}")
        if name == "lfn":
            return _unless(_shape(real) == _shape(ours), f"{name} is {ours!r}, not {real!r}")
        return _unless(
            _same_kind(real, ours),
            f"{name} is a {type(ours).__name__}, not a {type(real).__name__}",
        )

    def _differ_dicts(
        self, real: dict[str, Any], ours: dict[str, Any], cut: Any, name: str
    ) -> str | None:
        # An object whose fields are numbers is about jobs, by their numbers.
        if name == "data" and real and all(key.isdecimal() for key in real):
            real = {self._job_key(key): value for key, value in real.items()}
        if "__datetime__" in real and "__datetime__" in ours:
            return None
        missing, added = set(real) - set(ours), set(ours) - set(real)
        # The stand-in keeps everything of a task's map, a recording only what a server answered.
        may_add = cut or name == "raw_task_params"
        if missing or (added and not may_add):
            return f"{name} has the fields {sorted(missing | added)[:8]}"
        for key in real:
            why = self.differs(real[key], ours[key], cut, key)
            if why is not None:
                return why
        return None

    def _job_key(self, key: str) -> str:
        """Return the stand-in's number of a recorded job; of an unknown job, the same."""
        job = self.jobs.get(int(key))
        if job is None:
            return key
        return str(job.ident)

    def _differ_lists(self, real: list[Any], ours: list[Any], cut: Any, name: str) -> str | None:
        if name in IDENT_LISTS or _starts_with_integer(real):
            # Numbers are the server's own, so only how many there are is compared.
            return _unless(
                len(real) == len(ours), f"{name} has {len(ours)} numbers, not {len(real)}"
            )
        pairs = self._pairs_out_of_order(real, ours, cut, name)
        if pairs is None:
            pairs = list(zip(real, ours, strict=False))
            if len(real) != len(ours):
                return f"{name} has {len(ours)} entries, not {len(real)}"
        for one, other in pairs:
            why = self.differs(one, other, cut, name)
            if why is not None:
                return why
        return None

    def _pairs_out_of_order(
        self, real: list[Any], ours: list[Any], cut: Any, name: str
    ) -> list[tuple[Any, Any]] | None:
        """Return what belongs together in lists whose order means nothing; None for others."""
        if name == "Files":
            files = {_file_key(file): file for file in ours}
            return [(file, files.get(_file_key(file))) for file in real]
        if not real or not isinstance(real[0], dict):
            return None
        if cut and "PandaID" in real[0]:
            jobs = {job["PandaID"]: job for job in ours if job}
            return [(job, jobs.get(self.jobs[job["PandaID"]].ident)) for job in real]
        if name == "data" and "dataset" in real[0]:
            datasets = {_shape(entry["dataset"]["name"]): entry for entry in ours}
            return [(entry, datasets.get(_shape(entry["dataset"]["name"]))) for entry in real]
        return None

    def _mapped(self, value: Any) -> Any:
        """Return a text with the stand-in's numbers of tasks for the recorded ones."""
        if not isinstance(value, str):
            return value

        def mapped(match: re.Match[str]) -> str:
            words, number = match[1], match[2]
            return words + str(self.tasks.get(int(number), self._next(number)))

        return re.sub(r"(jediTaskID=|task ID |jedilog/)(\d+)", mapped, value)

    def _next(self, number: str) -> str:
        """Return the stand-in's number of a task that is just being made: the newest one."""
        if int(number) < OWN_TASKS:
            return str(self._panda.jedi.next_task - 1)
        return number


def _unless(same: bool, why: str) -> str | None:
    if same:
        return None
    return why


def _same_kind(real: Any, ours: Any) -> bool:
    """Return whether two values are of one type; None and all numbers are alike."""
    if real is None or ours is None or isinstance(ours, type(real)):
        return True
    return {type(real), type(ours)} <= {int, float}


def _starts_with_integer(values: list[Any]) -> bool:
    return bool(values) and isinstance(values[0], int) and not isinstance(values[0], bool)


def _shape(text: Any) -> str:
    """Return a text without its numbers, which differ from server to server."""
    return re.sub(r"\d+", "0", str(text))


def _file_key(file: dict[str, Any]) -> tuple[str, str]:
    return file["type"], _shape(file["dataset"])
