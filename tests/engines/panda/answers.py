"""What the stand-in answers at each endpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.engines.panda.tasks import Job, Task

if TYPE_CHECKING:
    from tests.engines.panda.fake import FakePanda


def answer(
    panda: FakePanda, endpoint: str, query: dict[str, str], body: Any
) -> dict[str, Any] | None:
    """Return the envelope of an answer; None for an endpoint that there is not."""
    asked = {**query, **(body if isinstance(body, dict) else {})}
    if not str(asked.get("task_id", 0)).isdecimal():
        return _no("jediTaskID must be an integer")
    task = panda.jedi.tasks.get(int(asked.get("task_id", 0)))
    seen = task if task is not None and task.status else None
    if endpoint in _OF_TASKS:
        return _OF_TASKS[endpoint](seen, asked)
    if endpoint in ("task/kill", "task/finish", "task/retry"):
        return panda.jedi.command(
            endpoint[5:], seen, soft=asked.get("soft"), new=asked.get("new_parameters")
        )
    if endpoint == "task/submit":
        return panda.jedi.submit(dict(asked["task_parameters"]), "labuser")
    if endpoint in ("job/get_description", "job/get_description_incl_archive"):
        return _yes([_job(panda, ident) for ident in asked["job_ids"]])
    if endpoint == "job/kill":
        return _yes([panda.jedi.kill_job(int(ident)) for ident in asked["job_ids"]])
    if endpoint == "file_server/validate_cache_file":
        return panda.validate(asked["file_size"], asked["checksum"])
    if endpoint == "file_server/upload_cache_file":
        return panda.upload(asked["filename"], asked["content"])
    if endpoint == "system/is_alive":
        return _yes(None, "alive=yes")
    return None


def _yes(data: Any, message: str = "") -> dict[str, Any]:
    return {"success": True, "message": message, "data": data}


def _no(message: str) -> dict[str, Any]:
    return {"success": False, "message": message, "data": None}


def _job(panda: FakePanda, ident: int) -> dict[str, Any] | None:
    job = panda.jedi.jobs.get(int(ident))
    return job.describe() if job else None


def _status(task: Task | None, asked: Any) -> dict[str, Any]:
    return _yes(task.status) if task else _no("Task not found")


def _detailed(task: Task | None, asked: Any) -> dict[str, Any]:
    return _yes(task.details()) if task else _no("Task not found or error retrieving task info")


def _details(task: Task | None, asked: Any) -> dict[str, Any]:
    if task is None:
        return _no("Task not found or error retrieving the details")
    counts = ",".join(f"{state}*{number}" for state, number in task.statistics().items())
    current = [
        job.ident
        for job in task.jobs
        if task.last(job.number) is job and (job.status not in ("failed", "cancelled"))
    ]
    datasets = ",".join(one["dataset"] for one in [*task.outputs(), *task.logs()])
    return _yes({"inDS": "", "outDS": datasets, "statistics": counts, "PandaID": current, "mergeStatus": None,
                 "mergePandaID": [], "status": task.status})  # fmt: skip


def _job_ids(task: Task | None, asked: Any) -> dict[str, Any]:
    return _yes([job.ident for job in task.jobs] if task else [])


def _descriptions(task: Task | None, asked: Any) -> dict[str, Any]:
    bad = ("failed", "cancelled", "closed")
    jobs = [
        job
        for job in (task.jobs if task else [])
        if asked.get("unsuccessful_only") != "True" or job.status in bad
    ]
    return _yes(
        [{**job.describe(), "metadata": None} for job in jobs]
    )  # it was never seen to hold them


def _metadata(task: Task | None, asked: Any) -> dict[str, Any]:
    jobs: list[Job] = [
        job for job in (task.jobs if task else []) if job.status == "finished" and job.metadata
    ]
    found = {str(job.ident): json.loads(job.metadata) for job in jobs}
    return _yes(found, "" if found else "No metadata found")


def _parameters(task: Task | None, asked: Any) -> dict[str, Any]:
    if task is None:
        return _no("Task not found")
    hidden = ("cloudAsVO", "messageDriven", "pushStatusChanges", "transPath")
    given = [
        {name: value for name, value in one.items() if name != "expandedList"}
        for one in task.params["jobParameters"]
    ]
    return _yes(
        {
            **{name: task.params[name] for name in task.params if name not in hidden},
            "jobParameters": given,
        }
    )


def _datasets(task: Task | None, asked: Any) -> dict[str, Any]:
    assert task is not None
    named: dict[str, list[dict[str, Any]]] = {}
    for number in range(1, task.size + 1):
        job = task.last(number)
        if job is None:
            continue
        for one in job.describe()["Files"]:
            state = "finished" if task.done(number) else "failed"
            kind = "input" if one["type"] == "pseudo_input" else one["type"]
            if kind in asked.get("dataset_types", "pseudo_input").replace("pseudo_", ""):
                scope = one["scope"] if kind == "output" else None
                named.setdefault(one["dataset"], []).append(
                    {"lfn": one["lfn"], "scope": scope, "id": 1, "status": state}
                )
    return _yes(
        [{"dataset": {"name": name, "id": 1}, "files": files} for name, files in named.items()]
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
