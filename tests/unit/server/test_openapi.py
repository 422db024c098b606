"""The documents are what the code says, and the server does what docs/openapi.json says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jupyter_gridgpu.collector.handler import CollectHandler
from jupyter_gridgpu.server.handlers import ROUTES, Api, UnknownHandler
from jupyter_gridgpu.testing.examples import Story, notebook_json

from .kit import TOKEN, Server, serving, write_copy, write_scan

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
THERE = {"scan": "scan", "job": "v0001"}
ROOT = Path(__file__).parents[3]
DOCUMENT = schemathesis.openapi.from_path(ROOT / "docs" / "openapi.json")


def test_the_documents_are_what_the_code_says() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "schema.py", "--check"], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_every_reference_leads_somewhere() -> None:
    text = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names <= set(json.loads(text)["components"]["schemas"])


def test_every_route_is_in_the_document() -> None:
    routes = {
        re.sub(r"^gridgpu|\(\[\^/\]\+\)", "", path)
        for path, kind in ROUTES
        if issubclass(kind, (Api, CollectHandler)) and kind is not UnknownHandler
    }
    assert {re.sub(r"\{\w+\}", "", path) for path in DOCUMENT.raw_schema["paths"]} == routes


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one scan that has everything."""
    with serving(tmp_path_factory.mktemp("filled"), "/user/me/") as server:
        story = Story()
        story.run(1, "failed", acc=0.3, lr=0.1)
        story.run(1, "done", attempt=2, acc=float("nan"))
        story.tell("scan.finished", state="done")
        handle = write_scan(server.home, "scan", story, defaults={"lr": 0.5})
        copy = write_copy(handle, "v0001.2")
        copy.log.write_text("begun\n")
        copy.notebook.write_text(notebook_json("lr = 1"))
        copy.metrics.write_text('{"t":1,"s":1,"m":{"acc":"NaN"}}\n{"t":2,"beat":{"cpu":1}}\n')
        yield server


@DOCUMENT.parametrize()
@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_asked_the_answer_is_one_of_the_document(
    case: schemathesis.Case[Any], filled: Server
) -> None:
    if (
        case.method == "GET" and len(str(case.path_parameters)) % 2
    ):  # half of them ask for what is there
        case.path_parameters.update(
            {name: there for name, there in THERE.items() if name in case.path_parameters}
        )
    case.call_and_validate(
        base_url=filled.url("gridgpu"), headers={"Authorization": f"token {TOKEN}"}, checks=CHECKS
    )
