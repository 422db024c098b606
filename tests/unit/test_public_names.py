"""What `import jupyter_gridgpu` offers."""

from __future__ import annotations

import subprocess
import sys

from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import jupyter_gridgpu


def test_completion_offers_the_public_names_and_no_others() -> None:
    shell = InteractiveShell()
    shell.user_ns["g"] = jupyter_gridgpu
    with provisionalcompleter():
        offered = [each.text.lstrip(".") for each in shell.Completer.completions("g.", 2)]
    assert sorted(offered) == sorted(jupyter_gridgpu.__all__)


def test_every_public_name_is_there_and_asking_for_names_imports_nothing() -> None:
    code = (
        "import sys, jupyter_gridgpu as g; dir(g);"
        " print([name for name in sys.modules if name.startswith('jupyter_gridgpu.')]);"
        " print([getattr(g, name) is not None for name in g.__all__].count(False))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[]", "0"]
