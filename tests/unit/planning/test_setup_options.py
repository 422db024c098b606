"""What `--setup` and `--python` may say, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.environment_options import environment_of
from jupyter_gridgpu.planning.kernels import choose_kernel

PYTHON = {"kernelspec": {"name": "my-env", "language": "python"}}
R = {"kernelspec": {"name": "ir", "language": "R"}}


@pytest.mark.parametrize(
    "line",
    [
        "module load cuda",
        "source /cvmfs/sft.cern.ch/lcg/views/LCG_107/x86_64-el9-gcc13-opt/setup.sh",
        "export A='it''s' B=\"x y\"",
        "if [[ -d /x ]]; then cd /x; fi",
        "for x in 1 2; do echo $x; done # comment",
        "a=(1 2 3)",
        "  ml python/3.12  ",
        "exit 3",
        "cat <<< word",
        "f() { echo x; }; f",
        "nohup daemon &",
    ],
)
def test_a_complete_line_is_taken_as_it_is(line: str) -> None:
    assert environment_of(Options(setup=(line,))).setup == (line.strip(),)


@pytest.mark.parametrize(
    "line",
    ["echo 'a", 'echo "a', "if true", "fi", "echo )", "( echo", "for x in", "a | ", "&& b", "`x"],
)
def test_a_line_that_no_shell_reads_is_refused_by_its_name(line: str) -> None:
    with pytest.raises(UsageError, match="is no complete line of shell: ") as caught:
        environment_of(Options(setup=("true", line)))
    said = str(caught.value)
    assert said.startswith(f"--setup {line.strip()!r} ")
    assert "\n" not in said


def test_lines_are_read_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = tmp_path / "start"
    start.write_text(f": >'{tmp_path}/ran'\n")
    monkeypatch.setenv("BASH_ENV", str(start))
    monkeypatch.setenv("ENV", str(start))
    environment_of(Options(setup=(f": >'{tmp_path}/ran'; exit 3",)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("line", ["", "  ", "a\nb", "x" * 2001])
def test_a_line_is_one_line(line: str) -> None:
    with pytest.raises(UsageError, match="--setup"):
        environment_of(Options(setup=(line,)))


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("python3.12", "python3.12"),
        ("/opt/my env/bin/python", "/opt/my env/bin/python"),
        ("env/bin/python", "{here}/env/bin/python"),
        ("~/env/bin/python", "{home}/env/bin/python"),
        ("conda:ml-2.0", "conda:ml-2.0"),
        ("conda:/opt/envs/ml", "conda:/opt/envs/ml"),
        ("conda:~/envs/ml", "conda:{home}/envs/ml"),
    ],
)
def test_a_python_is_a_program_a_path_or_an_environment(
    text: str, taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of/user")
    wanted = taken.format(here=tmp_path, home="/home/of/user")
    assert environment_of(Options(python=text)).python == wanted


def test_the_link_of_a_virtual_environment_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to("/usr/bin/python3")
    assert environment_of(Options(python=str(link))).python == str(link)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("python3 -u", "give one program"),
        ("-c", "give one program"),
        ("a;b", "give one program"),
        ("conda:", "the name of an environment"),
        ("conda:a b", "the name of an environment"),
        ("conda:$(x)", "the name of an environment"),
        ("/usr/bin", "is a folder: give the program in it"),
        ("", "give one line"),
    ],
)
def test_anything_else_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        environment_of(Options(python=text))


def test_an_image_has_its_own_python() -> None:
    with pytest.raises(UsageError, match="with --image, the image's own python3 runs"):
        environment_of(Options(python="python3", image="x.sif"))


@pytest.mark.parametrize(
    ("metadata", "wanted", "name", "remark"),
    [
        (PYTHON, None, "python3", True),
        (PYTHON, "python3", "python3", True),
        (PYTHON, "another", "another", False),
        ({"kernelspec": {"name": "python3", "language": "python"}}, None, "python3", False),
        ({}, None, "python3", False),
        (R, None, "ir", False),
    ],
)
def test_the_kernel_is_that_of_the_python_that_is_named(
    metadata: dict[str, object], wanted: str | None, name: str, remark: bool
) -> None:
    kernel = choose_kernel(Path("t.ipynb"), metadata, wanted, here=False, own_python=True)
    assert (kernel.name, bool(kernel.remark)) == (name, remark)
