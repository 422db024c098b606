"""One HTTP request with what the standard library has: bounded in time and size, its address never in a message.

An address may itself be a secret (a pre-signed one), so errors name the host alone.
"""

from __future__ import annotations

import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urljoin, urlsplit

from jupyter_gridgpu.errors import Unreachable

TIMEOUT_S = 10.0
ANSWER_BYTES = 4 * 1024 * 1024
GRID_CERTIFICATES = "/etc/grid-security/certificates"


@dataclass(frozen=True)
class HttpAnswer:
    """What came back, of whatever status."""

    status: int
    headers: Message
    body: bytes

    def retry_after_s(self) -> float:
        word = self.headers.get("Retry-After", "")
        return float(min(int(word), 3600)) if word.isdecimal() else 0.0


def ask(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    limit: int = ANSWER_BYTES,
) -> HttpAnswer:
    """Send a request and return its answer, at most `limit` bytes of it. Raises Unreachable where there is none."""
    try:
        request = urllib.request.Request(url, body, dict(headers or {}), method=method)
        with _opener().open(request, timeout=timeout_s) as found:
            return HttpAnswer(found.status, found.headers, found.read(limit))
    except urllib.error.HTTPError as error:
        with error:
            return HttpAnswer(error.code, error.headers, _rest(error, limit))
    except urllib.error.URLError as error:
        raise Unreachable(f"{host(url)} does not answer: {_words(error.reason)}.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{host(url)} does not answer: {_words(error)}.") from None


def host(url: str) -> str:
    """Return the part of an address that may be shown."""
    try:
        found = urlsplit(url)
        return f"{found.hostname}:{found.port}" if found.port else found.hostname or "?"
    except ValueError:
        return "?"


def _rest(error: urllib.error.HTTPError, limit: int) -> bytes:
    try:
        return error.read(limit)
    except (OSError, http.client.HTTPException):
        return b""


def _words(error: Any) -> str:
    if isinstance(error, (TimeoutError, ssl.SSLError)) or not isinstance(error, OSError):
        return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return error.strerror or type(error).__name__


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Storages send a PUT on to the machine that has the disk; the credential goes along only to the same host."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        target = urljoin(req.full_url, newurl)
        old, new = urlsplit(req.full_url), urlsplit(target)
        if (
            code not in (301, 302, 307, 308)
            or new.scheme not in ("http", "https")
            or (old.scheme, new.scheme) == ("https", "http")
        ):
            return None
        same = old.netloc == new.netloc
        kept = {
            name: value
            for name, value in req.header_items()
            if same or name.lower() not in ("authorization", "host")
        }
        return urllib.request.Request(target, req.data, kept, method=req.get_method())

    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Redirects, urllib.request.HTTPSHandler(context=_context()))


def _context() -> ssl.SSLContext:
    """Certificates of the system, and those of the grid where a node has them."""
    context = ssl.create_default_context()
    folder = os.environ.get("X509_CERT_DIR", GRID_CERTIFICATES)
    if os.path.isdir(folder):
        context.load_verify_locations(capath=folder)
    return context
