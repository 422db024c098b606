"""Sends one HTTP request with the standard library, bounded in time and size.

An address may itself be a secret (a pre-signed address), so errors name only the host.
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
LONGEST_RETRY_S = 3600
GRID_CERTIFICATES = "/etc/grid-security/certificates"


@dataclass(frozen=True)
class HttpAnswer:
    """What a server answered, whatever the status."""

    status: int
    headers: Message
    body: bytes

    def retry_after_s(self) -> float:
        """Return the seconds after which to try again, if the server says so, else 0."""
        text = self.headers.get("Retry-After", "")
        # The header may hold a date instead, which is ignored.
        return float(min(int(text), LONGEST_RETRY_S)) if text.isdecimal() else 0.0


def request(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    limit: int = ANSWER_BYTES,
) -> HttpAnswer:
    """Send a request and return the answer, with at most `limit` bytes of its body.

    An answer of any status is returned. Raises Unreachable where there is no answer.
    """
    try:
        prepared = urllib.request.Request(url, body, dict(headers or {}), method=method)
        with _opener().open(prepared, timeout=timeout_s) as found:
            return HttpAnswer(found.status, found.headers, found.read(limit))
    except urllib.error.HTTPError as error:
        # urllib raises for a status from 300 on. For us that is an answer like any other.
        with error:
            return HttpAnswer(error.code, error.headers, _error_body(error, limit))
    except urllib.error.URLError as error:
        raise Unreachable(f"{host(url)} does not answer: {_reason(error.reason)}.") from None
    # ValueError: the address or a header is malformed.
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{host(url)} does not answer: {_reason(error)}.") from None


def host(url: str) -> str:
    """Return the part of an address that may be shown: host, and port if it has one."""
    try:
        parts = urlsplit(url)
        if parts.port:
            return f"{parts.hostname}:{parts.port}"
    except ValueError:
        return "?"
    return parts.hostname or "?"


def _error_body(error: urllib.error.HTTPError, limit: int) -> bytes:
    try:
        return error.read(limit)
    except (OSError, http.client.HTTPException):
        return b""


def _reason(error: Any) -> str:
    """Return in a few words why there is no answer, without the address."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    # The texts of SSL and HTTP errors may repeat the address, and name lines of C code.
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        return type(error).__name__
    return error.strerror or type(error).__name__


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects of a PUT too, and gives the credential to no other host.

    Storages redirect a PUT to the machine that has the disk.
    """

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Return the request that follows a redirect, or None if it must not be followed."""
        target = urljoin(req.full_url, newurl)
        if code not in (301, 302, 307, 308) or not _is_safe_redirect(req.full_url, target):
            return None
        kept = dict(req.header_items())
        if urlsplit(req.full_url).netloc != urlsplit(target).netloc:
            for name in list(kept):
                # The new host makes its own Host header, and must not see the credential.
                if name.lower() in ("authorization", "host"):
                    del kept[name]
        return urllib.request.Request(target, req.data, kept, method=req.get_method())

    # Python 3.9 and 3.10 know nothing of status 308.
    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302


def _is_safe_redirect(old: str, new: str) -> bool:
    """Return whether a redirect stays with HTTP or HTTPS, and does not give up encryption."""
    schemes = urlsplit(old).scheme, urlsplit(new).scheme
    return schemes[1] in ("http", "https") and schemes != ("https", "http")


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Redirects, urllib.request.HTTPSHandler(context=_context()))


def _context() -> ssl.SSLContext:
    """Return an SSL context that trusts the certificates of the system and of the grid.

    Many storages of the grid have a certificate that only the grid's authorities signed.
    """
    context = ssl.create_default_context()
    folder = os.environ.get("X509_CERT_DIR", GRID_CERTIFICATES)
    if os.path.isdir(folder):
        context.load_verify_locations(capath=folder)
    return context
