"""Sends a request to a server of PanDA, and returns its answer whatever its status is."""

from __future__ import annotations

import urllib.error
import urllib.request

ANSWER_S = 30  # for one request


def send(request: urllib.request.Request) -> tuple[int, str]:
    """Return status and text of the answer to a request."""
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
