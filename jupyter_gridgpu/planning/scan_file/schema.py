"""The JSON Schema of a file of a scan, for editors: docs/scan-file.schema.json."""

from __future__ import annotations

from typing import Any

from jupyter_gridgpu.model.resources import RUNTIMES
from jupyter_gridgpu.model.scan import CHANNELS
from jupyter_gridgpu.planning.scan_file.fields import FIELDS, VERSION, OptionField, option_fields

Schema = dict[str, Any]
_WORDS = {"runtime": RUNTIMES, "channel": CHANNELS}
_TEXT: Schema = {"type": "string"}
# To other programs, `A=1` is a text and `12.0` a number; this one reads both as they are written.
_VALUE: Schema = {"type": ["string", "number", "boolean"]}


def schema() -> Schema:
    """Return the schema. The options in it are made from the declared ones."""
    options = {word: _option(word, field) for word, field in option_fields().items()}
    about = {
        "version": {"description": "Version of this format.", "const": VERSION},
        "notebook": {
            "description": "The notebook that trains. Paths are relative to this file.",
            **_TEXT,
        },
        "space": _space(),
        "options": {
            "description": "The options of `gridgpu run`, without dashes.",
            "type": ["object", "null"],
            "properties": options,
            "additionalProperties": False,
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scan of jupyter_gridgpu",
        "description": "Notebook, space and options of a scan; `gridgpu run FILE.yaml` starts it.",
        "type": "object",
        "properties": {name: about[name] for name in FIELDS},
        "required": ["notebook", "space"],
        "additionalProperties": False,
    }


def _space() -> Schema:
    return {
        "description": "The space: the lines of a cell, or a right side for each parameter.",
        "oneOf": [
            {**_TEXT, "minLength": 1},
            {"type": "object", "minProperties": 1, "propertyNames": {"pattern": r"^[^\d\W]"}},
        ],
    }


def _option(word: str, field: OptionField) -> Schema:
    about: Schema = {"description": field.help_text.replace("; may be repeated", "")}
    if word != field.words[0]:
        about["description"] = f"The same as {field.words[0]}."
    if field.several:
        kinds: list[Schema] = [_VALUE, {"type": "array", "items": _VALUE}]
        if field.name == "env":
            kinds.append({"type": "object", "additionalProperties": {**_VALUE, **_OR_NOTHING}})
        return {**about, "oneOf": kinds}
    if field.is_flag:
        return {**about, "type": "boolean"}
    if field.whole:
        return {**about, "type": "integer"}
    if field.name in _WORDS:
        return {**about, "enum": list(_WORDS[field.name])}
    return {**about, "type": ["string", "number"] if field.number else "string"}


_OR_NOTHING: Schema = {"type": ["string", "number", "boolean", "null"]}
