"""The magic in a real shell, and the form in a real kernel."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from jupyter_client.manager import KernelManager
from traitlets.config import Config

from jupyter_gridgpu import load_ipython_extension
from jupyter_gridgpu.api import open_scan as open_api_scan
from jupyter_gridgpu.client import open_scan
from jupyter_gridgpu.model.form_cell import check_word, first_line
from jupyter_gridgpu.model.typed_values import FieldError
from jupyter_gridgpu.runner import spawn
from jupyter_gridgpu.testing.examples import notebook_json
from tests.profile_files import folders, one

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    home = tmp_path_factory.mktemp("ipython")
    made = InteractiveShell.instance(
        config=Config({"HistoryManager": {"enabled": False}}), ipython_dir=str(home)
    )
    load_ipython_extension(made)
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "train.ipynb").write_text(
        notebook_json("lr = 0.1  # learning rate\nunits = 64", "report(acc=lr)")
    )
    return tmp_path


def run(shell: InteractiveShell, cell: str) -> tuple[bool, str, list[Any]]:
    """Whether a cell went well, what it printed, and the data it displayed."""
    with capture_output() as seen:
        result = shell.run_cell(cell)
    return bool(result.success), seen.stdout + seen.stderr, [output.data for output in seen.outputs]


def test_a_cell_takes_a_profile(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, _ = folders(tmp_path, monkeypatch)
    (user / "lab.yaml").write_text(one(more="parallel: 1\nretries: 2"))
    head = "%%gridscan train.ipynb --dry-run --retries 0"
    success, printed, _ = run(shell, f"{head} --on lab\nlr = [0.1, 0.2]")
    assert success
    assert printed.startswith("Profile lab: --on local --parallel 1\ntrain.ipynb would run as 2")
    success, printed, _ = run(shell, f"{head} --on labb\nlr = [0.1, 0.2]")
    assert not success
    assert "Is lab meant?" in printed


def test_the_notebook_alone_opens_the_form(shell: InteractiveShell) -> None:
    success, printed, (data,) = run(shell, "%gridscan train.ipynb")
    assert (success, printed) == (True, "")
    assert VIEW in data
    assert data["text/plain"].startswith(
        "A form to scan train.ipynb: run %gridscan train.ipynb in a notebook to open it."
    )
    assert "learning rate" in data["text/html"]


def test_options_before_and_after_the_notebook_open_the_form_too(shell: InteractiveShell) -> None:
    for cell in ("%gridscan train.ipynb --on local --gpus 1", "%gridscan --gpus 1 train.ipynb"):
        success, _, (data,) = run(shell, cell)
        assert success
        assert "run %gridscan train.ipynb --gpus 1" in data["text/plain"]


def test_a_form_opens_on_a_cell_and_on_a_file(shell: InteractiveShell, scans_home: Path) -> None:
    head = "%%gridscan train.ipynb --name tried"
    cell = f"{head} --form --save tried.yaml\nbase = 2\nlr = [0.1, 0.2]"
    success, printed, shown = run(shell, cell)
    assert (success, [VIEW in data for data in shown]) == (False, [])
    assert "--form" in printed
    success, printed, (data,) = run(shell, cell.replace(" --save tried.yaml", ""))
    assert (success, printed, VIEW in data) == (True, "", True)
    assert not list(scans_home.glob("*/scan.json"))
    saved = f"{head} --dry-run --save tried.yaml\nlr = [0.1, 0.2]"
    assert run(shell, saved)[0]
    success, printed, (data,) = run(shell, "%gridscan run tried.yaml --form")
    assert (success, printed, VIEW in data) == (True, "", True)
    assert "train.ipynb" in data["text/plain"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%gridscan nope.ipynb", "There is no notebook nope.ipynb"),
        ("%gridscan trian.ipynb", "did you mean train.ipynb?"),
        ("%gridscan train.ipynb --trials x", "'x' is not a valid integer"),
        ("%gridscan train.ipynb --dry-run", "--dry-run needs a cell"),
        ("%gridscan train.ipynb --save scan.yaml", "--save needs a cell"),
        ("%gridscan run train.ipynb", "%gridscan run takes a file of a scan, like scan.yaml."),
        ("%gridscan run none.yaml", "none.yaml cannot be read: No such file"),
        ("%%gridscan none.yaml\nlr = 1", "%gridscan run none.yaml runs it"),
        ("%%gridscan train.ipynb --overwrite\nlr = 1.0", "--overwrite is for --save"),
        ("%gridscan train.ipynb other", "unexpected extra argument"),
        ("%gridscan", "Write %gridscan NOTEBOOK.ipynb for a form"),
        ("%gridscan start this", "Write %gridscan NOTEBOOK.ipynb for a form"),
        ("%gridscan show", "takes one scan"),
        ("%gridscan run", "run takes one file"),
        ("%gridscan 'train.ipynb", "cannot be read"),
    ],
)
def test_a_slip_is_one_sentence_without_traceback(
    shell: InteractiveShell, cell: str, words: str
) -> None:
    success, printed, displayed = run(shell, cell)
    assert (success, displayed) == (False, [])
    assert words in printed
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) == 1


def test_the_help_tells_of_the_form(shell: InteractiveShell) -> None:
    _, printed, _ = run(shell, "%gridscan --help")
    assert "opens a form" in printed
    assert "--trials" in printed
    assert "opens a form" in (shell.find_line_magic("gridscan").__doc__ or "")


def test_a_dry_run_of_a_cell_starts_nothing(shell: InteractiveShell, scans_home: Path) -> None:
    _, printed, _ = run(shell, "%%gridscan train.ipynb --dry-run\nlr = [0.1, 0.2]")
    assert "would run as 2 variants" in printed
    Path("own.csv").write_text("lr\n0.2\n")
    _, printed, _ = run(shell, "%%gridscan train.ipynb --points own.csv --dry-run\nlr = [0.1, 0.2]")
    assert "2 variants (1 of them your own, then sampler grid)" in printed
    success, printed, _ = run(shell, "%%gridscan train.ipynb --points own.csv\nlr = [0.1, 0.3]")
    assert not success
    assert "own.csv, line 2: lr is 0.2, and the space takes one of 0.1, 0.3" in printed
    assert not scans_home.exists()


def test_a_cell_is_saved_as_a_file_that_a_line_runs(shell: InteractiveShell, folder: Path) -> None:
    shell.user_ns["base"] = 0.1
    cell = "%%gridscan train.ipynb --dry-run --gpus 0 --save scan.yaml\n"
    success, printed, _ = run(shell, f"{cell}lr = [base, 0.2]  # rates")
    assert success
    assert printed.startswith("Saved: scan.yaml\ntrain.ipynb would run as 2 variants")
    assert "  lr = [0.1, 0.2]  # rates\noptions:\n  gpus: 0\n" in (folder / "scan.yaml").read_text()
    success, printed, _ = run(shell, "%gridscan run scan.yaml --dry-run --retries 1 --save b.yaml")
    assert success
    first, saved, told, *_ = printed.splitlines()
    assert first == "Other than in scan.yaml: --retries 1 (not there)."
    assert saved == "Saved: b.yaml"
    assert told.startswith("train.ipynb would run as 2 variants")
    assert not run(shell, f"{cell}lr = [base]")[0]


def test_the_list_of_no_scans_says_so(shell: InteractiveShell) -> None:
    assert run(shell, "%gridscan list")[1] == "There are no scans yet.\n"


WORDS = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12
)


@given(words=st.lists(WORDS, min_size=1, max_size=4))
def test_the_first_line_reaches_the_magic_as_the_form_meant_it(
    shell: InteractiveShell, words: list[str]
) -> None:
    heard: list[list[str]] = []

    def hear(line: str, cell: str) -> None:
        heard.append(shlex.split(line))

    shell.register_magic_function(hear, "cell", "gridscan_heard")  # type: ignore[arg-type]
    try:
        for word in words:
            check_word(word)
    except FieldError:
        return
    run(shell, first_line(words).replace("%%gridscan", "%%gridscan_heard", 1) + "\nlr = 1")
    assert heard == [words]


@pytest.fixture
def kernel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), env=dict(os.environ))
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def messages(client: Any, kind: str, timeout: float = 30) -> Iterator[dict[str, Any]]:
    """The kernel's messages of one kind, as they come."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        message = client.get_iopub_msg(timeout=timeout)
        if message["msg_type"] == kind:
            yield message["content"]


def test_the_form_in_a_kernel_answers_what_a_browser_asks(kernel: Any) -> None:
    kernel.execute(
        "%load_ext jupyter_gridgpu\nbase = 0.25\n%gridscan train.ipynb --gpus 0 --name mine"
    )
    shown = next(messages(kernel, "display_data"))["data"]
    comm = shown[VIEW]["model_id"]
    wish = {"name": "lr", "kind": "list", "items": "base, 2 * base"}
    asked = {
        "type": "check",
        "id": "a-1",
        "state": {"parameters": [wish], "options": {"name": "mine"}},
    }
    body = {"comm_id": comm, "data": {"method": "custom", "content": asked}}
    kernel.shell_channel.send(kernel.session.msg("comm_msg", body))
    customs = (
        m["data"]["content"]
        for m in messages(kernel, "comm_msg")
        if m["data"].get("method") == "custom"
    )
    answer = next(content for content in customs if content.get("id") == "a-1")
    assert answer["cell"] == "%%gridscan train.ipynb --name mine\nlr = [base, 2 * base]"
    assert (answer["variants"], answer["errors"]) == (2, [])


def test_a_cell_is_rehearsed_before_it_is_sent(
    shell: InteractiveShell, folder: Path, scans_home: Path
) -> None:
    (folder / "bad.ipynb").write_text(notebook_json("lr = 0.1", "import nothing_such"))
    success, printed, _ = run(
        shell, "%%gridscan bad.ipynb --maximize acc --rehearse\nlr = [0.1, 0.2]"
    )
    assert not success
    assert "The scan was not sent, since its rehearsal failed: ModuleNotFoundError" in printed
    assert [path.name for path in scans_home.iterdir() if not path.name.startswith(".")] == [
        "bad-rehearsal"
    ]
    for runner in spawn._started:  # it ends by itself, with the scan
        runner.wait(30)


def test_a_scan_is_replayed_and_compared_from_a_cell(shell: InteractiveShell) -> None:
    scan = "%%gridscan train.ipynb --maximize acc --name seen\nlr = [0.1, 0.2]"
    assert run(shell, scan)[0]
    open_scan("seen").wait(90)
    went_well, text, _ = run(shell, "%gridscan replay seen --only v0002 --name again")
    assert went_well, text
    open_scan("again").wait(90)
    went_well, text, _ = run(shell, "%gridscan compare again")
    assert went_well, text
    assert (
        repr(open_api_scan("again").compare()) == "<again against seen: reproduced; 1 reproduced>"
    )
    assert (
        "This cell started again before"
        in run(shell, "%gridscan replay seen --only v0002 --name again")[1]
    )
    assert (
        "A variation of seen, not a replay: units = 32 (was 64)."
        in run(shell, "%gridscan replay seen --set units=32")[1]
    )
    open_scan("seen-replay").wait(90)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%gridscan replay", "takes one scan"),
        ("%gridscan replay a b", "unexpected extra argument"),
        ("%gridscan replay a --no-wait", "--no-wait is for the command line"),
        ("%gridscan replay nowhere", "There is no scan 'nowhere'"),
        ("%gridscan compare a b c", "takes two scans, or a replay alone"),
    ],
)
def test_a_replay_that_makes_no_sense_is_one_sentence(
    shell: InteractiveShell, cell: str, words: str
) -> None:
    went_well, text, _ = run(shell, cell)
    assert not went_well
    assert words in text
    assert "Traceback" not in text
