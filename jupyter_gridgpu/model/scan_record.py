"""Reads scan.json: every key of the spec is checked, since its folder may come from anybody."""

from __future__ import annotations

from typing import Any

from jupyter_gridgpu.errors import SpaceError, StorageError
from jupyter_gridgpu.model import numbers, space_record
from jupyter_gridgpu.model.environment import environment_from
from jupyter_gridgpu.model.fields import (
    NAME,
    PLAIN_NAME,
    Fields,
    is_bounded,
    is_file_name,
    is_inner_path,
)
from jupyter_gridgpu.model.objective import DIRECTIONS, OBJECTIVES_LIMIT, REDUCTIONS, Objective
from jupyter_gridgpu.model.resources import (
    Placement,
    container_from,
    placement_from,
    resources_from,
)
from jupyter_gridgpu.model.scan import (
    AUTO_CHANNEL,
    CHANNELS,
    DROP,
    END,
    FILE,
    FORMAT,
    MAX_FAILURES,
    PUSH,
    EarlierScan,
    Origin,
    ScanSpec,
    plain_defaults,
)

LANGUAGE_LIMIT = 100  # characters
VARIANTS_LIMIT = 10**7  # an id has at most seven digits
# Keys that every version writes.
_FIRST = (
    "id", "name", "notebook", "kernel", "language", "space", "sampler", "seed", "trials",
    "objective", "backend", "parallel", "per_gpu", "retries", "resources", "files",
    "notebook_digest", "files_digest", "created", "recorded", "recorded_digest", "origin",
)  # fmt: skip


def from_json(body: dict[str, Any], record: str = "scan.json") -> ScanSpec:
    """Return the spec of a scan.json, which `record` names in sentences.

    Every key is checked, since the folder may come from anybody. Raises DamagedRecord, and
    StorageError if only a later version can read it.
    """
    body = _migrated(body, record)
    fields = Fields(body, record)
    fields.need(*_FIRST)
    try:
        space = space_record.from_json(fields.inner_list("space"))
        if fields.maybe("trials", fields.whole) is None:
            # Where the space has conditions, its points are counted here.
            space.grid_size()
    except SpaceError as error:
        raise StorageError(str(error)) from None
    made = ScanSpec(
        space=space,
        objectives=_objectives(fields),
        resources=resources_from(fields.inner("resources")),
        container=container_from(fields.inner("container", {})),
        placement=placement_from(fields.inner("placement", {})),
        environment=environment_from(fields.inner("environment", {})),
        profile=fields.text("profile", "", form=is_profile, what=PLAIN_NAME),
        asked=_asked(fields),
        asked_model=fields.maybe("asked_model", fields.text),
        choice=fields.text("choice", ""),
        metrics=fields.one_of("metrics", (FILE, *CHANNELS), AUTO_CHANNEL),
        channel=fields.one_of("channel", (FILE, PUSH, DROP, END), FILE),
        prefork=fields.truth("prefork", True),
        files=fields.texts("files", form=is_inner_path, what="a path below the notebook's folder"),
        warnings=fields.texts("warnings", ()),
        defaults=_defaults(body.get("defaults")),
        origin=_origin(fields),
        warm_start=_warm_start(fields),
        **_counts(fields, body),
        **_names(fields),
    )
    # A grid without an end would be counted, proposed and shown for ever.
    if not made.recorded and made.total() > VARIANTS_LIMIT:
        raise fields.wrong("space", f"of at most {VARIANTS_LIMIT:,} variants")
    # With `recorded`, all points are given.
    if made.own_points and (made.recorded or made.own_points > made.points()):
        raise fields.wrong("own_points", "at most the number of points that are proposed")
    return made


def is_profile(text: str) -> bool:
    """Return whether a text is the name of a profile, or empty for none."""
    return not text or NAME.fullmatch(text) is not None


def _names(fields: Fields) -> dict[str, Any]:
    """Return the fields that are names, times and digests. Raises DamagedRecord."""
    names = {name: fields.name(name) for name in ("id", "backend", "sampler")}
    digests = {
        name: fields.digest(name) for name in ("notebook_digest", "files_digest", "recorded_digest")
    }
    return {
        **names,
        **digests,
        "name": fields.text("name", form=NAME.fullmatch, what=PLAIN_NAME),
        "notebook": fields.text("notebook", form=is_file_name, what="the name of a file"),
        "kernel": fields.text("kernel", form=is_file_name, what="the name of a kernel"),
        "language": fields.text("language", limit=LANGUAGE_LIMIT),
        "created": fields.number("created"),
    }


def _counts(fields: Fields, body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are whole numbers. Raises DamagedRecord."""
    failures: int | None = MAX_FAILURES
    if "max_failures" in body:
        failures = fields.maybe("max_failures", fields.whole, 1)
    return {
        "seed": fields.whole("seed"),
        "trials": fields.maybe("trials", fields.whole, 1, VARIANTS_LIMIT),
        "parallel": fields.maybe("parallel", fields.whole, 1),
        "per_gpu": fields.whole("per_gpu", 1),
        "retries": fields.whole("retries"),
        "recorded": fields.whole("recorded", 0, VARIANTS_LIMIT),
        "own_points": fields.whole("own_points", 0, VARIANTS_LIMIT, default=0),
        "per_job": fields.whole("per_job", 1, default=1),
        "max_failures": failures,
    }


def _objectives(fields: Fields) -> tuple[Objective, ...]:
    """Return the objectives of a scan.json. Raises DamagedRecord.

    One has the key `objective`; several have the key `objectives`, and then the other is null.
    """
    only = fields.maybe("objective", fields.inner)
    several = fields.maybe("objectives", fields.inner_list)
    if several is None:
        return () if only is None else (_objective(only),)
    found = tuple(_objective(inner) for inner in several)
    metrics = {objective.metric for objective in found}
    if only is not None or len(metrics) < len(found) or not 2 <= len(found) <= OBJECTIVES_LIMIT:
        what = f"2 to {OBJECTIVES_LIMIT} objectives of different metrics, beside no `objective`"
        raise fields.wrong("objectives", what)
    return found


def _objective(inner: Fields) -> Objective:
    return Objective(
        inner.text("metric", form=bool, what="the name of a metric"),
        inner.one_of("direction", DIRECTIONS),
        inner.one_of("reduction", REDUCTIONS, "last"),
    )


def _warm_start(fields: Fields) -> tuple[EarlierScan, ...]:
    """Return the scans whose results are learned from. Raises DamagedRecord."""
    return tuple(
        EarlierScan(
            inner.name("id"),
            inner.text("name", form=NAME.fullmatch, what=PLAIN_NAME),
            inner.whole("results", 1),
        )
        for inner in fields.maybe("warm_start", fields.inner_list) or ()
    )


def _asked(fields: Fields) -> Placement | None:
    inner = fields.maybe("asked", fields.inner)
    return None if inner is None else placement_from(inner)


def _origin(fields: Fields) -> Origin | None:
    """Return the origin of a scan.json. Raises DamagedRecord."""
    inner = fields.maybe("origin", fields.inner)
    if inner is None:
        return None
    return Origin(
        kind=inner.name("kind"),
        id=inner.name("id", ""),
        name=inner.name("name", ""),
        fingerprint=inner.digest("fingerprint", ""),
        only=inner.text("only", ""),
        changes=inner.texts("changes", ()),
    )


def _defaults(body: Any) -> dict[str, Any]:
    """Return the notebook's own values of a scan.json; the first version kept none."""
    if not isinstance(body, dict) or not is_bounded(body):
        return {}
    return plain_defaults(numbers.decode_all(body))


def _migrated(body: dict[str, Any], record: str) -> dict[str, Any]:
    """Return a spec of any known format as a spec of this version's format.

    Raises DamagedRecord if it has no format, StorageError for one that only later versions know.
    """
    found = Fields(body, record).whole("format", low=1)
    if found == 1:
        return _from_1(body)
    newest = space_record.STATEMENTS_FORMAT
    if found not in (FORMAT, newest):
        raise StorageError(
            f"The scan has format {found}, this version reads {newest};"
            " use the version that made it."
        )
    return body


def _from_1(body: dict[str, Any]) -> dict[str, Any]:
    """Return a spec of format 1 as one of format 2.

    All scans of format 1 propose their points, and none of them runs another one again.
    """
    return {**body, "format": FORMAT, "recorded": 0, "recorded_digest": "", "origin": None}
