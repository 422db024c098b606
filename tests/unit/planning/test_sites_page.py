"""The profiles that docs/sites.md shows are read as they stand there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from jupyter_gridgpu.planning import profile_fields, profile_files
from tests.profile_files import folders

PAGE = (Path(__file__).parents[3] / "docs" / "sites.md").read_text()
# A block of YAML: indented lines, of which the first begins it.
BLOCKS = [
    textwrap.dedent(block) for block in re.findall(r"^    profiles:\n(?:    .*\n|\n)+", PAGE, re.M)
]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_profile_of_the_page_can_be_used(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    user = folders(tmp_path, monkeypatch)[0]
    (user / "page.yaml").write_text(BLOCKS[number])
    profiles, problems = profile_files.read_all()
    assert [problem.text for problem in problems] == []
    assert profiles
    assert all(profile.title for profile in profiles)
    # The page says of each field what it does.
    text = PAGE[PAGE.index(textwrap.indent(BLOCKS[number].splitlines()[1], "    ")) :]
    said = text[: text.find("\n## ") if "\n## " in text else None]
    for field in set(re.findall(r"^  (\w+):", BLOCKS[number], re.M)) - {"title", "backend"}:
        assert f"`{field}" in said, field


def test_the_page_has_all_blocks_and_names_every_field() -> None:
    assert len(BLOCKS) == PAGE.count("profiles:\n") == 3
    for name in profile_fields._names():
        assert re.search(rf"`{name}`", PAGE), name
