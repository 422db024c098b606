"""What PanDA is told of a task: the map of parameters that prun would make of the same wishes. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.queues.gpu_request import architecture
from jupyter_gridgpu.worker.launch.grid_task import OUTPUT

ATTEMPTS = 3  # of PanDA at one job: the default of prun
SCRIPT = "run.sh"
EXEC = "/bin/sh __run_main_exec.sh"
_LOGS = r"\.log\.tgz(\.\d+)*$"


@dataclass(frozen=True)
class Submitter:
    """Who sends a task, and to which server."""

    nickname: str
    vo: str
    server: str  # scheme and host that jobs fetch the sandbox from
    version: str  # of panda-client


def task_name(scan: ScanSpec, batch: str, nickname: str) -> str:
    """Return the name by which PanDA knows a batch, and no other task: what was sent twice is found to be there."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", scan.name)[:40]
    return f"user.{nickname}.{name}.{scan.id}.{batch}"


def attempts(scan: ScanSpec) -> int:
    return scan.placement.attempts or ATTEMPTS


def task_map(
    scan: ScanSpec, batch: str, jobs: int, site: Submitter, archive: str
) -> dict[str, Any]:
    """Return the map of a task of `jobs` jobs, each of which runs what its sequence number says."""
    name = task_name(scan, batch, site.nickname)
    out = (scan.placement.output or name).rstrip("/")
    return {
        "taskName": f"{name}/",
        "uniqueTaskName": True,
        "vo": site.vo,
        "prodSourceLabel": "user",
        "processingType": f"panda-client-{site.version}-jedi-run",
        "transUses": "",
        "transHome": None,
        "noInput": True,
        "nEvents": jobs,
        "nEventsPerJob": 1,
        "nMaxFilesPerJob": 200,
        "respectSplitRule": True,
        "maxAttempt": attempts(scan),
        "noEmail": True,
        "sourceURL": site.server,
        "cliParams": f"gridgpu run {scan.notebook} --on panda",
        "log": {
            "type": "template",
            "param_type": "log",
            "value": f"{out}.log.$JEDITASKID.${{SN}}.log.tgz",
            **_dataset(f"{out}.log"),
        },
        "jobParameters": _job_parameters(scan, out, site, archive),
        **_where(scan),
        **_resources(scan),
        **_container(scan),
        **({"useLocalIO": 1} if scan.placement.inputs else {}),
    }


def _where(scan: ScanSpec) -> dict[str, Any]:
    sites = [site.strip() for site in (scan.placement.queue or "").split(",") if site.strip()]
    one = sites[0] if len(sites) == 1 else None
    group = {"workingGroup": scan.placement.account} if scan.placement.account else {}
    return {
        "site": one,
        "includedSite": sites if len(sites) > 1 else None,
        "excludedSite": list(scan.placement.exclude),
        **group,
    }


def _resources(scan: ScanSpec) -> dict[str, Any]:
    wanted, cores = scan.resources, scan.resources.cpus or 1
    body: dict[str, Any] = {"architecture": architecture(wanted)}
    if wanted.memory_mb:
        body |= {"ramCount": -(-wanted.memory_mb // cores), "ramCountUnit": "MBPerCore"}
    if wanted.walltime_s:
        body |= {"maxWalltime": -(-wanted.walltime_s * scan.per_job // 3600)}
    return body | ({"coreCount": cores} if cores > 1 else {})


def _container(scan: ScanSpec) -> dict[str, Any]:
    image = scan.container.image
    if image is None:
        return {}
    steps = {
        step: {"command": "${TRF}", "args": f"--{step} ${{TRF_ARGS}}"}
        for step in ("preprocess", "postprocess")
    }
    return {
        "container_name": image,
        "multiStepExec": {
            **steps,
            "containerOptions": {"containerExec": EXEC, "containerImage": image},
        },
    }


def _dataset(name: str) -> dict[str, str]:
    return {"dataset": f"{name}/", "container": f"{name}/"}


def _job_parameters(
    scan: ScanSpec, out: str, site: Submitter, archive: str
) -> list[dict[str, Any]]:
    lfn = f"user.{site.nickname}.$JEDITASKID._${{SN/P}}.{OUTPUT}"
    return [
        _constant('-j "" --sourceURL ${SURL}'),
        _constant("-r ."),
        {**_constant("__delimiter__"), "hidden": True},
        _constant(f"-a {archive}"),
        {"type": "template", "param_type": "output", "hidden": True, "value": lfn, **_dataset(f"{out}_{OUTPUT}")},
        _constant(f"-o \"{{'{OUTPUT}': '{lfn}'}}\""),
        *_inputs(scan.placement.inputs),
        {**_constant('-p "'), "padding": False},
        {**_constant(f"sh%20{SCRIPT}%20"), "padding": False},
        {
            "type": "template", "param_type": "pseudo_input", "dataset": "seq_number", "value": "${SEQNUMBER}",
            "offset": 0, "padding": False,
        },
        _constant('"'),
    ]  # fmt: skip


def _constant(value: str) -> dict[str, Any]:
    return {"type": "constant", "value": value}


def _inputs(datasets: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every job gets all files of every dataset; their names are in input.txt, input2.txt, ..."""
    if not datasets:
        return []
    streams = {
        f"IN{number if number > 1 else ''}": dataset for number, dataset in enumerate(datasets, 1)
    }
    lists = ",".join(f"{stream}:{stream.lower().replace('in', 'input')}.txt" for stream in streams)
    streamed = "{" + ", ".join(f"'{stream}': ${{{stream}/T}}" for stream in streams) + "}"
    return [
        _constant(f"--writeInputToTxt {lists}"),
        *(_input(stream, dataset) for stream, dataset in streams.items()),
        _constant(f'--inMap "{streamed}"'),
    ]


def _input(stream: str, dataset: str) -> dict[str, Any]:
    first = stream == "IN"
    value = '-i "${IN/T}"' if first else f"${{{stream}}}"
    body = {
        "type": "template",
        "param_type": "input",
        "value": value,
        "dataset": dataset,
        "exclude": _LOGS,
    }
    return {**body, "attributes": "nosplit,repeat", **({} if first else {"hidden": True})}
