"""Sending one request with ``requests``, and reading no more of the answer than is wanted.

A session of ``requests`` does more than that: it follows redirects, reads the whole body of one
that it does not follow, keeps cookies, and replaces the ``Authorization`` header by what
``~/.netrc`` has for the host. So a request goes straight to the session's adapter.
"""

from __future__ import annotations

import re
from contextlib import closing
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests import Request, Session
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from .adapter import DeadlineAdapter
from .answer import MAX_BODY, Answer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from requests import PreparedRequest, Response
    from requests.adapters import BaseAdapter

    from ..settings import Secret

API_VERSION_DATE = "2026-05-12"
CONNECT_TIMEOUT = 2.0  # seconds
CHUNK = 16384

# Whatever is wrong with the network, a proxy, TLS or the form of an answer. The errors of
# ``requests`` are OSErrors; some of urllib3 and http.client come through as they are. A
# RecursionError is what TLS ends in if gevent patched ``ssl`` after urllib3 was imported.
_FAILURES = (OSError, ValueError, HTTPException, HTTPError, RecursionError)

_VISIBLE = re.compile(r"[!-~]+")


class Sender:
    """Sends requests over the adapters of one session."""

    def __init__(self, session: Session | None) -> None:
        self._session = Session() if session is None else session
        self._adapter = DeadlineAdapter()
        self._headers = _headers_of(self._session)

    def send(
        self,
        method: str,
        url: str,
        *,
        secret: Secret,
        query: Mapping[str, str | Sequence[str]] | None,
        body: bytes | None,
        version_date: str | None,
        seconds: float,
    ) -> Answer:
        """Return the answer, or raise ``Unreachable``."""
        try:
            request = Request(method, url, params=query, data=body, auth=_Bearer(secret))
            request.headers = self._headers_for(body, version_date)
            return self._exchange(request.prepare(), seconds)
        except _FAILURES as error:
            cause = _innermost(error)
        # The path alone: messages may reach clients, whom the host is no business of.
        question = f"{method} {urlsplit(url).path}"
        raise Unreachable(f"{question}: no usable answer ({type(cause).__name__})") from cause

    def _headers_for(
        self, body: bytes | None, version_date: str | None
    ) -> Mapping[str, str | bytes]:
        extra = {} if body is None else _JSON
        if version_date is not None:
            extra = {**extra, "Clerk-API-Version": version_date}
        return {**self._headers, **extra} if extra else self._headers

    def _exchange(self, request: PreparedRequest, seconds: float) -> Answer:
        until = monotonic() + seconds
        url = request.url or ""
        response = self._adapter_for(url).send(
            request,
            timeout=(min(CONNECT_TIMEOUT, seconds), seconds),
            **self._settings_for(url),
        )
        with closing(response):
            body = _read_body(response, until)
        return Answer(status=response.status_code, headers=response.headers, body=body)

    def _settings_for(self, url: str) -> Any:
        """Return proxies and certificates: those of the session, then those of the environment."""
        own = self._session.verify
        return self._session.merge_environment_settings(
            url,
            proxies={},
            stream=True,
            verify=own if isinstance(own, str) else None,  # else REQUESTS_CA_BUNDLE would win
            cert=None,
        )

    def _adapter_for(self, url: str) -> BaseAdapter:
        adapter = self._session.get_adapter(url)
        return self._adapter if type(adapter) is HTTPAdapter else adapter


_JSON = {"Content-Type": "application/json"}


def renew_pools(session: Session) -> Iterator[object]:
    """Give the adapters of a session new pools, as unpickling does; yield the old ones."""
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            yield adapter.poolmanager, adapter.proxy_manager
            unpickled: Any = adapter
            unpickled.__setstate__(unpickled.__getstate__())


class _Bearer:
    """Puts the key on a request; ``requests`` takes it for an authentication scheme."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        text = self._secret.reveal()
        if not _VISIBLE.fullmatch(text):  # http.client would quote it in its complaint
            raise ValueError("a secret key has only visible ASCII characters")
        request.headers["Authorization"] = f"Bearer {text}"
        return request


def _headers_of(session: Session) -> Mapping[str, str | bytes]:
    headers = CaseInsensitiveDict(session.headers)
    headers.pop("Cookie", None)
    headers["Accept"] = "application/json"
    headers["Accept-Encoding"] = "identity"
    headers["Clerk-API-Version"] = API_VERSION_DATE
    headers["User-Agent"] = f"clerk_wsgi/{_version()}"
    return headers


def _version() -> str:
    try:
        return version("clerk_wsgi")
    except PackageNotFoundError:  # used from a checkout
        return "0"


def _read_body(response: Response, until: float) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise ValueError("the answer is encoded, which was not asked for")
    body = bytearray()
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise ValueError("the answer is too large")
        if monotonic() > until:
            raise TimeoutError("the time for the whole answer is over")
    return bytes(body)


def _innermost(error: BaseException) -> BaseException:
    """Return what urllib3 and ``requests`` wrapped, alone.

    The wrappers name the URL with its query and hold the request with its headers; so do the
    frames of their tracebacks.
    """
    inner: BaseException | None = error
    while inner is not None:
        error = inner
        wrapped = (getattr(error, "reason", None), *error.args)
        inner = next((found for found in wrapped if isinstance(found, BaseException)), None)
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
