"""Points that are given: the variants of a replay, or of a batch somebody had already; one a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.job import split_key
from jupyter_gridgpu.model.view import VariantView


def lines(variants: Iterable[VariantView]) -> str:
    """Return variants as points.jsonl keeps them."""
    return "".join(
        json.dumps(
            {
                "variant": v.id,
                "point": v.point,
                "repeat": v.repeat,
                "params": numbers.strict(v.params),
            }
        )
        + "\n"
        for v in variants
    )


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the points of a file, as the event that proposes a variant has them. Raises StorageError."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                body = json.loads(line)
                yield {
                    "variant": split_key(f"{body['variant']}.1")[0],
                    "point": int(body["point"]),
                    "repeat": int(body["repeat"]),
                    "params": numbers.loose(dict(body["params"])),
                    "attrs": {},
                }
    except OSError as error:
        raise StorageError(
            f"The points of the scan, {path}, cannot be read: {error.strerror}."
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError, UsageError):
        raise StorageError(
            f"The points of the scan, {path}, are not sound: the file was changed."
        ) from None
