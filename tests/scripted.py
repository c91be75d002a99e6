"""A Clerk that answers as it is told: a WSGI application, asked without a socket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from webob import Request, Response

from clerk_wsgi import Clerk
from clerk_wsgi.testing import in_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Answer = Any  # a JSON document, a Response, or a function of the request that returns either

SECRET_KEY = "sk_test_4242secret4242"
MS = 1_795_413_600_000  # milliseconds

SESSION: dict[str, Any] = {
    "object": "session",
    "id": "sess_1",
    "user_id": "user_1",
    "client_id": "client_1",
    "status": "active",
    "last_active_at": MS,
    "expire_at": MS + 60_000,
    "abandon_at": MS + 120_000,
    "created_at": MS - 60_000,
    "updated_at": MS,
}
CLIENT: dict[str, Any] = {
    "object": "client",
    "id": "client_1",
    "session_ids": ["sess_1"],
    "sessions": [SESSION],
    "last_active_session_id": "sess_1",
    "created_at": MS,
    "updated_at": MS,
}
USER: dict[str, Any] = {"object": "user", "id": "user_1", "first_name": "Ada", "created_at": MS}
ORGANIZATION: dict[str, Any] = {
    "object": "organization",
    "id": "org_1",
    "name": "Analytical Society",
    "slug": "analytical-society",
    "public_metadata": {"founded": 1812},
    "created_at": MS,
}
MEMBERSHIP: dict[str, Any] = {
    "object": "organization_membership",
    "id": "orgmem_1",
    "role": "org:admin",
    "permissions": ["org:sys_profile:manage"],
    "organization": ORGANIZATION,
    "public_user_data": {"user_id": "user_1", "first_name": "Ada"},
    "created_at": MS,
}


@dataclass(frozen=True)
class Asked:
    """A request that arrived; ``body`` is its JSON, ``None`` if it had none."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: Any
    headers: dict[str, str]

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


def error(status: int, *codes: Any, **headers: str) -> Response:
    """An error as Clerk answers it."""
    entries = [{"code": code, "message": "m", "long_message": "l"} for code in codes]
    answer = Response(status=status, json={"errors": entries})
    for name, text in headers.items():
        answer.headers[name.replace("_", "-")] = text
    return answer


class ScriptedClerk:
    """Answers ``answers["GET /v1/users/user_1"]``; of a list one after the other, the last again.

    What is not in the script is not found.
    """

    def __init__(self, answers: dict[str, Answer] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[Asked] = []

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        asked = Asked(
            request.method,
            request.path,
            parse_qsl(request.query_string, keep_blank_values=True),
            json.loads(request.body) if request.body else None,
            {name.lower(): text for name, text in request.headers.items()},
        )
        self.asked.append(asked)
        answer = self._answer_to(asked)
        response = answer if isinstance(answer, Response) else Response(json=answer)
        result: Iterable[bytes] = response(environ, start_response)
        return result

    def _answer_to(self, asked: Asked) -> Answer:
        answer = self.answers.get(asked.line, error(404, "resource_not_found"))
        if isinstance(answer, Script):
            answer = answer.next()
        return answer(asked) if callable(answer) and not isinstance(answer, Response) else answer

    def instance(self, **options: Any) -> Clerk:
        """An instance that knows no other Clerk."""
        return Clerk(
            **{"secret_key": SECRET_KEY, "dotenv": False, "http": in_process(self), **options}
        )


class Script:
    """Answers that come one after the other; the last comes again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def next(self) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Stopwatch:
    """A clock that only ``sleep`` moves; ``pauses`` are those that were made."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def answering(document: Answer) -> Callable[[Asked], Answer]:
    """Whatever is asked, this is the answer."""
    return lambda _: document
