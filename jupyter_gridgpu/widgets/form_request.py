"""The request that a form's cell would make, and the field that an error in it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.planning.options import option_list, read_options_line, to_options, words_for
from jupyter_gridgpu.planning.request import Plan, plan


@dataclass(frozen=True)
class FormRequest:
    """The cell of a form without its options, which are given to the methods."""

    notebook_path: str
    body: str
    variables: Mapping[str, Any]

    def plan(self, texts: Mapping[str, Any]) -> Plan:
        """Return the plan for these options, without asking a batch system. Raises UsageError."""
        values = read_options_line([self.notebook_path, *words_for(texts)])
        options = to_options(values)
        return plan(values["notebook"], self.body, options, self.variables, ask=False)

    def field_of(self, texts: Mapping[str, Any], error: GridGpuError) -> str:
        """Return the field that an error is about, or an empty text if none is.

        It is, in this order: the option that the sentence asks for or begins with, an option
        without which the request is sound, any option that the sentence names.
        """
        text = str(error)
        flags = {option.opts[0] for option in option_list()}
        # Many sentences of planning/ name the option to give, such as `give --trials`.
        asked = re.search(r"(?:give|say which with|Use fewer) (--[a-z-]+)", text)
        asked = asked or re.match(r"(--[a-z-]+)", text)
        if asked and asked[1] in flags:
            return _drawn_as(asked[1])
        # A sentence may name the wrong value but not its option, so each option is left out once.
        for option in option_list():
            name = option.name or ""
            is_given = texts.get(name) and words_for({name: texts[name]})
            if is_given and self._is_sound({**texts, name: None}):
                return _drawn_as(option.opts[0])
        named = re.search(r"(--[a-z-]+)", text)
        if named and named[1] in flags:
            return named[1]
        return ""

    def _is_sound(self, texts: Mapping[str, Any]) -> bool:
        try:
            self.plan(texts)
        except GridGpuError:
            return False
        return True


def _drawn_as(flag: str) -> str:
    """Return the field of an option: both directions of the objective are drawn as one field."""
    if flag == "--minimize":
        return "--maximize"
    return flag
