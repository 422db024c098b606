"""Given points, one variant a line: those of a replay or an import, or a user's own points.

The points of a replay or an import are all that the scan has. After points of the user's own, the
sampler goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model import events, numbers
from jupyter_gridgpu.model.job import split_key, variant_id
from jupyter_gridgpu.model.records import PointLine, VariantProposed
from jupyter_gridgpu.model.soundness import is_sound
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.sound_lines import sound_lines
from jupyter_gridgpu.store.tail import LINE_LIMIT


def lines(variants: Iterable[VariantView]) -> str:
    """Return the text of `points.jsonl` for these variants."""
    return "".join(_line(variant) for variant in variants)


def own_lines(space: Space, chosen: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of `points.jsonl` for points of the user's own, with all their repeats."""
    repeats = space.repeat_count
    return lines(
        VariantView(
            variant_id(point * repeats + repeat + 1), point, repeat, space.complete(values, repeat)
        )
        for point, values in enumerate(chosen)
        for repeat in range(repeats)
    )


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
    yield from sound_lines(path, "The points of the scan", parsed)


def read_all(path: Path, count: int) -> list[VariantProposed]:
    """Return all of `count` points. Raises StorageError as `read` does, and for another number."""
    # One more is enough to see that there are too many.
    found = list(islice(read(path), count + 1))
    if len(found) > count:
        raise StorageError(
            f"The points of the scan, {path}, are not sound: there are more than {count:,}."
        )
    if len(found) < count:
        raise StorageError(
            f"The points of the scan, {path}, are not sound: there are {len(found):,} of {count:,}."
        )
    return found


def parsed(line: str | bytes) -> VariantProposed:
    """Return the data of one line. Raises KeyError, TypeError, ValueError or UsageError."""
    body: Any = parse_json(line, LINE_LIMIT)
    # The id becomes the name of a folder. The file may come from a pack that somebody sent, so
    # `split_key` checks that it is an id and no path.
    variant, _ = split_key(f"{body['variant']}.1")
    data: VariantProposed = {
        "variant": variant,
        "point": body["point"],
        "repeat": body["repeat"],
        "params": body["params"],
        "attrs": {},
    }
    if not is_sound(events.VARIANT_PROPOSED, data):
        raise ValueError("the fold could not take it")
    return {**data, "params": numbers.decode_all(data["params"])}
