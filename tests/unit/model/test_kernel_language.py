"""The language of a notebook, however its metadata say it."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_gridgpu.model.kernel_language import is_known, language_of, normal_language


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("python", "python"),
        ("Python", "python"),
        ("ipython", "python"),
        (" IPython3 ", "python"),
        ("R", "R"),
        ("r", "R"),
        ("Julia", "julia"),
        ("C#", ".net-csharp"),
        ("BASH", "bash"),
        ("Fortran", "Fortran"),
        ("", None),
        (None, None),
        (3, None),
        (["python"], None),
    ],
)
def test_a_language_gets_the_word_of_papermill(name: object, word: str | None) -> None:
    assert normal_language(name) == word


def test_papermill_has_a_translator_for_each_word() -> None:
    from papermill.translators import papermill_translators

    words = {word for name in ("Python", "r", "scala", "julia", "matlab", "c#", "f#", "pwsh", "sh")
             if (word := normal_language(name))}  # fmt: skip
    assert all(map(is_known, words))
    for word in words:
        assert papermill_translators.find_translator("no kernel", word)
    assert not is_known("Fortran")
    assert not is_known(None)


@pytest.mark.parametrize(
    ("metadata", "on_disk", "language"),
    [
        ({"kernelspec": {"language": "Python"}}, None, "python"),
        ({"kernelspec": {}, "language_info": {"name": "R"}}, "python", "R"),
        ({"kernelspec": {"name": "python3"}}, "python", "python"),
        ({"kernelspec": {"language": "something"}}, "Python", "python"),
        ({"kernelspec": {"language": "something"}}, None, "something"),
        ({"kernelspec": "python3", "language_info": []}, "python", "python"),
        ({}, None, None),
        (None, None, None),
        ([], "", None),
    ],
)
def test_the_notebook_comes_first_and_the_disk_second(
    metadata: Any, on_disk: object, language: str | None
) -> None:
    assert language_of(metadata, on_disk) == language
