"""Answers of a server that are no data: web pages of proxies and gateways, errors, nothing at all.

panda-client either raises an error of its JSON parser for them, or returns a bare error code.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store.json_decoder import parse_json

WORDS_LENGTH = 100  # of what an answer says that is shown
BODY_LENGTH = 20_000  # so much of an answer is looked at
_TAG = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.I)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1", re.DOTALL | re.I)
_PAGE = re.compile(r"\s*<(!doctype|html|head|body|\?xml)|<(html|title|body|h1)\b", re.I)
_OK = 0  # panda-client's code for HTTP 200
_FAILED = 1  # its code for a request that got no answer


class LastAnswer:
    """The last answer of the server, as panda-client got it."""

    def __init__(self, client: Any) -> None:
        """Watch the answers to the requests of panda-client's module `client`."""
        self._code: int | None = None
        self._body = ""
        http = getattr(client, "_HttpClient", None)
        send = getattr(http, "_send", None)
        # Another version of panda-client may send in another way; then less is known.
        if http is None or send is None:
            return

        def watched(*args: Any, **options: Any) -> Any:
            answer = send(*args, **options)
            self._note(answer)
            return answer

        http._send = watched

    def forget(self) -> None:
        """Forget the last answer, since another request is made."""
        self._code, self._body = None, ""

    def learn(self, error: BaseException) -> None:
        """Take the answer from the error of a parser that could not read it."""
        if isinstance(error, json.JSONDecodeError) and self._code is None:
            self._note((_OK, error.doc))

    def strange(self) -> str | None:
        """Return a clause that says what came instead of data; None if that is not known."""
        code, body = self._code, self._body
        # Without an answer, panda-client's own words say why.
        if code is None or code == _FAILED:
            return None
        status = f" (HTTP {code})" if code != _OK else ""
        if _PAGE.search(body):
            return f"PanDA answered with a web page, not with data: {_words(body)}{status}"
        if not body.strip():
            return f"PanDA answered with nothing{status}"
        if code == _OK:
            return _in_data(body)
        return f"PanDA answered with an error: {_words(body)}{status}"

    def _note(self, answer: Any) -> None:
        """Keep an answer, which is a pair of a code and a body."""
        try:
            code, body = answer
            if isinstance(body, bytes):
                body = body[:BODY_LENGTH].decode("utf-8", "replace")
            self._code, self._body = int(code), str(body)[:BODY_LENGTH]
        except (TypeError, ValueError):
            self.forget()


def _in_data(body: str) -> str | None:
    """Return what an answer says that may be JSON, or a clause that it is no JSON."""
    # Of an answer that is so long, only the beginning is known.
    if len(body) >= BODY_LENGTH:
        return None
    try:
        data = parse_json(body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return f"PanDA answered with something that is no data: {_words(body)}"
    message = data.get("message")
    if data.get("success") is False and isinstance(message, str) and message.strip():
        return f"PanDA answered: {_words(message)}"
    return None


def _words(text: str) -> str:
    """Return the title or the first words of an answer, without tags."""
    title = _TITLE.search(text)
    for part in ((title[2] if title else ""), text):
        if line := one_line(html.unescape(without_tags(part)), WORDS_LENGTH):
            return line.rstrip(".")
    return "it says nothing"


def without_tags(text: str) -> str:
    """Return a text without tags, if it is a page of HTML."""
    if "<" not in text:
        return text
    plain = html.unescape(_TAG.sub(" ", text))
    # A page that was cut has a tag without an end.
    plain = re.sub(r"<(?=[A-Za-z/!])", " ", plain)
    return "\n".join(line.strip() for line in plain.splitlines())
