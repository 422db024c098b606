"""The recordings of a real server, replayed against the stand-in.

Each recorded request is sent to the stand-in, and each answer is compared. The stand-in is not live
here: it takes a step only when an answer is not yet as the real one was. So what is shown is that
it gives the same answers in the same order. Numbers that a server hands out are mapped; times,
hosts and the like are compared by their kind alone.
"""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
import zlib
from typing import Any

from tests.engines.panda import recorded
from tests.engines.panda.asking import send
from tests.engines.panda.compare import Comparison
from tests.engines.panda.fake import FakePanda, make_token
from tests.engines.panda.tasks import Job, Task

KILLED = 1144  # the pilot's code of a job that the server told it to kill
STEPS = 12  # that may lie between two answers
BOUNDARY = "x"
# What a token must be like so that the server refuses it in these words.
TOKENS: dict[str, dict[str, Any]] = {
    "Signature has expired": {"ends_in": -60.0},
    "cannot extract client_id from token": {"aud": ""},
    "Not a member of the wlcg group": {"groups": []},
}
# Fields of a job -> what a pilot calls them when it sends them.
PILOT_FIELDS = {
    "jobMetrics": "job_metrics",
    "pilotErrorCode": "pilot_error_code",
    "pilotErrorDiag": "pilot_error_diag",
    "exeErrorCode": "exe_error_code",
    "exeErrorDiag": "exe_error_diag",
}


def in_time(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of a recording in the order in which they happened.

    Each part of a recording has a clock of its own.
    """
    part = 0
    found = []
    for line in lines:
        part = line.get("part", part)
        found.append(((part, line.get("t", 0.0)), line))
    return [line for _, line in sorted(found, key=lambda timed: timed[0])]


class Replay:
    """One recording. `run` returns how many exchanges were compared."""

    def __init__(self, panda: FakePanda, name: str) -> None:
        """Replay the recording `name` against `panda`."""
        self._panda = panda
        self._lines = recorded.lines(name)
        self._comparison = Comparison(panda)
        self._tasks = self._comparison.tasks
        self._jobs = self._comparison.jobs
        self._first: dict[str, Any] | None = None  # the first map of a task in this recording
        self._files: dict[str, bytes] = {}  # that were uploaded, by name

    def run(self) -> int:
        """Replay the recording, and return how many answers were compared."""
        compared = 0
        for line in in_time(self._lines):
            if line["kind"] == "worker" and "PandaID" in line:
                self._work(line)
            elif line["kind"] == "http":
                self._exchange(line)
                compared += 1
        return compared

    # requests ---------------------------------------------------------------------------

    def _exchange(self, line: dict[str, Any]) -> None:
        """Send a recorded request, until the answer is as it was or the stand-in stands still."""
        query, body = dict(line.get("query") or {}), dict(line.get("request") or {})
        task = self._named_task(query, body)
        if "job_ids" in body:
            body["job_ids"] = [self._ident(int(ident)) for ident in body["job_ids"]]
        reasons: list[str] = []
        for _ in range(STEPS):
            self._meet(line)
            answer = self._ask(line, query, body)
            why = self._comparison.differs(line["response"], answer, line.get("cut"))
            if why is None:
                break
            reasons.append(why)
            tasks = [task] if task else self._tasks_of(body)
            steps = [self._panda.jedi.advance(each) for each in tasks]
            if not any(steps):
                break
        assert why is None, (
            f"{line['n']} {line['path']}: {' | '.join(reasons)}\nrecorded {line['response']}"
        )
        if line["path"].endswith("task/submit"):
            made = re.search(r"new jediTaskID=(\d+)", str(line["response"]))
            if made:
                self._tasks[int(made[1])] = int(answer["data"])

    def _named_task(self, query: dict[str, Any], body: dict[str, Any]) -> Task | None:
        """Return the task that a request names, and put the stand-in's number into the request."""
        given = str(body.get("task_id", 0))
        if "task_id" in query:
            given = str(query["task_id"][0])
        if not given.isdecimal() or int(given) not in self._tasks:
            return None
        task = self._panda.jedi.tasks[self._tasks[int(given)]]
        if "task_id" in query:
            query["task_id"] = [str(task.ident)]
        if "task_id" in body:
            body["task_id"] = task.ident
        return task

    def _ident(self, recorded_ident: int) -> int:
        """Return the stand-in's number of a recorded job; of an unknown job, the same."""
        job = self._jobs.get(recorded_ident)
        if job is None:
            return recorded_ident
        return job.ident

    def _tasks_of(self, body: dict[str, Any]) -> list[Task]:
        """Return the tasks that a request is about if it names none by its number."""
        name = (body.get("task_parameters") or {}).get("taskName")
        if name:
            return [task for task in self._panda.jedi.tasks.values() if task.name == name]
        jobs = self._panda.jedi.jobs
        tasks = [jobs[ident].task for ident in body.get("job_ids", ()) if ident in jobs]
        return list({task.ident: task for task in tasks}.values())

    def _meet(self, line: dict[str, Any]) -> None:
        """Learn which job of the stand-in is which recorded one, where an answer lists them."""
        response = line["response"]
        found = response.get("data") if isinstance(response, dict) else None
        if not isinstance(found, list):
            return
        for job in found:
            if isinstance(job, dict) and "Files" in job and job["PandaID"] not in self._jobs:
                number = _sequence_number(job["Files"])
                self._know(job["PandaID"], self._tasks[job["jediTaskID"]], number, job["attemptNr"])

    def _know(self, ident: int, task: int, number: int, attempt: int) -> Job | None:
        """Return the job that has the recorded number `ident`, and remember it.

        The task goes on until it has made that job; None if it does not make it.
        """
        made = self._panda.jedi.tasks[task]
        for _ in range(STEPS):
            for job in made.jobs:
                if (job.number, job.attempt) == (number, attempt):
                    self._jobs[ident] = job
                    return job
            self._panda.jedi.advance(made)
        return None

    def _ask(self, line: dict[str, Any], query: dict[str, Any], body: dict[str, Any]) -> Any:
        """Send a request to the stand-in and return its answer; of a refusal, its text."""
        path = line["path"]
        if path.endswith("task/submit"):
            body = {**body, "task_parameters": self._whole_map(body["task_parameters"])}
        if path.endswith("validate_cache_file") and (name := self._uploaded(line)) is not None:
            data = self._files[name]
            body = {"file_size": len(data), "checksum": int.from_bytes(data[-8:-4], "little")}
        kind = "application/json"
        sent = json.dumps(body).encode() if line["method"] == "POST" else None
        if "multipart" in body:
            kind, sent = self._upload(body["multipart"][0])
        url = f"{self._panda.url}{path}?{urllib.parse.urlencode(query, doseq=True)}"
        head = {"Content-Type": kind, "Authorization": f"Bearer {_token(line)}"}
        status, text = send(urllib.request.Request(url, sent, head))
        assert line["status"] == status, (line["n"], status)
        if status != 200:
            return {"text": text}
        return json.loads(text)

    def _whole_map(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the map of a task, of which a recording may say only what differs from the first.

        "..." stands for the rest of it.
        """
        named = {name: value for name, value in given.items() if name != "..."}
        whole = {**(self._first or {}), **named}
        if "jobParameters" in whole:
            self._first = self._first or whole
        return whole

    def _upload(self, part: dict[str, Any]) -> tuple[str, bytes]:
        """Return type and body of an upload of the recorded size; its content was not recorded."""
        name, size = part["filename"], part["size"]
        # The content follows from the name, since a server tells files apart by a sum.
        data = (zlib.crc32(name.encode()).to_bytes(4, "big") * (size // 4 + 1))[:size]
        self._files[name] = data
        head = (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        )
        end = f"\r\n--{BOUNDARY}--\r\n"
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return kind, head.encode() + data + end.encode()

    def _uploaded(self, line: dict[str, Any]) -> str | None:
        """Return the name of an uploaded file that an answer says was found, or None."""
        name = str(line["response"].get("message", "")).rpartition(":")[2]
        if name in self._files:
            return name
        return None

    # workers ----------------------------------------------------------------------------

    def _work(self, line: dict[str, Any]) -> None:
        """Tell the stand-in what a worker told the real server about its job."""
        ident = int(line["PandaID"])
        job = self._jobs.get(ident) or self._acquired(ident, line)
        if job is None or line["what"] != "pilot/update_job":
            return
        sent = line.get("sent") or {}
        job.metadata = sent.get("meta_data") or None
        fields = {field: sent.get(name) for field, name in PILOT_FIELDS.items()}
        code = sent.get("trans_exit_code")
        if code:
            fields["transExitCode"] = str(code)
            fields["exeErrorCode"] = code
            fields["exeErrorDiag"] = f"payload exit code {code}"
        told = {field: value for field, value in fields.items() if value}
        state = line["job_status"]
        if told.get("pilotErrorCode") == KILLED:
            state = "cancelled"
        self._panda.tell(job, state, computingElement="lab-ce", **told)

    def _acquired(self, ident: int, line: dict[str, Any]) -> Job | None:
        """Return the job that a worker took, by the task and the number in its parameters."""
        told = str(line.get("jobPars") or line.get("job") or "")
        task = re.search(r"\.(\d+)\._\d+\.", told)
        number = re.search(r"train\.py%20(?:--seed%3D)?(\d+)", told)
        if task is None or number is None or int(task[1]) not in self._tasks:
            return None
        made = self._panda.jedi.tasks[self._tasks[int(task[1])]]
        counted = int(number[1]) - _offset(made)
        return self._know(ident, made.ident, counted, int(line.get("attemptNr") or 1))


def _token(line: dict[str, Any]) -> str:
    """Return a token that is refused as the recorded one was, or one that is let in."""
    if line["status"] != 403:
        return make_token()
    said = str(line["response"].get("text", ""))
    if "Not enough segments" in said:
        return "no.jwt"
    if "Signature verification failed" in said:
        return make_token().removesuffix("lab") + "bad"
    for words, changes in TOKENS.items():
        if words in said:
            return make_token(**changes)
    return make_token()


def _sequence_number(files: list[dict[str, Any]]) -> int:
    """Return the sequence number of a job, which is its pretended input file."""
    return next(int(file["lfn"]) for file in files if file["dataset"] == "seq_number")


def _offset(task: Task) -> int:
    """Return what is added to the sequence numbers of a task in its parameters."""
    for parameter in task.params["jobParameters"]:
        if parameter.get("param_type") == "pseudo_input":
            return int(parameter.get("offset", 0))
    return 0
