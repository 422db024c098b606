"""The parameter form, which `%gridscan NOTEBOOK` opens. It writes a `%%gridscan` cell."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from jupyter_gridgpu.model.escapes import visible
from jupyter_gridgpu.model.form_cell import first_line
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.options import words_for
from jupyter_gridgpu.widgets.form_check import check, failed
from jupyter_gridgpu.widgets.form_facts import facts
from jupyter_gridgpu.widgets.form_saving import save
from jupyter_gridgpu.widgets.form_start import evaluated_lines, first_state, starting_rows
from jupyter_gridgpu.widgets.widget_bundle import widget_bundle

STATIC = Path(__file__).parent / "static"
STATE_LIMIT = 4_000_000  # characters of a state that a browser may send


class ScanForm(anywidget.AnyWidget):
    """A form for one notebook.

    The browser draws `facts`, which never change. `state` is what the user has filled in.
    `checked` is the answer to it: the cell, the number of variants, and the errors.
    """

    _esm = STATIC / "form.js"
    _css = STATIC / "form.css"
    facts = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    checked = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        notebook: str | Path,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, Any] | None = None,
        body: str = "",
    ) -> None:
        """`values` are options by name. `names` are variables that values in the form may use.

        `body` are the lines of a cell that the form shows. With `names`, they are evaluated as in
        the cell; without, nothing of them is run.

        Raises NotebookError if the notebook cannot be read.
        """
        values = values or {}
        # Not copied: a variable that the user assigns later can be used in the form, too.
        self._variables: Mapping[str, Any] = {}
        if names is not None:
            self._variables = names
        self._notebook = str(notebook)
        self._line = first_line([self._notebook, *words_for(values)]).removeprefix("%")
        found = read_notebook(notebook, None, values.get("kernel"))
        state = first_state(found, values, body)
        self._evaluated = {} if names is None else evaluated_lines(state, names)
        shown = facts(found, starting_rows(found))
        super().__init__(facts=shown, state=state, checked=self._check(state))
        self.on_msg(self._on_message)

    def show(self) -> None:
        """Display the form, with a table of the parameters for readers without widgets."""
        from IPython.display import display

        texts = {"text/html": self.html(), "text/plain": self.text()}
        display({**widget_bundle(self), **texts}, raw=True)

    def html(self) -> str:
        """Return HTML for a page without widgets: how to open the form, and the parameters."""
        rows = ""
        for parameter in self.facts["parameters"]:
            texts = (parameter["name"], parameter["default"], parameter["comment"])
            cells = "".join(f"<td>{escape(visible(text))}</td>" for text in texts)
            rows += f"<tr>{cells}</tr>"
        names = "<thead><tr><th>parameter</th><th>default</th><th></th></tr></thead>"
        table = f"<table>{names}<tbody>{rows}</tbody></table>"
        return f"<div><p>{escape(visible(self._caption()))}</p>{table}</div>"

    def text(self) -> str:
        """Return how to open the form, and the names of the parameters, as plain text."""
        names = ", ".join(parameter["name"] for parameter in self.facts["parameters"])
        return f"{self._caption()}\nParameters: {names or 'none'}."

    def _caption(self) -> str:
        line = self._line[:200]
        return f"A form to scan {self.facts['notebook']}: run {line} in a notebook to open it."

    def _check(self, state: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return check(self._notebook, state, self._variables, self._evaluated)
        except Exception as error:
            # Without an answer the form would wait for ever.
            problem = f"{type(error).__name__}: {str(error)[:200]}"
            return failed("", f"This could not be checked: {problem}")

    def _on_message(self, widget: Any, content: Any, buffers: Any) -> None:
        """Check or save the state that a browser sends, and answer. Drop any other message."""
        if not isinstance(content, dict) or content.get("type") not in ("check", "save"):
            return
        state = content.get("state")
        if not isinstance(state, dict) or len(str(state)) > STATE_LIMIT:
            return
        answer = self._check(state)
        # A page that is opened anew gets these, and so shows what was filled in.
        self.state = state
        self.checked = answer
        if content["type"] == "save":
            overwrite = content.get("overwrite") is True
            answer = {"type": "saved", **self._save(answer, content.get("path"), overwrite)}
        self.send({**answer, "id": content.get("id")})

    def _save(self, checked: dict[str, Any], path: object, overwrite: bool) -> dict[str, Any]:
        return save(checked, path, overwrite, self._variables)
