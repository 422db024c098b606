"""The parameter form: `%gridscan NOTEBOOK` alone. It writes the `%%gridscan` cell that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.form_cell import head
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.options import words_of
from jupyter_gridgpu.widgets.form_check import check, failed
from jupyter_gridgpu.widgets.form_facts import APART, facts, first_state

STATIC = Path(__file__).parent / "static"
STATE_LIMIT = 4_000_000  # characters that a state may have when it comes from the browser


class ScanForm(anywidget.AnyWidget):
    """A form for the notebook at `notebook`; `values` are options by name, `names` variables that values may use.

    Raises NotebookError or UsageError, in one sentence, where there is nothing to make a form of.
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
    ) -> None:
        values = values or {}
        if values.get("maximize") and values.get("minimize"):
            raise UsageError("--maximize and --minimize are both given; a scan has one objective.")
        self._notebook, self._names = str(notebook), names if names is not None else {}
        self._carried = {
            name: values[name]
            for name in APART
            if name in values and name not in ("maximize", "minimize")
        }
        self._line = head([self._notebook, *words_of(values)]).removeprefix("%")
        found = read_notebook(notebook)
        state = first_state(found, values)
        super().__init__(facts=facts(found), state=state, checked=self._check(state))
        self.on_msg(self._on_message)

    def show(self) -> None:
        """Display the form, with a static face beside it for where no widget can be drawn."""
        from IPython.display import display

        made = self._repr_mimebundle_()
        bundle: dict[str, Any] = dict(made[0] if isinstance(made, tuple) else made or {})
        display({**bundle, "text/html": self.html(), "text/plain": self.text()}, raw=True)

    def html(self) -> str:
        """Return what a page without widgets shows: what this is, and the notebook's parameters."""
        rows = "".join(
            f"<tr><td>{escape(p['name'])}</td><td>{escape(p['default'])}</td><td>{escape(p['comment'])}</td></tr>"
            for p in self.facts["parameters"]
        )
        names = "<thead><tr><th>parameter</th><th>default</th><th></th></tr></thead>"
        return (
            f"<div><p>{escape(self._said())}</p><table>{names}<tbody>{rows}</tbody></table></div>"
        )

    def text(self) -> str:
        """Return the same as text."""
        names = ", ".join(p["name"] for p in self.facts["parameters"]) or "none"
        return f"{self._said()}\nParameters: {names}."

    def _said(self) -> str:
        return f"A form to scan {self.facts['notebook']}: run {self._line[:200]} in a notebook to open it."

    def _check(self, state: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return check(self._notebook, state, self._carried, self._names)
        except Exception as error:  # an answer must come, or the form would wait for ever
            return failed(
                "", f"This could not be checked: {type(error).__name__}: {str(error)[:200]}"
            )

    def _on_message(self, widget: Any, content: Any, buffers: Any) -> None:
        state = (
            content.get("state")
            if isinstance(content, dict) and content.get("type") == "check"
            else None
        )
        if isinstance(state, dict) and len(str(state)) <= STATE_LIMIT:
            answer = self._check(state)
            self.state = state  # what a page that is opened anew shows
            self.checked = answer
            self.send({**answer, "id": content.get("id")})
