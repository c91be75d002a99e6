"""What Clerk's Backend API answered, or that it did not: values, without any network."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY = 1_000_000  # bytes
MAX_DEPTH = 100

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)


class Unreachable(Exception):
    """Clerk gave no answer that can be used; the message says why, and holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Clerk answered, whatever the status: redirects are not followed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body as JSON, or raise ``ValueError``."""
        text = self.body.decode("utf-8")
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _refuse_depth(text)
        return json.loads(text, parse_constant=_refuse_constant)


def error_members(document: object) -> list[dict[str, Any]]:
    """Return the errors of an error answer (docs/protocol.md, "Errors"); junk has none."""
    errors = document.get("errors") if isinstance(document, dict) else None
    members = errors if isinstance(errors, list) else []
    return [member for member in members if isinstance(member, dict)]


def _refuse_depth(text: str) -> None:
    brackets = (1 if c in "[{" else -1 for c in _JSON_STRING.sub("", text) if c in "[]{}")
    if any(depth > MAX_DEPTH for depth in accumulate(brackets)):
        raise ValueError("nested too deeply")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
