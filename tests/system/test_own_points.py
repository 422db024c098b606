"""Own points come first, and a sampler learns from an earlier scan, also if runners are killed."""

from __future__ import annotations

import json
import shutil

from tests.kit import eventually

from .helpers import one_sentence, options
from .lab import Lab

OLD = list(range(5, 185, 15))
OWN = [150, 40]


def test_own_points_come_first_and_earlier_results_are_learned_from(lab: Lab) -> None:
    notebook = lab.notebook()
    training = ["-p", "n = integer(1, 200)", "-p", f"mark = {str(lab.mark)!r}", "-p", "steps = 2"]
    common = [*training, *options("--minimize loss --sampler tpe --parallel 2")]
    (lab.folder / "old.csv").write_text("n,steps\n" + "".join(f"{n},2\n" for n in OLD))
    (lab.folder / "own.json").write_text(json.dumps([{"n": n} for n in OWN]))
    (lab.folder / "bad.csv").write_text("n\n7\n\n201\n")

    quick = [*common, "-p", "pause = 0.0"]
    old = lab.run(notebook, *quick, *options("--points old.csv --trials 12 --name old"))
    assert [variant["params"]["n"] for variant in old.summary()["variants"]] == OLD
    words = options("--points bad.csv --trials 12")
    refused = one_sentence(lab.gridgpu("run", str(notebook), *quick, *words, code=2).stderr)
    assert "bad.csv, line 4: n is 201, and the space takes whole numbers from 1 to 200" in refused

    asked = [*common, *options("--points own.json --warm-start old --trials 6 --name new")]
    slow = [*asked, "-p", "pause = 0.4"]
    told = lab.gridgpu("run", str(notebook), *slow, "--dry-run").stdout
    assert "6 variants (2 of them your own, then sampler tpe)" in told
    assert "The sampler learns from 12 results of old." in told
    before = lab.marks()
    new = lab.start(notebook, *slow)
    assert lab.start(notebook, *slow).folder == new.folder
    shutil.rmtree(old.folder)
    for count in (2, 4):
        eventually(lambda: len(new.variants()) >= count, what=f"{count} variants")  # noqa: B023
        new.kill_runner()
        new.gridgpu("resume")
    body = new.wait()
    tried = [variant["params"]["n"] for variant in body["variants"]]
    assert tried[:2] == OWN
    assert len(tried) == 6
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 6
    assert sorted(before + [str(n) for n in tried]) == lab.marks()
    provenance = json.loads((new.folder / "provenance.json").read_text())
    assert [(one["name"], one["results"]) for one in provenance["warm_start"]] == [("old", 12)]
    # A replay has the same points, and learns from nothing.
    again = lab.scan_of(new.gridgpu("replay", "--json", "--only", "v0001,v0003"))
    assert [v["params"]["n"] for v in again.summary()["variants"]] == [tried[0], tried[2]]
    spec = json.loads((again.folder / "scan.json").read_text())
    assert (spec["own_points"], spec["warm_start"], spec["recorded"]) == (0, [], 2)
