"""What the name of a GPU tells: its vendor, memory and model.

Drivers, the gres types of Slurm and people write such names in different ways.
"""

from __future__ import annotations

import re

# The smallest and the largest memory, in GB, of the GPUs that are sold under a name.
_SOLD: dict[str, tuple[int, int]] = {
    "GB200": (186, 192), "B200": (180, 192), "H200": (141, 141), "GH200": (96, 144),
    "H100": (64, 96), "H800": (80, 80), "A100": (40, 80), "A800": (40, 80), "A40": (48, 48),
    "A30": (24, 24), "A16": (16, 16), "A10": (24, 24), "A2": (16, 16),
    "L40S": (48, 48), "L40": (48, 48), "L4": (24, 24), "T4": (16, 16),
    "V100": (16, 32), "V100S": (32, 32), "P100": (12, 16), "P40": (24, 24), "P4": (8, 8),
    "K80": (12, 12), "K40": (12, 12), "M60": (8, 8),
    "RTX A6000": (48, 48), "RTX A5000": (24, 24), "RTX A4000": (16, 16),
    "RTX 6000": (24, 96), "RTX 8000": (48, 48),
    "RTX 5090": (32, 32), "RTX 4090": (24, 24), "RTX 4080": (16, 16), "RTX 3090": (24, 24),
    "RTX 3080": (10, 12), "RTX 2080 Ti": (11, 11), "RTX 2080": (8, 8),
    "GTX 1080 Ti": (11, 11), "GTX 1080": (8, 8),
    "TITAN RTX": (24, 24), "TITAN V": (12, 12), "TITAN Xp": (12, 12),
    "MI300X": (192, 192), "MI250X": (128, 128), "MI250": (128, 128),
    "MI210": (64, 64), "MI100": (32, 32), "MI50": (16, 32),
}  # fmt: skip
_SIZE_IN_NAME = re.compile(r"(?<!\d)(\d{1,3})\s*(?:gb|gib)(?![a-z])", re.IGNORECASE)
_BETWEEN_WORDS = r"[\s_-]*"  # RTX 3090, RTX-3090, RTX3090
_AMD = re.compile(r"amd|radeon|instinct|(?<![a-z0-9])mi\d{2,3}", re.IGNORECASE)
_INTEL = re.compile(r"intel|(?<![a-z])max[\s_-]?1[15]\d\d", re.IGNORECASE)
_NVIDIA = re.compile("nvidia|tesla|geforce|quadro", re.IGNORECASE)


def name_has(model: str, part: str) -> bool:
    """Return whether `part` names a GPU of this model; case, spaces and hyphens do not matter.

    A100 is a part of A100-SXM4-80GB. A10 is not, since a part ends where a number ends.
    """
    return re.search(pattern(part), model, re.IGNORECASE) is not None


def pattern(part: str) -> str:
    """Return a regular expression that finds a part of a model's name.

    HTCondor reads the expression, too, so it has only what Python's and PCRE's syntax share.
    """
    words = [re.escape(word) for word in re.findall(r"[A-Za-z]+|\d+|[^\sA-Za-z\d_-]+", part)]
    if not words:
        return ""
    # T4 must not be found in RTX A4000, nor L4 in L40.
    before = r"(?<![A-Za-z])"
    if part.strip()[0].isdigit():
        before = r"(?<!\d)"
    after = ""
    if part.strip()[-1].isdigit():
        after = r"(?!\d)"
    return before + _BETWEEN_WORDS.join(words) + after


def memory_range(model: str) -> tuple[int, int] | None:
    """Return the least and the most MB that a GPU of this name may have.

    None means that the name does not tell.
    """
    size = _SIZE_IN_NAME.search(model)
    if size:
        megabytes = int(size[1]) * 1024
        return megabytes, megabytes
    sold = [name for name in _SOLD if _is_word_of(name, model)]
    if not sold:
        return None
    # RTX 2080 is found in an RTX 2080 Ti, too; the longest name is the right one.
    least, most = _SOLD[max(sold, key=len)]
    return least * 1024, most * 1024


def _is_word_of(name: str, model: str) -> bool:
    words = _BETWEEN_WORDS.join(map(re.escape, name.split()))
    return re.search(rf"(?<![a-z0-9]){words}(?![a-z0-9])", model, re.IGNORECASE) is not None


def memory_mb(model: str | None) -> int | None:
    """Return the MB of a GPU if its name leaves no doubt, else None."""
    if not model:
        return None
    sizes = memory_range(model)
    if sizes is None or sizes[0] != sizes[1]:
        return None
    return sizes[0]


def vendor(model: str | None) -> str | None:
    """Return amd, intel or nvidia, or None if the name does not tell."""
    if model is None:
        return None
    if _AMD.search(model):
        return "amd"
    if _INTEL.search(model):
        return "intel"
    # Names of NVIDIA's data centre GPUs are often written without the company's name.
    if memory_range(model) or _NVIDIA.search(model):
        return "nvidia"
    return None


def short_name(model: str) -> str:
    """Return a model's name without the words that all GPUs of its vendor have in common.

    The name of a gres type of Slurm, a100, is returned in capitals.
    """
    short = re.sub(
        r"^(?:NVIDIA|AMD|Tesla|GeForce|Instinct)[\s_-]+", "", model.strip(), flags=re.IGNORECASE
    )
    # There may be two such words, as in NVIDIA GeForce RTX 3090.
    short = re.sub(r"^(?:Tesla|GeForce|Quadro|Instinct)[\s_-]+", "", short, flags=re.IGNORECASE)
    if re.fullmatch(r"[a-z]{1,3}\d{1,4}[a-z]?", short):
        return short.upper()
    return short or model


def cuda_text(number: int) -> str:
    """Return the version of CUDA as users write it, from NVIDIA's number: 12040 is `12.4`."""
    return f"{number // 1000}.{number % 1000 // 10}"


def version(text: str | None) -> tuple[int, ...] | None:
    """Return 12.4 as (12, 4), so that versions can be compared; None for what is no version."""
    if not text or not re.fullmatch(r"\d{1,4}(\.\d{1,4}){0,3}", text):
        return None
    return tuple(map(int, text.split(".")))
