"""A file of a scan is read as it is meant, or refused in a sentence with the line."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.declaration import Options, wording_of
from tests.odd_files import ODD_FILES, make_odd

HEAD = "notebook: train.ipynb\n"
LINES = "space: |\n  lr = [0.1, 0.2]\n"
OPTIONS = HEAD + LINES + "options:\n"
SPACE = HEAD + "space: |\n"
PAIRS = HEAD + "space:\n"
BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
# The text of a file, and what is said of it.
REFUSED = [
    ("", "scan.yaml is empty; write a notebook"),
    ("# nothing\n", "scan.yaml is empty"),
    ("just a text\n", "line 1: the file is the text 'just a text'; write fields like"),
    ("- a\n- b\n", "line 1: the file is a list"),
    ("a: [1\n", "line 2: it is not YAML"),
    ("a: 1\n b: 2\n", "line 2: it is not YAML"),
    ("\x00", "it is not YAML"),
    (LINES, "the file has no notebook; write `notebook: train.ipynb`"),
    (HEAD, "the file has no space; write the lines of a cell below `space: |`"),
    (PAIRS, "line 2: space has no value"),
    (HEAD + "space: []\n", "line 2: space is a list; write the lines"),
    ("notebok: a\n" + LINES, "line 1: the file has no field 'notebok'; there are version, note"),
    (HEAD + LINES + "gpus: 1\n", "line 4: gpus is an option; write it below `options:`"),
    (HEAD + HEAD + LINES, "line 2: notebook is given twice; keep one"),
    ("version: 2\n" + HEAD + LINES, "line 1: version '2' is not known; this program reads"),
    ("version: one\n" + HEAD + LINES, "line 1: version 'one' is not known"),
    ("notebook: [a]\n" + LINES, "line 1: notebook is a list; write the path of a notebook"),
    ("notebook:\n" + LINES, "line 1: notebook has no value"),
    (HEAD + LINES + "options: gpus 1\n", "line 4: options is the text 'gpus 1'"),
    (HEAD + LINES + "options: [gpus]\n", "line 4: options is a list"),
    (OPTIONS + "  gpu: 1\n", "line 5: there is no option 'gpu'; perhaps gpus is meant"),
    (OPTIONS + "  walltme: 2h\n", "line 5: there is no option 'walltme'; perhaps walltime is"),
    (OPTIONS + "  profile: lab\n", "line 5: there is no option profile; write `on: NAME`"),
    (OPTIONS + "  zzz: 2h\n", "line 5: there is no option 'zzz'; `gridgpu run --help` lists"),
    (OPTIONS + "  gpu_model: A100\n", "line 5: 'gpu_model' is written gpu-model here"),
    (OPTIONS + "  --gpus: 1\n", "line 5: '--gpus' is written gpus here"),
    (OPTIONS + "  metrics: push\n", "line 5: metrics is called channel now"),
    (OPTIONS + "  dry-run: true\n", "line 5: dry-run belongs to the command"),
    (OPTIONS + "  json: true\n", "line 5: json belongs to the command"),
    (OPTIONS + "  gpus: many\n", "line 5: gpus: 'many' is no whole number"),
    (OPTIONS + "  gpus: 1.5\n", "line 5: gpus: '1.5' is no whole number"),
    (OPTIONS + "  gpus: [1]\n", "line 5: gpus is a list; write one value"),
    (OPTIONS + "  gpus:\n", "line 5: gpus has no value; give one, or remove the line"),
    (OPTIONS + "  on: local\n  gpus: ~\n", "line 6: gpus has no value"),
    (OPTIONS + "  gpus: 1\n  gpus: 2\n", "line 6: gpus is given twice; keep one"),
    (OPTIONS + "  queue: a\n  site: b\n", "line 6: queue and partition and site are one option"),
    (OPTIONS + "  no-prefork: maybe\n", "line 5: no-prefork: 'maybe' is neither true nor false"),
    (OPTIONS + "  name: {a: 1}\n", "line 5: name is a mapping; write one value"),
    (OPTIONS + "  env: {A: [1]}\n", "line 5: env: A is a list; write one value"),
    (OPTIONS + "  env: {A: 1, A: 2}\n", "line 5: A is given twice"),
    (OPTIONS + "  setup:\n    - a\n    - [b]\n", "line 7: setup is a list"),
    (OPTIONS + "  secret: [~]\n", "line 5: secret has no value"),
    (OPTIONS + "  ? [a]\n  : 1\n", "line 5: options has a field whose name is no text"),
    (OPTIONS + "  <<: {gpus: 1}\n", "line 5: there is no option '<<'"),
    (OPTIONS + "  on: !!python/name:os.system slurm\n", "line 5: the tag 'tag:yaml.org,2002:py"),
    (OPTIONS + "  on: !local slurm\n", "line 5: the tag '!local' means nothing here; remove it"),
    ("!x\n" + HEAD + LINES, "the tag '!x' means nothing here"),
    (OPTIONS + "  on: *nowhere\n", "line 5: an alias stands for no node before it"),
    (BOMB + HEAD + LINES, "there are more than 500,000 values and keys"),
    ("x: " + "[" * 200 + "]" * 200, "line 1: there are more than 100 levels"),
    (HEAD + LINES + "---\nb: 1\n", "line 4: it is not YAML"),
    ("# " + "x" * 1_000_000, "cannot be read"),
    (SPACE + "  lr = [0.1\n", "line 3 is not Python: '[' was never closed"),
    (SPACE + "\n  lr = [0.1]\n  m = open('x')\n", "line 5: `open('x')` is code, and a file only"),
    (SPACE + "  import os\n", "line 3 is not an assignment of one name: import os"),
    (SPACE + "  lr = base\n", "line 3, lr: NameError: name 'base' is not defined. A text stands"),
    (SPACE + "  lr = 9**9**9\n", "line 3, lr: a number in it has too many digits"),
    (SPACE + "  lr = [0] * 10**9\n", "line 3, lr: a text or a list in it is too long"),
    (SPACE + "  lr = list(range(10**9))\n", "line 3, lr: it takes more memory than there is"),
    (SPACE + "  lr = [1, 2]\n  lr = 3\n", "line 4: lr is given twice; keep one of the two"),
    (SPACE + "  if lr > 1:\n    m = 2\n  lr = [1]\n", "line 3, if: lr is given only in line 5"),
    (HEAD + 'space: "lr = [1"\n', "line 2 is not Python"),
    (PAIRS + "  if lr > 1: 3\n", "line 3: 'if lr > 1' is no name of a parameter; for conditions"),
    (PAIRS + "  lr: adam + 1\n", "line 3, lr: NameError: name 'adam' is not defined. A text"),
    (PAIRS + "  lr: loguniform(1e-4,\n", "line 3: lr: loguniform(1e-4, is no value; a text"),
    (PAIRS + "  lr: 1; import os\n", "line 3: lr: 1; import os is no value"),
    (PAIRS + "  lr: 1\n  lr: 2\n", "line 4: lr is given twice"),
    (PAIRS + "  m: 2\n  lr: loguniform(1, 0)\n", "line 4, lr: loguniform(1, 0): the lower end"),
    (PAIRS + "  m: null\n  lr:\n", "line 4: lr has no value"),
    (PAIRS + "  lr: 2026-01-01\n", "line 3: lr: 2026-01-01 is no value; a text stands in quotes"),
    (PAIRS + "  lr: !!set {1}\n", "line 3: the tag"),
]
# Lines that would run something if they were evaluated.
CODE = [
    "__import__('os').system('touch ran')",
    "().__class__.__base__.__subclasses__()",
    "min([\"__import__('os').system('touch ran')\"], key=eval)",
    "[int(\"__import__('os').system('touch ran')\") for int in [eval]]",
    "(lambda: open('ran', 'w'))()",
    'exec(\'open("ran", "w")\')',
    "[print for print in [1]][0].real",
    "(x := 3)",
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str) -> scan_file.ScanFile:
    Path("scan.yaml").write_text(text)
    return scan_file.read("scan.yaml")


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_a_mistake_is_one_sentence_with_its_line(text: str, words: str) -> None:
    with pytest.raises(GridGpuError) as refused:
        read(text)
    said = str(refused.value)
    assert said.startswith("scan.yaml")
    assert words in said


@pytest.mark.parametrize("code", CODE)
@pytest.mark.parametrize("form", ["space: |\n  lr = {}\n", "space:\n  lr: >-\n    {}\n"])
def test_reading_a_file_runs_nothing_that_is_in_it(code: str, form: str) -> None:
    with pytest.raises(GridGpuError, match="is code, and a file only describes a scan"):
        read(HEAD + form.format(code))
    assert not Path("ran").exists()


@pytest.mark.parametrize("kind", ODD_FILES)
def test_only_plain_files_are_read(kind: str) -> None:
    make_odd(Path("scan.yaml"), kind)
    with pytest.raises(GridGpuError) as refused:
        scan_file.read("scan.yaml")
    # A link to a plain file is one.
    assert ("is the text 'secret'" if kind == "secret" else "cannot be read") in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_said() -> None:
    with pytest.raises(GridGpuError, match=r"none\.yaml cannot be read: No such file"):
        scan_file.read("none.yaml")
    Path("scan.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(GridGpuError, match="is no file of a scan: it is not text"):
        scan_file.read("scan.yaml")


# The lines of options, and what a command line would give.
TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("on: slurm\n  gpus: 1", {"on": "slurm", "gpus": 1}),
    (
        "cuda: 12.0\n  vram: 40GB\n  memory: 4000",
        {"cuda": "12.0", "vram": "40GB", "memory": "4000"},
    ),
    ("walltime: 1:30:00", {"walltime": "1:30:00"}),
    ("maximize: max(rej_light)", {"maximize": ("max(rej_light)",)}),
    ("maximize: [a, max(b)]\n  minimize: c", {"maximize": ("a", "max(b)"), "minimize": ("c",)}),
    (
        "warm-start: [btag, other]\n  points: p.csv",
        {"warm_start": ("btag", "other"), "points": "p.csv"},
    ),
    ("seed: 12345678901", {"seed": 12345678901}),
    ("no-prefork: yes\n  no-shared-disk: false", {"no_prefork": True, "no_shared_disk": False}),
    ("partition: gpu", {"queue": "gpu"}),
    ("in: user.me.jets", {"inputs": ("user.me.jets",)}),
    ("env: [A=1, B]", {"env": ("A=1", "B")}),
    ("env: {A: 1.0, B: , C: ''}", {"env": ("A=1.0", "B", "C=")}),
    ("setup: |\n    module load cuda\n\n    true", {"setup": ("module load cuda", "true")}),
    ("setup: [a b, 'c: d']", {"setup": ("a b", "c: d")}),
    ("exclude-site: &s [CERN]\n  bind: *s", {"exclude_site": ("CERN",), "bind": ("CERN",)}),
    ("max-failures: none\n  name: '1'", {"max_failures": "none", "name": "1"}),
]


@pytest.mark.parametrize(("lines", "values"), TAKEN)
def test_options_are_what_a_command_line_gives(lines: str, values: dict[str, Any]) -> None:
    assert read(OPTIONS + f"  {lines}\n").options == values


def test_a_file_may_have_no_options_and_name_its_version() -> None:
    marked = "\ufeff" + (HEAD + LINES).replace("\n", "\r\n")
    for text in (HEAD + LINES, "version: 1\n" + HEAD + LINES + "options:\n", marked):
        file = read(text)
        assert (file.notebook, file.options) == ("train.ipynb", {})
        assert file.space == parse_space("lr = [0.1, 0.2]")


# The lines of a mapping, and those of a cell.
MAPPINGS = [
    ("lr: loguniform(1e-4, 1e-2)", "lr = loguniform(1e-4, 1e-2)"),
    ("units: [64, 2**7]\n  epochs: 20", "units = [64, 2**7]\nepochs = 20"),
    ("opt: [adam, 'sgd', \"x y\"]", "opt = ['adam', 'sgd', 'x y']"),
    ("opt: adam\n  flag: true\n  no: null", "opt = 'adam'\nflag = True\nno = None"),
    ("lr: [1e-3, 1.e-2]\n  b: '8'", "lr = [1e-3, 1.e-2]\nb = '8'"),
    ("layers: fixed([256, 128])", "layers = fixed([256, 128])"),
    ("a: [1, 2]\n  b: a * 2\n  c: a", "a = [1, 2]\nb = a * 2\nc = a"),
    (
        "units, layers: together([(64, 4), (128, 3)])",
        "units, layers = together([(64, 4), (128, 3)])",
    ),
    ("shape: {kind: box, size: 3}", "shape = {'kind': 'box', 'size': 3}"),
    ("lr:\n    - 0.1\n    - 0.2", "lr = [0.1, 0.2]"),
]


@pytest.mark.parametrize(("lines", "cell"), MAPPINGS)
def test_a_mapping_says_what_a_cell_says(lines: str, cell: str) -> None:
    assert read(PAIRS + f"  {lines}\n").space == parse_space(cell)


def test_lines_may_compute_with_numbers_and_lists() -> None:
    cell = "lr = [10**-k for k in range(1, 4)]\nn = sorted([3, 1])\nm = max(4, len([1, 2]))\n"
    cell += "t = f'{2:>3}'\nk = [*range(2), 7][1:]\nx = float('nan')\n"
    file = read(SPACE + "".join(f"  {line}\n" for line in cell.splitlines()))
    assert repr(file.space) == repr(parse_space(cell))


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans/train.ipynb").touch()
    lines = "  files: [jets.npz, 'x*.csv', /data/y]\n  image: ml.sif\n  python: venv/bin/python\n"
    lines += "  points: own/p.csv\n  warm-start: [btag, old/scan]\n"
    (tmp_path / "scans/scan.yaml").write_text(OPTIONS + lines)
    file = scan_file.read("scans/scan.yaml")
    assert file.notebook == "scans/train.ipynb"
    assert file.options == {
        "files": ("jets.npz", "x*.csv", "/data/y"),  # those count from the notebook's folder
        "image": "scans/ml.sif",
        "python": "scans/venv/bin/python",
        "points": "scans/own/p.csv",
        "warm_start": ("btag", "scans/old/scan"),
    }
    lines = lines.replace("ml.sif", "docker://ml").replace("venv/bin/python", "conda:ml")
    text = (OPTIONS + lines).replace("train.ipynb", "../train.ipynb")
    (tmp_path / "scans/scan.yaml").write_text(text)
    file = scan_file.read(tmp_path / "scans/scan.yaml")
    assert file.options == {
        "files": ("scans/jets.npz", "scans/x*.csv", "/data/y"),
        "image": "docker://ml",
        "python": "conda:ml",
        "points": f"{tmp_path}/scans/own/p.csv",
        "warm_start": ("btag", f"{tmp_path}/scans/old/scan"),
    }


class YamlOfToday(yaml.SafeLoader):  # type: ignore[misc]
    """Reads YAML 1.2, as editors do: `on` and `yes` are texts."""


YamlOfToday.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in found if not tag.endswith((":bool", ":timestamp"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
YamlOfToday.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf")
)
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/scan-file.schema.json").read_text("utf-8"))


def fits(text: str) -> bool:
    """Whether an editor with the schema would find nothing wrong."""
    body = yaml.load(text, Loader=YamlOfToday)
    return bool(Draft202012Validator(SCHEMA).is_valid(body))


def test_the_schema_knows_every_option_and_takes_what_is_read() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    options = SCHEMA["properties"]["options"]["properties"]
    words = {
        word.removeprefix("--")
        for declared in fields(Options)
        for word in wording_of(declared).words
    }
    assert set(options) == words
    for lines, _ in TAKEN:
        if "yes" not in lines and "1:30:00" not in lines:
            assert fits(OPTIONS + f"  {lines}\n"), lines
    for lines, _ in MAPPINGS:
        assert fits(PAIRS + f"  {lines}\n"), lines
    for text in (
        *(OPTIONS + f"  {line}\n" for line in ("gpu: 1", "gpus: many", "gpus: [1]", "runtime: x")),
        *(OPTIONS + f"  {line}\n" for line in ("name: {a: 1}", "no-prefork: maybe", "secret: [~]")),
        *(HEAD, LINES, "version: 2\n" + HEAD + LINES, HEAD + LINES + "gpus: 1\n"),
        *(HEAD + "space: []\n", HEAD + "space:\n", PAIRS + "  1 b: 2\n"),
    ):
        assert not fits(text), text


EXAMPLES = re.findall(
    r"```yaml\n(.*?)```", (Path(__file__).parents[3] / "docs/scan-file.md").read_text("utf-8"), re.S
)


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_page_are_sound(text: str) -> None:
    file = read(text)
    assert file.options
    assert fits(text)
