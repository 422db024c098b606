from __future__ import annotations

import json
import math
import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.store import home_mark
from jupyter_gridgpu.testing.examples import Story, notebook_json
from jupyter_gridgpu.widgets.live_table import LiveTable
from jupyter_gridgpu.widgets.saved_output import MIME_TYPE
from tests.kit import eventually

from .kit import TOKEN, Answer, Server, ended_story, write_copy, write_scan


def test_scans_are_listed_newest_first_and_found_by_id_and_by_name(server: Server) -> None:
    for number, name in enumerate(["older", "newest", "oldest"]):
        write_scan(server.home, name, created={0: 50.0, 1: 99.0, 2: 2.0}[number])
    one = server.api("scans/older")
    assert (one["id"], one["state"], one["browse"]) == ("id-older", "done", None)
    assert one["folder"] == str(server.home / "older")
    assert server.api("scans/id-older")["name"] == "older"
    names = [scan["name"] for scan in server.api("scans")["scans"]]
    assert [name for name in names if name in ("older", "newest", "oldest")] == [
        "newest",
        "older",
        "oldest",
    ]


def test_what_is_not_there_is_said_in_one_sentence(server: Server) -> None:
    write_scan(server.home, "there")
    assert server.refused("scans/nowhere", 404) == "There is no scan 'nowhere'."
    assert "no variant 'v0009'" in server.refused("scans/there/jobs/v0009", 404)
    assert "no attempt 7" in server.refused("scans/there/jobs/v0001.7/log", 404)
    assert "is no job" in server.refused("scans/there/jobs/v0001.x/log", 400)
    assert (
        server.refused("scans/there/jobs/v0001/notebook", 404)
        == "v0001.1 has saved no notebook yet."
    )
    assert server.refused("what", 404) == "Not Found."


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("jobs?limit=0", "limit is '0'; give a whole number from 1 to 1,000."),
        ("jobs?limit=1001", "limit is '1001'"),
        ("jobs?offset=-1", "offset is '-1'"),
        ("jobs?sort=lr", "cannot be sorted by 'lr'"),
        ("jobs?state=dead", "'dead' is no state"),
        ("jobs/v0001/metrics?points=1", "points is '1'"),
        ("jobs/v0001/metrics?points=many", "points is 'many'"),
        ("jobs/v0001/log?limit=99999999", "limit is '99999999'"),
        ("jobs/v0001/log?start=1e3", "start is '1e3'"),
    ],
)
def test_a_wrong_query_is_said_in_one_sentence(server: Server, query: str, words: str) -> None:
    if not (server.home / "queried").exists():
        write_scan(server.home, "queried")
    assert words in server.refused(f"scans/queried/{query}", 400)


def ids(server: Server, query: str) -> list[str]:
    return [row["id"] for row in server.api(f"scans/rows/jobs?{query}")["rows"]]


def test_rows_are_sorted_filtered_and_given_page_by_page(server: Server) -> None:
    story = Story()
    for number, (acc, lr) in enumerate([(0.3, 1), (math.nan, "wide"), (0.1, 3), (0.2, None)], 1):
        story.run(number, "done", acc=acc, lr=lr)
    story.run(5, "failed", lr=2)
    story.tell("scan.finished", state="done")
    write_scan(server.home, "rows", story)
    page = server.api("scans/rows/jobs")
    assert (page["total"], page["rev"]) == (5, len(story.events))
    assert ids(server, "sort=value") == ["v0003", "v0004", "v0001", "v0002", "v0005"]
    assert ids(server, "sort=-value") == ["v0001", "v0004", "v0003", "v0002", "v0005"]
    assert ids(server, "sort=-metrics.acc&limit=2&offset=1") == ["v0004", "v0003"]
    assert ids(server, "sort=params.lr") == ["v0001", "v0005", "v0003", "v0002", "v0004"]
    assert ids(server, "sort=-id&limit=1") == ["v0005"]
    assert ids(server, "state=failed,lost") == ["v0005"]
    assert ids(server, "q=LR%3D1+done") == ["v0001"]
    assert ids(server, "offset=99") == []


def test_a_job_tells_its_attempts_and_the_notebooks_own_values(server: Server) -> None:
    story = Story()
    story.run(1, "failed", lr=1)
    story.run(1, "done", attempt=2)
    story.tell("scan.finished", state="done")
    handle = write_scan(server.home, "twice", story, defaults={"lr": 0.5, "depth": math.inf})
    job = server.api("scans/twice/jobs/v0001")
    assert [(one["attempt"], one["state"]) for one in job["attempts"]] == [
        (1, "failed"),
        (2, "done"),
    ]
    assert job["defaults"] == {"lr": 0.5, "depth": "Infinity"}
    assert job["limits"] == {"gpus": 0, "memory_mb": None, "walltime_s": None}
    assert job["has_notebook"] is False
    write_copy(handle, "v0001.2").notebook.write_text(notebook_json("lr = 1"))
    assert server.api("scans/twice/jobs/v0001")["has_notebook"] is True
    assert server.api("scans/twice/jobs/v0001.1")["has_notebook"] is False


def logged(server: Server, name: str, text: bytes) -> None:
    write_copy(write_scan(server.home, name)).log.write_bytes(text)


def test_parts_of_a_log_put_together_are_the_log(server: Server) -> None:
    text = "".join(f"épochs {n} – λ\n" for n in range(400)) + "x" * 300 + "€" * 200
    logged(server, "log", text.encode())
    start, parts = 0, []
    while start < len(text.encode()):
        part = server.api(f"scans/log/jobs/v0001/log?start={start}&limit=257")
        assert (part["type"], part["variant"], part["start"], part["size"]) == (
            "log",
            "v0001",
            start,
            len(text.encode()),
        )
        assert part["end"] > start
        parts.append(part["text"])
        start = part["end"]
    assert "".join(parts) == text
    assert all(part.endswith("\n") for part in parts[:20])


def test_without_a_start_the_end_of_the_log_comes_from_a_whole_line_on(server: Server) -> None:
    logged(server, "end", b"".join(b"line %d\n" % n for n in range(1000)))
    part = server.api("scans/end/jobs/v0001.1/log?limit=100")
    assert part["text"].startswith("line ")
    assert part["text"].endswith("line 999\n")
    assert (part["end"], part["end"] - part["start"]) == (part["size"], len(part["text"]))
    assert server.api(f"scans/end/jobs/v0001/log?start={10**9}")["text"] == ""


def test_a_log_of_bytes_that_are_no_text_still_comes_to_its_end(server: Server) -> None:
    logged(server, "bytes", b"\xff\xfe\x80" * 50 + b"\xe2")
    start = 0
    for _ in range(60):
        start = server.api(f"scans/bytes/jobs/v0001/log?start={start}&limit=4")["end"]
    assert start == 151


def reading(step: int | None, **values: Any) -> str:
    return json.dumps({"t": 1.0, "s": step, "of": None, "m": values}) + "\n"


def test_metrics_come_thinned_with_first_and_last(server: Server) -> None:
    copy = write_copy(write_scan(server.home, "curves"))
    beats = "".join(
        json.dumps({"t": n, "beat": {"cpu": 1.5, "memory_mb": n}}) + "\n" for n in range(50)
    )
    copy.metrics.write_text(
        "".join(reading(n, acc=n / 7, **{"loss": "NaN"} if n % 2 else {}) for n in range(20_000))
        + beats
    )
    found = server.api("scans/curves/jobs/v0001/metrics?points=100")
    assert (found["variant"], found["attempt"]) == ("v0001", 1)
    acc = found["curves"]["acc"]
    assert len(acc["steps"]) == len(acc["values"]) == 100
    assert (acc["steps"][0], acc["steps"][-1], acc["values"][-1]) == (0, 19_999, 19_999 / 7)
    assert acc["steps"] == sorted(acc["steps"])
    assert max(b - a for a, b in pairwise(acc["steps"])) < 500
    assert set(found["curves"]["loss"]["values"]) == {"NaN"}
    assert (
        len(found["usage"]["times"]),
        found["usage"]["memory_mb"][-1],
        found["usage"]["gpu"][0],
    ) == (50, 49, None)


def test_names_and_values_of_metrics_are_bounded(server: Server) -> None:
    copy = write_copy(write_scan(server.home, "hostile"))
    many = {f"metric {n} <img src=x onerror=alert(1)>" + "y" * 500: n for n in range(200)}
    junk = [
        '{"t": 1, "m": []}',
        "[1]",
        "{",
        '{"t":1e999,"beat":{"cpu":1}}',
        '{"t":1,"s":1e400,"m":{"odd":1e999}}',
        "[" * 100_000,
    ]
    copy.metrics.write_text(
        reading(None, **many) + "\n".join(junk) + "\n" + reading(None, **{"m\u202e\x00": 1})
    )
    found = server.api("scans/hostile/jobs/v0001/metrics")
    assert len(found["curves"]) == 64
    assert all(len(name) <= 80 for name in found["curves"])
    assert found["usage"]["times"] == []
    assert found["curves"]["metric 0 <img src=x onerror=alert(1)>" + "y" * 42 + "…"]["steps"] == [1]


def test_a_notebook_comes_with_nothing_in_it_trusted(server: Server) -> None:
    body = json.loads(notebook_json("lr = 1", "print(1)"))
    body["metadata"].update(
        trusted=True,
        signature="sha256:1",
        widgets={"application/vnd.jupyter.widget-state+json": {}},
    )
    body["cells"][0]["metadata"]["trusted"] = True
    body["cells"][1]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"application/x": {"a": math.nan}}}
    ]
    body["cells"][1]["outputs"][0]["data"]["application/y"] = {"b": "LARGE"}
    text = json.dumps(body).replace('"LARGE"', "1e999")
    write_copy(write_scan(server.home, "saved")).notebook.write_text(text)
    found = server.api("scans/saved/jobs/v0001/notebook")
    assert (found["name"], found["path"]) == ("train-v0001.1.ipynb", "saved/train-v0001.1.ipynb")
    assert (found["type"], found["format"], found["writable"], found["mimetype"]) == (
        "notebook",
        "json",
        False,
        None,
    )
    content = found["content"]
    assert [set(cell["metadata"]) for cell in content["cells"]] == [{"tags"}, {"tags"}]
    assert set(content["metadata"]) == {"kernelspec"}
    assert content["cells"][1]["outputs"][0]["data"] == {
        "application/x": {"a": None},
        "application/y": {"b": None},
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"nbformat": 4}',
        '{"nbformat": 3, "cells": []}',
        '{"nbformat": 4, "cells": [1]}',
        "[" * 200_000,
        "[]",
    ],
)
def test_what_is_no_notebook_is_not_given_out(server: Server, text: str) -> None:
    name = f"unsound-{abs(hash(text))}"
    write_copy(write_scan(server.home, name)).notebook.write_text(text)
    assert "The notebook of v0001.1 cannot be read" in server.refused(
        f"scans/{name}/jobs/v0001/notebook", 503
    )


def test_a_notebook_that_is_too_large_is_named_and_not_read(server: Server) -> None:
    copy = write_copy(write_scan(server.home, "large"))
    with copy.notebook.open("wb") as file:
        file.truncate(60 * 2**20)
    assert "larger than the 50 MB" in server.refused("scans/large/jobs/v0001/notebook", 400)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON object"),
        (b"[1]", "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
        (b" " * 1_000_001, "larger than 1,000 kB"),
        ({"variants": None}, "has no action"),
        ({"action": "explode"}, "'explode' is no command"),
        ({"action": "retry", "variants": "v0001"}, "variants is no list of texts"),
        ({"action": "retry", "variants": [1]}, "variants is no list of texts"),
        ({"action": "retry", "variants": []}, "no variant is named"),
        ({"action": "pause", "variants": ["v0001"]}, "pause is for the whole scan"),
        ({"action": "stop", "trials": 2}, "trials is for the action extend"),
        ({"action": "retry", "add": ["lr = [3]"]}, "add is for the action extend"),
        ({"action": "extend", "trials": True}, "trials is no whole number"),
        ({"action": "extend", "trials": 2}, "is a grid"),
        ({"action": "extend"}, "needs what is to be added"),
        ({"action": "extend", "add": "lr = [3]"}, "add is no list of texts"),
        ({"action": "extend", "add": ["lr = [print()]"]}, "give values alone"),
        ({"action": "extend", "add": ["lr = [0.1]"]}, "0.1 is there already"),
        ({"action": "extend", "repeats": True}, "repeats is no whole number"),
        ({"action": "extend", "repeats": 3}, "No parameter of the scan repeats"),
        ({"action": "extend", "points": {}}, "points is no list"),
        ({"action": "stop"}, "has ended already"),
    ],
)
def test_a_wrong_command_is_said_in_one_sentence_and_leaves_nothing(
    server: Server, body: Any, words: str
) -> None:
    if not (server.home / "commanded").exists():
        write_scan(server.home, "commanded")
    answer = server.command("commanded", body)
    assert answer.status == 400
    assert words in answer.message
    assert list((server.home / "commanded" / "inbox").iterdir()) == []


def test_a_command_for_what_is_not_there_is_a_404(server: Server) -> None:
    write_scan(server.home, "small-one")
    assert server.command("nowhere", {"action": "stop"}).status == 404
    assert server.command("small-one", {"action": "retry", "variants": ["v0007"]}).status == 404


def test_the_output_is_that_of_the_kernel_so_that_it_is_renewed_once(server: Server) -> None:
    write_scan(server.home, "output")
    table = LiveTable(ScanHandle(server.home / "output"))
    data = server.api("scans/output/output")["data"]
    assert set(data) == {MIME_TYPE, "text/html", "text/plain"}
    kernels = json.loads(json.dumps(table._bundle()))
    assert data == {name: kernels[name] for name in data}
    assert server.api("scans/output/output")["data"] == data


def test_the_home_has_the_mark_that_a_kernel_leaves(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDGPU_HOME", str(server.home))
    (server.home / ".mark").unlink(missing_ok=True)
    assert server.api("home") == {"home": str(server.home), "mark": ""}
    mark = home_mark.leave()
    assert len(mark) == 32
    assert home_mark.leave() == mark
    assert server.api("home")["mark"] == mark


def test_the_runner_log_is_given(server: Server) -> None:
    handle = write_scan(server.home, "talks")
    assert server.api("scans/talks/log") == {"text": ""}
    handle.paths.log.write_text("it said this\n")
    assert server.api("scans/talks/log") == {"text": "it said this\n"}


def test_while_a_long_series_is_read_the_server_answers(server: Server) -> None:
    copy = write_copy(write_scan(server.home, "million"))
    copy.metrics.write_text(reading(None, acc=0.5) * 300_000)
    slow = threading.Thread(target=lambda: server.api("scans/million/jobs/v0001/metrics"))
    slow.start()
    answers = 0
    while slow.is_alive():
        server.api("scans/million")
        answers += 1
    slow.join()
    assert answers > 5  # one that waits for the reading to end would be the only one


def test_an_extended_scan_shows_what_was_appended_at_once(server: Server) -> None:
    handle: ScanHandle = write_scan(server.home, "grows", ended_story(1))
    assert server.api("scans/grows")["counts"]["done"] == 1
    later = Story(seq=100)
    later.run(2, "done", acc=0.5, lr=1)
    with handle.paths.journal.open("ab") as file:
        file.write(later.text())
        os.fsync(file.fileno())
    assert server.api("scans/grows")["counts"]["done"] == 2


def test_texts_of_a_notebook_come_in_one_piece(server: Server) -> None:
    body = json.loads(notebook_json("print(1)"))
    body["cells"][0]["source"] = ["a = 1\n", "print(a)"]
    stream = {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]}
    shown = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/plain": ["x", "y"], "application/json": ["x", "y"]},
    }
    body["cells"][0]["outputs"] = [stream, shown]
    write_copy(write_scan(server.home, "pieces")).notebook.write_text(json.dumps(body))
    cell = server.api("scans/pieces/jobs/v0001/notebook")["content"]["cells"][0]
    assert cell["source"] == "a = 1\nprint(a)"
    assert cell["outputs"][0]["text"] == "one\ntwo\n"
    assert cell["outputs"][1]["data"] == {"text/plain": "xy", "application/json": ["x", "y"]}


def test_scans_are_looked_for_where_a_setting_says(server: Server, tmp_path: Path) -> None:
    write_scan(server.home, "at-first")
    write_scan(tmp_path / "other", "elsewhere")
    head = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}

    def move(folder: str) -> Answer:
        return server.ask(
            "PUT", "gridgpu/api/home", json.dumps({"home": folder}).encode(), None, head
        )

    def names() -> set[str]:
        return {scan["name"] for scan in server.api("scans")["scans"]}

    assert move(str(tmp_path / "other")).body == {"home": str(tmp_path / "other")}
    eventually(lambda: names() == {"elsewhere"})
    assert move("/no/such/folder").message == "There is no folder /no/such/folder to keep scans in."
    assert "whole path" in move("scans").message
    assert "whole path" in move("~\0").message
    assert move("/" + "x" * 3000).message.startswith("There is no folder")
    assert move("").body == {"home": str(server.home)}
    eventually(lambda: "at-first" in names())


def test_a_replay_is_a_scan_of_its_own(server: Server) -> None:
    """A second command finds the same replay. What cannot be replayed is refused in a sentence."""
    text = notebook_json("lr = 0.1", "acc = 1 - lr")
    handle = write_scan(server.home, "origin", notebook_digest="d")
    refused = server.command("origin", {"action": "replay", "variants": None})
    assert (refused.status, "notebook.ipynb" in refused.message) == (400, True)
    handle.paths.notebook.write_text(text)
    spec = json.loads(handle.paths.spec.read_text())
    handle.paths.spec.write_text(
        json.dumps({**spec, "notebook_digest": read_notebook(handle.paths.notebook).digest})
    )
    said = server.command("origin", {"action": "replay", "variants": ["v0001"]})
    assert (said.status, said.body) == (
        200,
        {"type": "said", "text": "Started origin-replay: 1 variant again."},
    )
    again = server.command("origin", {"action": "replay", "variants": ["v0001"]})
    assert again.body["text"] == "origin-replay is this replay already."
    assert server.command("origin", {"action": "replay", "variants": ["v0099"]}).status == 400
    eventually(lambda: server.api("scans/origin-replay")["state"] == "done", "the replay ends", 90)


def test_a_foreign_scan_is_shown_and_takes_no_command_but_a_replay_that_was_accepted(
    server: Server,
) -> None:
    binds = Container("docker://some/image", None, "auto", ("/data:/x",))
    scan = write_scan(server.home, "sent", ended_story(), container=binds)
    scan.paths.unpacked.write_text("{}")
    head = server.api("scans/sent")
    assert head["foreign"] == head["note"]
    assert head["foreign"].startswith("Unpacked: read only")
    assert head["accept"] == ["--image docker://some/image", "--bind /data:/x"]
    for body in ({"action": "retry"}, {"action": "stop", "variants": ["v0001"]}):
        answer = server.command("sent", body)
        assert (answer.status, answer.message) == (403, head["foreign"])
    accepted: list[list[str] | None] = [None, [], head["accept"][:1]]
    for accept in accepted:
        answer = server.command("sent", {"action": "replay", "accept": accept})
        assert answer.status == 400
        assert "--bind /data:/x: say --accept" in answer.message
    # What was accepted goes on to the next check: this notebook is no notebook.
    answer = server.command("sent", {"action": "replay", "accept": head["accept"]})
    assert "accept" not in answer.message
    assert server.command("sent", {"action": "replay", "accept": "all"}).status == 400
    assert list(scan.paths.inbox.iterdir()) == []
