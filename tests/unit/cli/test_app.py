"""The command line as a whole: what it imports, its exit codes, the words of earlier versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from jupyter_gridgpu.cli.app import gridgpu, main
from jupyter_gridgpu.cli.collector import collector
from jupyter_gridgpu.cli.replay import read_replay_request
from jupyter_gridgpu.cli.space_options import space_text
from jupyter_gridgpu.errors import UsageError

SLOW = ("papermill", "pandas", "optuna", "scipy", "numpy", "rich", "IPython", "jupyter_client")


def exit_code(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gridgpu", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_help_imports_nothing_slow() -> None:
    code = (
        "import sys; from jupyter_gridgpu.cli.app import gridgpu;"
        " gridgpu.main(['--help'], standalone_mode=False);"
        f" print([name for name in {SLOW} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [[], ["image"], ["drop"]])
def test_a_group_without_a_verb_shows_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert exit_code(monkeypatch, *words) in (0, 2)  # 0 before click 8.2
    said = capsys.readouterr()
    assert (said.out + said.err).startswith("Usage: ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nope"], "gridgpu: No such command 'nope'."),
        (["run"], "gridgpu: Missing argument 'NOTEBOOK'."),
        (["run", "nope.ipynb", "-p", "lr = 1"], "gridgpu: There is no notebook nope.ipynb."),
        (
            ["replay", "a", "--only", " "],
            "gridgpu: --only is empty: leave it out for all variants.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(monkeypatch, *words) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


def test_every_verb_has_its_line_of_help() -> None:
    help_text = CliRunner().invoke(gridgpu, ["--help"]).output
    for name, verb in gridgpu.commands.items():
        assert f"\n  {name} " in help_text
        assert verb.help


@pytest.mark.parametrize("word", ["--storage", "--space"])
def test_the_storage_of_a_collector_has_an_old_word(word: str) -> None:
    with click.Context(collector) as context:
        assert collector.parse_args(context, [word, "5"]) == []
        assert context.params["storage"] == 5
        assert "--space" not in collector.get_help(context)


def test_a_replay_takes_the_old_word_for_the_channel() -> None:
    _, old = read_replay_request(["scan", "--metrics", "end"])
    assert old.options == {"channel": "end"}
    assert read_replay_request(["scan", "--channel", "auto"])[1].options == {"channel": "auto"}
    assert read_replay_request(["scan"])[1].options == {}


@pytest.mark.parametrize("word", ["--no-wait", "--json", "--dry-run"])
def test_a_replay_in_a_notebook_refuses_what_is_for_the_command_line(word: str) -> None:
    with pytest.raises(UsageError, match=f"{word} is for the command line"):
        read_replay_request(["scan", word])


def test_a_space_is_read_from_a_file_before_the_lines(tmp_path: Path) -> None:
    file = tmp_path / "space.py"
    file.write_text("lr = 1")
    assert space_text(str(file), ("units = 2",)) == "lr = 1\nunits = 2"
    assert space_text(None, ("units = 2",)) == "units = 2"
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read: it is not text"):
        space_text(str(file), ())
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        space_text(str(tmp_path / "none.py"), ())
