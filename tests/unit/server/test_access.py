"""Who may ask for what, and that nothing outside the home is ever given."""

from __future__ import annotations

import http.cookiejar
import os
import re
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websocket

from jupyter_gridgpu.collector.handler import ROUTE, CollectHandler
from jupyter_gridgpu.server.event_socket import EventsSocket
from jupyter_gridgpu.server.handlers import ROUTES, Api
from jupyter_gridgpu.testing.examples import notebook_json

from .kit import TOKEN, Server, serving, write_copy, write_scan

METHODS = ("get", "post", "put", "patch", "delete")
SECRET = "a secret of the user"


def asked() -> list[tuple[str, str]]:
    """Every method of every route, so that a new one is looked at too."""
    found = []
    for pattern, handler in ROUTES:
        path = re.sub(r"\(\[\^/\]\+\)|\.\*", "guarded", pattern)
        found += [
            (method.upper(), path)
            for method in METHODS
            if method in dir(handler) and _is_ours(handler, method)
        ]
    return found


def _is_ours(handler: type, method: str) -> bool:
    return any(
        method in vars(kind)
        for kind in handler.__mro__
        if kind.__module__.startswith("jupyter_gridgpu")
    )


def test_every_route_is_one_of_three_kinds() -> None:
    assert all(issubclass(handler, (Api, EventsSocket, CollectHandler)) for _, handler in ROUTES)
    assert [path for path, handler in ROUTES if issubclass(handler, CollectHandler)] == [ROUTE]
    assert {
        handler.auth_resource for _, handler in ROUTES if issubclass(handler, (Api, EventsSocket))
    } == {"gridgpu"}
    assert len(asked()) >= len(ROUTES)


@pytest.mark.parametrize(("method", "path"), asked())
def test_without_the_token_every_route_refuses(server: Server, method: str, path: str) -> None:
    for token in (None, "wrong"):
        answer = server.ask(method, path, b"{}" if method != "GET" else None, token, {})
        assert answer.status == 403
        assert "guarded" not in str(answer.body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_the_token_and_a_login_open_nothing_of_the_collector(browser: Browser, method: str) -> None:
    """Signatures alone open it, so another site has no login to borrow and no XSRF check lacks."""
    body = b"v0001.1" if method != "GET" else None
    for token, headers in ((TOKEN, {}), (None, {**browser.cookies, "X-XSRFToken": browser.xsrf})):
        answer = browser.server.ask(method, "gridgpu/collect/guarded", body, token, headers)
        assert (answer.status, answer.message) == (
            403,
            "This is signed by nobody who is known here.",
        )
        assert not {"Set-Cookie", "Access-Control-Allow-Origin"} & set(answer.headers)


@pytest.mark.parametrize("token", [None, "wrong"])
def test_the_stream_refuses_without_the_token(server: Server, token: str | None) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        server.page(token)


class Browser:
    """Somebody who has logged in with a cookie, as a browser does."""

    def __init__(self, server: Server) -> None:
        self.server, self.jar = server, http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        opener.open(server.url(f"login?token={TOKEN}")).close()
        opener.open(server.url("login")).close()

    @property
    def cookies(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)}

    @property
    def xsrf(self) -> str:
        return next(str(cookie.value) for cookie in self.jar if cookie.name == "_xsrf")


@pytest.fixture(scope="module")
def browser(server: Server) -> Browser:
    return Browser(server)


def retry(browser: Browser, **headers: str) -> int:
    path = "gridgpu/api/scans/cookies/commands"
    return browser.server.ask(
        "POST", path, b'{"action": "stop"}', None, {**browser.cookies, **headers}
    ).status


def test_a_post_from_another_site_is_refused(browser: Browser) -> None:
    write_scan(browser.server.home, "cookies")
    evil = {**browser.cookies, "Origin": "http://evil.example"}
    assert browser.server.get("gridgpu/api/scans", None, **browser.cookies).status == 200
    assert browser.server.get("gridgpu/api/scans", None, **evil).status == 404
    assert retry(browser) == 403
    assert retry(browser, **{"X-XSRFToken": "wrong"}) == 403
    assert retry(browser, Origin="http://evil.example", **{"X-XSRFToken": browser.xsrf}) in (
        403,
        404,
    )
    assert retry(browser, **{"X-XSRFToken": browser.xsrf}) == 400  # it has ended already


def test_a_stream_for_another_site_is_refused(browser: Browser) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        browser.server.page(None, Origin="http://evil.example", **browser.cookies)
    page = browser.server.page(
        None, Origin=f"http://127.0.0.1:{browser.server.port}", **browser.cookies
    )
    assert page.hear()["type"] == "scans"


READS_ONLY = """
from jupyter_server.auth import Authorizer

class ReadsOnly(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "gridgpu" or action == "{action}"

c.ServerApp.authorizer_class = ReadsOnly
"""


@pytest.fixture(params=["read", "nothing"])
def restricted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Server]]:
    config = tmp_path / "config.py"
    config.write_text(READS_ONLY.format(action=request.param))
    with serving(tmp_path / "server", "/", f"--config={config}") as made:
        yield request.param, made


def test_who_may_only_read_commands_nothing_and_who_may_nothing_hears_nothing(
    restricted: tuple[str, Server],
) -> None:
    allowed, server = restricted
    write_scan(server.home, "theirs")
    assert server.command("theirs", {"action": "stop"}).status == 403
    if allowed == "read":
        assert server.get("gridgpu/api/scans/theirs").status == 200
        assert server.page().hear()["type"] == "scans"
    else:
        assert server.get("gridgpu/api/scans/theirs").status == 403
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            server.page()


@pytest.fixture
def secret(server: Server) -> Path:
    """A folder beside the home that looks like a scan, with a file that is nobody's business."""
    outside = server.folder / "outside"
    shutil.rmtree(outside, ignore_errors=True)
    handle = write_scan(outside, "precious")
    handle.paths.log.write_text(SECRET)
    (outside / "id_rsa").write_text(SECRET)
    (outside / "id_rsa.ipynb").write_text(notebook_json(SECRET))
    return outside


@pytest.mark.parametrize(
    "way",
    [
        "..%2foutside%2fprecious", "%2e%2e%2foutside%2fprecious", "..%5coutside", "%2Fetc", "..",
        "%2e%2e", ".", "%00", "..%252foutside%252fprecious", "a" * 5000, "%ff%fe",
    ],
)  # fmt: skip
@pytest.mark.parametrize("rest", ["", "/log", "/jobs", "/jobs/v0001/log"])
def test_a_name_is_never_a_path(server: Server, secret: Path, way: str, rest: str) -> None:
    answer = server.get(f"gridgpu/api/scans/{way}{rest}")
    assert answer.status in (400, 403, 404)
    assert SECRET not in str(answer.body)
    whole = server.get(f"gridgpu/api/scans/{str(secret / 'precious').replace('/', '%2f')}{rest}")
    assert whole.status == 404


@pytest.mark.parametrize(
    "job", ["..%2f..%2foutside", "v0001.1%2f..", "v0001.1%00", "..", "v0001.", "v1.1"]
)
@pytest.mark.parametrize("what", ["", "/log", "/metrics", "/notebook"])
def test_a_job_is_never_a_path(server: Server, job: str, what: str) -> None:
    if not (server.home / "jobs-of").exists():
        write_scan(server.home, "jobs-of")
    assert server.get(f"gridgpu/api/scans/jobs-of/jobs/{job}{what}").status in (400, 404)


def test_a_scan_folder_that_leads_out_of_the_home_is_no_scan(server: Server, secret: Path) -> None:
    server.home.mkdir(exist_ok=True)
    link = server.home / "link-out"
    if not link.is_symlink():
        link.symlink_to(secret / "precious")
    assert server.get("gridgpu/api/scans/precious").status == 404
    assert server.get("gridgpu/api/scans/link-out/log").status == 404
    assert all(scan["name"] != "precious" for scan in server.api("scans")["scans"])


FILES = {"output.ipynb": "notebook", "worker.log": "log", "metrics.jsonl": "metrics"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("trick", ["link", "folder link", "job link", "pipe", "folder"])
def test_what_a_job_put_in_place_of_a_file_is_not_followed(
    server: Server, secret: Path, name: str, trick: str
) -> None:
    scan = f"trick-{trick.replace(' ', '-')}-{name.split('.')[0]}"
    handle = write_scan(server.home, scan)
    copy = handle.paths.job("v0001.1").copy("ab")
    copy.folder.parent.mkdir(parents=True)
    for target in FILES:
        (secret / target).write_text(
            notebook_json(SECRET)
            if target == "output.ipynb"
            else f'{SECRET}\n{{"t":1,"m":{{"{SECRET}":1}}}}\n'
        )
    if trick == "folder link":
        copy.folder.symlink_to(secret)
    elif trick == "job link":
        copy.folder.parent.rmdir()
        (secret / "ab").mkdir(exist_ok=True)
        shutil.copy(secret / name, secret / "ab" / name)
        copy.folder.parent.symlink_to(secret)
    else:
        copy.folder.mkdir()
        place = copy.folder / name
        makes: dict[str, Callable[[], None]] = {
            "link": lambda: place.symlink_to(secret / name),
            "pipe": lambda: os.mkfifo(place),
            "folder": lambda: place.mkdir(),
        }
        makes[trick]()
    answer = server.get(f"gridgpu/api/scans/{scan}/jobs/v0001/{FILES[name]}")
    assert SECRET not in str(answer.body)
    assert server.api(f"scans/{scan}")["state"] == "done"  # nothing hangs


def test_a_device_is_not_read(server: Server) -> None:
    copy = write_copy(write_scan(server.home, "device"))
    copy.log.symlink_to("/dev/zero")
    assert "cannot be read" in server.refused("scans/device/jobs/v0001/log", 503)
