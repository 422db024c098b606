"""Checks PanDA: panda-client, the sign-in and how long it lasts, and the server."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from importlib.metadata import version

from jupyter_gridgpu.backends.panda import client_call, credentials
from jupyter_gridgpu.doctor.finding import Finding, note, ok, problem
from jupyter_gridgpu.errors import GridGpuError

SERVER_TIMEOUT_S = 15.0  # seconds
# If one of these variables is set, the user wants to use the grid.
GRID_VARIABLES = {"PANDA_AUTH", "PANDA_URL_SSL", "X509_USER_PROXY"}


def panda() -> list[Finding]:
    """Look at what this machine needs for sending tasks to the grid.

    A sign-in that has run out or soon will is a problem, and so is a server that does not answer.
    What is missing is only a note if the user does not use the grid.
    """
    if importlib.util.find_spec("pandaclient") is None:
        text = "panda-client is not here: --on panda needs it."
        return [note(text, "pip install 'jupyter_gridgpu[panda]'")]
    client = ok(f"panda-client {version('panda-client')}, server {credentials.server()}")
    identity = credentials.identity()
    if identity.problem:
        return [client, _no_sign_in(identity.problem)]
    # The server refuses a sign-in that has run out, so it is not asked.
    if warning := identity.expiry_warning():
        advice = "Jobs that were sent go on without it; nothing can be sent or asked."
        return [client, problem(warning, advice)]
    return [client, ok(_identity_text(identity)), _server(), _rucio()]


def _no_sign_in(text: str) -> Finding:
    if GRID_VARIABLES & set(os.environ):
        return problem(text, "Until then nothing can be sent to PanDA.")
    # A user who does not use the grid needs no sign-in.
    return note(text, "Only --on panda needs it.")


def _identity_text(identity: credentials.Identity) -> str:
    if identity.expires is not None:
        expires = time.strftime("%Y-%m-%d %H:%M", time.localtime(identity.expires))
        lasts = f"until {expires}"
    elif identity.kind == "token":
        lasts = "renewed by panda-client"
    else:
        lasts = "of unknown length"
    name, vo = identity.name or "an unknown name", identity.vo or "atlas"
    return f"{identity.kind} of {name}, VO {vo}, {lasts} ({identity.source})"


def _server() -> Finding:
    try:
        answer = client_call.call("check", {}, SERVER_TIMEOUT_S)
    except GridGpuError as error:
        return problem(
            f"{str(error).rstrip('.')}.",
            "Look at PANDA_URL_SSL and the sign-in, or try `pbook` in a terminal.",
        )
    return ok(f"The server answers; datasets begin with user.{answer['nickname']}.")


def _rucio() -> Finding:
    # The files of jobs are datasets of the grid, which only rucio can download.
    if shutil.which("rucio") is None:
        return note(
            "rucio is not here: artifacts of grid jobs stay in their dataset;"
            " notebooks and metrics come back without."
        )
    return ok("rucio is here.")
