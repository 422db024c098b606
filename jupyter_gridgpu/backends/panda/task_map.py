"""The parameters of a task for PanDA, as `prun` would make them for the same request.

Nothing here asks PanDA. The names and their odd forms are those of PanDA's server; a recorded map
of a task that ran to its end is in tests/data/panda.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.backends.batch.demand import task_demand
from jupyter_gridgpu.backends.panda import task_options
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.queues.gpu_request import architecture
from jupyter_gridgpu.worker.launch.grid_task import OUTPUT

ATTEMPTS = 3  # how often PanDA tries a job, as `prun` has it
SCRIPT = "run.sh"  # in the sandbox; it gets the sequence number of the job
EXEC = "/bin/sh __run_main_exec.sh"  # what the pilot runs in the container
NAME_LENGTH = 40  # of the part of a task's name that is the scan's name
_LOGS = r"\.log\.tgz(\.\d+)*$"


@dataclass(frozen=True)
class Submitter:
    """Who sends a task, and to which server."""

    nickname: str  # with which the names of the user's datasets begin
    vo: str
    server: str  # scheme and host from which jobs fetch the sandbox
    version: str  # of panda-client


def task_name(scan: ScanSpec, batch: str, nickname: str) -> str:
    """Return the name by which PanDA knows a batch, and no other task.

    PanDA answers a second task of the same name with the number of the first, so a batch that is
    sent twice runs once.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", scan.name)[:NAME_LENGTH]
    return f"user.{nickname}.{name}.{scan.id}.{batch}"


def attempts(scan: ScanSpec) -> int:
    """Return how often PanDA tries a job."""
    return scan.placement.attempts or ATTEMPTS


def task_map(
    scan: ScanSpec, batch: str, size: int, submitter: Submitter, archive: str
) -> dict[str, Any]:
    """Return the map of a task of `size` jobs.

    `archive` is the name of the sandbox on PanDA's server. Each job runs the line of the sandbox's
    table that its sequence number names.
    """
    name = task_name(scan, batch, submitter.nickname)
    output = (scan.placement.output or name).rstrip("/")
    parameters = {
        "taskName": f"{name}/",
        "uniqueTaskName": True,
        "vo": submitter.vo,
        "prodSourceLabel": "user",
        "processingType": f"panda-client-{submitter.version}-jedi-run",
        "transUses": "",
        "transHome": None,
        "noInput": True,
        "nEvents": size,
        "nEventsPerJob": 1,
        "nMaxFilesPerJob": 200,
        "respectSplitRule": True,
        "maxAttempt": attempts(scan),
        "noEmail": True,
        "sourceURL": submitter.server,
        "cliParams": f"gridgpu run {scan.notebook} --on panda",
        "log": {
            "type": "template",
            "param_type": "log",
            "value": f"{output}.log.$JEDITASKID.${{SN}}.log.tgz",
            **_dataset(f"{output}.log"),
        },
        "jobParameters": _job_parameters(scan, output, submitter, archive),
        **_sites(scan),
        **_resources(scan),
        **_container(scan),
        **task_options.parameters(scan.placement.options, archive),
    }
    if scan.placement.inputs:
        # Jobs read copies of the input files on the node, not over the network.
        parameters["useLocalIO"] = 1
    return parameters


def _sites(scan: ScanSpec) -> dict[str, Any]:
    """Return where a task may run, and for which group."""
    given = (scan.placement.queue or "").split(",")
    sites = [site.strip() for site in given if site.strip()]
    parameters: dict[str, Any] = {
        "site": None,
        "includedSite": None,
        "excludedSite": list(scan.placement.exclude),
    }
    # PanDA has one parameter for one site, and another for several among which it chooses.
    if len(sites) == 1:
        parameters["site"] = sites[0]
    elif sites:
        parameters["includedSite"] = sites
    if scan.placement.account:
        parameters["workingGroup"] = scan.placement.account
    return parameters


def _resources(scan: ScanSpec) -> dict[str, Any]:
    """Return what a job needs: memory in MB for each core, time in hours, both rounded up."""
    demand = task_demand(scan)
    cores = demand.cpus or 1
    parameters: dict[str, Any] = {"architecture": architecture(scan.resources)}
    if demand.memory_mb:
        parameters["ramCount"] = _divided_up(demand.memory_mb, cores)
        parameters["ramCountUnit"] = "MBPerCore"
    if demand.walltime_s:
        parameters["maxWalltime"] = _divided_up(demand.walltime_s, 3600)
    if cores > 1:
        parameters["coreCount"] = cores
    return parameters


def _divided_up(number: int, divisor: int) -> int:
    """Return a quotient, rounded up to a whole number."""
    return -(-number // divisor)


def _container(scan: ScanSpec) -> dict[str, Any]:
    """Return the image of a task, which PanDA's pilot starts."""
    image = scan.container.image
    if image is None:
        return {}
    steps: dict[str, Any] = {}
    for step in ("preprocess", "postprocess"):
        steps[step] = {"command": "${TRF}", "args": f"--{step} ${{TRF_ARGS}}"}
    steps["containerOptions"] = {"containerExec": EXEC, "containerImage": image}
    return {"container_name": image, "multiStepExec": steps}


def _job_parameters(
    scan: ScanSpec, output: str, submitter: Submitter, archive: str
) -> list[dict[str, Any]]:
    """Return the command line of a job in pieces; PanDA puts them together for each job."""
    file = f"user.{submitter.nickname}.$JEDITASKID._${{SN/P}}.{OUTPUT}"
    output_file = {
        "type": "template",
        "param_type": "output",
        "hidden": True,
        "value": file,
        **_dataset(f"{output}_{OUTPUT}"),
    }
    # A job has no input file that would tell it from the others; its sequence number does.
    sequence_number = {
        "type": "template",
        "param_type": "pseudo_input",
        "dataset": "seq_number",
        "value": "${SEQNUMBER}",
        "offset": 0,
        "padding": False,
    }
    return [
        _constant('-j "" --sourceURL ${SURL}'),
        _constant("-r ."),
        {**_constant("__delimiter__"), "hidden": True},
        _constant(f"-a {archive}"),
        output_file,
        _constant(f"-o \"{{'{OUTPUT}': '{file}'}}\""),
        *_inputs(scan.placement.inputs),
        {**_constant('-p "'), "padding": False},
        {**_constant(f"sh%20{SCRIPT}%20"), "padding": False},
        sequence_number,
        _constant('"'),
    ]


def _inputs(datasets: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the pieces by which every job gets all files of every dataset.

    Their names are in input.txt, input2.txt, and so on, beside the notebook.
    """
    if not datasets:
        return []
    streams = {_stream(number): dataset for number, dataset in enumerate(datasets, 1)}
    lists = [f"{stream}:{stream.lower().replace('in', 'input')}.txt" for stream in streams]
    names = ", ".join(f"'{stream}': ${{{stream}/T}}" for stream in streams)
    return [
        _constant(f"--writeInputToTxt {','.join(lists)}"),
        *(_input(stream, dataset) for stream, dataset in streams.items()),
        _constant(f'--inMap "{{{names}}}"'),
    ]


def _stream(number: int) -> str:
    """Return PanDA's name for the files of a dataset: IN, IN2, IN3 and so on."""
    if number == 1:
        return "IN"
    return f"IN{number}"


def _input(stream: str, dataset: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {
        "type": "template",
        "param_type": "input",
        "value": f"${{{stream}}}",
        "dataset": dataset,
        # Logs of the jobs that made a dataset may lie in it.
        "exclude": _LOGS,
        # Without these, PanDA would share the files out among the jobs.
        "attributes": "nosplit,repeat",
    }
    # Only the first dataset stands on the command line. The others are in --inMap alone.
    if stream == "IN":
        parameter["value"] = '-i "${IN/T}"'
        return parameter
    return {**parameter, "hidden": True}


def _constant(value: str) -> dict[str, Any]:
    return {"type": "constant", "value": value}


def _dataset(name: str) -> dict[str, str]:
    return {"dataset": f"{name}/", "container": f"{name}/"}
