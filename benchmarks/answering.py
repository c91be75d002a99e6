"""Who answers the requests of a row, and the time that it takes: in Python, or in Node."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from peers import DECISION
from requests_of import environ_of, headers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from requests_of import Requests, Variables

PROGRAM = Path(__file__).parent / "node" / "authenticate.mjs"
SIGNED_IN = "signed-in"


class Answerer(Protocol):
    """What decides about requests."""

    def decide(self, requests: Sequence[Variables]) -> list[str]:
        """Return what becomes of each: a status, or a reason."""
        ...

    def time(self, requests: Sequence[Variables]) -> float:
        """Return the seconds that one request takes, on average."""
        ...


class InPython:
    """A WSGI application, wrapped by whoever decides; ``decision_of`` reads what that was."""

    def __init__(self, app: WSGIApplication, decision_of: Callable[[WSGIEnvironment], str]) -> None:
        self._app = app
        self._decision_of = decision_of

    def decide(self, requests: Sequence[Variables]) -> list[str]:
        environs = [environ_of(own) for own in requests]
        for environ in environs:
            self._app(environ, _start_response)
        return [self._decision_of(environ) for environ in environs]

    def time(self, requests: Sequence[Variables]) -> float:
        app, clock, taken = self._app, time.perf_counter, 0.0
        for own in requests:
            environ = environ_of(own)
            started = clock()
            app(environ, _start_response)
            taken += clock() - started
        return taken / len(requests)


def our_decision(environ: WSGIEnvironment) -> str:
    """Return what this package has decided, nothing if it was not asked."""
    state = environ.get("clerk.state")
    return str(state.reason or state.status) if state else ""


def peer_decision(environ: WSGIEnvironment) -> str:
    """Return what a peer has decided."""
    return str(environ[DECISION])


class Node:
    """A Node process that has ``@clerk/backend`` and answers one question at a time."""

    def __init__(self, process: subprocess.Popen[str], settings: dict[str, str]) -> None:
        self._process = process
        self.versions: dict[str, str] = self.ask(settings)

    def ask(self, question: dict[str, Any]) -> Any:
        """Return the answer to one line of JSON."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("Node has stopped")
        return json.loads(answer)


class InNode:
    """``authenticateRequest`` of ``@clerk/backend``; ``mode`` is ``networkless`` or ``remote``."""

    def __init__(self, node: Node, mode: str) -> None:
        self._node = node
        self._mode = mode

    def decide(self, requests: Sequence[Variables]) -> list[str]:
        decisions: list[str] = self._ask("decide", requests)
        return [text.partition(" ")[0] for text in decisions]

    def time(self, requests: Sequence[Variables]) -> float:
        return float(self._ask("time", requests))

    def _ask(self, what: str, requests: Sequence[Variables]) -> Any:
        headers = [headers_of(own) for own in requests]
        return self._node.ask({"ask": what, "mode": self._mode, "requests": headers})


class BareInNode:
    """The same bare verification by Node's own ``crypto``; the requests do not matter."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def decide(self, requests: Sequence[Variables]) -> list[str]:
        self.time(requests)
        return [SIGNED_IN] * len(requests)

    def time(self, requests: Sequence[Variables]) -> float:
        return float(self._node.ask({"ask": "timeBare", "batch": len(requests)}))


@contextmanager
def node_process(
    directory: Path, requests: Requests, *, origin: str, api_url: str
) -> Iterator[Node]:
    """Run Node with what npm has put into a directory, until the ``with`` statement ends."""
    key, signature, signed = requests.signature()
    settings = {
        "secretKey": requests.emulator.secret_key,
        "publishableKey": requests.emulator.publishable_key,
        "pem": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "origin": origin,
        "url": f"{origin}/",
        "apiUrl": api_url,
        "signature": base64.b64encode(signature).decode(),
        "signed": signed.decode(),
    }
    command = ["node", str(PROGRAM), str(directory)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Node(process, settings)


def _start_response(*_: object) -> Any:
    return None
