"""The process that speaks to PanDA: one question on stdin, one JSON answer on stdout or in a file.

It alone imports pandaclient, which looks up hosts when imported, prints errors and tokens to stdout, asks on stdin, and
leaves by exit. All that it prints is caught; only what is known to be harmless of it leaves this process.
"""

from __future__ import annotations

import contextlib
import fcntl
import html
import json
import os
import re
import signal
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.panda import sandbox
from jupyter_gridgpu.backends.panda.asking import REFUSED, SILENT
from jupyter_gridgpu.backends.panda.credentials import FOLDER, identity
from jupyter_gridgpu.backends.panda.task_map import Submitter, task_map
from jupyter_gridgpu.errors import BackendError, GridGpuError, Unreachable
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.transport import key_files

FETCH = 200  # jobs whose metadata are fetched in one poll
META_BYTES = 4_000_000
FINAL = (
    "done",
    "finished",
    "failed",
    "broken",
    "aborted",
    "exhausted",
)  # states of a task that makes no more jobs
ENDED = ("finished", "failed", "cancelled", "closed")  # states of a job
_FIELDS = (
    "PandaID", "attemptNr", "jobStatus", "computingSite", "computingElement", "transExitCode",
    *(f"{part}Error{what}" for part in (
        "pilot", "exe", "sup", "ddm", "brokerage", "jobDispatcher", "taskBuffer") for what in ("Code", "Diag")),
)  # fmt: skip
_TIMES = ("creationTime", "startTime", "endTime", "stateChangeTime")
_TASK_ID = re.compile(r"jediTaskID=(\d+)")
_NOISE = re.compile(r"NoneType: None|\w+ failed : None|Traceback|File \"|^\s")
_SECRET = re.compile(r"Bearer\s+\S+|[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")


class PandaClient:
    """pandaclient's functions, with what they print caught and what they do instead of raising raised."""

    def __init__(self) -> None:
        os.environ.setdefault("PANDA_CONFIG_ROOT", str(Path(FOLDER).expanduser()))
        self._heard = tempfile.TemporaryFile()
        for handle in (1, 2):
            os.dup2(self._heard.fileno(), handle)
        if problem := identity().problem:
            raise Unreachable(problem.rstrip("."))
        try:
            from pandaclient import Client, PandaToolsPkgInfo, PsubUtils
        except (Exception, SystemExit) as error:  # it looks up hosts when it is imported
            raise Unreachable(
                f"PanDA's server is not to be found: {self._clean(str(error))}"
            ) from None
        self._client, self._psub = Client, PsubUtils
        self._version = str(PandaToolsPkgInfo.release_version)

    def ask(self, function: str, *args: Any, **more: Any) -> Any:
        """Return the second part of what a function returns. Raises Unreachable unless the first part is 0."""
        begin = self._end()
        try:
            status, answer = getattr(self._client, function)(*args, **more)
        except (Exception, SystemExit) as error:  # HTML instead of JSON, no token, an exit
            raise Unreachable(self._why(f"{type(error).__name__}: {error}", begin)) from None
        if status != 0:
            raise Unreachable(self._why(answer if isinstance(answer, str) else "", begin))
        return answer

    def site(self) -> Submitter:
        """Return who sends, and to where. Raises Unreachable if that is not known."""
        begin = self._end()
        try:
            nickname = self._psub.getNickname()
        except (Exception, SystemExit) as error:
            raise Unreachable(self._why(str(error), begin)) from None
        if not isinstance(nickname, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", nickname):
            raise Unreachable(
                f"your name on the grid is not known ({self._why('', begin)}): sign in again"
            )
        vo = identity().vo
        # As prun does: ATLAS has a server of its own for sandboxes, others have one for all.
        base = self._client.baseURLSSL if vo else self._client.baseURLCSRVSSL
        found = re.match(r"https?://[^/]+", base)
        return Submitter(nickname, vo or "atlas", found[0] if found else base, self._version)

    def _end(self) -> int:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return os.lseek(self._heard.fileno(), 0, os.SEEK_END)

    def _why(self, words: str, begin: int) -> str:
        """One line of what went wrong, from what a function returned and printed."""
        self._end()
        printed = os.pread(self._heard.fileno(), 100_000, begin).decode(errors="replace")
        lines = [
            self._clean(line)
            for line in _plain(f"{words}\n{printed}").splitlines()
            if line.strip() and not _NOISE.search(line)
        ]
        text = next(
            (line for line in lines if "authentication failed" in line),
            next(iter(lines), "it gave no answer"),
        )
        if "authentication failed" in text:
            return f"PanDA does not accept your sign-in ({text.split('Invalid token. ')[-1]})"
        return f"PanDA does not answer as it should ({text})"

    @staticmethod
    def _clean(text: str) -> str:
        text = re.sub(r"^(ERROR|WARNING|INFO)\s*:\s*", "", _SECRET.sub("…", text).strip())
        return (bounded(text, 200) or "").rstrip(".")


def _plain(text: str) -> str:
    """Text without tags, where it is a page."""
    if "<" not in text:
        return text
    bare = html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL))
    return "\n".join(line.strip() for line in bare.splitlines())


# the questions --------------------------------------------------------------------------


def check(asked: dict[str, Any]) -> dict[str, Any]:
    """Whether the server answers and takes the user, and by which name."""
    panda = PandaClient()
    panda.ask("hello")
    site = panda.site()
    return {"nickname": site.nickname, "vo": site.vo, "server": site.server}


def send(asked: dict[str, Any]) -> dict[str, Any]:
    """Upload the archive of a batch and insert its task; or say what that was answered before."""
    paths = ScanPaths(Path(asked["folder"]))
    scan, batch = (
        home.load(paths.folder),
        next(one for one in BatchStore(paths).all() if one.name == asked["batch"]),
    )
    panda = PandaClient()
    site = panda.site()
    archive = f"jobO.{scan.id}.{batch.name}.tar.gz"
    with tempfile.TemporaryDirectory(
        prefix="gridgpu-"
    ) as folder:  # what jobs send metrics with is never in the scan's folder
        os.chdir(folder)  # the archive is called by its name alone
        size = sandbox.pack(paths, batch.tasks, Path(archive), key_files.sender_file(scan.id))
        said = panda.ask("putFile", archive, useCacheSrv=site.vo == "atlas", reuseSandbox=True)
        os.chdir(batch.folder)
    if isinstance(said, str) and said.startswith("NewFileName:"):
        archive = said.split(":", 1)[1]
    elif said != "True":
        raise BackendError(f"PanDA did not take the files of the jobs: {bounded(str(said), 200)}")
    code, words = panda.ask(
        "insertTaskParams",
        task_map(scan, batch.name, len(batch.tasks), site, archive),
        properErrorCode=True,
    )
    found = _TASK_ID.search(str(words))
    if found is None:
        error = Unreachable if code == 4 else BackendError
        raise error(f"PanDA did not take the task: {bounded(str(words), 200)}")
    return {"id": found[1], "new": code == 0, "bytes": size}


def ask(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """What PanDA says of tasks and their jobs; metadata of finished jobs are put into files."""
    panda = PandaClient()
    return [_task(panda, one) for one in asked["tasks"]]


def _task(panda: PandaClient, asked: dict[str, Any]) -> dict[str, Any]:
    ident = int(asked["id"])
    known, details = panda.ask("get_task_details_json", ident)
    if not known or not isinstance(details, dict):
        return {"id": asked["id"], "unknown": str(details)}
    jobs = [
        job
        for one in panda.ask("get_job_descriptions", ident) or []
        if (job := _job(one)) is not None
    ]
    body = {
        "id": asked["id"],
        "status": details.get("status"),
        "errorDialog": details.get("errorDialog"),
        "jobs": jobs,
    }
    body["kept"] = _fetch(panda, Path(asked["folder"]), jobs, set(asked["kept"]))
    unwanted = set(asked["unwanted"])
    if unwanted and details.get("status") not in FINAL:
        body["killed"] = _kill(
            panda, ident, jobs, unwanted, set(range(1, asked["size"] + 1)), asked["killed"]
        )
    return body


def _job(described: Any) -> dict[str, Any] | None:
    """What matters of a job's description, in plain JSON."""
    if not isinstance(described, dict):
        return None
    files = [one for one in described.get("Files") or [] if isinstance(one, dict)]
    number = next((str(one.get("lfn")) for one in files if one.get("dataset") == "seq_number"), "")
    if not number.isdecimal():
        return None
    outputs = [
        f"{one.get('scope')}:{one.get('lfn')}" for one in files if one.get("type") == "output"
    ]
    times = {name: _epoch(described.get(name)) for name in _TIMES}
    return {
        "seq": int(number),
        "outputs": outputs,
        **{name: described.get(name) for name in _FIELDS},
        **times,
    }


def _epoch(moment: Any) -> float | None:
    """PanDA's moments have no zone and are UTC."""
    return moment.replace(tzinfo=timezone.utc).timestamp() if isinstance(moment, datetime) else None


def _fetch(
    panda: PandaClient, folder: Path, jobs: list[dict[str, Any]], kept: set[int]
) -> list[int]:
    """Put the metadata of finished jobs into files; return of which that was tried, whether there were any or not."""
    wanted = {
        job["PandaID"]: job["seq"]
        for job in jobs
        if job["jobStatus"] == "finished" and job["seq"] not in kept
    }
    chosen = list(wanted)[:FETCH]
    if not chosen:
        return []
    folder.mkdir(mode=0o700, exist_ok=True)
    tried = []
    for spec in panda.ask("getFullJobStatus", chosen):
        if spec is None or spec.PandaID not in wanted:
            continue
        tried.append(wanted[spec.PandaID])
        with contextlib.suppress(ValueError, TypeError, KeyError):
            body = json.loads(spec.metadata)["user_job_metadata"]
            if len(spec.metadata) <= META_BYTES:
                write_json(folder / f"{wanted[spec.PandaID]}.json", body)
    return tried


def _kill(
    panda: PandaClient,
    ident: int,
    jobs: list[dict[str, Any]],
    unwanted: set[int],
    numbers: set[int],
    killed: bool,
) -> bool:
    """Kill the task if nothing of it is wanted, else the jobs that are not; whether the task's end is registered."""
    if numbers - {job["seq"] for job in jobs if job["jobStatus"] == "finished"} <= unwanted:
        if killed:
            return True
        taken, words = panda.ask("killTask", ident)
        return bool(taken) or "rejected" in str(
            words
        )  # in its first seconds it is not known, and goes on
    if live := [
        job["PandaID"] for job in jobs if job["seq"] in unwanted and job["jobStatus"] not in ENDED
    ]:
        panda.ask("killJobs", live)
    return False


# ----------------------------------------------------------------------------------------

VERBS = {"check": check, "send": send, "ask": ask}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what to answer."""
    try:
        return {"answer": VERBS[asked["verb"]](asked)}
    except Unreachable as error:
        return {SILENT: str(error)}
    except GridGpuError as error:
        return {REFUSED: str(error)}
    except OSError as error:
        return {SILENT: f"{error.strerror}: {error.filename or 'a file of the scan'}"}


def main() -> None:
    asked = json.loads(sys.stdin.read())
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    out = os.dup(1)
    if "answer" not in asked:
        with os.fdopen(out, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(answer(asked)))
        return
    signal.alarm(int(asked["patience_s"]))
    target = Path(asked["answer"])
    with open(target.with_suffix(".lock"), "w") as lock:
        with contextlib.suppress(OSError):
            fcntl.flock(
                lock, fcntl.LOCK_EX
            )  # one that a killed runner had started may be at it still
        if not target.exists():
            write_json(target, answer(asked))


if __name__ == "__main__":
    main()
