"""What the stand-in answers at each endpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.engines.panda.tasks import UNSUCCESSFUL, Job, Task

if TYPE_CHECKING:
    from tests.engines.panda.fake import FakePanda

# Fields that a server adds to the map of a task, and does not tell.
HIDDEN = ("cloudAsVO", "messageDriven", "pushStatusChanges", "transPath")


def answer(
    panda: FakePanda, endpoint: str, query: dict[str, str], body: Any
) -> dict[str, Any] | None:
    """Return the envelope of an answer, or None if there is no such endpoint."""
    asked = {**query, **(body if isinstance(body, dict) else {})}
    if not str(asked.get("task_id", 0)).isdecimal():
        return refused("jediTaskID must be an integer")
    task = panda.jedi.tasks.get(int(asked.get("task_id", 0)))
    # A task that was only just sent is not known to anybody yet.
    seen = task if task is not None and task.status else None
    if endpoint in _OF_TASKS:
        return _OF_TASKS[endpoint](seen, asked)
    if endpoint in ("task/kill", "task/finish", "task/retry"):
        command = endpoint.removeprefix("task/")
        return panda.jedi.command(
            command, seen, soft=asked.get("soft"), new=asked.get("new_parameters")
        )
    if endpoint == "task/get_tasks_detailed_info_since":
        return _tasks_by(panda, json.loads(asked.get("filters", "{}")))
    if endpoint == "task/submit":
        return panda.jedi.submit(dict(asked["task_parameters"]), "labuser")
    if endpoint in ("job/get_description", "job/get_description_incl_archive"):
        return done([_job(panda, ident) for ident in asked["job_ids"]])
    if endpoint == "job/kill":
        return done([panda.jedi.kill_job(int(ident)) for ident in asked["job_ids"]])
    if endpoint == "file_server/validate_cache_file":
        return panda.validate(asked["file_size"], asked["checksum"])
    if endpoint == "file_server/upload_cache_file":
        return panda.upload(asked["filename"], asked["content"])
    if endpoint == "system/is_alive":
        return done(None)
    return None


def done(data: Any, message: str = "") -> dict[str, Any]:
    """Return the envelope of what a request asked for."""
    return {"success": True, "message": message, "data": data}


def refused(message: str, data: Any = None) -> dict[str, Any]:
    """Return the envelope of a refusal."""
    return {"success": False, "message": message, "data": data}


def _job(panda: FakePanda, ident: int) -> dict[str, Any] | None:
    job = panda.jedi.jobs.get(int(ident))
    if job is None:
        return None
    return job.describe()


def _tasks_by(panda: FakePanda, wanted: dict[str, str]) -> dict[str, Any]:
    """Return the tasks whose fields have these values."""
    found = [task.details() for task in panda.jedi.tasks.values() if task.status]
    return done([one for one in found if all(one.get(key) == wanted[key] for key in wanted)])


def _status(task: Task | None, asked: Any) -> dict[str, Any]:
    if task is None:
        return refused("Task not found")
    return done(task.status)


def _detailed(task: Task | None, asked: Any) -> dict[str, Any]:
    if task is None:
        return refused("Task not found or error retrieving task info")
    return done(task.details())


def _details(task: Task | None, asked: Any) -> dict[str, Any]:
    if task is None:
        return refused("Task not found or error retrieving the details")
    counts = ",".join(f"{state}*{number}" for state, number in task.statistics().items())
    current = [
        job.ident
        for job in task.jobs
        if task.last(job.number) is job and job.status not in ("failed", "cancelled")
    ]
    datasets = ",".join(output["dataset"] for output in [*task.outputs(), *task.logs()])
    return done(
        {
            "inDS": "",
            "outDS": datasets,
            "statistics": counts,
            "PandaID": current,
            "mergeStatus": None,
            "mergePandaID": [],
            "status": task.status,
        }
    )


def _jobs_of(task: Task | None) -> list[Job]:
    if task is None:
        return []
    return task.jobs


def _job_ids(task: Task | None, asked: Any) -> dict[str, Any]:
    return done([job.ident for job in _jobs_of(task)])


def _descriptions(task: Task | None, asked: Any) -> dict[str, Any]:
    jobs = _jobs_of(task)
    if asked.get("unsuccessful_only") == "True":
        jobs = [job for job in jobs if job.status in UNSUCCESSFUL]
    # A real server was never seen to put the metadata into this answer.
    return done([{**job.describe(), "metadata": None} for job in jobs])


def _metadata(task: Task | None, asked: Any) -> dict[str, Any]:
    found = {
        str(job.ident): json.loads(job.metadata)
        for job in _jobs_of(task)
        if job.status == "finished" and job.metadata
    }
    if not found:
        return done(found, "No metadata found")
    return done(found)


def _parameters(task: Task | None, asked: Any) -> dict[str, Any]:
    if task is None:
        return refused("Task not found")
    shown = {name: value for name, value in task.params.items() if name not in HIDDEN}
    # JEDI keeps this in the parameters for itself.
    shown["jobParameters"] = [
        {name: value for name, value in parameter.items() if name != "expandedList"}
        for parameter in task.params["jobParameters"]
    ]
    return done(shown)


def _datasets(task: Task | None, asked: Any) -> dict[str, Any]:
    assert task is not None
    wanted = asked.get("dataset_types", "pseudo_input").replace("pseudo_", "")
    datasets: dict[str, list[dict[str, Any]]] = {}
    for number in range(1, task.size + 1):
        job = task.last(number)
        if job is None:
            continue
        state = "finished" if task.done(number) else "failed"
        for file in job.describe()["Files"]:
            kind = "input" if file["type"] == "pseudo_input" else file["type"]
            if kind not in wanted:
                continue
            told: dict[str, Any] = {"lfn": file["lfn"], "scope": None, "id": 1, "status": state}
            if kind == "output":
                told["scope"] = file["scope"]
            datasets.setdefault(file["dataset"], []).append(told)
    return done(
        [{"dataset": {"name": name, "id": 1}, "files": files} for name, files in datasets.items()]
    )


_OF_TASKS = {
    "task/get_status": _status,
    "task/get_detailed_info": _detailed,
    "task/get_details": _details,
    "task/get_job_ids": _job_ids,
    "task/get_job_descriptions": _descriptions,
    "job/get_metadata_for_analysis_jobs": _metadata,
    "task/get_task_parameters": _parameters,
    "task/get_datasets_and_files": _datasets,
}
