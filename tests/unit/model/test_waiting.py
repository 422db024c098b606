"""Which variants wait for a job.

The view keeps them in a line while events come, so that asking costs no more in a large scan.
"""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.testing.examples import Story, small_scan

STATES = ("running", "done", "failed", "preempted", "lost", "cancelled")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("attempt"), st.integers(1, 6), st.sampled_from(STATES)),
        st.tuples(st.sampled_from(["stop", "retry"]), st.none() | st.integers(1, 6), st.just("")),
    ),
    max_size=9,  # fewer than the preemptions in a row that end a variant
)


def wants(view: ScanView, variant: VariantView) -> bool:
    """The rule in full, asked of one variant."""
    if variant.retry_asked:
        return variant.state in ("done", "failed", "cancelled", "lost")
    if variant.stop_asked or view.stopped:
        return False
    ends = [*(past["reason"] for past in variant.past), variant.reason]
    if variant.state == "failed" and ends[-1] == "preempted":
        return True
    if variant.state in ("failed", "lost"):
        return variant.attempts - ends.count("preempted") <= view.scan.retries
    return variant.state == "new" and variant.attempts == 0


@given(STEPS, st.integers(0, 2))
def test_the_line_holds_whoever_wants_a_job_in_order(
    steps: list[tuple[str, int | None, str]], retries: int
) -> None:
    story = Story()
    for number in range(1, 7):
        story.propose(number)
    attempts = dict.fromkeys(range(1, 7), 0)
    for i, (kind, chosen_number, state) in enumerate(steps):
        if kind == "attempt" and chosen_number is not None:
            attempts[chosen_number] += 1
            key = f"v{chosen_number:04d}.{attempts[chosen_number]}"
            story.tell("job.intended", key=key)
            reason = None
            if state == "preempted":
                state, reason = "failed", "preempted"
            story.tell("job.observed", key=key, state=state, reason=reason)
        else:
            chosen = None if chosen_number is None else [f"v{chosen_number:04d}"]
            story.tell("command.applied", id=str(i), action=kind, variants=chosen)
    view = ScanView(small_scan(retries=retries))
    for event in story.events:
        view.apply(event)
        assert list(view.waiting()) == [
            variant for variant in view.variants.values() if wants(view, variant)
        ]
        assert set(view.running) == {
            variant.id for variant in view.variants.values() if variant.state == "running"
        }


def test_the_next_one_is_found_without_looking_at_those_that_ended() -> None:
    story = Story()
    for number in range(1, 501):
        story.run(number, acc=0.5)
    for number in range(501, 504):
        story.propose(number)
    looked: list[str] = []

    class Counting(ScanView):
        def wants_job(self, variant: VariantView) -> bool:
            looked.append(variant.id)
            return super().wants_job(variant)

    view = Counting(small_scan()).apply_all(story.events)
    assert isinstance(view, Counting)
    assert [variant.id for variant in islice(view.waiting(), 2)] == ["v0501", "v0502"]
    assert looked == ["v0501", "v0502"]
    assert view.points == 503


def test_preemptions_cost_no_retry_and_end_after_ten_in_a_row() -> None:
    story = Story()
    story.propose(1)
    view = ScanView(small_scan(retries=1))

    def tries(ends: list[str]) -> list[bool]:
        """Return after each of these ends whether the variant gets another attempt."""
        found = []
        for end in ends:
            key = f"v0001.{view.variants['v0001'].attempts + 1 if view.variants else 1}"
            story.tell("job.intended", key=key)
            story.tell("job.observed", key=key, state="failed", reason=end)
            view.apply_all(story.events)
            found.append(bool(list(view.waiting())))
        return found

    assert tries(["preempted"] * 9) == [True] * 9
    assert tries(["node"]) == [True], "the first failure"
    assert tries(["preempted"] * 9) == [True] * 9
    assert tries(["preempted"]) == [False], "the tenth in a row"
    story.tell("command.applied", id="a", action="retry", variants=["v0001"])
    view.apply_all(story.events)
    assert list(view.waiting())
    assert tries(["preempted"]) == [True], "they are counted anew"
    assert tries(["node"]) == [False], "the second failure"
