"""Given points: the variants of a replay, or of a batch of runs that was imported, one a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.job import split_key
from jupyter_gridgpu.model.records import PointLine, VariantProposed
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import open_plain
from jupyter_gridgpu.store.tail import LINE_LIMIT


def lines(variants: Iterable[VariantView]) -> str:
    """Return the text of `points.jsonl` for these variants."""
    return "".join(_line(variant) for variant in variants)


def _line(variant: VariantView) -> str:
    body: PointLine = {
        "variant": variant.id,
        "point": variant.point,
        "repeat": variant.repeat,
        "params": numbers.encode_all(variant.params),
    }
    return json.dumps(body) + "\n"


def digest(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> Iterator[VariantProposed]:
    """Yield each point as the data of the event that proposes its variant.

    Raises StorageError if the file cannot be read or is damaged.
    """
    try:
        with open_plain(path) as file:
            while line := file.readline(LINE_LIMIT + 1):
                yield _point(parse_json(line, LINE_LIMIT))
    except OSError as error:
        raise StorageError(
            f"The points of the scan, {path}, cannot be read: {error.strerror}."
        ) from None
    except (ValueError, KeyError, TypeError, UsageError):
        raise StorageError(
            f"The points of the scan, {path}, are not sound: the file was changed."
        ) from None


def _point(body: Any) -> VariantProposed:
    """Return the data of one line. Raises KeyError, TypeError, ValueError or UsageError."""
    # The id becomes the name of a folder. The file may come from a pack that somebody sent, so
    # `split_key` checks that it is an id and no path.
    variant, _ = split_key(f"{body['variant']}.1")
    return {
        "variant": variant,
        "point": int(body["point"]),
        "repeat": int(body["repeat"]),
        "params": numbers.decode_all(dict(body["params"])),
        "attrs": {},
    }
