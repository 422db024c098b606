"""Checks the values of options, and makes of them what a scan needs from its backend."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.numbers import LARGEST_INT
from jupyter_gridgpu.model.objective import (
    DIRECTIONS,
    OBJECTIVES_LIMIT,
    Objective,
    parse_objective,
)
from jupyter_gridgpu.model.plain_values import NO_UTF8, is_text
from jupyter_gridgpu.model.resources import (
    ANY_RUNTIME,
    NO_RUNTIME,
    RUNTIMES,
    Container,
    Placement,
    Resources,
    is_shared_path,
)
from jupyter_gridgpu.model.scan import AUTO
from jupyter_gridgpu.model.units import parse_duration, parse_memory
from jupyter_gridgpu.planning.declaration import Options, wording_of
from jupyter_gridgpu.planning.environment_options import environment_of
from jupyter_gridgpu.planning.profile import profile_of
from jupyter_gridgpu.planning.setup_options import NAME_SHOWN, one_line_of

NAME_LIMIT = 500  # characters of the longest name for a batch system


def check_texts(options: Options) -> None:
    """Raise UsageError if an option has bytes that are no UTF-8, which no record could hold."""
    for declared in fields(Options):
        value = getattr(options, declared.name)
        for text in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(text, str) and not is_text(text):
                word = wording_of(declared).words[0]
                raise UsageError(f"{word} {text[:NAME_SHOWN]!r}: {NO_UTF8}.")


def backend_fields(options: Options, container: Container) -> dict[str, Any]:
    """Return the fields of a ScanSpec that say where and how its jobs run. Raises UsageError."""
    return {
        "backend": options.on,
        "parallel": positive("parallel", options.parallel),
        "per_gpu": positive("per-gpu", options.per_gpu) or 1,
        "per_job": positive("per-job", options.per_job) or 1,
        "prefork": not options.no_prefork,
        "retries": not_negative("retries", options.retries),
        "max_failures": failure_limit(options.max_failures),
        "resources": _resources(options),
        "container": container,
        "placement": _placement(options),
        "environment": environment_of(options),
        # The spec keeps the old name of this option, since old scans are still read.
        "metrics": options.channel,
        "profile": profile_of(options),
    }


def container_of(options: Options, exact: bool) -> Container:
    """Return the container that jobs run in, with the image's digest. Raises UsageError.

    Without `exact` the digest may be None, if it would take long to find.
    """
    if options.runtime not in RUNTIMES:
        known = ", ".join(RUNTIMES)
        raise UsageError(f"--runtime {options.runtime!r} is not known; choose one of {known}.")
    # Without a container jobs see the folders of their node as they are.
    if options.bind and options.image is None:
        raise UsageError("--bind is for jobs in a container: give an --image too.")
    if options.bind and options.runtime == NO_RUNTIME:
        raise UsageError(
            "--bind: with --runtime none no container is started, and jobs see the folders of"
            " their node. Leave --bind out."
        )
    # Without an image, `none` is what happens.
    if options.runtime not in (ANY_RUNTIME, NO_RUNTIME) and options.image is None:
        raise UsageError(
            f"--runtime {options.runtime} is for jobs in a container: give an --image too, or"
            " leave --runtime out."
        )
    image = _optional_name("image", options.image)
    container = Container(image, None, options.runtime, tuple(options.bind))
    return images.resolve(container, here=options.on == "local", exact=exact)


def read_objectives(options: Options) -> tuple[Objective, ...]:
    """Return the objectives: those of --maximize, then those of --minimize. Raises UsageError."""
    found = [
        parse_objective(text, direction)
        for direction in DIRECTIONS
        for text in _metric_texts(direction, getattr(options, direction))
    ]
    seen: set[str] = set()
    for objective in found:
        if objective.metric in seen:
            raise UsageError(
                f"--{objective.direction} {objective.label[:NAME_SHOWN]}: this metric is an"
                " objective already; give each metric once, in one direction."
            )
        seen.add(objective.metric)
    if len(found) > OBJECTIVES_LIMIT:
        raise UsageError(
            f"--maximize and --minimize give {len(found):,} objectives; a scan may have"
            f" {OBJECTIVES_LIMIT}."
        )
    return tuple(found)


def _metric_texts(direction: str, given: object) -> tuple[str, ...]:
    """Return the texts of one of the two options: Python may give one text, or a list of them."""
    if not given:
        return ()
    texts = (given,) if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise UsageError(
            f"{direction} is {one_line(repr(given), NAME_SHOWN)}: give a metric's name, or a list"
            " of names."
        )
    return tuple(texts)


def _resources(options: Options) -> Resources:
    return Resources(
        gpus=not_negative("gpus", options.gpus),
        memory_mb=_megabytes(options.memory),
        walltime_s=_seconds(options.walltime),
        gpu_model=_optional_name("gpu-model", options.gpu_model),
        vram_mb=_megabytes(options.vram),
        cuda=_version("cuda", options.cuda),
        cpus=positive("cpus", options.cpus),
        disk_mb=_megabytes(options.disk),
        grace_s=_seconds(options.grace),
    )


def _placement(options: Options) -> Placement:
    if options.on not in ("panda", AUTO):
        _refuse_grid_options(options)
    return Placement(
        queue=_optional_name("queue", options.queue),
        account=_optional_name("account", options.account),
        qos=_optional_name("qos", options.qos),
        constraint=_optional_name("constraint", options.constraint),
        shared=not options.no_shared_disk,
        exclude=tuple(_name("exclude-site", site) for site in options.exclude_site),
        inputs=tuple(_name("in", dataset) for dataset in options.inputs),
        output=_optional_name("out", options.out),
        attempts=positive("attempts", options.attempts),
        options=tuple(one_line_of("engine-option", words) for words in options.engine_option),
        shared_paths=_shared_paths(options),
    )


def _shared_paths(options: Options) -> tuple[str, ...]:
    """Return the folders of --shared, which may also be written in one word with commas."""
    paths = [path.strip() for text in options.shared for path in text.split(",")]
    for path in paths:
        if not is_shared_path(path):
            raise UsageError(
                f"--shared {path[:NAME_SHOWN]!r}: give the whole path of a folder, like /eos."
            )
    if paths and not options.no_shared_disk:
        raise UsageError(
            "--shared is for nodes that do not see the scan's folder: say --no-shared-disk too, or"
            " leave it out."
        )
    return tuple(dict.fromkeys(path.rstrip("/") for path in paths))


def _refuse_grid_options(options: Options) -> None:
    """Raise UsageError if an option is given that only PanDA understands."""
    grid_options = {
        "in": options.inputs,
        "out": options.out,
        "exclude-site": options.exclude_site,
        "attempts": options.attempts,
    }
    for name, value in grid_options.items():
        if value:
            raise UsageError(
                f"--{name} is for jobs on the grid: say --on panda too, or leave it out."
            )


def _megabytes(size: str | int | None) -> int | None:
    return None if size is None else parse_memory(size)


def _seconds(time: str | int | None) -> int | None:
    return None if time is None else parse_duration(time)


def _optional_name(option: str, text: str | None) -> str | None:
    return None if text is None else _name(option, text)


def _name(option: str, text: str) -> str:
    """Return a name for a batch system, without space around it. Raises UsageError."""
    # The name becomes one argument of a command: there it must not look like an option.
    name = text.strip()
    sound = name and text.isprintable() and not name.startswith("-")
    if not sound or len(text) > NAME_LIMIT:
        raise UsageError(
            f"--{option} {text[:40]!r} cannot be a name for a batch system: give printable text"
            " that begins without '-'."
        )
    return name


def _version(option: str, text: str | float | None) -> str | None:
    """Return a version like `12.0`; `12` is read as `12.0`. Raises UsageError."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3})?", str(text)):
        raise UsageError(f"--{option} {text!r} is no version; write it like 12.0.")
    return str(text) if "." in str(text) else f"{text}.0"


def positive(option: str, value: int | None) -> int | None:
    """Return `value`, a whole number from 1 up or None. Raises UsageError."""
    if value is not None and (not _is_whole(value) or value < 1):
        raise UsageError(f"--{option} {value}: give a whole number from 1 up.")
    return None if value is None else _bounded(option, value)


def failure_limit(value: str | int | None) -> int | None:
    """Return the number that --max-failures gives, or None for `none`. Raises UsageError."""
    text = str(value).strip().lower()
    if text == "none":
        return None
    # int() reads forms such as 1_000 and digits of other scripts as well.
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if isinstance(value, bool) or number < 1:
        raise UsageError(f"--max-failures {value}: give a whole number from 1 up, or none.")
    return number


def not_negative(option: str, value: int) -> int:
    """Return `value`, a whole number from 0 up. Raises UsageError."""
    if not _is_whole(value) or value < 0:
        raise UsageError(f"--{option} {value}: give a whole number from 0 up.")
    return _bounded(option, value)


def _bounded(option: str, value: int) -> int:
    if value > LARGEST_INT:
        raise UsageError(f"--{option} is too large: give a whole number up to {LARGEST_INT:,}.")
    return value


def _is_whole(value: object) -> bool:
    # True is an int for Python, but no user means a number by it.
    return isinstance(value, int) and not isinstance(value, bool)
