"""Which variants wait for a job.

The view keeps them in a line while events come, so that asking costs no more in a large scan.
"""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.testing.examples import Story, small_scan

STATES = ("running", "done", "failed", "lost", "cancelled")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("attempt"), st.integers(1, 6), st.sampled_from(STATES)),
        st.tuples(st.sampled_from(["stop", "retry"]), st.none() | st.integers(1, 6), st.just("")),
    ),
    max_size=12,
)


def wants(view: ScanView, variant: VariantView) -> bool:
    """The rule in full, asked of one variant."""
    if variant.retry_asked:
        return variant.state in ("done", "failed", "cancelled", "lost")
    if variant.stop_asked or view.stopped:
        return False
    if variant.state in ("failed", "lost"):
        return variant.attempts <= view.scan.retries
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
            story.tell("job.observed", key=key, state=state)
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
