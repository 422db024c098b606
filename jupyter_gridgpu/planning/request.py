"""What a user asks for, checked and made into a scan: every mistake is found here, before anything is started."""

from __future__ import annotations

import glob
import hashlib
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu import backends, channels, images, samplers
from jupyter_gridgpu.errors import BackendError, GridGpuError, UsageError
from jupyter_gridgpu.model.grammar import parse_space, space_of
from jupyter_gridgpu.model.resources import RUNTIMES, Container, Placement, Resources
from jupyter_gridgpu.model.scan import AUTO, Objective, ScanSpec, parse_objective, plain_defaults
from jupyter_gridgpu.model.space import GRID_LIMIT, Space
from jupyter_gridgpu.model.units import parse_duration, parse_memory
from jupyter_gridgpu.planning.notebook import Notebook, check_space, read_notebook
from jupyter_gridgpu.queues import discovery
from jupyter_gridgpu.queues.match import Match, chosen, fitting
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths

HASHED_BYTES = 256 * 1024 * 1024
WORD_LIMIT = 500
NAMED = 8  # queues that a sentence names
TRIED = 4  # queues that are asked whether they take a scan


@dataclass(frozen=True)
class Options:
    """The options of the magic, the command and `gridscan()`, under the same names."""

    maximize: str | None = None
    minimize: str | None = None
    trials: int | None = None
    sampler: str | None = None
    seed: int = 0
    on: str = "local"
    parallel: int | None = None
    per_gpu: int = 1
    per_job: int = 1
    no_prefork: bool = False
    gpus: int = 0
    gpu_model: str | None = None
    vram: str | int | None = None
    cuda: str | float | None = None
    cpus: int | None = None
    retries: int = 0
    walltime: str | int | None = None
    memory: str | int | None = None
    disk: str | int | None = None
    image: str | None = None
    runtime: str = "auto"
    bind: tuple[str, ...] = ()
    queue: str | None = None
    exclude_site: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()  # --in
    out: str | None = None
    attempts: int | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    no_shared_disk: bool = False
    metrics: str = "auto"
    files: tuple[str, ...] = ()
    name: str | None = None
    new: bool = False


@dataclass(frozen=True)
class Plan:
    """A checked request: the scan it would start, and what goes into its folder."""

    scan: ScanSpec
    notebook: Notebook
    files: dict[str, Path] = field(default_factory=dict)
    asked_name: str | None = None
    new: bool = False
    command: str = ""  # the command or cell that asked for it
    points: str = ""  # of points.jsonl, where they are given
    git: dict[str, Any] | None = None  # of the notebook's folder, where that is known from before


def plan(
    notebook: str | Path,
    space: str | Mapping[str, Any] | Space,
    options: Options,
    names: Mapping[str, Any] | None = None,
    *,
    ask: bool = True,
) -> Plan:
    """Return the Plan of a request. Raises UsageError or EngineError with one sentence for whatever is wrong.

    `space` is a cell body, a mapping or a Space; `names` are variables that a cell body's expressions may use. A batch
    system is asked whether it would take the jobs, unless `ask` is False: a form that checks while one types must not.
    """
    container = container_of(options, exact=ask)
    found = read_notebook(notebook, kernel_here=not images.contained(container))
    wanted = _space(space, names)
    check_space(found, wanted)
    objective = _objective(options)
    sampler, trials = _sampler(wanted, objective, options)
    files = helper_files(found.path.parent, options.files)
    if options.name is not None:
        home.check_name(options.name)
    scan = ScanSpec(
        id=f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}",
        name=options.name or home.name_from(found.path.name),
        notebook=found.path.name, kernel=found.kernel, language=found.language, space=wanted, sampler=sampler,
        seed=_not_negative("seed", options.seed), trials=trials, objective=objective, files=tuple(files),
        **engine_fields(options, container), notebook_digest=found.digest, files_digest=digest_of(files), created=time.time(),
        defaults=plain_defaults({name: parameter.default for name, parameter in found.parameters.items()}),
    )  # fmt: skip
    if scan.total() > GRID_LIMIT:
        raise UsageError(
            f"That makes {scan.total():,} variants; a scan may have {GRID_LIMIT:,}. Use fewer --trials or repeats."
        )
    return Plan(checked(scan, ask, files), found, files, options.name, options.new)


def engine_fields(options: Options, container: Container) -> dict[str, Any]:
    """Return the fields of a Scan that say where and how its jobs run. Raises UsageError."""
    return {
        "backend": options.on,
        "parallel": _positive("parallel", options.parallel),
        "per_gpu": _positive("per-gpu", options.per_gpu) or 1,
        "per_job": _positive("per-job", options.per_job) or 1,
        "prefork": not options.no_prefork,
        "retries": _not_negative("retries", options.retries),
        "resources": _resources(options),
        "container": container,
        "placement": _placement(options),
        "metrics": options.metrics,
    }


def checked(scan: ScanSpec, ask: bool = True, files: Mapping[str, Path] | None = None) -> ScanSpec:
    """Return the scan as its engine takes it; where the engine was left open, in the best queue that takes it.

    Raises UsageError or EngineError.
    """
    if scan.backend == AUTO and not ask:
        return scan
    candidates = _placed(scan) if scan.backend == AUTO else [scan]
    refused: GridGpuError | None = None
    for one in candidates[:TRIED]:
        try:
            backend = backends.load(one, ScanPaths(home.home() / one.name))
            shows_files = backend.capabilities.shows_files
            one = replace(one, channel=channels.choose(one.metrics, shows_files))
            backend.check(ask)
            if ask:
                backend.check_files(files or {})
        except BackendError as error:
            refused = refused or error
        else:
            return one
    raise refused or BackendError("No queue takes the scan.")


def _placed(scan: ScanSpec) -> list[ScanSpec]:
    """Return the scan in every queue that it fits, the best first. Raises UsageError or EngineError if there is none."""
    known, asked = discovery.find(discovery.FRESH_S), scan.placement
    usable = [queue for queue in known.queues if queue.backend in backends.names()]
    named = [queue for queue in usable if asked.queue in (None, queue.name, queue.queue)]
    if usable and not named:
        raise UsageError(
            f"No queue is called {asked.queue!r}; there are {', '.join(queue.name for queue in usable[:NAMED])}."
        )
    try:
        return [_in_queue(scan, one) for one in fitting(named, scan.resources, scan.container)]
    except BackendError as error:
        raise BackendError(" ".join([str(error), *known.problems[:1]])) from None


def _in_queue(scan: ScanSpec, one: Match) -> ScanSpec:
    """Return the scan placed in a queue; what the user said of account and nodes comes first.

    Of several kinds of GPUs the one that fits is asked for by name: Slurm knows no other way.
    """
    asked, queue, wanted = scan.placement, one.queue, scan.resources
    words = {
        name: getattr(asked, name) or getattr(queue, name)
        for name in ("account", "qos", "constraint")
    }
    model = (
        one.kind.model
        if one.kind and (wanted.vram_mb or wanted.cuda) and len(queue.gpus or ()) > 1
        else None
    )
    return replace(
        scan, backend=queue.backend, placement=replace(asked, queue=queue.queue, **words),
        resources=replace(wanted, gpu_model=wanted.gpu_model or model), asked=asked, asked_model=wanted.gpu_model,
        choice=chosen(one),
    )  # fmt: skip


def _space(space: object, names: Mapping[str, Any] | None) -> Space:
    if isinstance(space, Space):
        return space
    if isinstance(space, str):
        return parse_space(space, names)
    if isinstance(space, Mapping):
        return space_of(space)
    raise UsageError(
        f"The space is a {type(space).__name__}; give a mapping like {{'lr': [1e-3, 1e-4]}}."
    )


def _objective(options: Options) -> Objective | None:
    if options.maximize and options.minimize:
        raise UsageError("--maximize and --minimize are both given; a scan has one objective.")
    if options.maximize:
        return parse_objective(options.maximize, "maximize")
    return parse_objective(options.minimize, "minimize") if options.minimize else None


def _sampler(space: Space, objective: Objective | None, options: Options) -> tuple[str, int | None]:
    """Choose the sampler and how many points: a grid where it fits, else TPE. Returns (name, None) for a whole grid."""
    trials, size = _positive("trials", options.trials), space.grid_size()
    fits = size is not None and (trials is None or size <= trials)
    name = options.sampler or ("grid" if fits else "tpe")
    if name == "grid" and trials is not None and size is not None and trials < size:
        raise UsageError(
            f"The grid has {size:,} points, more than --trials {trials}: leave --trials out for all of them,"
            " or take a sample of it with --sampler random."
        )
    samplers.load(name, space, objective)
    if name == "grid":
        return name, None
    if trials is None:
        raise UsageError(f"--sampler {name} needs to know how many points to try: give --trials N.")
    return name, trials


def _resources(options: Options) -> Resources:
    return Resources(
        gpus=_not_negative("gpus", options.gpus),
        memory_mb=None if options.memory is None else parse_memory(options.memory),
        walltime_s=None if options.walltime is None else parse_duration(options.walltime),
        gpu_model=_word("gpu-model", options.gpu_model),
        vram_mb=None if options.vram is None else parse_memory(options.vram),
        cuda=_version("cuda", options.cuda),
        cpus=_positive("cpus", options.cpus),
        disk_mb=None if options.disk is None else parse_memory(options.disk),
    )


def container_of(options: Options, exact: bool) -> Container:
    if options.runtime not in RUNTIMES:
        raise UsageError(
            f"--runtime {options.runtime!r} is not known; choose one of {', '.join(RUNTIMES)}."
        )
    if options.bind and options.image is None:
        raise UsageError("--bind is for jobs in a container: give an --image too.")
    container = Container(_word("image", options.image), None, options.runtime, tuple(options.bind))
    return images.resolve(container, here=options.on == "local", exact=exact)


def _placement(options: Options) -> Placement:
    grid = {
        "in": options.inputs,
        "out": options.out,
        "exclude-site": options.exclude_site,
        "attempts": options.attempts,
    }
    if options.on not in ("panda", AUTO) and (
        given := [name for name, value in grid.items() if value]
    ):
        raise UsageError(
            f"--{given[0]} is for jobs on the grid: say --on panda too, or leave it out."
        )
    words = {
        name: _word(name, getattr(options, name))
        for name in ("queue", "account", "qos", "constraint")
    }
    return Placement(
        **words,
        shared=not options.no_shared_disk,
        exclude=tuple(_word("exclude-site", site) or "" for site in options.exclude_site),
        inputs=tuple(_word("in", dataset) or "" for dataset in options.inputs),
        output=_word("out", options.out),
        attempts=_positive("attempts", options.attempts),
    )


def _word(name: str, text: str | None) -> str | None:
    """Return a word for an engine. It goes into command lines as one argument: it must not look like an option there."""
    if text is not None and (
        not text.strip() or not text.isprintable() or text.startswith("-") or len(text) > WORD_LIMIT
    ):
        raise UsageError(
            f"--{name} {text[:40]!r} cannot be a name for an engine: give printable text that begins without '-'."
        )
    return text.strip() if text is not None else None


def _version(name: str, text: str | float | None) -> str | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3})?", str(text)):
        raise UsageError(f"--{name} {text!r} is no version; write it like 12.0.")
    return str(text) if "." in str(text) else f"{text}.0"


def _positive(name: str, value: int | None) -> int | None:
    if value is not None and (not _is_int(value) or value < 1):
        raise UsageError(f"--{name} {value}: give a whole number from 1 up.")
    return value


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _not_negative(name: str, value: int) -> int:
    if not _is_int(value) or value < 0:
        raise UsageError(f"--{name} {value}: give a whole number from 0 up.")
    return value


def helper_files(folder: Path, patterns: tuple[str, ...]) -> dict[str, Path]:
    """Return the helper files by the name they get beside the notebook. Patterns count from the notebook's folder."""
    files: dict[str, Path] = {}
    for pattern in patterns:
        matches = _matches(folder, pattern)
        if not matches:
            raise UsageError(f"--files {pattern}: there is no such file in {folder}.")
        for match in matches:
            if match.resolve() in (folder.resolve(), *folder.resolve().parents):
                raise UsageError(
                    f"--files {pattern}: name files or folders beside the notebook, not the folder it is in."
                )
            inside = (
                match.resolve().is_relative_to(folder.resolve())
                and match.resolve() != folder.resolve()
            )
            name = (
                match.resolve().relative_to(folder.resolve()).as_posix() if inside else match.name
            )
            if files.setdefault(name, match).resolve() != match.resolve():
                raise UsageError(
                    f"--files {pattern}: another file would be beside the notebook as {name} already."
                )
    return files


def _matches(folder: Path, pattern: str) -> list[Path]:
    try:
        given = folder / home.user_path(pattern)
        return (
            sorted(folder.glob(pattern))
            if glob.has_magic(pattern)
            else [given]
            if given.exists()
            else []
        )
    except (
        ValueError,
        IndexError,
        NotImplementedError,
        OSError,
    ):  # pathlib's ways to refuse a pattern
        return []


def digest_of(files: dict[str, Path]) -> str:
    """Hash the helper files: content where that is cheap, size and time of change for the rest."""
    digest, budget = hashlib.sha256(), HASHED_BYTES
    for name, path in sorted(files.items()):
        for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not part.is_file():
                continue
            stat = part.stat()
            budget -= stat.st_size
            digest.update(f"{name}/{part.relative_to(path)}/{stat.st_size}/".encode())
            digest.update(_read(part) if budget >= 0 else str(stat.st_mtime_ns).encode())
    return digest.hexdigest() if files else ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"--files: {path} cannot be read: {error.strerror}.") from None
