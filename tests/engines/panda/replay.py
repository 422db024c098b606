"""The recordings of a real server, replayed against the stand-in: request for request, answer for answer.

The stand-in is not live here: it takes a step only when an answer is not yet as the real one was, so what is shown is that
it gives the same answers in the same order. Numbers that a server hands out are mapped; moments, hosts and the like are
compared by their kind alone.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
import zlib
from typing import Any

from tests.engines.panda import recorded
from tests.engines.panda.fake import FakePanda, make_token
from tests.engines.panda.tasks import Job

KILLED = 1144  # the pilot's code of a job that the server told it to kill
STEPS = 12  # that may lie between two answers
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
}  # fields whose values must be the same
TOKENS: dict[str, dict[str, Any]] = {
    "Signature has expired": {"ends_in": -60.0},
    "cannot extract client_id from token": {"aud": ""},
    "Not a member of the wlcg group": {"groups": []},
}
_LISTS = {"PandaID", "mergePandaID"}


def in_time(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of a recording in the order in which they happened; each of its parts has a clock of its own."""
    part, found = 0, []
    for line in lines:
        part = line.get("part", part)
        found.append(((part, line.get("t", 0.0)), line))
    return [line for _, line in sorted(found, key=lambda one: one[0])]


class Replay:
    """One recording. `run` returns how many exchanges were compared."""

    def __init__(self, panda: FakePanda, name: str) -> None:
        self._panda = panda
        self._lines = recorded.lines(name)
        self._tasks: dict[int, int] = {}  # recorded -> the stand-in's
        self._jobs: dict[int, Job] = {}
        self._first: dict[str, Any] | None = None  # the first map of this recording
        self._files: dict[str, bytes] = {}
        self._bodies: dict[str, Any] = {}

    def run(self) -> int:
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
        query, body, task = dict(line.get("query") or {}), dict(line.get("request") or {}), None
        given = str(query["task_id"][0] if "task_id" in query else body.get("task_id", 0))
        number = int(given) if given.isdecimal() else 0
        if number in self._tasks:
            task = self._panda.jedi.tasks[self._tasks[number]]
            query |= {"task_id": [str(task.ident)]} if "task_id" in query else {}
            body |= {"task_id": task.ident} if "task_id" in body else {}
        if "job_ids" in body:
            body["job_ids"] = [
                self._jobs[one].ident if one in self._jobs else one
                for one in map(int, body["job_ids"])
            ]
        reasons: list[str] = []
        for _ in range(STEPS):
            self._meet(line)
            answer = self._ask(line, query, body)
            why = self._differs(line["response"], answer, line.get("cut"))
            if why is None:
                break
            reasons.append(why)
            if not [
                one for one in ([task] if task else self._of(body)) if self._panda.jedi.advance(one)
            ]:
                break
        assert why is None, (
            f"{line['n']} {line['path']}: {' | '.join(reasons)}\nrecorded {line['response']}"
        )
        if line["path"].endswith("task/submit") and (
            found := re.search(r"new jediTaskID=(\d+)", str(line["response"]))
        ):
            self._tasks[int(found[1])] = int(answer["data"])

    def _of(self, body: dict[str, Any]) -> list[Any]:
        """The tasks that a request is about, but for the one that it names."""
        if name := (body.get("task_parameters") or {}).get("taskName"):
            return [task for task in self._panda.jedi.tasks.values() if task.name == name]
        jobs = self._panda.jedi.jobs
        return list(
            {
                jobs[one].task.ident: jobs[one].task
                for one in body.get("job_ids", ())
                if one in jobs
            }.values()
        )

    def _meet(self, line: dict[str, Any]) -> None:
        """Learn which of the stand-in's jobs is which of the recorded ones, where an answer lists them."""
        found = line["response"].get("data") if isinstance(line["response"], dict) else None
        for one in found if isinstance(found, list) else ():
            if isinstance(one, dict) and "Files" in one and one["PandaID"] not in self._jobs:
                number = next(
                    int(file["lfn"]) for file in one["Files"] if file["dataset"] == "seq_number"
                )
                self._know(one["PandaID"], self._tasks[one["jediTaskID"]], number, one["attemptNr"])

    def _know(self, ident: int, task: int, number: int, attempt: int) -> Job | None:
        made = self._panda.jedi.tasks[task]
        for _ in range(STEPS):
            found = [job for job in made.jobs if (job.number, job.attempt) == (number, attempt)]
            if found:
                self._jobs[ident] = found[0]
                return found[0]
            self._panda.jedi.advance(made)
        return None

    def _ask(self, line: dict[str, Any], query: dict[str, Any], body: dict[str, Any]) -> Any:
        path = line["path"]
        if path.endswith("task/submit"):
            body = {**body, "task_parameters": self._map(body["task_parameters"])}
        if path.endswith("validate_cache_file") and (name := self._found(line)) is not None:
            data = self._files[name]
            body = {"file_size": len(data), "checksum": int.from_bytes(data[-8:-4], "little")}
        url = f"{self._panda.url}{path}?{urllib.parse.urlencode(query, doseq=True)}"
        kind = "application/json"
        sent = json.dumps(body).encode() if line["method"] == "POST" else None
        if "multipart" in body:
            kind, sent = self._upload(body["multipart"][0])
        request = urllib.request.Request(
            url, sent, {"Content-Type": kind, "Authorization": f"Bearer {self._token(line)}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text, status = response.read().decode(), response.status
        except urllib.error.HTTPError as error:
            with error:
                text, status = error.read().decode(), error.code
        assert line["status"] == status, (line["n"], status)
        return json.loads(text) if status == 200 else {"text": text}

    @staticmethod
    def _token(line: dict[str, Any]) -> str:
        said = str(line["response"].get("text", "")) if line["status"] == 403 else ""
        if "Not enough segments" in said:
            return "no.jwt"
        if "Signature verification failed" in said:
            return make_token().removesuffix("lab") + "bad"
        changes: dict[str, Any] = next(
            (made for words, made in TOKENS.items() if words in said), {}
        )
        return make_token(**changes)

    def _map(self, given: dict[str, Any]) -> dict[str, Any]:
        """The map of a task, in which a recording may say only what differs from its first one."""
        whole = {
            **(self._first or {}),
            **{name: value for name, value in given.items() if name != "..."},
        }
        if "jobParameters" in whole:
            self._first = self._first or whole
        return whole

    def _upload(self, part: dict[str, Any]) -> tuple[str, bytes]:
        """A file of the recorded size; its content was not recorded."""
        body = zlib.crc32(part["filename"].encode()).to_bytes(4, "big") * (part["size"] // 4 + 1)
        data = self._files[part["filename"]] = body[: part["size"]]
        head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{part["filename"]}"\r\n\r\n'
        return "multipart/form-data; boundary=x", head.encode() + data + b"\r\n--x--\r\n"

    def _found(self, line: dict[str, Any]) -> str | None:
        name = str(line["response"].get("message", "")).rpartition(":")[2]
        return name if name in self._files else None

    # workers ----------------------------------------------------------------------------

    def _work(self, line: dict[str, Any]) -> None:
        ident = int(line["PandaID"])
        job = self._jobs.get(ident) or self._acquired(ident, line)
        if job is None:
            return
        if line["what"] == "pilot/update_job":
            sent, state = line.get("sent") or {}, line["job_status"]
            job.metadata = sent.get("meta_data") or None
            codes = {
                "jobMetrics": sent.get("job_metrics"), "pilotErrorCode": sent.get("pilot_error_code"),
                "pilotErrorDiag": sent.get("pilot_error_diag"), "exeErrorCode": sent.get("exe_error_code"),
                "exeErrorDiag": sent.get("exe_error_diag"),
            }  # fmt: skip
            if sent.get("trans_exit_code"):
                code = sent["trans_exit_code"]
                codes |= {
                    "transExitCode": str(code),
                    "exeErrorCode": code,
                    "exeErrorDiag": f"payload exit code {code}",
                }
            codes = {name: value for name, value in codes.items() if value}
            state = "cancelled" if codes.get("pilotErrorCode") == KILLED else state
            self._panda.tell(job, state, computingElement="lab-ce", **codes)

    def _acquired(self, ident: int, line: dict[str, Any]) -> Job | None:
        """The job that a worker took, by the task and number in its parameters."""
        told = str(line.get("jobPars") or line.get("job") or "")
        task = re.search(r"\.(\d+)\._\d+\.", told)
        number = re.search(r"train\.py%20(?:--seed%3D)?(\d+)", told)
        if task is None or number is None or int(task[1]) not in self._tasks:
            return None
        made = self._panda.jedi.tasks[self._tasks[int(task[1])]]
        offset = next(
            (
                one.get("offset", 0)
                for one in made.params["jobParameters"]
                if one.get("param_type") == "pseudo_input"
            ),
            0,
        )
        return self._know(
            ident, made.ident, int(number[1]) - offset, int(line.get("attemptNr") or 1)
        )

    # comparing --------------------------------------------------------------------------

    def _differs(self, real: Any, ours: Any, cut: Any, name: str = "") -> str | None:
        """Return where two answers differ; None where they do not, as far as they may not."""
        if isinstance(real, dict) and isinstance(ours, dict):
            return self._differ_dicts(real, ours, cut, name)
        if isinstance(real, list) and isinstance(ours, list):
            return self._differ_lists(real, ours, cut, name)
        if name in SAME:
            same = self._mapped(real) == (str(ours) if isinstance(real, str) else ours)
            return None if same else f"{name} is {ours!r}, not {self._mapped(real)!r}"
        if name in ("statistics", "outDS"):
            return (
                None
                if sorted(str(real).split(",")) == sorted(str(ours).split(","))
                else f"{name} is {ours!r}, not {real!r}"
            )
        if name == "lfn":
            return (
                None
                if self._shape(real) == self._shape(ours)
                else f"{name} is {ours!r}, not {real!r}"
            )
        if (
            real is None
            or ours is None
            or isinstance(ours, type(real))
            or {type(real), type(ours)} <= {int, float}
        ):
            return None
        return f"{name} is a {type(ours).__name__}, not a {type(real).__name__}"

    def _differ_dicts(
        self, real: dict[str, Any], ours: dict[str, Any], cut: Any, name: str
    ) -> str | None:
        if (
            name == "data" and real and all(key.isdecimal() for key in real)
        ):  # of jobs, by their numbers
            real = {
                str(self._jobs[int(key)].ident) if int(key) in self._jobs else key: value
                for key, value in real.items()
            }
        if "__datetime__" in real and "__datetime__" in ours:
            return None
        if set(real) - set(ours) or (
            not cut and name not in ("raw_task_params",) and set(ours) - set(real)
        ):
            return f"{name} has the fields {sorted(set(real) ^ set(ours))[:8]}"
        return next(
            (
                why
                for key in real
                if (why := self._differs(real[key], ours[key], cut, key)) is not None
            ),
            None,
        )

    def _differ_lists(self, real: list[Any], ours: list[Any], cut: Any, name: str) -> str | None:
        if name in _LISTS or (real and isinstance(real[0], int) and not isinstance(real[0], bool)):
            return (
                None
                if len(real) == len(ours)
                else f"{name} has {len(ours)} numbers, not {len(real)}"
            )
        if name == "Files":
            files = {(one["type"], self._shape(one["dataset"])): one for one in ours}
            pairs = [(one, files.get((one["type"], self._shape(one["dataset"])))) for one in real]
        elif cut and real and isinstance(real[0], dict) and "PandaID" in real[0]:
            byid = {one["PandaID"]: one for one in ours if one}
            pairs = [(one, byid.get(self._jobs[one["PandaID"]].ident)) for one in real]
        elif name == "data" and real and isinstance(real[0], dict) and "dataset" in real[0]:
            named = {self._shape(one["dataset"]["name"]): one for one in ours}
            pairs = [(one, named.get(self._shape(one["dataset"]["name"]))) for one in real]
        else:
            pairs = list(zip(real, ours, strict=False))
            if len(real) != len(ours):
                return f"{name} has {len(ours)} entries, not {len(real)}"
        return next(
            (
                why
                for one, other in pairs
                if (why := self._differs(one, other, cut, name)) is not None
            ),
            None,
        )

    def _mapped(self, value: Any) -> Any:
        """A text in which the recorded numbers of tasks are the stand-in's."""
        if not isinstance(value, str):
            return value
        return re.sub(
            r"(jediTaskID=|task ID |jedilog/)(\d+)",
            lambda m: m[1] + str(self._tasks.get(int(m[2]), self._next(m[2]))),
            value,
        )

    def _next(self, number: str) -> str:
        """A task that is just being made has the next number."""
        return str(self._panda.jedi.next_task - 1) if int(number) < 10_000 else number

    @staticmethod
    def _shape(text: Any) -> str:
        return re.sub(r"\d+", "0", str(text))
