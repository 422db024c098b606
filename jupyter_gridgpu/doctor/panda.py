"""PanDA: panda-client, the sign-in and until when it holds, the server."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from importlib.metadata import version

from jupyter_gridgpu.backends.panda import asking, credentials
from jupyter_gridgpu.doctor.finding import Finding, note, ok, problem
from jupyter_gridgpu.errors import GridGpuError

ASKED_S = 15.0


def panda() -> list[Finding]:
    """What a task for the grid needs here; the server is asked only by somebody who is signed in."""
    if importlib.util.find_spec("pandaclient") is None:
        return [
            note(
                "panda-client is not here: --on panda needs it.",
                "pip install 'jupyter_gridgpu[panda]'",
            )
        ]
    found, who = (
        [ok(f"panda-client {version('panda-client')}, server {credentials.server()}")],
        credentials.identity(),
    )
    if who.problem:
        return [*found, _no_sign_in(who.problem)]
    if words := who.words():
        return [
            *found,
            problem(words, "Jobs that were sent go on without it; nothing can be sent or asked."),
        ]
    return [*found, ok(_identity(who)), _server(), _rucio()]


def _no_sign_in(words: str) -> Finding:
    """Nobody who does not use the grid has a sign-in, or needs one."""
    if {"PANDA_AUTH", "PANDA_URL_SSL", "X509_USER_PROXY"} & set(os.environ):
        return problem(words, "Until then nothing can be sent to PanDA.")
    return note(words, "Only --on panda needs it.")


def _identity(who: credentials.Identity) -> str:
    ends = "renewed by panda-client" if who.kind == "token" else "of unknown length"
    if who.expires is not None:
        ends = f"until {time.strftime('%Y-%m-%d %H:%M', time.localtime(who.expires))}"
    return f"{who.kind} of {who.name or 'an unknown name'}, VO {who.vo or 'atlas'}, {ends} ({who.source})"


def _server() -> Finding:
    try:
        found = asking.call("check", {}, ASKED_S)
    except GridGpuError as error:
        return problem(
            f"{str(error).rstrip('.')}.",
            "Look at PANDA_URL_SSL and the sign-in, or try `pbook` in a terminal.",
        )
    return ok(f"The server answers; datasets begin with user.{found['nickname']}.")


def _rucio() -> Finding:
    if shutil.which("rucio") is None:
        return note(
            "rucio is not here: artifacts of grid jobs stay in their dataset; notebooks and metrics come back without."
        )
    return ok("rucio is here.")
