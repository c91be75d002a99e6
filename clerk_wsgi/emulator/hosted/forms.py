"""Forms of the hosted pages: only what was sent from one of them, in the same browser, counts.

Each form repeats a token that its browser also has in a cookie. Another site can make a browser
send a form, but it neither knows the token, nor can it hide where the form was sent from.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING

from ...address import origin_of, parse_origin
from ...cookies import split_cookies
from ..cookies import Reach, cookie_line
from ..errors import Refusal
from ..routing import checked_text, parse_parameters

if TYPE_CHECKING:
    from webob import Request, Response

FORM_TOKEN = "form_token"
FORM_COOKIE = "__clerk_form"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def parse_form(request: Request, *known: str) -> dict[str, str]:
    """Return the fields of a form, the token among them, or raise a ``Refusal``."""
    parameters = parse_parameters(request, FORM_TOKEN, *known)
    return {name: checked_text(name, value) for name, value in parameters.items()}


def form_token_of(request: Request) -> str:
    """Return the token for the forms of this browser: the one it has, or a new one."""
    return _cookie(request) or secrets.token_urlsafe(32)


def with_form_token(answer: Response, request: Request, token: str) -> Response:
    """Return the answer with the token as a cookie."""
    reach = Reach(secure=request.scheme == "https")
    line = cookie_line(FORM_COOKIE, token, reach, "HttpOnly", "SameSite=Lax")
    answer.headers.add("Set-Cookie", line)
    return answer


def check_form(request: Request, form: dict[str, str]) -> None:
    """Raise a ``Refusal`` unless the form was sent from a page of ours in this browser."""
    expected, token = _cookie(request), form.get(FORM_TOKEN, "")
    if expected is None or not hmac.compare_digest(expected.encode(), token.encode()):
        raise _foreign("The form was open for too long, or cookies are off. Please try again.")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site not in ("same-origin", "none") or not _is_own_origin(request):
        raise _foreign("The form was sent from another site. Please try again from here.")


def _is_own_origin(request: Request) -> bool:
    """Say whether the form's page, if it is named, has our host; TLS may end before us."""
    text = request.headers.get("Origin")
    origin = parse_origin(text or "")
    scheme = (origin or "").partition(":")[0]
    return text is None or origin == origin_of(scheme, request.host)


def _cookie(request: Request) -> str | None:
    found = split_cookies(request.environ.get("HTTP_COOKIE", ""), (FORM_COOKIE,), str)
    value = found.get(FORM_COOKIE, "")
    return value if _TOKEN.fullmatch(value) else None


def _foreign(text: str) -> Refusal:
    return Refusal(403, "form_token_invalid", text)
