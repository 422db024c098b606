"""What --engine-option may say to HTCondor, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.backends.htcondor.backend import HTCondorBackend
from jupyter_gridgpu.backends.htcondor.description import description
from jupyter_gridgpu.backends.htcondor.submit_options import submit_options
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.resources import Placement
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan


def commands(*words: str) -> dict[str, str]:
    return submit_options(words).commands


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ('+JobFlavour = "tomorrow"', "MY.JobFlavour", '"tomorrow"'),
        ('+joBFlavour="tomorrow"', "MY.joBFlavour", '"tomorrow"'),
        ("MY.X = 3", "MY.X", "3"),
        ("my.X=3", "MY.X", "3"),
        ('+ProjectName = strcat(Owner, "x")', "MY.ProjectName", 'strcat(Owner, "x")'),
        ("concurrency_limits = x", "concurrency_limits", "x"),
        ("Concurrency_Limits = licence:2", "concurrency_limits", "licence:2"),
        ("request_licences = 2", "request_licences", "2"),
        ("rank = Memory", "rank", "Memory"),
        ("priority = 5", "priority", "5"),
        ("job_lease_duration = 3600", "job_lease_duration", "3600"),
        ('+DESIRED_Sites = "A,B"', "MY.DESIRED_Sites", '"A,B"'),
        ("+WantGPULab = true", "MY.WantGPULab", "true"),
        ('+Pattern = regexp("x$", Machine)', "MY.Pattern", 'regexp("x$(DOLLAR)", Machine)'),
        ("MY.SendCredential = yes", "MY.SendCredential", "True"),
    ],
)
def test_what_a_pool_may_want_is_sent(word: str, name: str, value: str) -> None:
    assert commands(word) == {name: value}
    scan = small_scan(placement=Placement(options=(word,)))
    assert description(scan, "scan/b0001", "words")[name] == value


# What may be said in several ways: as a command, as an attribute, in any case, with blanks.
WAYS = ("{} = 1", "{}=1", "+{} = 1", "MY.{} = 1", "my.{}=1")
# For each, what the sentence says to do instead.
REFUSED = {
    "--cpus": "request_cpus RequestCpus",
    "--memory": "request_memory RequestMemory",
    "--disk": "request_disk RequestDisk",
    "--gpus": "request_gpus RequestGPUs",
    "--vram": "require_gpus RequireGPUs gpus_minimum_memory gpus_minimum_runtime",
    "--constraint": "requirements Requirements",
    "--account": "accounting_group AccountingGroup AcctGroup",
    "--walltime": "allowed_execute_duration AllowedJobDuration MaxRuntime",
    "--grace": "kill_sig KillSig remove_kill_sig job_max_vacate_time want_graceful_removal",
    "--name": "batch_name JobBatchName",
    "--image": "universe JobUniverse container_image ContainerImage docker_image DockerImage"
    " WantDocker WantContainer WantSIF SingularityImage docker_network_type vm_type",
    "--env": "environment Environment Env env getenv PreEnvironment JobEnvironment",
    "--retries": "max_retries JobMaxRetries success_exit_code retry_until",
    "--parallel": "max_materialize max_idle JobMaterializeLimit",
    "mail": "notification notify_user NotifyUser JobNotification EmailAttributes",
    "--files": "transfer_input_files TransferInput transfer_output_files TransferOutput"
    " TransferExecutable ShouldTransferFiles WhenToTransferOutput transfer_output_remaps"
    " TransferOutputRemaps TransferPlugins TransferCheckpoint transfer_checkpoint_files"
    " checkpoint_destination output_destination OutputDestination public_input_files"
    " PublicInputFiles encrypt_input_files EncryptInputFiles dont_encrypt_output_files input In"
    " output Out Err Iwd initialdir initial_dir stream_output StreamOut StreamErr"
    " append_files copy_to_spool SpooledOutputFiles StageInStart StageOutFinish ManifestDir"
    " jar_files manifest preserve_relative_paths max_transfer_input_mb MaxTransferOutputMB",
    "what its jobs run": "executable Cmd arguments Arguments Args PreCmd PreArguments"
    " PostCmd hook_keyword HookKeyword JobHookPrepare tool_daemon_cmd ToolDaemonCmd ToolDaemonArgs"
    " shell java_vm_args run_as_owner load_profile noop_job cron_minute deferral_time"
    " DeferralTime want_io_proxy WantIOProxy WantRemoteIO",
    "--secret": "x509userproxy X509UserProxy use_x509userproxy use_oauth_services"
    " OAuthServicesNeeded Owner User scitokens_file delegate_job_GSI_credentials",
    "held, removed and logged": "periodic_remove PeriodicRemove periodic_hold PeriodicRelease"
    " on_exit_remove OnExitHold leave_in_queue LeaveJobInQueue hold HoldReason log UserLog"
    " dagman_log DAGManJobId JobStatus ClusterId ProcId QDate GridGpuBatch GridResource"
    " StarterUserLog starter_debug MaxHosts machine_count",
    "one command": "queue include if endif use foreach error",
    "no command of HTCondor": "frobnicate",
}


@pytest.mark.parametrize(
    ("instead", "name"),
    [(instead, name) for instead, names in REFUSED.items() for name in names.split()],
)
def test_what_this_package_decides_is_refused_in_any_spelling(instead: str, name: str) -> None:
    for way in WAYS:
        for spelt in (name, name.upper(), name.lower(), name.swapcase()):
            word = way.format(spelt)
            is_attribute = not way.startswith("{")
            if name == "frobnicate" and is_attribute:
                continue  # any name that means nothing to HTCondor
            with pytest.raises(BackendError) as refused:
                commands(word)
            text = str(refused.value)
            assert text.startswith(f"--engine-option '{word}' is refused: ")
            assert instead in text
            assert text.endswith(".")
            assert "\n" not in text


@pytest.mark.parametrize(
    "word",
    [
        "--reservation=x",
        "JobFlavour",
        "+JobFlavour",
        "+JobFlavour =",
        "= 3",
        "+Job Flavour = 3",
        "TARGET.X = 3",
        "+X.Y = 3",
        "queue 5",
        "include : /etc/passwd",
        "include command : /bin/ls",
        "executable @=end",
        "+X = 3\nexecutable = /bin/ls",
        "+X = 3\r+Cmd = 4",
        "+X = 3\u2028+Cmd = 4",
        "+X = $(HOME)",
        "+X = $ENV(HOME)",
        '+X = "$F(x)"',
        "+X = $RANDOM_CHOICE(1,2)",
        "+X = $$(Arch)",
        "+X = $$([Arch])",
        "rank = $INT(x)",
        '+X = "a\\',
        "+X = 1 \\",
        "+JobFlavour = tomorrow",
        "MY.SendCredential = perhaps",
        "spool = perhaps",
        "SendCredential = True",
    ],
)
def test_what_is_no_single_option_is_refused(word: str) -> None:
    with pytest.raises(BackendError, match=r"^--engine-option '[^\n]*' is refused: [^\n]*\.$"):
        commands(word)


def test_one_name_is_given_once() -> None:
    for second in ("MY.x = 4", "+X = 3", "my.X=1"):
        with pytest.raises(BackendError, match="twice"):
            commands("+X = 3", second)


def test_our_own_option_is_no_command() -> None:
    assert submit_options(("spool = True", "MY.X = 3")).commands == {"MY.X": "3"}
    assert submit_options(("Spool=true",)).spool
    assert submit_options(("+SendCredential = True",)).send_credential
    assert not submit_options(("spool = no", "+SendCredential = false")).send_credential


def test_an_option_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    pytest.importorskip("htcondor2")
    scan = small_scan(backend="htcondor", placement=Placement(options=("+Cmd = 1",)))
    with pytest.raises(BackendError, match="--engine-option"):
        HTCondorBackend(scan, ScanPaths(tmp_path)).check(ask=False)
