"""The options of a scan, defined once for the command line, the magic and the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning.request import Options

SPACE_BYTES = 1_000_000
_OPTIONS = (
    click.option(
        "--maximize",
        metavar="NAME",
        help="Metric to make large; max(NAME) counts its best epoch, NAME its last.",
    ),
    click.option("--minimize", metavar="NAME", help="Metric to make small."),
    click.option("--trials", type=int, metavar="N", help="Points to try; not needed for a grid."),
    click.option(
        "--sampler",
        metavar="KIND",
        help="grid, random, sobol, tpe or cmaes. Default: grid where it fits, else tpe.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sampler."),
    click.option(
        "--on",
        default="local",
        show_default=True,
        metavar="ENGINE",
        help="Where jobs run: local, slurm, htcondor, panda or auto.",
    ),
    click.option(
        "--parallel",
        type=int,
        metavar="N",
        help="Jobs at once. Default here: one per GPU, or half the cores.",
    ),
    click.option(
        "--per-gpu",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Jobs that share one GPU.",
    ),
    click.option(
        "--per-job",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Variants that one job runs in turn.",
    ),
    click.option(
        "--no-prefork",
        is_flag=True,
        help="Start every kernel anew, though it takes longer, and fork none.",
    ),
    click.option(
        "--gpus",
        type=int,
        default=0,
        show_default=True,
        metavar="N",
        help="GPUs that one job needs.",
    ),
    click.option("--gpu-model", metavar="NAME", help="GPU that a job needs, like A100."),
    click.option("--vram", metavar="SIZE", help="Least memory of one GPU, like 40GB."),
    click.option(
        "--cuda", metavar="VERSION", help="Least CUDA version that the driver knows, like 12.0."
    ),
    click.option("--cpus", type=int, metavar="N", help="Processor cores of one job."),
    click.option(
        "--retries",
        type=int,
        default=0,
        show_default=True,
        metavar="N",
        help="Further attempts after a failure.",
    ),
    click.option("--walltime", metavar="TIME", help="Longest time of one job, like 30min or 2h."),
    click.option("--memory", metavar="SIZE", help="Largest memory of one job, like 4GB."),
    click.option("--disk", metavar="SIZE", help="Disk space of one job, like 10GB."),
    click.option(
        "--image",
        metavar="IMAGE",
        help="Container image of all jobs: a .sif file, an unpacked folder, docker://NAME.",
    ),
    click.option(
        "--runtime",
        default="auto",
        show_default=True,
        metavar="KIND",
        help="apptainer, podman or none.",
    ),
    click.option(
        "--bind",
        multiple=True,
        metavar="SRC[:DST[:ro]]",
        help="Folder that jobs see in the image; may be repeated.",
    ),
    click.option(
        "--queue",
        "--partition",
        "--site",
        metavar="NAME",
        help="Queue: a Slurm partition, a PanDA site or several.",
    ),
    click.option(
        "--exclude-site",
        multiple=True,
        metavar="SITE",
        help="Site that PanDA leaves out; may be repeated.",
    ),
    click.option(
        "--in",
        "inputs",
        multiple=True,
        metavar="DATASET",
        help="Dataset that every PanDA job gets; may be repeated.",
    ),
    click.option(
        "--out",
        metavar="DATASET",
        help="Dataset for what PanDA jobs leave: user.NAME. and what you like.",
    ),
    click.option(
        "--attempts", type=int, metavar="N", help="How often PanDA itself tries a job. Default: 3."
    ),
    click.option(
        "--account", metavar="NAME", help="Account that pays: Slurm's, HTCondor's or PanDA's group."
    ),
    click.option("--qos", metavar="NAME", help="Quality of service (Slurm)."),
    click.option(
        "--constraint",
        metavar="WORDS",
        help="What nodes must have: Slurm's features, HTCondor's requirements.",
    ),
    click.option(
        "--no-shared-disk",
        is_flag=True,
        help="Nodes do not see the scan's folder: files travel with the jobs.",
    ),
    click.option(
        "--metrics",
        default="auto",
        show_default=True,
        metavar="WAY",
        help="How metrics come from jobs that share no disk: push, drop, end (when a job ends), or auto.",
    ),
    click.option(
        "--files",
        multiple=True,
        metavar="FILE",
        help="File, folder or pattern that the notebook needs beside it; may be repeated.",
    ),
    click.option("--name", metavar="NAME", help="Name of the scan. Default: the notebook's."),
    click.option(
        "--new", is_flag=True, help="Start another scan even if the same one was started before."
    ),
)


_SPACE = (
    click.option(
        "--space",
        type=click.Path(),
        metavar="FILE.py",
        help="File with the space, one assignment a line.",
    ),
    click.option(
        "-p",
        "params",
        multiple=True,
        metavar="'NAME = VALUES'",
        help="One line of the space, like 'lr = loguniform(1e-4, 1e-2)'.",
    ),
)
_FIRST = (
    click.option("--dry-run", is_flag=True, help="Say what would run, and start nothing."),
    click.option(
        "--rehearse",
        is_flag=True,
        help="First run one variant for about an epoch here; send the scan if that went well.",
    ),
    click.option("--there", is_flag=True, help="Rehearse as one job of the engine, not here."),
)


def space_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the options that say the space."""
    return _with(_SPACE, function)


def first_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the options for what comes before a scan is sent."""
    return _with(_FIRST, function)


def _with(
    options: Sequence[Callable[..., Any]], function: Callable[..., Any]
) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def space_text(space: str | None, params: tuple[str, ...]) -> str:
    """Return the lines of the space, those of the file first. Raises UsageError."""
    lines = list(params)
    if space is not None:
        try:
            path = Path(space)
            if path.stat().st_size > SPACE_BYTES:
                raise UsageError(f"--space {space} is larger than {SPACE_BYTES // 1000} kB.")
            lines.insert(0, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"--space {space} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}."
            ) from None
    return "\n".join(lines)


def scan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the options of a scan."""
    return _with(_OPTIONS, function)


def engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command those options of a scan that say where and how its jobs run."""
    function = _with(_OPTIONS, function)
    what = ("maximize", "minimize", "trials", "sampler", "seed", "files")
    function.__click_params__ = [one for one in function.__click_params__ if one.name not in what]  # type: ignore[attr-defined]
    return function


@click.command(
    "%%gridscan",
    add_help_option=False,
    epilog="`%gridscan NOTEBOOK` alone opens a form that writes the cell.",
)
@click.argument("notebook")
@first_options
@scan_options
def magic_options(**values: Any) -> dict[str, Any]:
    """Run NOTEBOOK with the values that the lines of the cell give to its parameters."""
    return values


def parse_words(words: Sequence[str]) -> dict[str, Any]:
    """Return what the words after the magic say: `notebook`, `dry_run` and every option by its name. Raises UsageError."""
    try:
        values = magic_options.main(args=list(words), prog_name="%%gridscan", standalone_mode=False)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None
    assert isinstance(values, dict)
    return values


def option_list() -> list[click.Option]:
    """Return the options of a scan, as click describes them."""
    return [
        one
        for one in magic_options.params
        if isinstance(one, click.Option) and one.name in Options.__dataclass_fields__
    ]


def words_of(texts: Mapping[str, Any]) -> list[str]:
    """Return the words that give the options these values; a default needs none."""
    words: list[str] = []
    for option in option_list():
        value = texts.get(option.name or "")
        if value in (None, "", False, ()) or str(value) == str(option.default):
            continue
        for one in value if option.multiple else [value]:
            words += [option.opts[0]] if option.is_flag else [option.opts[0], str(one)]
    return words


def help_text() -> str:
    """Return what `%gridscan --help` prints."""
    with click.Context(magic_options, info_name="%%gridscan", max_content_width=100) as context:
        return magic_options.get_help(context)


def to_options(values: dict[str, Any]) -> Options:
    """Return the Options among click's values."""
    known = {name: values[name] for name in Options.__dataclass_fields__ if name in values}
    return Options(**known)


def plan_text(scan: Any, files: dict[str, Any]) -> str:
    """Say in a few lines what a scan would run; what --dry-run prints."""
    space, repeats = scan.space, scan.space.repeats
    points = scan.trials if scan.trials is not None else space.grid_size()
    if scan.recorded:
        repeats = None
    count = (
        f"{points} points x {repeats[1]} repeats = {scan.total()} variants"
        if repeats
        else f"{scan.total()} variants"
    )
    lines = [f"{scan.notebook} would run as {count} ({_how(scan)}) on {_place(scan.backend)}."]
    width = max(len(name) for name in space)
    lines += [f"  {name:<{width}}  {describe(axis)}" for name, axis in space.axes.items()]
    if scan.objective:
        reduction = (
            ""
            if scan.objective.reduction == "last"
            else f" ({scan.objective.reduction} over epochs)"
        )
        lines.append(f"Best: {scan.objective.direction} {scan.objective.metric}{reduction}.")
    if scan.choice:
        lines.append(scan.choice)
    if files:
        lines.append(f"With it go: {', '.join(files)}.")
    return "\n".join([*lines, "Nothing was started."])


def plan_json(scan: Any) -> dict[str, Any]:
    """The same as one object; what --dry-run --json prints."""
    params = {name: describe(axis) for name, axis in scan.space.axes.items()}
    body = {
        "notebook": scan.notebook,
        "variants": scan.total(),
        "sampler": scan.sampler,
        "on": scan.backend,
        "params": params,
    }
    if scan.origin is not None:
        body["origin"] = asdict(scan.origin)
    return {
        **body,
        **({"queue": scan.placement.queue, "choice": scan.choice} if scan.choice else {}),
    }


def describe(axis: Any) -> str:
    """Say in words which values an axis takes."""
    from jupyter_gridgpu.model.space import Choice, Fixed, Range
    from jupyter_gridgpu.model.units import number

    if isinstance(axis, Fixed):
        return repr(axis.value)
    if isinstance(axis, Choice):
        shown = ", ".join(
            number(v, 4) if isinstance(v, float) else repr(v) for v in axis.values[:8]
        )
        return f"one of {shown}{f', … ({len(axis.values)} values)' if len(axis.values) > 8 else ''}"
    if isinstance(axis, Range):
        kind = f"{'whole numbers' if axis.whole else 'numbers'} from {number(axis.low)} to {number(axis.high)}"
        return kind + (", evenly in the logarithm" if axis.log else "")
    return f"seeds 0 to {axis.count - 1}: every point {axis.count} times"


def _how(scan: Any) -> str:
    """How its points are found."""
    if scan.origin is None:
        return f"sampler {scan.sampler}"
    changes = f": {'; '.join(scan.origin.changes)}" if scan.origin.changes else ""
    return f"a {scan.origin.kind} of {scan.origin.name}{changes}"


def _place(backend: str) -> str:
    return {"local": "this machine", "auto": "the best queue that fits"}.get(backend, backend)
