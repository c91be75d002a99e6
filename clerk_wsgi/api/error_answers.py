"""Clerk's error answers as exceptions (docs/protocol.md, "Errors").

What Clerk says about an error is evidence, for ``data``: an answer can repeat what was sent, so of
its texts only what looks like an error code gets into a message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..errors import ApiError
from .answer import error_members
from .retrying import retry_after

if TYPE_CHECKING:
    from .answer import Answer

_CODE = re.compile(r"(?!sk_|ak_|mt_)[a-z0-9]+(_[a-z0-9]+){0,9}")
_LONGEST_CODE = 64
_TRACE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TEXTS = ("code", "message", "long_message")


def api_error(answer: Answer, question: str) -> ApiError:
    """Return the error that an answer of 400 to 599 stands for, whatever its body holds."""
    document = _document_of(answer)
    errors = [_entry(member) for member in error_members(document)]
    return ApiError(
        _message(answer.status, question, errors),
        status_code=answer.status,
        data=errors,
        retry_after=retry_after(answer),
        trace_id=_trace_id(document, answer),
    )


def _document_of(answer: Answer) -> object:
    try:
        return answer.json()
    except ValueError:
        return None


def _entry(member: dict[str, Any]) -> dict[str, Any]:
    texts = {name: member.get(name) for name in _TEXTS}
    meta = member.get("meta")
    return {
        **{name: text if isinstance(text, str) else None for name, text in texts.items()},
        "meta": meta if isinstance(meta, dict) else None,
    }


def _message(status: int, question: str, errors: list[dict[str, Any]]) -> str:
    code = (errors[0]["code"] if errors else None) or ""
    is_code = len(code) <= _LONGEST_CODE and _CODE.fullmatch(code)
    return f"Clerk answered {status} to {question}" + (f" ({code})." if is_code else ".")


def _trace_id(document: object, answer: Answer) -> str | None:
    said = document.get("clerk_trace_id") if isinstance(document, dict) else None
    for candidate in (said, answer.headers.get("CF-Ray")):
        if isinstance(candidate, str) and _TRACE_ID.fullmatch(candidate):
            return candidate
    return None
