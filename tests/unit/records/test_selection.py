"""Which variants a text after --only selects, and which texts are refused."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.records.selection import select_variants
from jupyter_gridgpu.testing.examples import Story, small_scan


@pytest.fixture(scope="module")
def view() -> ScanView:
    story = Story()
    story.run(1, "done", acc=0.5, lr=0.1, kind="a")
    story.run(2, "done", acc=float("nan"), lr=0.2, kind="b")
    story.run(3, "failed", acc=0.9, lr=0.3, kind="a")
    story.run(4, "done", acc=0.7, lr=0.4, kind="b")
    story.propose(5, lr=0.5, kind="größe")
    return ScanView(small_scan("lr = [0.1, 0.2]\nkind = ['a', 'b']")).apply_all(story.events)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("v0004, v0001", [1, 4]),
        ("failed", [3]),
        ("new", [5]),
        ("best 1", [4]),
        ("best 9", [1, 4]),
        ("lr < 0.3", [1, 2]),
        ("0.1 < lr <= 0.3", [2, 3]),
        ("acc > 0.6", [3, 4]),
        ("not acc > 0.6", [1, 2, 5]),
        ("kind == 'a' and lr > 0.1 or acc < 0.6", [1, 3]),
        ("kind in ['größe', 'a']", [1, 3, 5]),
        ("lr * 10 - 1 >= 3", [4, 5]),
        ("-lr > -0.15", [1]),
        # What a condition of a space may have.
        ("lr ** 2 < 0.05", [1, 2]),
        ("round(acc, 1) in (0.5, 0.9)", [1, 3]),
        ("lr < max(0.15, 0.25) and kind is not None", [1, 2]),
        ("acc is None or not acc == acc", [2, 5]),
    ],
)
def test_variants_are_chosen_by_words(view: ScanView, text: str, numbers: list[int]) -> None:
    assert [variant.id for variant in select_variants(view, text)] == [
        f"v{number:04d}" for number in numbers
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v0009", "has no variant 'v0009'"),
        ("cancelled", "no variant of small is meant"),
        ("units < 3", "units is neither a parameter nor a metric"),
        ("lr < 'a'", "cannot compare a number and a text, where lr = 0.1"),
        ("lr / 0 < 1", "divided by zero"),
        ("lr", "is not understood"),
        ("lr <", "is not understood"),
        ("lr.real < 1", "is not understood"),
        ("__import__('os').system('true') == 0", "is not understood"),
        ("lr ** 9999999 > 1", "no variant of small is meant"),
        ("lr < 9**9**9", "300 digits"),
        ("lr < [0] * 10**9", "only numbers"),
        ("[x for x in lr] == 1", "is not understood"),
        ("(" * 300 + "lr" + ")" * 300, "is not understood"),
        ("not " * 200 + "lr < 1", "is not understood .*nested too deeply"),
        ("-lr", "is not understood"),
        ("x" * 3000, "more than 2,000 characters"),
    ],
)
def test_what_is_no_choice_is_refused_in_a_sentence(view: ScanView, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        select_variants(view, text)


def test_without_an_objective_nothing_is_best() -> None:
    with pytest.raises(UsageError, match="no objective"):
        select_variants(
            ScanView(small_scan(objective=None)).apply_all([Story().tell("runner.started")]),
            "best 3",
        )


def test_names_that_a_sentence_leaves_out_are_hinted_at() -> None:
    space = "\n".join(f"p{number} = 1" for number in range(9))
    story = Story()
    story.run(1, "done", p0=1)
    with pytest.raises(UsageError, match=r"it has p0, .*p7, …\.$"):
        select_variants(ScanView(small_scan(space)).apply_all(story.events), "oops < 1")
