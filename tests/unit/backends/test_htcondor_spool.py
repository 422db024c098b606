"""Files that go through the spool of a schedd: what is asked of the bindings, and what is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_gridgpu.backends.htcondor import ads, bindings, spool
from jupyter_gridgpu.backends.htcondor import backend as htcondor_backend
from jupyter_gridgpu.backends.htcondor.backend import HTCondorBackend
from jupyter_gridgpu.backends.htcondor.description import description
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan

SPOOLED = {"StageInStart": 100, "StageInFinish": 101}
ENDED = {"JobStatus": ads.COMPLETED, "EnteredCurrentStatus": 200, "ExitCode": 0, **SPOOLED}
REMOVED = {"JobStatus": ads.REMOVED, "StageInStart": 100}


@pytest.mark.parametrize(
    ("ad", "state", "reason", "words"),
    [
        ({"JobStatus": ads.HELD, "HoldReasonCode": 16}, "queued", None, "on their way to HTCondor"),
        (ENDED, "running", None, "its files are on their way back"),
        # They were fetched before the job ran once more.
        ({**ENDED, "StageOutFinish": 150}, "running", None, "on their way back"),
        ({**ENDED, "StageOutFinish": 201}, "done", None, None),
        # Without a spool, nothing waits for us.
        ({"JobStatus": ads.COMPLETED, "ExitCode": 0}, "done", None, None),
        (
            {**REMOVED, "RemoveReason": "Staging of job files failed"},
            "failed",
            "submit",
            "Its files did not reach HTCondor.",
        ),
        (
            {**REMOVED, "RemoveReason": f"{ads.NEVER_SPOOLED} (by user alice)"},
            "failed",
            "submit",
            "Its files did not reach HTCondor.",
        ),
        (
            {"JobStatus": ads.REMOVED, "RemoveReason": f"{ads.NEVER_SPOOLED} (by user alice)"},
            "failed",
            "submit",
            "Its files did not reach HTCondor.",
        ),
        (
            {**REMOVED, "RemoveReason": "via condor_rm (by user alice)"},
            "cancelled",
            "user",
            "Removed from HTCondor by alice: via condor_rm.",
        ),
    ],
)
def test_what_is_said_of_a_job_whose_files_are_in_the_spool(
    ad: dict[str, Any], state: str, reason: str | None, words: str | None
) -> None:
    seen = ads.queue_status(ad)
    assert (seen.state, seen.reason) == (state, reason)
    assert (words or "") in (seen.message or "")
    if state in ("failed", "cancelled"):
        assert ads.history_status(ad) == seen


@pytest.mark.parametrize("looked_at", [True, False])
@pytest.mark.parametrize(
    ("ad", "counts"),
    [
        ({"JobStatus": ads.HELD, "HoldReasonCode": ads.SPOOLING}, True),
        ({"JobStatus": ads.REMOVED, "RemoveReason": f"{ads.NEVER_SPOOLED} (by user alice)"}, False),
        ({"JobStatus": ads.REMOVED, "RemoveReason": "Spooling is taking too long"}, False),
        ({"JobStatus": ads.REMOVED}, False),
        ({"JobStatus": ads.REMOVED, "RemoveReason": "via condor_rm (by user alice)"}, True),
        ({"JobStatus": ads.REMOVED, "RemoveReason": "PeriodicRemove", **SPOOLED}, True),
        ({"JobStatus": ads.IDLE, **SPOOLED}, True),
        (ENDED, True),
    ],
)
def test_a_job_counts_as_sent_unless_it_was_removed_without_its_files(
    ad: dict[str, Any], counts: bool, looked_at: bool
) -> None:
    classad = pytest.importorskip("classad2")
    # The schedd sets it when it looks through its queue, soon after the submission or later.
    seen = {"StageInStart": 100} if looked_at else {}
    job = classad.ClassAd({**seen, **ad, ads.BATCH: "scan/b0001"})
    constraint = spool.arrived(f'member({ads.BATCH}, {{"scan/b0001"}})')
    assert classad.ExprTree(constraint).eval(job) is counts


class FakeBindings:
    """HTCondor's bindings that note what they are asked, and fail where a test wants it."""

    HTCondorException = OSError
    Submit = dict
    JobAction = SimpleNamespace(Remove="remove")
    CredType = SimpleNamespace(Kerberos="kerberos")

    def __init__(self, wrong: str = "", unfetchable: tuple[str, ...] = ()) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.param: dict[str, str] = {}
        self._wrong = wrong
        self._unfetchable = unfetchable

    def _note(self, *what: Any) -> None:
        self.asked.append(what)
        if what[0] == self._wrong:
            raise OSError("SCHEDD:7002:it broke")

    def Schedd(self) -> FakeBindings:
        return self

    def Credd(self) -> FakeBindings:
        return self

    def add_user_cred(self, kind: str, credential: Any) -> None:
        self._note("ticket", kind, credential)

    def submit(self, commands: Any, itemdata: Any, spool: bool) -> Any:
        self._note("submit", spool)
        return SimpleNamespace(cluster=lambda: 7)

    def spool(self, sent: Any) -> None:
        self._note("spool")

    def act(self, action: str, what: Any, why: Any) -> None:
        self._note("act", action, what, why[0])

    def query(self, constraint: str, projection: Any, limit: int = -1) -> list[dict[str, Any]]:
        self._note("query")
        return [{"ClusterId": 7, "ProcId": number} for number in range(4)]

    def retrieve(self, tasks: list[str]) -> None:
        self._note("retrieve", tasks)
        if set(tasks) & set(self._unfetchable):
            raise OSError("it has none")


def submit(fake: FakeBindings, **asked: bool) -> int:
    commands = description(small_scan(), "scan/b0001", "words")
    return bindings.submit(fake, commands, [], "scan/b0001", 0.0, **asked)


def test_a_ticket_is_handed_over_before_jobs_and_files_after_them() -> None:
    fake = FakeBindings()
    assert submit(fake, spool=True, send_credential=True) == 7
    assert fake.asked == [("ticket", "kerberos", None), ("submit", True), ("spool",)]
    fake = FakeBindings()
    submit(fake)
    assert fake.asked == [("submit", False)]


@pytest.mark.parametrize(
    ("wrong", "said", "last"),
    [
        ("spool", "the jobs' files could not be sent: it broke", "act"),
        ("ticket", "HTCondor did not take a Kerberos ticket of yours: it broke. Look", "ticket"),
    ],
)
def test_jobs_without_their_files_or_ticket_are_not_left_in_the_queue(
    wrong: str, said: str, last: str
) -> None:
    fake = FakeBindings(wrong)
    with pytest.raises(BackendError, match=said):
        submit(fake, spool=True, send_credential=True)
    assert fake.asked[-1][0] == last


def test_one_job_that_cannot_be_fetched_is_not_in_the_way_of_the_others() -> None:
    fake = FakeBindings(unfetchable=("7.2",))
    assert spool.fetch(fake, "scan") == {"fetched": 3}
    assert fake.asked[-1] == ("act", "remove", ["7.0", "7.1", "7.3"], spool.FETCHED)
    with pytest.raises(OSError, match="it has none"):
        spool.fetch(FakeBindings(unfetchable=("7.0", "7.1", "7.2", "7.3")), "scan")


def spooling(tmp_path: Path, **changes: Any) -> HTCondorBackend:
    place = Placement(shared=False, options=("spool = True",))
    scan = small_scan(backend="htcondor", placement=place, **changes)
    return HTCondorBackend(scan, ScanPaths(tmp_path))


def test_what_goes_through_a_spool_goes_in_small_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    def call(verb: str, **asked: Any) -> int:
        sent.append(asked)
        return 7

    monkeypatch.setattr(htcondor_backend, "call", call)
    backend = spooling(tmp_path)
    assert backend.allowed_tasks(0) == 100
    assert HTCondorBackend(small_scan(), ScanPaths(tmp_path)).allowed_tasks(0) == 1000
    paths = ScanPaths(tmp_path)
    paths.job("v0001.1").folder.mkdir(parents=True)
    paths.job("v0001.1").spec.write_text("{}")
    backend.send(backend._batches.make([["v0001.1"]]))
    (asked,) = sent
    assert asked["spool"]
    # HTCondor would not find a name that it makes when a job starts, once the job has left.
    assert (asked["description"]["output"], asked["description"]["stream_output"]) == (
        "out.0",
        "False",
    )


@pytest.mark.parametrize(
    ("image", "refused"),
    [("/images/ml.sif", True), ("/cvmfs/ml", False), ("docker://example/ml:1", False)],
)
def test_an_image_is_not_sent_once_for_each_job(tmp_path: Path, image: str, refused: bool) -> None:
    pytest.importorskip("htcondor2")
    backend = spooling(tmp_path, container=Container(image))
    if not refused:
        backend.check(ask=False)
        return
    with pytest.raises(BackendError, match="spool"):
        backend.check(ask=False)
