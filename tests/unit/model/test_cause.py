from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.cause import cause_of, common_cause
from jupyter_gridgpu.model.variant import VariantView

Failure = tuple[str, str, "int | None"]  # reason, message, cell


def variant(number: int, failure: Failure) -> VariantView:
    reason, message, cell = failure
    return VariantView(
        f"v{number:04d}", number, 0, {}, reason=reason, message=message, cell=cell, state="failed"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            ("notebook", "ModuleNotFoundError: No module named 'a' in cell 2.", 2),
            ("notebook", "ModuleNotFoundError: No module named 'b' in cell 2.", 2),
        ),
        (
            ("notebook", "ValueError: lr = 0.1 is too large in cell 3.", 3),
            ("notebook", "ValueError: lr = 1e-5 is too large in cell 3.", 3),
        ),
        (
            ("notebook", "FileNotFoundError: [Errno 2] No such file: '/a/b c.npz' in cell 3.", 3),
            ("notebook", "FileNotFoundError: [Errno 2] No such file: '/x.npz' in cell 3.", 3),
        ),
        (
            ("notebook", "TypeError: <Thing object at 0x7f3a2b> is no list in cell 3.", 3),
            ("notebook", "TypeError: <Thing object at 0x55d0ac> is no list in cell 3.", 3),
        ),
        (
            ("notebook", "RuntimeError: shapes (3, 4) and (5, 6) differ in cell 3.", 3),
            ("notebook", "RuntimeError: shapes (32,) and (1, 2, 3) differ in cell 3.", 3),
        ),
        (
            ("notebook", 'KeyError: "it\'s a" in cell 3.', 3),
            ("notebook", 'KeyError: "they\'re b" in cell 3.', 3),
        ),
        (
            ("notebook", "ValueError: loss is nan in cell 3.", 3),
            ("notebook", "ValueError: loss is -inf in cell 3.", 3),
        ),
        (
            ("timeout", "Over the limit of 10 s in cell 4. Epochs up to 3 are kept.", 4),
            ("timeout", "Over the limit of 10 s in cell 4.", 4),
        ),
        (
            ("oom", "Out of memory: 1.6 of 1.0 GB allowed in cell 4.", 4),
            ("oom", "Out of memory: 12 of 1.0 GB allowed in cell 4.", 4),
        ),
        (
            ("node", "The node cnx-012.site.org does not see /scratch/scan1.", None),
            ("node", "The node cnx-7.site.org does not see /scratch/scan2.", None),
        ),
        (
            ("submit", "The job could not be sent: sbatch: error 12: `x1` is down.", None),
            ("submit", "The job could not be sent: sbatch: error 13: `x22` is down.", None),
        ),
        (
            ("image", "The image docker://a/b:1 could not be fetched.", None),
            ("image", "The image docker://a/b:2 could not be fetched.", None),
        ),
        (
            ("notebook", "ValueError: bad 'abc" + "x" * 470 + "…", 3),
            ("notebook", "ValueError: bad 'z" + "y" * 480 + "…", 3),
        ),
    ],
)
def test_what_differs_from_variant_to_variant_makes_no_other_cause(
    first: Failure, second: Failure
) -> None:
    assert cause_of(*first) == cause_of(*second)
    assert common_cause([variant(1, first), variant(2, second)])


BASE: Failure = ("notebook", "KeyError: 'a' in cell 3.", 3)


@pytest.mark.parametrize(
    "other",
    [
        ("notebook", "KeyError: 'a' in cell 4.", 4),
        ("notebook", "IndexError: 'a' in cell 3.", 3),
        ("oom", "KeyError: 'a' in cell 3.", 3),
        ("notebook", "KeyError: 'a' is missing in cell 3.", 3),
        ("notebook", "The kernel died in cell 3.", 3),
        ("node", "The worker was killed.", None),
    ],
)
def test_another_place_class_or_reason_is_another_cause(other: Failure) -> None:
    assert cause_of(*BASE) != cause_of(*other)
    assert common_cause([variant(1, BASE), variant(2, other)]) is None


@pytest.mark.parametrize(
    ("failures", "words"),
    [
        ([BASE, BASE], " with KeyError: 'a' in cell 3"),
        ([BASE, ("notebook", "KeyError: 'b' in cell 3.", 3)], " with KeyError in cell 3"),
        ([("notebook", "torch.cuda.Bad: x in cell 3.", 3)], ": torch.cuda.Bad: x in cell 3"),
        ([("notebook", "The kernel died in cell 3.", 3)], ": The kernel died in cell 3"),
        ([("node", "", None)], ": node"),
        ([("", "", None)], ": nobody knows why"),
    ],
)
def test_a_common_cause_is_said_as_it_holds_for_all(failures: list[Failure], words: str) -> None:
    assert common_cause([variant(n, each) for n, each in enumerate(failures, 1)]) == words


@given(st.text(max_size=600), st.integers() | st.floats())
def test_any_message_has_a_cause_whatever_number_is_in_it(text: str, number: float) -> None:
    letters = "".join(char for char in text if char.isalpha())
    assert cause_of("notebook", text, 1) == cause_of("notebook", text, 1)
    assert cause_of("oom", f"{letters} {number}", 1) == cause_of("oom", f"{letters} 0", 1)
