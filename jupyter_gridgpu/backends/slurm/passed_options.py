"""The options of --engine-option for Slurm: options of sbatch in its own words.

They are read as sbatch reads them: `-x node1`, `--exclude node1`, `--exclude=node1` and
`--exclud=node1` are the same, since a long option may be shortened as far as it is not mistaken
for another one. So no spelling slips through. What a scan sets itself is refused, and so is what
copies files, runs programs, sends mail or changes the environment. All else goes to sbatch, each
option as one word, and sbatch says before anything is sent whether it takes it.

Nothing here needs Slurm.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jupyter_gridgpu.backends.slurm import option_table
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.scan import ScanSpec

_LONG_NAME = re.compile(r"[a-z][a-z0-9-]*", re.I)
_NUMBER = re.compile(r"-?\d+")
# A GPU, or a share of one, in a list such as `tmp:10G,gpu:a100:1` or `cpu=4,gres/gpu=1`.
_GPU_RESOURCE = re.compile(r"(^|[,;])(gres[:/])?(gpu|shard|mps)([:=,;]|$)")
_ONE_CLUSTER = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class PassedOption:
    """One option of sbatch by its long name; `value` is None if it has none."""

    name: str
    value: str | None

    @property
    def word(self) -> str:
        """The option as one word of a command line."""
        return f"--{self.name}" if self.value is None else f"--{self.name}={self.value}"


@dataclass(frozen=True)
class PassedOptions:
    """What the user wants sbatch to be told, in the order in which it was given."""

    options: tuple[PassedOption, ...] = ()

    @property
    def cluster(self) -> str:
        """The cluster that jobs go to; "" for the usual one."""
        return next((o.value or "" for o in reversed(self.options) if o.name == "clusters"), "")

    @property
    def ask_for_gpus(self) -> bool:
        """Whether they say which GPUs a job gets."""
        return any(_asks_for_gpus(option) for option in self.options)

    @property
    def ask_for_memory(self) -> bool:
        """Whether they say how much memory a job gets."""
        return any(option.name in option_table.MEMORY for option in self.options)

    def words(self, own: Sequence[str] = ()) -> list[str]:
        """Return the words for sbatch: `own`, those of the scan, and then the user's.

        The cluster is not among them, since every command of Slurm gets it.
        """
        kept = [word for word in own if not self._replaces(word)]
        # sbatch takes the last --gres for the whole wish, so both become one.
        gres = [word.partition("=")[2] for word in kept if word.startswith("--gres=")]
        kept = [word for word in kept if not word.startswith("--gres=")]
        gres += [option.value or "" for option in self.options if option.name == "gres"]
        if gres:
            kept.append(f"--gres={','.join(gres)}")
        return kept + [o.word for o in self.options if o.name not in ("clusters", "gres")]

    def _replaces(self, word: str) -> bool:
        """Return whether a word of the scan is left out, since the user says it in another way."""
        name = word.removeprefix("--").partition("=")[0]
        if name in option_table.MEMORY:
            return self.ask_for_memory
        return self.ask_for_gpus and (name in option_table.GPUS or name == "gres")

    def note(self, scan: ScanSpec) -> str | None:
        """Return a sentence on the options of the scan that these replace, or None."""
        replaced = []
        if self.ask_for_gpus and (scan.resources.gpus or scan.resources.gpu_model):
            replaced.append("--gpus" if scan.resources.gpus else "--gpu-model")
        if self.ask_for_memory and scan.resources.memory_mb:
            replaced.append("--memory")
        if not replaced:
            return None
        given = shlex.join(scan.placement.options)
        note = f"--engine-option {given} is what Slurm is asked for, not {' and '.join(replaced)}."
        if "--memory" in replaced:
            note += " The worker of a job still ends it above --memory."
        return note


def passed_options(scan: ScanSpec) -> PassedOptions:
    """Return the options that a scan passes to sbatch. Raises BackendError."""
    return PassedOptions(tuple(option for text in scan.placement.options for option in parse(text)))


def parse(text: str) -> list[PassedOption]:
    """Return the options of sbatch that are in a text. Raises BackendError if one is refused."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _wrong(text, str(error).lower()) from None
    rest = iter(words)
    found: list[PassedOption] = []
    for word in rest:
        if word.startswith("--") and word != "--":
            found.append(_long(word[2:], rest))
        elif word.startswith("-") and word not in ("-", "--"):
            found += _short(word[1:], rest)
        else:
            raise _wrong(word, "an option of sbatch begins with '-'")
    return found


def _long(word: str, rest: Iterator[str]) -> PassedOption:
    written, equals, value = word.partition("=")
    name = _allowed(_whole_name(written))
    if equals:
        if name in option_table.WITHOUT_VALUE:
            raise _wrong(f"--{word}", "it takes no value")
        return _with_value(name, value)
    if name in option_table.WITH_VALUE:
        return _with_value(name, next(rest, ""))
    return PassedOption(name, None)


def _whole_name(written: str) -> str:
    """Return the option that a long option stands for, which may be shortened."""
    if not _LONG_NAME.fullmatch(written):
        raise _wrong(f"--{written}", "this is no name of an option")
    if written in option_table.KNOWN:
        return option_table.ALIASES.get(written, written)
    fitting = [name for name in option_table.KNOWN if name.startswith(written)]
    begun = sorted({option_table.ALIASES.get(name, name) for name in fitting})
    # Which of them it is may differ from version to version, so each has to be allowed.
    refused = [name for name in begun if name in option_table.REFUSED]
    if refused:
        return refused[0]
    if len(begun) > 1:
        raise _wrong(f"--{written}", f"it may be {' or '.join(f'--{name}' for name in begun)}")
    return begun[0] if begun else written


def _short(letters: str, rest: Iterator[str]) -> list[PassedOption]:
    """Return the options of a word such as `Hx` in `-Hx node1`."""
    found: list[PassedOption] = []
    while letters:
        letter, letters = letters[0], letters[1:]
        name = option_table.SHORT.get(letter)
        if name is None:
            raise _wrong(f"-{letter}", "write this option in its long form")
        _allowed(name)
        if name in option_table.WITH_VALUE:
            return [*found, _with_value(name, letters or next(rest, ""))]
        found.append(PassedOption(name, None))
    return found


def _allowed(name: str) -> str:
    """Return the name of an option that may be passed on. Raises BackendError."""
    why = option_table.REFUSED.get(name)
    if why:
        raise _wrong(f"--{name}", f"leave it out; {why}")
    return name


def _with_value(name: str, value: str) -> PassedOption:
    if not value:
        raise _wrong(f"--{name}", "its value is missing")
    if value.startswith("-") and not _NUMBER.fullmatch(value):
        raise _wrong(f"--{name}", f"its value {value!r} looks like another option")
    if name == "clusters" and not _is_one_cluster(value):
        raise _wrong("--clusters", "name one cluster, since each gives its own numbers to jobs")
    return PassedOption(name, value)


def _wrong(word: str, why: str) -> BackendError:
    return BackendError(f"--engine-option {word}: {why}.")


def _asks_for_gpus(option: PassedOption) -> bool:
    if option.name in option_table.GPUS:
        return True
    wants_gpus = _GPU_RESOURCE.search(option.value or "") is not None
    return option.name in ("gres", "tres-per-task") and wants_gpus


def _is_one_cluster(name: str) -> bool:
    return _ONE_CLUSTER.fullmatch(name) is not None and name != "all"
