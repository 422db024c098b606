from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.planning.notebook import metric_names, read_notebook
from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.widgets.form import ScanForm


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        assert not attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_static_face_lists_the_parameters_as_text(tmp_path: Path) -> None:
    (tmp_path / "train.ipynb").write_text(
        notebook_json("lr = 1\nunits = [1]  # <b>widths</b>\nlayers = 2")
    )
    form = ScanForm(tmp_path / "train.ipynb")
    seen = Seen(form.html())
    assert seen.tags <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert "<b>widths</b>" in seen.text
    assert "A form to scan train.ipynb: run %gridscan" in seen.text
    assert form.text().splitlines()[1].startswith("Parameters: lr, units, layers")


@pytest.mark.parametrize(
    "source",
    [
        "report(**{**a})",
        "report(*a)",
        "report(x=",
        "compile('x')",
        "é = report(ü=1)",
        "a.report(b=1)(c=2)",
    ],
)
def test_metrics_are_looked_for_in_any_source(tmp_path: Path, source: str) -> None:
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 1", source))
    assert set(metric_names(read_notebook(tmp_path / "train.ipynb"))) <= {"ü", "b"}
