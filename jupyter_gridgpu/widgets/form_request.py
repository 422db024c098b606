"""The request that a form's cell would make, and which field an error in it belongs to."""

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
    """The cell of a form without its options. The methods are given the options."""

    notebook_path: str
    body: str
    variables: Mapping[str, Any]

    def plan(self, texts: Mapping[str, Any]) -> Plan:
        """Return the plan for these options, without asking a batch system. Raises UsageError."""
        values = read_options_line([self.notebook_path, *words_for(texts)])
        options = to_options(values)
        return plan(values["notebook"], self.body, options, self.variables, ask=False)

    def field_of(self, texts: Mapping[str, Any], error: GridGpuError) -> str:
        """Return the field that an error belongs to, or an empty text if no field is found.

        It is the first of these that exists: the option that the sentence asks for or begins with;
        an option without which the request has no error; an option that the sentence names.
        """
        text = str(error)
        flags = {option.opts[0] for option in option_list()}
        # Many sentences of planning/ name the option to give, such as `give --trials`.
        asked = re.search(r"(?:give|say which with|Use fewer) (--[a-z-]+)", text)
        asked = asked or re.match(r"(--[a-z-]+)", text)
        if asked and asked[1] in flags:
            return _drawn_as(asked[1])
        # A sentence may name the wrong value without its option. So each option is left out once.
        for option in option_list():
            name = option.name or ""
            if words_for({name: texts.get(name)}) and self._has_no_error({**texts, name: None}):
                return _drawn_as(option.opts[0])
        named = re.search(r"(--[a-z-]+)", text)
        if named and named[1] in flags:
            return named[1]
        return ""

    def _has_no_error(self, texts: Mapping[str, Any]) -> bool:
        try:
            self.plan(texts)
        except GridGpuError:
            return False
        return True


def _drawn_as(flag: str) -> str:
    """Return the field of an option. Both directions of the objective are drawn as one field."""
    if flag == "--minimize":
        return "--maximize"
    return flag
