"""One decision in the environ of its request: for the application, and for wrappers further in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIEnvironment
    from webob import Request

    from .claims import Auth
    from .clerk import Clerk
    from .machine_auth import MachineAuth
    from .state import RequestState

# Where in environ a wrapper leaves its decision for wrappers further in.
DECISION = "clerk._decision"


class Decision:
    """What one instance decided about a request, kept in its environ for wrappers further in.

    ``asked`` is a copy of the environ as it was then, ``auth`` what this request may do, ``tell``
    what puts a decision into an environ.
    """

    __slots__ = ("_tell", "asked", "auth", "clerk", "state")

    def __init__(
        self,
        clerk: Clerk | None,
        asked: WSGIEnvironment,
        state: RequestState,
        auth: Auth | MachineAuth | None,
        tell: Callable[[WSGIEnvironment, Decision], None],
    ) -> None:
        self._tell = tell
        self.auth = auth
        self.clerk = clerk
        self.asked = asked
        self.state = state

    def request(self) -> Request:
        """Return the request as it was asked, and as the application would find it.

        Its environ is a copy, whose path WebOb can read without raising. So environ["clerk.error"]
        does not lead back to environ, which would keep every such request for the garbage
        collector.
        """
        from webob import Request

        environ = self.asked.copy()
        environ[DECISION] = self  # for wrappers that it is handed on to
        self._tell(environ, self)
        for name in ("SCRIPT_NAME", "PATH_INFO"):
            raw = environ.get(name, "").encode("latin-1", "replace")
            environ[name] = raw.decode("utf-8", "replace").encode("utf-8").decode("latin-1")
        return Request(environ)

    def is_about(self, clerk: Clerk, environ: WSGIEnvironment) -> bool:
        """Say whether it answers what this instance is asked now."""
        return self.clerk is clerk and _fingerprint(self.asked) == _fingerprint(environ)


_ASKED = (
    "REQUEST_METHOD",
    "wsgi.url_scheme",
    "HTTP_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "QUERY_STRING",
    "HTTP_COOKIE",
    "HTTP_AUTHORIZATION",
)


def _fingerprint(environ: WSGIEnvironment) -> tuple[object, ...]:
    """Return what tells one question from another: method, URL, cookies and authorization."""
    return (path_of(environ), *map(environ.get, _ASKED))


def tell(environ: WSGIEnvironment, decision: Decision) -> None:
    """Tell the application, overwriting whatever claimed to come from us."""
    state = decision.state
    environ["clerk.session"] = state.session
    environ["clerk.auth"] = decision.auth
    environ["clerk.error"] = None
    environ["clerk.instance"] = decision.clerk
    environ["clerk.state"] = state


def tell_remote_user(environ: WSGIEnvironment, decision: Decision) -> None:
    """Tell the application, and everybody who looks for ``REMOTE_USER``."""
    tell(environ, decision)
    session = decision.state.session
    if session is None:
        environ.pop("REMOTE_USER", None)
        environ.pop("AUTH_TYPE", None)
    else:
        environ["REMOTE_USER"] = session.user_id
        environ["AUTH_TYPE"] = "Clerk"


def path_of(environ: Mapping[str, Any]) -> str:
    """Return the path of a request, however much of it a mount has moved to ``SCRIPT_NAME``."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path
