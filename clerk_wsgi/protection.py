"""Which paths are public; all others need a session, and what is ambiguous is neither.

Decided on the path that the application routes on, decoded as it decodes it: nothing is normalised,
since whoever normalises differently from the application lets strangers around it. A path that
two readers could take for two is refused instead (docs/protocol.md, "Public paths").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

_EVERYTHING_BELOW = "/*"

# What is looked for in a decoded path, and why it is ambiguous.
_AMBIGUITIES = MappingProxyType(
    {
        r"\A(?!/)": "it does not begin with a slash",
        r"//|/(?=;)": "it has an empty segment",
        r"/\.{1,2}(?=[/;]|\Z)": "it has a segment that means this or the one above",
        r"\\": "it has a backslash, which some take for a slash",
        r"[\x00-\x1f\x7f-\x9f]": "it has a control character",
        # A slash, backslash, dot, percent sign or control character for who decodes once more.
        r"%(?:2[eEfF5]|5[cC]|[01][0-9a-fA-F]|7[fF])": "it is encoded twice",
    }
)
_AMBIGUOUS = re.compile("|".join(f"({pattern})" for pattern in _AMBIGUITIES))
_WHY = tuple(_AMBIGUITIES.values())
# What a decoded path does not show any more, in a target as the client sent it.
_HIDDEN = re.compile(r"%2[fF]|%5[cC]|#")


class Access(Enum):
    """Who may have a path: everybody, those who are signed in, or nobody: it is a bad request."""

    PUBLIC = "public"
    PROTECTED = "protected"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPaths:
    """The paths that need no session: single ones, and all below some others."""

    single: frozenset[str] = frozenset()
    below: tuple[str, ...] = ()

    @classmethod
    def of(cls, paths: str | Iterable[str]) -> PublicPaths:
        """Read paths such as ``/``, ``/about/`` and ``/static/*``, decoded and case-sensitive.

        ``/*`` at the end stands for everything below, not for the path before it; ``/`` is that
        page alone. Raises ``ValueError`` for what could never match, or would match everything.
        """
        read = [_checked(path) for path in ((paths,) if isinstance(paths, str) else paths)]
        is_below = {path: path.endswith(_EVERYTHING_BELOW) for path in read}
        return cls(
            single=frozenset(path for path in read if not is_below[path]),
            below=tuple(path.removesuffix("*") for path in read if is_below[path]),
        )

    def access_to(self, path: str, *targets: str) -> Access:
        """Return who may have ``path``, which is ``PATH_INFO`` as it is in environ.

        ``targets`` are the request target as the client sent it, where the server says so
        (``RAW_URI``, ``REQUEST_URI``).
        """
        if any(is_ambiguous_target(target) for target in targets):
            return Access.AMBIGUOUS
        decoded = decode_path(path)
        if decoded is None or ambiguity_in(decoded) is not None:
            return Access.AMBIGUOUS
        is_public = decoded in self.single or decoded.startswith(self.below)
        return Access.PUBLIC if is_public else Access.PROTECTED


def decode_path(path: str) -> str | None:
    """Return a path of a WSGI environ as text, ``None`` if it is not UTF-8.

    An empty path is the root, as it is to every framework.
    """
    try:
        return path.encode("latin-1").decode("utf-8") or "/"
    except UnicodeError:
        return None


def ambiguity_in(path: str) -> str | None:
    """Say why a decoded path is not the same to everybody, ``None`` if it is."""
    found = _AMBIGUOUS.search(path)
    return None if found is None else _WHY[(found.lastindex or 0) - 1]


def is_ambiguous_target(target: str) -> bool:
    """Say whether a request target hides something, or is no path at all but a whole URL."""
    sent = target.partition("?")[0]
    if _HIDDEN.search(sent):
        return True
    decoded = decode_path(unquote_to_bytes(sent.encode("latin-1", "replace")).decode("latin-1"))
    return decoded is None or ambiguity_in(decoded) is not None


def _checked(path: object) -> str:
    if not isinstance(path, str):
        raise TypeError(f"a public path is a text, not {type(path).__name__}")
    if path == _EVERYTHING_BELOW:
        raise ValueError("public path '/*': then nothing would be protected")
    why = ambiguity_in(path)
    if why is not None:
        raise ValueError(f"public path {path!r}: {why}")
    wrong = re.search(r"[%?#]|\*(?!\Z)|(?<!/)\*", path)
    if wrong is not None:
        raise ValueError(
            f"public path {path!r}: expected a decoded path without a query, such as /about/, or"
            f" /static/* for everything below; {wrong[0]!r} is not for that"
        )
    return path
