"""Makes JSON schemas of typed dicts, since no generator reads them on every Python that we support.

The docstring of a typed dict becomes its description. The comment at a key becomes the description
of the key.
"""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
import types
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from jupyter_gridgpu.model.numbers import Num

Schema = dict[str, Any]
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


@dataclass(frozen=True)
class Naming:
    """How a document refers to schemas that have a name."""

    prefix: str  # of a reference, for example #/$defs/
    names: dict[Any, str]  # of the types that have a name, beside the typed dicts

    def reference(self, kind: Any) -> Schema | None:
        """Return the reference to a type, or None if the type has no name."""
        if is_typeddict(kind) or kind in self.names:
            return {"$ref": self.prefix + (self.names.get(kind) or kind.__name__)}
        return None


def schema(kind: Any, naming: Naming) -> Schema:
    """Return the schema of a type: a reference where the type has a name."""
    return naming.reference(kind) or structure(kind, naming)


def structure(kind: Any, naming: Naming) -> Schema:
    """Return the schema of a type itself. Raises TypeError for a type that no document has."""
    if kind is Any:
        return {}
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, types.UnionType):
        return _union(arguments, naming)
    if origin is list:
        return {"type": "array", "items": schema(arguments[0], naming)}
    if origin is tuple:
        items = [schema(item, naming) for item in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if origin is dict:
        return _mapping(arguments[0], arguments[1], naming)
    raise TypeError(f"{kind} has no schema here")


def _literal(values: tuple[Any, ...]) -> Schema:
    if values == (True,):
        return {"const": True}
    return {"type": "string", "enum": list(values)}


def _union(kinds: tuple[Any, ...], naming: Naming) -> Schema:
    """Return the schema of a union."""
    # Python flattens `Num | None` into the parts of Num and None. So Num is put together again.
    if set(get_args(Num)) < set(kinds):
        rest = [kind for kind in kinds if kind not in get_args(Num)]
        kinds = (Num, *rest)
    return {"anyOf": [schema(kind, naming) for kind in kinds]}


def _mapping(key: Any, value: Any, naming: Naming) -> Schema:
    """Return the schema of a dict; one whose keys are a Literal has all of these keys."""
    if get_origin(key) is Literal:
        return {
            "type": "object",
            "properties": {name: schema(value, naming) for name in get_args(key)},
            "required": list(get_args(key)),
            "additionalProperties": False,
        }
    return {"type": "object", "additionalProperties": schema(value, naming)}


def record(kind: Any, naming: Naming, comments: dict[str, str]) -> Schema:
    """Return the schema of a typed dict; `comments` are the descriptions of its keys."""
    hints = get_type_hints(kind)
    properties = {}
    for name, hint in hints.items():
        properties[name] = schema(hint, naming)
        # A reference must have no description: json-schema-to-typescript would make another type
        # of it.
        if name in comments and "$ref" not in properties[name]:
            properties[name]["description"] = comments[name]
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": properties,
        "required": [name for name in hints if name in kind.__required_keys__],
        "additionalProperties": False,
    }


def typed_dicts(module: ModuleType, naming: Naming) -> dict[str, Schema]:
    """Return the schemas of the public typed dicts that a module defines, by name."""
    comments = key_comments(module)
    found = {}
    for name, kind in vars(module).items():
        own = is_typeddict(kind) and kind.__module__ == module.__name__
        if own and not name.startswith("_"):
            found[name] = record(kind, naming, comments.get(name, {}))
    return found


def key_comments(module: ModuleType) -> dict[str, dict[str, str]]:
    """Return the comments at the keys of the classes of a module, by class and key."""
    source = inspect.getsource(module)
    at_line = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        keys: dict[str, str] = {}
        # A typed dict has the keys of its bases too. Python 3.10 does not keep the bases, so their
        # names are read from the source.
        for base in node.bases:
            keys.update(found.get(ast.unparse(base), {}))
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and item.lineno in at_line:
                keys[ast.unparse(item.target)] = at_line[item.lineno]
        found[node.name] = keys
    return found
