"""Asking the local Clerk's API, over real HTTP or in the same process."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

from clerk_wsgi.testing import Emulator, in_process, start_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

WAYS = ("http", "in process")
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Asker:
    """An emulator with a way to ask it; every question carries its key unless ``key`` is given."""

    def __init__(self, emulator: Emulator, url: str, session: requests.Session) -> None:
        self.emulator = emulator
        self.url = url
        self._session = session

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        key = options.pop("key", self.emulator.secret_key)
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        return self._session.request(
            method, self.url + path, headers=headers, timeout=10, **options
        )

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.ask("GET", path, params=query)

    def post(self, path: str, **body: Any) -> requests.Response:
        return self.ask("POST", path, json=body)

    def patch(self, path: str, **body: Any) -> requests.Response:
        return self.ask("PATCH", path, json=body)

    def delete(self, path: str) -> requests.Response:
        return self.ask("DELETE", path)


@contextmanager
def asking(way: str = "in process", **options: Any) -> Iterator[Asker]:
    """Run an emulator with these options, and ask it in one of ``WAYS``."""
    if way == "http":
        with start_emulator(**options) as running, requests.Session() as session:
            session.trust_env = False
            yield Asker(running.emulator, running.url, session)
    else:
        emulator = Emulator(**options)
        with in_process(emulator) as session:
            yield Asker(emulator, "https://api.clerk.test", session)
        emulator.close()


def found(answer: requests.Response) -> Any:
    """The JSON of an answer that is none of an error."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == JSON
    return answer.json()


def refused(
    answer: requests.Response, status: int, code: str, param: str | None = None
) -> dict[str, Any]:
    """The one error of an error answer, whose form is checked."""
    body = answer.json()
    assert answer.headers["Content-Type"] == JSON
    assert body.keys() == {"errors", "clerk_trace_id"}
    assert re.fullmatch("[0-9a-f]{32}", body["clerk_trace_id"])
    [error] = body["errors"]
    assert (answer.status_code, error["code"]) == (status, code), answer.text
    assert error["message"]
    assert error["long_message"]
    if param is not None:
        assert error["meta"] == {"param_name": param}
    return dict(error)
