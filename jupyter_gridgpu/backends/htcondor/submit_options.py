"""The options of --engine-option for HTCondor: lines of a submit description.

    +JobFlavour = "tomorrow"      an attribute of the job, as is MY.JobFlavour = "tomorrow"
    concurrency_limits = licence  a command of condor_submit

An attribute may have any name but those by which HTCondor learns what this package decides: what
runs, in what environment and image, which files travel, who is told. Of the commands only those in
_COMMANDS are taken: HTCondor would ignore a name that it does not know.

Nothing here needs HTCondor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jupyter_gridgpu.backends.htcondor.quoting import plain
from jupyter_gridgpu.errors import BackendError

_LINE = re.compile(r"(\+|[Mm][Yy]\.)?\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
# condor_submit puts something in the place of $(NAME), $NAME(...) and $$(...). Among the functions
# are some that read the environment, and some that choose files.
_MACRO = re.compile(r"\$\w*\(|\$\$")
# What HTCondor's commands and attributes are called, in small letters and without `_`. The first
# pattern that fits a name says what to do instead.
_OURS = (
    (r"requestcpus", "say --cpus"),
    (r"requestmemory", "say --memory"),
    (r"requestdisk", "say --disk"),
    (r"requestgpus", "say --gpus"),
    (r"requiregpus|gpusminimum(memory|runtime)", "say --gpu-model, --vram or --cuda"),
    (r"requirements", "say --constraint"),
    (r"accountinggroup|acctgroup", "say --account"),
    (r"allowed(execute|job)duration|maxruntime", "say --walltime"),
    (r"jobmaxvacatetime|.*killsig.*|wantgraceful.*", "say --grace"),
    (r"(job)?batch(name|id)", "say --name"),
    (
        r".*(docker|container|singularity|apptainer).*|.*universe|wantsif|.*sandboximage.*|vm.*",
        "say --image",
    ),
    (r"env|.*environment.*|getenv.*|env[0-9]+|preenv|postenv", "say --env"),
    (r".*(maxretries|retry).*|successexitcode|jobmaxretries", "say --retries"),
    (r"(job)?(max)?materialize.*|(job)?maxidle|.*jobset.*", "say --parallel"),
    (r".*(notif|e?mail).*", "HTCondor sends no mail about the jobs of a scan"),
    (r"queue|include|if|elif|else|endif|error|warning|use|foreach", "an option is one command"),
)
_FILES = (
    r"in|out|err|iwd|initialdir|initialworkingdir|.*(input|output|stdin|stdout|stderr)(s|size.*)?"
    r"|.*(transfer|spool|stagein|stageout|remaps?|plugin|encrypt|manifest|checkpoint).*"
    r"|stream(in|out|err).*|.*(destination|preserverelative|datareuse).*"
    r"|.*(dir|directory|(?<!pro)files?|url)"
)
_RUNS = (
    r".*(executable|arguments?|command|script|hook|daemon|prolog|epilog|shell|entrypoint).*"
    r"|args|cmd|.*(pre|post)(cmd|args).*|.*cmd[0-9]*|java.*|jar.*|noop.*|cron.*|defer.*"
    r"|.*(runasowner|loadprofile|suspendjobatexec|ioproxy|remoteio|remotesyscalls|rootdir)"
)
_IDENTITY = (
    r".*(credential|oauth|token|(?<!io)proxy|scitokens?|password|secret|delegate).*"
    r"|.*(accesskey|keypair).*"
    r"|owner|.*osuser|user|ntdomain|x509.*"
)
_LIFE = (
    r".*(periodic|onexit|timerremove|leave(job)?inqueue).*|hold.*|remove.*|release.*"
    r"|(job)?(status|lastjobstatus)|(cluster|proc|globaljob|submit)id|cluster|process|qdate"
    r"|(min|max)hosts|machinecount|(.*log|.*userlog.*|ulog.*|lognotes|logxml)"
    r"|dag.*|gridgpu.*|gridresource|submitevent.*|shadow.*|starter.*"
)
_REFUSED = (
    *_OURS,
    (_IDENTITY, "jobs run as you, and with what --secret names"),
    (_FILES, "say --files for what jobs need; what they leave comes back by itself"),
    (_RUNS, "the scan says what its jobs run"),
    (_LIFE, "this package decides when a job is held, removed and logged"),
)
# The commands of condor_submit that a user may give.
_COMMANDS = frozenset(
    {
        "accountinggroupuser",
        "concurrencylimits",
        "concurrencylimitsexpr",
        "gpusmaximumcapability",
        "gpusminimumcapability",
        "jobleaseduration",
        "jobmachineattrs",
        "jobmachineattrshistorylength",
        "keepclaimidle",
        "niceuser",
        "preferences",
        "priority",
        "rank",
    }
)
_CUSTOM_RESOURCE = re.compile(r"request[a-z][a-z0-9]*")  # such as request_licences
# To the ClassAd language this is the name of another attribute, which is seldom meant.
_BARE_WORD = re.compile(r"(?!(true|false|undefined)$)[a-z_][a-z0-9_]*", re.IGNORECASE)
_SPOOL = "spool"  # an option of ours
_SEND_CREDENTIAL = "sendcredential"  # CERN's attribute, for which HTCondor gets a Kerberos ticket
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class SubmitOptions:
    """What --engine-option says to HTCondor."""

    commands: dict[str, str]  # of a submit description, as HTCondor reads them
    spool: bool = False  # whether the schedd gets the jobs' files in its spool
    send_credential: bool = False  # whether HTCondor gets a Kerberos ticket for the jobs

    def expressions(self) -> list[str]:
        """Return the values that have to be expressions of the ClassAd language."""
        return [value for name, value in self.commands.items() if name.startswith("MY.")]


def submit_options(words: tuple[str, ...]) -> SubmitOptions:
    """Return what options say. Raises BackendError for one that is not taken, with what to do."""
    commands: dict[str, str] = {}
    spool, sends = False, False
    seen: set[str] = set()
    for word in words:
        is_attribute, name, value = _parts(word)
        key = _key(name)
        # A command and an attribute may set the same, so they count as one name.
        if key in seen:
            raise _refused(word, "it is given twice")
        seen.add(key)
        if key == _SPOOL and not is_attribute:
            spool = _truth(word, value)
            continue
        if key == _SEND_CREDENTIAL and is_attribute:
            sends = _truth(word, value)
            value = str(sends)
        else:
            _check_name(word, is_attribute, key)
        if is_attribute and _BARE_WORD.fullmatch(value):
            raise _refused(word, f'a text stands in quotes: +{name} = "{value}"')
        # What HTCondor would replace was refused, and a lone dollar stays one.
        commands[f"MY.{name}" if is_attribute else name.lower()] = plain(value)
    return SubmitOptions(commands, spool, sends)


def _parts(word: str) -> tuple[bool, str, str]:
    """Return whether a word sets an attribute, the name, and the value. Raises BackendError."""
    line = word.strip()
    found = _LINE.fullmatch(line) if line.isprintable() else None
    if found is None or not found[3]:
        raise _refused(
            word, "HTCondor's options are written NAME = VALUE, or +NAME = VALUE for an attribute"
        )
    value = found[3].strip()
    if _MACRO.search(value):
        raise _refused(word, "$(...) and $NAME(...) are not taken, so write the value itself")
    # condor_submit would take the next line for a part of this one.
    if value.endswith("\\"):
        raise _refused(word, "a value cannot end with a backslash")
    return found[1] is not None, found[2], value


def _check_name(word: str, is_attribute: bool, key: str) -> None:
    """Raise BackendError if a name is not for users to set."""
    for pattern, instead in _REFUSED:
        if re.fullmatch(pattern, key):
            raise _refused(word, instead)
    if is_attribute or key in _COMMANDS or _CUSTOM_RESOURCE.fullmatch(key):
        return
    raise _refused(
        word, "it is no command of HTCondor that is taken; say +NAME = VALUE for an attribute"
    )


def _truth(word: str, value: str) -> bool:
    found = _TRUTH.get(value.lower())
    if found is None:
        raise _refused(word, "its value is True or False")
    return found


def _key(name: str) -> str:
    """Return a name in small letters and without `_`: so all spellings of a name are the same."""
    return name.replace("_", "").lower()


def _refused(word: str, why: str) -> BackendError:
    return BackendError(f"--engine-option '{word}' is refused: {why}.")
