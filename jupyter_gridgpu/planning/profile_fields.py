"""The fields of a profile, and how they are read from YAML. docs/sites.md says what they mean.

They are the options of a scan, so each is checked by the code that checks the option.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from functools import partial
from typing import Any, get_args, get_origin
from urllib.parse import urlsplit

import yaml

from jupyter_gridgpu import backends
from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.model.environment import LINE_LIMIT, LINES_LIMIT, is_line
from jupyter_gridgpu.model.fields import NAME, PLAIN_NAME
from jupyter_gridgpu.model.queue import LOCAL
from jupyter_gridgpu.model.resources import ANY_RUNTIME, RUNTIMES, Container
from jupyter_gridgpu.model.scan import AUTO, CHANNELS, smallest_scan
from jupyter_gridgpu.planning.declaration import Options, wording_of
from jupyter_gridgpu.planning.option_values import backend_fields
from jupyter_gridgpu.planning.profile import NOT_IN_A_PROFILE, Profile, option_names
from jupyter_gridgpu.queues.yaml_values import (
    DeclarationError,
    Reader,
    as_it_is,
    entries_of,
    need_fields,
    read_argument,
    read_field,
    read_fields,
    read_flag,
    read_items,
    read_text,
    shown,
    whole_number,
)
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths

PROFILES_LIMIT = 500  # profiles of one file
# Fields with another name than their option: they hold several values.
PLURALS = {"bind": "binds", "exclude_site": "exclude_sites", "engine_option": "engine_options"}
_ENVIRONMENT = ("env", "secret")  # they stand in a mapping of their own
_WORDS = {"runtime": RUNTIMES, "channel": CHANNELS}
# Examples of the fields that every profile must have, shown to a user who left one out.
_EXAMPLES = {"name": "lab-gpu", "backend": "slurm"}


class ProfileMistake(DeclarationError):
    """A mistake in a profile; `profile` is its name, or empty."""

    def __init__(self, mistake: DeclarationError, profile: str) -> None:
        # The line was found already.
        Exception.__init__(self, str(mistake))
        self.line = mistake.line
        self.profile = profile


def profiles_of(root: Any) -> tuple[list[Profile], list[ProfileMistake]]:
    """Return the profiles in a file's root node that have no mistake, and all mistakes.

    A mistake in one profile does not hide the other ones.
    """
    try:
        nodes = entries_of(root, "profiles", PROFILES_LIMIT)
    except DeclarationError as mistake:
        return [], [ProfileMistake(mistake, "")]
    profiles: list[Profile] = []
    mistakes: list[ProfileMistake] = []
    names: set[str] = set()
    for node in nodes:
        try:
            profile = _read_profile(node)
            if profile.name in names:
                raise DeclarationError(node, f"the file has two profiles {profile.name}; keep one")
        except DeclarationError as mistake:
            mistakes.append(ProfileMistake(mistake, _name_in(node)))
        else:
            names.add(profile.name)
            profiles.append(profile)
    return profiles, mistakes


def _name_in(node: Any) -> str:
    """Return the name that a profile with a mistake has, or an empty text."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    for key, value in pairs:
        if key.value == "name" and isinstance(value, yaml.ScalarNode):
            return str(value.value)
    return ""


def _read_profile(node: Any) -> Profile:
    _refuse_options_of_a_scan(node)
    # All fields are taken as nodes first, since the backend decides what the others may hold.
    nodes = read_fields(node, dict.fromkeys(_names(), as_it_is), "a profile")
    need_fields(node, nodes, _EXAMPLES, "the profile")
    backend = read_field("backend", _read_backend, nodes["backend"])
    readers = _readers(backend)
    values = {name: read_field(name, readers[name], inner) for name, inner in nodes.items()}
    options = {name: values[field] for name, field in _option_fields().items() if field in values}
    options |= values.get("environment", {})
    _check_together(node, nodes, backend, options)
    return Profile(
        values["name"], backend, values.get("title", ""), options, values.get("collector")
    )


def _refuse_options_of_a_scan(node: Any) -> None:
    """Raise DeclarationError for an option that says nothing about where and how jobs run."""
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
        if key.value in NOT_IN_A_PROFILE and key.value not in ("name", "on"):
            raise DeclarationError(
                key, f"{key.value} belongs to one scan, not to a place; give it with the scan"
            )


def _names() -> list[str]:
    """Return the names of all fields, in the order in which messages name them."""
    return ["name", "backend", "title", *_option_fields().values(), "environment", "collector"]


def _option_fields() -> dict[str, str]:
    """Return the field of each option, by the name of the option."""
    names = [name for name in option_names() if name not in _ENVIRONMENT]
    return {name: PLURALS.get(name, name) for name in names}


def _readers(backend: str) -> dict[str, Reader]:
    """Return a function for each field of a profile of this backend."""
    kinds = {one.name: one.type for one in fields(Options)}
    readers: dict[str, Reader] = {
        "name": _read_name,
        "backend": _read_backend,
        "title": read_text,
        "environment": partial(_read_environment, backend),
        "collector": _read_collector,
    }
    for option, field in _option_fields().items():
        readers[field] = _option_reader(backend, option, kinds[option])
    return readers


# the values of single fields ------------------------------------------------------------------


def _read_name(node: Any) -> str:
    text = read_text(node)
    if not NAME.fullmatch(text):
        raise UsageError(f"{shown(node)} cannot name a profile; write {PLAIN_NAME}")
    if text.lower() in (*backends.names(), AUTO):
        raise UsageError(f"{shown(node)} is a backend, so no profile can have this name")
    return text


def _read_backend(node: Any) -> str:
    text = read_text(node)
    if text not in backends.names():
        raise UsageError(f"{shown(node)} is no backend; write one of {', '.join(backends.names())}")
    return text


def _read_collector(node: Any) -> str:
    text = read_argument(node)
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(f"{shown(node)} is no address; write one like https://HOST:PORT")
    return text.rstrip("/")


def _read_line(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode) or not is_line(node.value):
        raise UsageError(f"{shown(node)} is not one line of at most {LINE_LIMIT:,} characters")
    return str(node.value).strip()


def _read_lines(backend: str, option: str, node: Any) -> tuple[str, ...]:
    """Return the lines of a list, or of one text, which may have several lines."""
    if not isinstance(node, yaml.ScalarNode):
        items = read_items(node, option, LINES_LIMIT)
        field = PLURALS.get(option, option)
        return tuple(
            _checked(item, backend, option, read_field(field, _read_line, item)) for item in items
        )
    lines = [line.strip() for line in node.value.splitlines() if line.strip()]
    if len(lines) > LINES_LIMIT or not all(is_line(line) for line in lines):
        raise UsageError(
            f"{shown(node)} is more than {LINES_LIMIT} lines, or has one of more than"
            f" {LINE_LIMIT:,} characters"
        )
    return tuple(_checked(node, backend, option, line) for line in lines)


def _read_word(words: tuple[str, ...], node: Any) -> str:
    text = read_text(node)
    if text not in words:
        raise UsageError(f"{shown(node)} is not known; write one of {', '.join(words)}")
    return text


def _read_environment(backend: str, node: Any) -> dict[str, tuple[str, ...]]:
    """Return the values of the options `env` and `secret`."""
    readers = {
        "env": partial(_read_variables, backend),
        "secrets": partial(_read_lines, backend, "secret"),
    }
    found = read_fields(node, readers, "environment")
    names = {"env": "env", "secrets": "secret"}
    return {names[field]: value for field, value in found.items()}


def _read_variables(backend: str, node: Any) -> tuple[str, ...]:
    """Return NAME=VALUE of a mapping or a list; a name without a value stands alone."""
    if not isinstance(node, yaml.MappingNode):
        return _read_lines(backend, "env", node)
    if len(node.value) > LINES_LIMIT:
        raise UsageError(f"it has {len(node.value):,} variables; {LINES_LIMIT} are the most")
    found: dict[str, str] = {}
    for key, value in node.value:
        name = _read_line(key)
        if name in found:
            raise DeclarationError(key, f"env: {name} is given twice; keep one")
        if not isinstance(value, yaml.ScalarNode):
            raise DeclarationError(value, f"env: {name} is {shown(value)}; write one value")
        # In quotes, an empty value is one.
        is_named_alone = value.value == "" and not value.style
        text = name if is_named_alone else f"{name}={value.value}"
        found[name] = _checked(key, backend, "env", text)
    return tuple(found.values())


def _option_reader(backend: str, option: str, kind: Any) -> Reader:
    """Return the function that reads an option of this type."""
    if get_origin(kind) is tuple:
        return partial(_read_lines, backend, option)
    if option in _WORDS:
        read: Reader = partial(_read_word, _WORDS[option])
    elif kind is bool:
        read = read_flag
    elif str in (get_args(kind) or (kind,)):
        read = _read_line
    else:
        # The option itself has a bound, and says it.
        read = whole_number(-(10**9))
    return lambda node: _checked(node, backend, option, read(node))


# the values as options ------------------------------------------------------------------------


def _checked(node: Any, backend: str, option: str, value: Any) -> Any:
    """Return the value of an option, or one of its values.

    Raises DeclarationError if the option cannot have it, or means nothing there.
    """
    field = PLURALS.get(option, option)
    why = backends.capabilities(backend).ignores.get(option)
    if value and why:
        raise DeclarationError(node, f"{field} means nothing with backend {backend}: {why}")
    if option == "setup":  # a shell reads the lines when they are used
        return value
    given = value
    # A variable without a value gets it when a scan is planned, from the user's session.
    if option == "env" and "=" not in value:
        given = f"{value}="
    if isinstance(getattr(Options(), option), tuple):
        given = (given,)
    # --shared is refused without the flag. Whether both are there is looked at later.
    needed: dict[str, Any] = {"no_shared_disk": True} if option == "shared" else {}
    try:
        backend_fields(replace(Options(on=backend), **needed, **{option: given}), Container())
    except GridGpuError as error:
        # The sentence begins with the option as a command line has it.
        text = re.sub(r"^--[a-z-]+:? ", "", str(error))
        raise DeclarationError(node, f"{field}: {_in_fields(text)}") from None
    return value


def _check_together(
    node: Any, nodes: dict[str, Any], backend: str, options: dict[str, Any]
) -> None:
    """Raise DeclarationError if options exclude each other, or if the backend refuses them.

    A backend may refuse every scan, where its batch system is not here. So its answer is compared
    with that for a scan without the profile.
    """
    # A variable without a value gets it from the session that plans a scan, and lines of shell are
    # read by a shell when they are used.
    options = {name: value for name, value in options.items() if name not in ("env", "setup")}
    refusal = _refusal(backend, options)
    if not refusal or refusal == _refusal(backend, {}):
        return
    for name in options:
        others = {other: value for other, value in options.items() if other != name}
        if _refusal(backend, others) != refusal:
            node = nodes.get(PLURALS.get(name, name)) or nodes["environment"]
            # There, words such as --account are those of the batch system.
            if name == "engine_option":
                node = _refused_item(node, backend, options, refusal)
                raise DeclarationError(node, refusal.rstrip("."))
    raise DeclarationError(node, _in_fields(refusal))


def _refused_item(node: Any, backend: str, options: dict[str, Any], refusal: str) -> Any:
    """Return the node of the option of the batch system that is refused, or that of the list."""
    words = options["engine_option"]
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    for index, item in enumerate(items):
        others = (*words[:index], *words[index + 1 :])
        if _refusal(backend, {**options, "engine_option": others}) != refusal:
            return item
    return node


def _refusal(backend: str, values: dict[str, Any]) -> str:
    """Return why a small scan with these options is refused; empty if it is not."""
    options = replace(Options(on=backend), **values)
    try:
        scan = smallest_scan(**backend_fields(options, _container(options)))
        # What this machine has now says nothing about the file.
        if backend != LOCAL:
            backends.load(scan, ScanPaths(home.home() / scan.name)).check(False)
    except GridGpuError as error:
        return str(error)
    return ""


def _container(options: Options) -> Container:
    """Return what the options say of the image, which is not looked for."""
    image = options.image
    # Runtime and folders of a profile are for an image that the user names.
    if image is None and (options.bind or options.runtime != ANY_RUNTIME):
        image = "docker://example/image"
    return Container(image, None, options.runtime, tuple(options.bind))


def _in_fields(text: str) -> str:
    """Return a sentence about options as one about fields: gpu_model for --gpu-model."""
    for name in option_names():
        for word in wording_of(Options.__dataclass_fields__[name]).words:
            text = re.sub(rf"{word}(?![\w-])", PLURALS.get(name, name), text)
    return text.rstrip(".")
