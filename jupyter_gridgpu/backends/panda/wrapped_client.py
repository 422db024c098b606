"""panda-client's functions, made safe to call: what they print is caught, and errors are raised.

Only the process that speaks to PanDA (client.py) uses this module. panda-client looks up hosts when
it is imported, prints errors and tokens, and ends the process instead of raising an error. Of all
that it prints, only one line without secrets leaves this process.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.panda.credentials import FOLDER, identity
from jupyter_gridgpu.backends.panda.strange_answers import LastAnswer, without_tags
from jupyter_gridgpu.backends.panda.task_map import Submitter
from jupyter_gridgpu.errors import Unreachable
from jupyter_gridgpu.model.job import one_line

PRINTED_BYTES = 100_000  # so much of what panda-client prints is searched for a reason
LINE_LENGTH = 200
_NOISE = re.compile(r"NoneType: None|\w+ failed : None|Traceback|File \"|^\s")
# A bearer token, or three parts of base64 with dots between them, which is how tokens look.
_SECRET = re.compile(r"Bearer\s+\S+|[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_NICKNAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


class PandaClient:
    """panda-client, whose functions either return an answer or raise Unreachable."""

    def __init__(self) -> None:
        """Import panda-client. Raises Unreachable without a sign-in or a server.

        From here on, everything that this process prints goes into a file that nobody else sees.
        """
        os.environ.setdefault("PANDA_CONFIG_ROOT", str(Path(FOLDER).expanduser()))
        # panda-client starts other programs, so the handles themselves are replaced, not the
        # streams of Python.
        self._printed = tempfile.TemporaryFile()
        for handle in (1, 2):
            os.dup2(self._printed.fileno(), handle)
        if problem := identity().problem:
            raise Unreachable(problem.rstrip("."))
        try:
            from pandaclient import Client, PandaToolsPkgInfo, PsubUtils
        except (Exception, SystemExit) as error:
            reason = _clean(str(error))
            raise Unreachable(f"PanDA's server is not to be found: {reason}") from None
        self._client = Client
        self._answers = LastAnswer(Client)
        self._utilities = PsubUtils
        self._version = str(PandaToolsPkgInfo.release_version)

    def ask(self, function: str, *args: Any, **options: Any) -> Any:
        """Call a function of panda-client and return its answer.

        The functions return a status and an answer. Raises Unreachable unless the status is 0.
        """
        begin = self._end_of_printed()
        self._answers.forget()
        try:
            status, answer = getattr(self._client, function)(*args, **options)
        except (Exception, SystemExit) as error:
            # For example a page of HTML where JSON was expected, or no token.
            self._answers.learn(error)
            raise Unreachable(self._reason(f"{type(error).__name__}: {error}", begin)) from None
        if status != 0:
            message = ""
            if isinstance(answer, str):
                message = answer
            raise Unreachable(self._reason(message, begin))
        return answer

    def submitter(self) -> Submitter:
        """Return who sends, and to which server. Raises Unreachable if no name is known."""
        begin = self._end_of_printed()
        try:
            nickname = self._utilities.getNickname()
        except (Exception, SystemExit) as error:
            raise Unreachable(self._reason(str(error), begin)) from None
        # The name becomes part of the names of datasets.
        if not isinstance(nickname, str) or not _NICKNAME.fullmatch(nickname):
            reason = self._reason("", begin)
            raise Unreachable(f"your name on the grid is not known ({reason}): sign in again")
        vo = identity().vo
        # As in `prun`: ATLAS has a server of its own for sandboxes, others have one for all.
        address = self._client.baseURLCSRVSSL
        if vo:
            address = self._client.baseURLSSL
        found = re.match(r"https?://[^/]+", address)
        if found:
            address = found[0]
        return Submitter(nickname, vo or "atlas", address, self._version)

    def _end_of_printed(self) -> int:
        """Return how many bytes were printed so far."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return os.lseek(self._printed.fileno(), 0, os.SEEK_END)

    def _reason(self, message: str, begin: int) -> str:
        """Return one line that says what went wrong.

        It comes from the message that a function gave and from what was printed after byte `begin`.
        """
        self._end_of_printed()
        printed = os.pread(self._printed.fileno(), PRINTED_BYTES, begin).decode(errors="replace")
        text = without_tags(f"{message}\n{printed}").splitlines()
        lines = [_clean(line) for line in text if line.strip() and not _NOISE.search(line)]
        # A refused sign-in is what the user can mend, wherever it stands.
        for line in lines:
            if "authentication failed" in line:
                detail = line.split("Invalid token. ")[-1]
                return f"PanDA does not accept your sign-in ({detail})"
        if strange := self._answers.strange():
            return _clean(strange)
        lines.append("it gave no answer")
        return f"PanDA does not answer as it should ({lines[0]})"


def _clean(text: str) -> str:
    """Return a line without secrets and without the level of a log."""
    without_secrets = _SECRET.sub("…", text).strip()
    line = re.sub(r"^(ERROR|WARNING|INFO)\s*:\s*", "", without_secrets)
    return (one_line(line, LINE_LENGTH) or "").rstrip(".")
