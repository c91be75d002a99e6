"""How Clerk's Backend API is called: one request, one answer, through one pool of connections.

What needs ``requests`` is in ``sending.py`` and ``adapter.py``, which the first call imports: an
application that is never asked for keys, and a worker that is patched by ``gevent`` after the
application was loaded, must not have it imported before.
"""

from __future__ import annotations

import re
from json import dumps
from typing import TYPE_CHECKING

from ..forking import forget_in_child
from .answer import Answer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from requests import Session

    from ..settings import Secret
    from .sending import Sender

__all__ = ["Answer", "Transport", "Unreachable"]

_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9_.~-]+)+", re.ASCII)


class Transport:
    """Calls Clerk's Backend API; the secret key goes to ``base_url`` and to nobody else (rule 9).

    Of an ``http`` session that is given, the adapters, proxies, certificates and headers are
    used; its cookies, authentication and hooks are not, and nothing is stored in it. In the place
    of its plain ``HTTPAdapter`` ours is used, which keeps ``timeout`` (seconds) for a whole call;
    an adapter of another class is used as it is, and answers for its own time.
    """

    def __init__(
        self,
        http: Session | None = None,
        *,
        base_url: str,
        api_version: str = "v1",
        timeout: float = 3.0,
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._api_version = api_version
        self._timeout = timeout
        self._sender: Sender | None = None
        self._inherited: list[object] = []
        forget_in_child(self)

    def call(
        self,
        method: str,
        path: str,
        *,
        secret: Secret,
        query: Mapping[str, str | Sequence[str]] | None = None,
        json: object = None,
        versioned: bool = True,
        version_date: str | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Return Clerk's answer to one request, or raise ``Unreachable``; nothing is retried.

        ``path`` begins with ``/`` and stands below the version, unless ``versioned`` is false.
        ``json`` is the body, ``version_date`` replaces the API version that all other calls ask
        for, ``timeout`` is in seconds. A path with anything but plain segments
        in it, or a body that is not JSON, raises ``ValueError`` before anything is sent.
        """
        if not _PATH.fullmatch(path):
            raise ValueError("a path of the Backend API consists of plain segments")
        base = f"{self._base_url}/{self._api_version}" if versioned else self._base_url
        body = None if json is None else dumps(json, allow_nan=False).encode()
        return self._make_sender().send(
            method,
            base + path,
            secret=secret,
            query=query,
            body=body,
            version_date=version_date,
            seconds=self._timeout if timeout is None else timeout,
        )

    def _make_sender(self) -> Sender:
        if self._sender is None:
            from .sending import Sender

            self._sender = Sender(self._http)
        return self._sender

    def _after_fork(self) -> None:
        """Have the child make its own connections.

        Those of the parent are kept, unused: closing them takes locks, and another thread may
        have held one at the fork.
        """
        self._inherited.append(self._sender)
        self._sender = None
        if self._http is not None:
            from .sending import renew_pools

            self._inherited += renew_pools(self._http)
