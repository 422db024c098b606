from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.panda.failures import failure
from jupyter_gridgpu.model.exit_codes import CODE_OF_REASON, LAUNCHER_EXITS, WORKER_EXITS
from jupyter_gridgpu.model.job import REASONS
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.worker.grid_metadata import FILE_NAME, unpack
from jupyter_gridgpu.worker.launch.grid_task import ERROR_REPORT, OUTPUT, exit_code, run_task

LAUNCHER = """\
folder=$1; shift
for key; do
    mkdir -p "$folder/jobs/$key/ab12/artifacts"
    ln -s /etc/passwd "$folder/jobs/$key/ab12/artifacts/link"
    echo weights >"$folder/jobs/$key/ab12/artifacts/model"
    cp "$folder/results/$key" "$folder/jobs/$key/ab12/result.json" &&
        cp "$folder/results/$key" "$folder/jobs/$key/result.json"
done
[ ! -e "$folder/files/jets.root" ] || echo staged >>"$folder/jobs/$key/launch.log"
exit $(cat "$folder/code")
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    (tmp_path / "worker.sh").write_text(LAUNCHER)
    (tmp_path / "code").write_text("0")
    lines = [[{"key": "v0001.1", "params": {"x": 1}}], [{"key": "v0002.1"}, {"key": "v0003.1"}]]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def result(sandbox: Path, key: str, **body: Any) -> None:
    (sandbox / "results" / key).write_text(
        json.dumps({"key": key, "copy": "ab12", "state": "done", **body})
    )


def handed_back(sandbox: Path) -> Any:
    return json.loads((sandbox / FILE_NAME).read_text())


def test_a_task_runs_its_own_jobs_and_hands_back_what_they_left(sandbox: Path) -> None:
    result(sandbox, "v0002.1")
    result(sandbox, "v0003.1", state="failed", reason="notebook")
    assert run_task(2, sandbox) == 0
    assert not ScanPaths(sandbox).job("v0001.1").folder.exists()
    for key in ("v0002.1", "v0003.1"):
        found = unpack(handed_back(sandbox), key)
        assert found is not None
        assert json.loads(found[1]["result.json"])["key"] == key
    with tarfile.open(sandbox / OUTPUT) as archive:
        names = archive.getnames()
    assert "jobs/v0002.1/ab12/artifacts/model" in names
    assert not [name for name in names if name.endswith("link")]


def test_a_job_without_a_result_is_the_grids_failure(sandbox: Path) -> None:
    (sandbox / "code").write_text("72")
    assert run_task(1, sandbox) == 72
    assert (sandbox / OUTPUT).exists()


def test_files_of_datasets_lie_beside_the_notebook(sandbox: Path) -> None:
    result(sandbox, "v0001.1")
    (sandbox / "jets.root").write_text("jets")
    (sandbox / "input.txt").write_text("jets.root,not-there.root\n")
    assert run_task(1, sandbox) == 0
    assert (sandbox / "files" / "jets.root").read_text() == "jets"
    assert (ScanPaths(sandbox).job("v0001.1").log).read_text() == "staged\n"


DONE, RAISED, NODE, IMAGE = (
    {"state": "done"},
    {"reason": "notebook"},
    {"reason": "node"},
    {"reason": "image"},
)


@pytest.mark.parametrize(
    ("results", "code", "expected"),
    [
        ([DONE], 0, 0),
        ([RAISED], 1, 0),  # nothing is kept of a job that fails: a failed notebook must come home
        ([{"reason": "timeout"}], 0, 0),
        ([NODE], 0, 70),
        ([IMAGE], 0, 73),
        ([IMAGE], 74, 74),
        ([NODE, DONE], 0, 0),  # a failure would lose the other result
        ([NODE], 1, 70),
        ([{"reason": "preempted"}], 0, 83),
        ([IMAGE, NODE], 75, 75),
        ([], 137, 137),
        ([], 0, 70),
    ],
)
def test_only_what_another_node_may_do_better_is_a_failure(
    results: list[Any], code: int, expected: int
) -> None:
    assert exit_code(results, code) == expected


@pytest.mark.parametrize("reason", [one for one in REASONS if one != "submit"])
def test_each_reason_has_a_code_that_comes_back_as_the_reason(sandbox: Path, reason: str) -> None:
    """If nothing of a job can be handed back, its exit code and its message must tell."""
    result(sandbox, "v0001.1", state="failed", reason=reason, message=f"It was\n{reason}.")
    (sandbox / FILE_NAME).mkdir()
    code = run_task(1, sandbox)
    report = json.loads((sandbox / ERROR_REPORT).read_text())
    assert report["error_code"] == code
    assert report["error_diag"].startswith(f"It was {reason}. What the job left could not be")
    # What PanDA says of such a job.
    job = {
        "jobStatus": "failed",
        "transExitCode": str(code),
        "pilotErrorCode": 1305,
        "pilotErrorDiag": report["error_diag"],
        "exeErrorCode": report["error_code"],
        "exeErrorDiag": report["error_diag"],
    }
    found, text = failure(job)
    assert found == reason
    assert f"It was {reason}." in text
    assert f"(pilot 1305: the command of the job failed; exit code {code})" in text


@pytest.mark.parametrize(
    ("results", "code", "said"),
    [
        (["The kernel died."], 1, "The kernel died."),
        ([None], 0, "The node failed the job."),
        ([], 72, "The node has no container runtime for the image."),
        ([], 137, "The job ended with exit code 137."),
    ],
)
def test_a_failure_says_why_where_the_pilot_looks(
    sandbox: Path,
    capfd: pytest.CaptureFixture[str],
    results: list[str | None],
    code: int,
    said: str,
) -> None:
    for message in results:
        result(sandbox, "v0001.1", state="failed", reason="node", message=message)
    (sandbox / "code").write_text(str(code))
    ended = run_task(1, sandbox)
    assert json.loads((sandbox / ERROR_REPORT).read_text()) == {
        "error_code": ended,
        "error_diag": said,
    }
    # A pilot takes the first such line.
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("ERROR: ")]
    assert errors == [f"ERROR: {said}"]


def test_what_the_launcher_logged_is_the_message_of_a_job_without_a_result(sandbox: Path) -> None:
    (sandbox / "code").write_text("73")
    log = ScanPaths(sandbox).job("v0001.1").log
    log.parent.mkdir(parents=True)
    log.write_text("first\nThe image ml.sif is not there on node1.\n")
    assert run_task(1, sandbox) == 73
    report = json.loads((sandbox / ERROR_REPORT).read_text())
    assert report["error_diag"] == "The image ml.sif is not there on node1."


def test_no_report_is_left_of_an_earlier_run(sandbox: Path) -> None:
    (sandbox / ERROR_REPORT).write_text('{"error_code": 5, "error_diag": "old"}')
    result(sandbox, "v0001.1")
    assert run_task(1, sandbox) == 0
    assert not (sandbox / ERROR_REPORT).exists()


def test_no_two_reasons_share_a_code() -> None:
    assert len(set(CODE_OF_REASON.values())) == len(CODE_OF_REASON)
    assert set(CODE_OF_REASON) == set(REASONS) - {"submit"}
    assert not set(WORKER_EXITS) & set(LAUNCHER_EXITS)
