"""In which words a site wants GPUs asked for: `--gres`, `--gpus-per-node` or `--gpus`.

All mean the same for a task on one node, and some sites refuse those that they do not want.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_GRES = "--gres=gpu:"
_OTHER_WORDS = ("--gpus-per-node=", "--gpus=")


class GpuWords:
    """Says how GPUs are asked for, and finds another way once Slurm has refused the usual one."""

    def __init__(self) -> None:
        self.chosen = ""  # instead of the usual words, once others were found

    def words(self, options: Sequence[str]) -> list[str]:
        """Return options of sbatch with the words that the site wants."""
        return [_with(self.chosen, word) for word in options]

    def find(self, asks: bool, taken: Callable[[], bool]) -> bool:
        """Return whether Slurm takes other words than those it refused; they are kept then.

        `asks` says whether GPUs are asked for at all, and `taken` asks Slurm whether it takes the
        words of now. Raises Unreachable or BackendError as `taken` does.
        """
        if not asks or self.chosen:
            return False
        for words in _OTHER_WORDS:
            self.chosen = words
            if taken():
                return True
        self.chosen = ""
        return False

    def remark(self) -> str | None:
        """Return a sentence on the words if they are not the usual ones, else None."""
        if not self.chosen:
            return None
        return f"This Slurm refuses --gres, so GPUs are asked for with {self.chosen.rstrip('=')}."


def asks_for_gpus(options: Sequence[str]) -> bool:
    """Return whether options of sbatch ask for GPUs in the usual words."""
    return any(word.startswith(_GRES) for word in options)


def _with(chosen: str, word: str) -> str:
    if chosen and word.startswith(_GRES):
        return chosen + word.removeprefix(_GRES)
    return word
