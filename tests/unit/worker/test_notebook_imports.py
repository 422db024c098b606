"""What a notebook lets a prepared parent import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.worker.prefork import notebook_imports
from jupyter_gridgpu.worker.prefork.notebook_imports import import_actions


def found(*cells: str, files: Path = Path("/nonexistent")) -> list[Any]:
    return import_actions(json.loads(notebook_json("seed = 0", *cells)), files)


def modules(*cells: str) -> list[str]:
    return [name for kind, name, _ in found(*cells) if kind == "import"]


def test_imports_are_taken_in_their_order_and_once() -> None:
    cells = (
        "import json, numpy as np\nfrom scipy import stats",
        "import numpy\nimport sklearn.svm\nimport mine",
    )
    assert found(*cells) == [
        ["import", "numpy", []],
        ["import", "scipy", ["stats"]],
        ["import", "sklearn.svm", []],
    ]


def test_what_is_set_before_an_import_is_set_for_it() -> None:
    cells = (
        "import os\nos.environ['KERAS_BACKEND'] = 'jax'\nimport keras\nos.environ['LATER'] = '1'",
    )
    assert found(*cells) == [["set", "KERAS_BACKEND", "jax"], ["import", "keras", []]]


@pytest.mark.parametrize(
    "before",
    [
        "os.environ['OMP_NUM_THREADS'] = str(seed)",
        "if seed:\n    os.environ['A'] = '1'",
        "os.environ.update(A='1')",
        "del os.environ['A']",
        "os.putenv('A', '1')",
        "sys.path.insert(0, '/mine')",
        "sys.path[:0] = ['/mine']",
        "!pip install numpy",
        "%pip install numpy",
        "subprocess.run([sys.executable, '-m', 'pip', 'install', 'numpy'])",
        "%env A=1",
        "%%bash\necho",
        "this is no Python",
    ],
)
def test_reading_ends_where_later_imports_might_do_something_else(before: str) -> None:
    assert modules("import scipy", before, "import numpy") == ["scipy"]


@pytest.mark.parametrize(
    "before",
    ["%matplotlib inline", "%%time\nx = 1", "a = os.environ['A']", "sys.path.append('/mine')"],
)
def test_harmless_lines_change_nothing(before: str) -> None:
    assert modules(before, "import numpy") == ["numpy"]


def test_only_what_surely_runs_is_taken() -> None:
    cell = (
        "try:\n    import numpy\nexcept ImportError:\n    import scipy\n"
        "if seed:\n    import pandas\ndef f():\n    import h5py"
    )
    assert modules(cell) == ["numpy"]


def test_of_matplotlib_only_what_needs_no_kernel() -> None:
    assert modules("import matplotlib.pyplot as plt\nfrom matplotlib import cm") == [
        "matplotlib.figure"
    ]


def test_a_module_that_a_file_beside_the_notebook_hides_is_left_to_the_kernel(
    tmp_path: Path,
) -> None:
    (tmp_path / "numpy.py").write_text("")
    (tmp_path / "scipy").mkdir()
    assert found("import numpy, scipy, pandas", files=tmp_path) == [["import", "pandas", []]]


def test_keras_comes_with_tensorflow_where_it_is_used() -> None:
    assert modules("import tensorflow as tf", "tf.keras.Sequential()") == ["tensorflow", "keras"]
    assert modules("import tensorflow as tf", "tf.constant(1)") == ["tensorflow"]


@pytest.mark.parametrize(
    "body",
    [
        {"cells": []},
        {"cells": [], "metadata": {"gridgpu": 3}},
        {"cells": [{"cell_type": "markdown"}]},
    ],
)
def test_a_notebook_without_imports(body: dict[str, Any]) -> None:
    assert import_actions(body, Path("/nonexistent")) == []


def beside(folder: Path, **sources: str) -> Path:
    for name, source in sources.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return folder


def test_a_module_beside_the_notebook_is_read_where_it_is_imported(tmp_path: Path) -> None:
    beside(
        tmp_path,
        model="import keras\nfrom layers import dense",
        layers="import model\nimport scipy\ndef dense(): import torch",
    )
    cells = ("import pandas\nfrom model import build", "import numpy\nimport layers")
    names = [name for _, name, _ in found(*cells, files=tmp_path)]
    assert names == ["pandas", "keras", "scipy", "numpy"]


def test_packages_beside_the_notebook_are_read_with_their_parts(tmp_path: Path) -> None:
    beside(
        tmp_path,
        lib__init="",
        lib__data="import h5py",
        lib__net="import torch",
        lib__other="import sympy",
    )
    (tmp_path / "lib" / "init.py").rename(tmp_path / "lib" / "__init__.py")
    names = [name for _, name, _ in found("import lib.data\nfrom lib import net", files=tmp_path)]
    assert names == ["h5py", "torch"]


@pytest.mark.parametrize(
    "helper",
    [
        "import os\nos.environ['A'] = str(1)",
        "this is no Python",
        "import sys\nsys.path[:0] = ['/x']",
    ],
)
def test_reading_ends_in_a_module_that_might_change_later_imports(
    tmp_path: Path, helper: str
) -> None:
    beside(tmp_path, helper=helper)
    assert [
        name for _, name, _ in found("import scipy\nimport helper\nimport numpy", files=tmp_path)
    ] == ["scipy"]


def test_a_package_may_import_its_own_parts(tmp_path: Path) -> None:
    env = "import os\nos.environ['KERAS_BACKEND'] = 'torch'"
    beside(
        tmp_path,
        lib__init="from .env import *\nfrom . import net\nimport keras",
        lib__env=env,
        lib__net="import scipy",
    )
    (tmp_path / "lib" / "init.py").rename(tmp_path / "lib" / "__init__.py")
    assert found("import lib", files=tmp_path) == [
        ["set", "KERAS_BACKEND", "torch"],
        ["import", "scipy", []],
        ["import", "keras", []],
    ]


@pytest.mark.parametrize(
    "cell",
    ["if seed:\n    import helper", "def f():\n    import helper\nf()", "from . import helper"],
)
def test_reading_ends_where_a_module_beside_the_notebook_may_be_imported_or_not(
    tmp_path: Path, cell: str
) -> None:
    beside(tmp_path, helper="import os\nos.environ['TF_USE_LEGACY_KERAS'] = '1'")
    assert [
        name for _, name, _ in found("import scipy", cell, "import tensorflow", files=tmp_path)
    ] == ["scipy"]


def test_reading_ends_at_a_module_too_large_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook_imports, "HELPER_BYTES", 10)
    beside(tmp_path, helper="import h5py\n")
    assert [
        name for _, name, _ in found("import scipy\nimport helper\nimport numpy", files=tmp_path)
    ] == ["scipy"]
