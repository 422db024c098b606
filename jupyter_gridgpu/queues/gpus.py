"""What is known of GPUs by their names, as drivers, Slurm's gres types and people write them."""

from __future__ import annotations

import re

# Memory in GB of models by the name they are sold under; two numbers: the smallest and the largest there is.
_SOLD: dict[str, tuple[int, int]] = {
    "GB200": (186, 192), "B200": (180, 192), "H200": (141, 141), "GH200": (96, 144), "H100": (64, 96), "H800": (80, 80),
    "A100": (40, 80), "A800": (40, 80), "A40": (48, 48), "A30": (24, 24), "A16": (16, 16), "A10": (24, 24), "A2": (16, 16),
    "L40S": (48, 48), "L40": (48, 48), "L4": (24, 24), "T4": (16, 16), "V100": (16, 32), "V100S": (32, 32),
    "P100": (12, 16), "P40": (24, 24), "P4": (8, 8), "K80": (12, 12), "K40": (12, 12), "M60": (8, 8),
    "RTX A6000": (48, 48), "RTX A5000": (24, 24), "RTX A4000": (16, 16), "RTX 6000": (24, 96), "RTX 8000": (48, 48),
    "RTX 5090": (32, 32), "RTX 4090": (24, 24), "RTX 4080": (16, 16), "RTX 3090": (24, 24), "RTX 3080": (10, 12),
    "RTX 2080 Ti": (11, 11), "RTX 2080": (8, 8), "GTX 1080 Ti": (11, 11), "GTX 1080": (8, 8), "TITAN RTX": (24, 24),
    "TITAN V": (12, 12), "TITAN Xp": (12, 12), "MI300X": (192, 192), "MI250X": (128, 128), "MI250": (128, 128),
    "MI210": (64, 64), "MI100": (32, 32), "MI50": (16, 32),
}  # fmt: skip
_SIZE = re.compile(r"(?<!\d)(\d{1,3})\s*(?:gb|gib)(?![a-z])", re.IGNORECASE)


def names(asked: str, model: str) -> bool:
    """Whether `asked` is a part of a model's name, whatever case and hyphens: A100 of A100-SXM4-80GB, A10 is not of A100."""
    return re.search(pattern(asked), model, re.IGNORECASE) is not None


def pattern(asked: str) -> str:
    """Return a regular expression, for Python and for HTCondor, that finds a model's name by a part of it."""
    words = [re.escape(word) for word in re.findall(r"[A-Za-z]+|\d+|[^\sA-Za-z\d_-]+", asked)]
    if not words:
        return ""
    before = r"(?<!\d)" if asked.strip()[0].isdigit() else r"(?<![A-Za-z])"
    after = r"(?!\d)" if asked.strip()[-1].isdigit() else ""
    return before + r"[\s_-]*".join(words) + after


def memory_range(model: str) -> tuple[int, int] | None:
    """Return the least and the most MB that a GPU of this name may have, or None if the name says nothing."""
    if size := _SIZE.search(model):
        return int(size[1]) * 1024, int(size[1]) * 1024
    exact = [
        name
        for name in _SOLD
        if re.search(rf"(?<![a-z0-9]){_joined(name)}(?![a-z0-9])", model, re.IGNORECASE)
    ]
    found = max(exact, key=len, default=None)
    return (_SOLD[found][0] * 1024, _SOLD[found][1] * 1024) if found else None


def _joined(name: str) -> str:
    return r"[\s_-]*".join(map(re.escape, name.split()))


def memory_mb(model: str | None) -> int | None:
    """Return the MB of a GPU where its name leaves no doubt."""
    low, high = (memory_range(model) if model else None) or (0, 1)
    return low if low == high else None


def vendor(model: str | None) -> str | None:
    """Return whose GPU it is, as far as the name tells."""
    if model is None:
        return None
    if re.search(r"amd|radeon|instinct|(?<![a-z0-9])mi\d{2,3}", model, re.IGNORECASE):
        return "amd"
    if re.search(r"intel|(?<![a-z])max[\s_-]?1[15]\d\d", model, re.IGNORECASE):
        return "intel"
    return (
        "nvidia"
        if memory_range(model) or re.search("nvidia|tesla|geforce|quadro", model, re.IGNORECASE)
        else None
    )


def shown(model: str) -> str:
    """Return a model's name without what every GPU of its vendor has in it; gres types, in small letters, in capitals."""
    short = re.sub(
        r"^(?:NVIDIA|AMD|Tesla|GeForce|Instinct)[\s_-]+", "", model.strip(), flags=re.IGNORECASE
    )
    short = re.sub(r"^(?:Tesla|GeForce|Quadro|Instinct)[\s_-]+", "", short, flags=re.IGNORECASE)
    return short.upper() if re.fullmatch(r"[a-z]{1,3}\d{1,4}[a-z]?", short) else short or model


def version(text: str | None) -> tuple[int, ...] | None:
    """Return 12.4 as (12, 4), or None for what is no version."""
    return (
        tuple(map(int, text.split(".")))
        if text and re.fullmatch(r"\d{1,4}(\.\d{1,4}){0,3}", text)
        else None
    )
