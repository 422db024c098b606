"""Puts the options of a profile among those that a user gave: `--on PROFILE`.

What the user gave wins. Of options with several values, those of the profile come first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from jupyter_gridgpu import backends, channels
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.notes import nearest_name
from jupyter_gridgpu.model.resources import NO_RUNTIME
from jupyter_gridgpu.model.scan import AUTO, FILE, ScanSpec
from jupyter_gridgpu.planning import profile_files
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.profile import ExpandedOptions, Profile

NAMED = 12  # the most profiles that a sentence names


def expanded(given: Mapping[str, Any]) -> Options:
    """Return Options of what a user gave, by name, with those of the profile that `on` names.

    Raises UsageError if `on` names neither a backend nor a profile.
    """
    profile = named(given.get("on"))
    if profile is None:
        return Options(**given)
    return ExpandedOptions(
        **merged(profile, given), profile=profile.name, collector=profile.collector
    )


def named(on: Any) -> Profile | None:
    """Return the profile of this name, or None if it is the name of a backend, or `auto`.

    Raises UsageError if it is neither.
    """
    if not isinstance(on, str) or on in (*backends.names(), AUTO):
        return None
    profiles, problems = profile_files.read_all()
    for profile in profiles:
        if profile.name == on:
            return profile
    raise UsageError(_unknown(on, [profile.name for profile in profiles], problems))


def _unknown(on: str, names: list[str], problems: Sequence[profile_files.Problem]) -> str:
    """Return a sentence about a name that is neither a backend nor a usable profile."""
    for problem in problems:
        if problem.profile == on:
            return f"--on {on}: the profile has a mistake. {problem.text}"
    known = [*backends.names(), AUTO]
    text = f"--on {on[:100]!r} is not known; choose one of {', '.join(known)}"
    if names:
        more = ", …" if len(names) > NAMED else ""
        text += f", or one of the profiles {', '.join(names[:NAMED])}{more}"
    nearest = nearest_name(on[:100], [*known, *names])
    if nearest:
        text += f". Is {nearest} meant?"
    else:
        text += "."
    # A file that is not used may be why the name is not known.
    unread = [problem.text for problem in problems if not problem.profile]
    return " ".join([text, *unread[:1]])


def with_profile(options: Options, name: str, collector: str | None = None) -> Options:
    """Return options that name the profile which they have in them; the same for an empty name."""
    if not name:
        return options
    values = {declared.name: getattr(options, declared.name) for declared in fields(Options)}
    return ExpandedOptions(**values, profile=name, collector=collector)


def merged(profile: Profile, given: Mapping[str, Any], image: str | None = None) -> dict[str, Any]:
    """Return the values of options by name: those of a profile, and those that a user gave.

    `image` is the image of the scan, where it has one from elsewhere.
    """
    values = {**profile.options, **given, "on": profile.backend}
    if "metrics" in given:  # the name of `channel` in earlier versions
        values.pop("channel", None)
    # Lines of shell are one program, of which each line counts.
    setup = (*texts(profile.options.get("setup")), *texts(given.get("setup")))
    values |= _listed("setup", setup)
    for name, key in _KEYS.items():
        values |= _listed(name, together(profile.options.get(name), given.get(name), key))
    for name, other in (("env", "secret"), ("secret", "env")):
        # A variable of the profile may become a secret of the user's, and the other way round.
        users = {_name(text) for text in texts(given.get(other))}
        own = texts(given.get(name))
        kept = [text for text in texts(values.get(name)) if text in own or _name(text) not in users]
        if name in values:
            values[name] = tuple(kept)
    # Which of the two the user gives decides: an image has a Python of its own.
    if given.get("python") is not None and given.get("image") is None:
        values.pop("image", None)
    image = values.get("image") or image
    if image is not None and given.get("python") is None:
        values.pop("python", None)
    return {**values, **_without_what_needs_another(values, given, image)}


def over_recorded(
    profile: Profile, given: Mapping[str, Any], recorded: Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of options for a replay, and those of them that are not the scan's.

    They are those of a profile and of the user; variables and folders of the scan come before
    them. The image stays what it was, where the scan had one and the user names no other.
    """
    if recorded.image is not None and "image" not in given:
        kept = {name: value for name, value in profile.options.items() if name != "image"}
        profile = replace(profile, options=kept)
    values = merged(profile, given, recorded.image)
    # What the scan itself says to containers and jobs may be somebody else's.
    own = dict(values)
    for name in ("env", "secret", "bind"):
        before = getattr(recorded, name)
        if before:
            values[name] = together(before, values.get(name), _KEYS[name])
            own.pop(name, None)
    return values, own


def with_collector_warning(scan: ScanSpec, options: Options) -> ScanSpec:
    """Return the scan, with a warning if its metrics do not go to the collector of the profile."""
    wanted = options.collector if isinstance(options, ExpandedOptions) else None
    if wanted is None or scan.channel == FILE:
        return scan
    used = channels.collector_address()
    if used == wanted:
        return scan
    text = (
        f"Jobs of profile {scan.profile} reach the collector {wanted}, and you use"
        f" {used or 'none'}: `gridgpu collector use` takes what its owner gave you."
    )
    return replace(scan, warnings=(*scan.warnings, text))


def texts(value: Any) -> tuple[str, ...]:
    """Return the values of an option that may be repeated; a single text is one value."""
    if isinstance(value, str):
        return (value,)
    return tuple(value or ())


def together(first: Any, second: Any, key: Callable[[str], str]) -> tuple[str, ...]:
    """Return the values of `first` and then those of `second`, without the former of equal key.

    Where one of them has a key twice, it keeps both.
    """
    keys = {key(text) for text in texts(second)}
    return (*(text for text in texts(first) if key(text) not in keys), *texts(second))


def _listed(name: str, values: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {name: values} if values else {}


def _without_what_needs_another(
    values: Mapping[str, Any], given: Mapping[str, Any], image: str | None
) -> dict[str, Any]:
    """Return defaults for what only a profile says, and what means nothing in this request.

    The runtime and the folders of a profile are for scans that run in an image, and its shared
    folders for nodes that do not see the scan's folder.
    """
    found: dict[str, Any] = {}
    if image is None:
        found |= {"runtime": "auto"} if "runtime" not in given else {}
        found |= {"bind": texts(given.get("bind"))}
    elif values.get("runtime") == NO_RUNTIME:
        found |= {"bind": texts(given.get("bind"))}
    if not values.get("no_shared_disk"):
        found |= {"shared": texts(given.get("shared"))}
    return found


# What two values of an option have in common, if the second replaces the first -----------------


def _itself(text: str) -> str:
    return text


def _name(text: str) -> str:
    return text.partition("=")[0].strip()


def _destination(text: str) -> str:
    """Return where an image sees the folder of `SRC[:DST[:ro]]`."""
    parts = text.split(":")
    return (parts[1] if len(parts) > 1 and parts[1] else parts[0]).rstrip("/")


def _engine_word(text: str) -> str:
    """Return the option of the batch system in `--reservation=x`, `-C x` or `+JobFlavour = "x"`."""
    word = re.split(r"[=\s]", text.strip(), maxsplit=1)[0]
    if word.startswith("-"):
        return word
    # HTCondor's attributes have no case, and +X is MY.X.
    return re.sub(r"^(\+|my\.)", "my.", word.lower())


_KEYS: dict[str, Callable[[str], str]] = {
    "env": _name,
    "secret": _itself,
    "engine_option": _engine_word,
    "bind": _destination,
    "exclude_site": _itself,
    "shared": _itself,
}
