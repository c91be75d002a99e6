"""From method and path to a function, and from a body to parameters. No route is named here."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from .errors import Refusal, invalid_parameter, request_body_invalid, resource_not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webob import Request, Response

    Endpoint = Callable[..., Response]
    Route = tuple[str, str, Endpoint]

FORM = "application/x-www-form-urlencoded"
MAX_DEPTH = 64  # of JSON: what is kept has to be written again, deeper in other documents


class Router:
    """Routes are (method, path, endpoint); ``{name}`` in a path is one segment of any text.

    A path that is spelled out goes before one with a ``{name}``, whatever their order. An endpoint
    gets the request, and the segments by their names. HEAD is answered as GET.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._endpoints: dict[re.Pattern[str], dict[str, Endpoint]] = {}
        for method, path, endpoint in sorted(routes, key=lambda route: route[1].count("{")):
            self._endpoints.setdefault(_pattern(path), {})[method] = endpoint

    def has(self, request: Request) -> bool:
        """Say whether the path is one of ours, whatever the method."""
        path = request.environ.get("PATH_INFO", "")
        return any(pattern.fullmatch(path) for pattern in self._endpoints)

    def dispatch(self, request: Request) -> Response:
        """Return the endpoint's answer, or raise a ``Refusal``: 404 or 405."""
        path = request.environ.get("PATH_INFO", "")
        for pattern, endpoints in self._endpoints.items():
            match = pattern.fullmatch(path)
            if match:
                endpoint = _choose(endpoints, request.method)
                return endpoint(request, **match.groupdict())
        raise resource_not_found("Resource not found", "There is no such endpoint.")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def _choose(endpoints: dict[str, Endpoint], method: str) -> Endpoint:
    wanted = "GET" if method == "HEAD" else method
    if wanted not in endpoints:
        allow = ", ".join(sorted(endpoints))
        raise Refusal(405, "method_not_allowed", f"Use {allow} here.", allow=allow)
    return endpoints[wanted]


def parse_parameters(request: Request, *known: str) -> dict[str, Any]:
    """Return the parameters of a body: a JSON object, or a form as the SDKs of 2022 sent it.

    An empty body has none, and a null is as good as none. A body that cannot be read is a 400,
    a name not in ``known`` a 422.
    """
    parameters = parse_changes(request, *known)
    return {name: value for name, value in parameters.items() if value is not None}


def parse_changes(request: Request, *known: str) -> dict[str, Any]:
    """Return the parameters of a body, where a null says something; else as above."""
    parameters = parse_body(request)
    for name in parameters:
        if name not in known:
            text = f"{name} is not a valid parameter for this request."
            raise invalid_parameter("form_param_unknown", name, text)
    return parameters


def parse_body(request: Request) -> dict[str, Any]:
    """Return the parameters of a body, whatever their names; a 400 if it cannot be read."""
    # Not request.body, which puts what is long into a temporary file that nobody closes.
    body = request.body_file_raw.read(request.content_length or 0)
    if not body:
        return {}
    return _parse_form(body) if request.content_type == FORM else _parse_json(body)


def _parse_json(body: bytes) -> dict[str, Any]:
    try:
        parameters = json.loads(body)
        json.dumps(parameters, ensure_ascii=False).encode()  # no lone surrogates
    except (ValueError, RecursionError):
        raise request_body_invalid() from None
    if not isinstance(parameters, dict) or _is_deeper(parameters, MAX_DEPTH):
        raise request_body_invalid()
    return parameters


def _is_deeper(value: object, levels: int) -> bool:
    """Say whether lists and objects are within each other on more levels than these."""
    if not isinstance(value, (dict, list)):
        return False
    members = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(member, levels - 1) for member in members)


def _parse_form(body: bytes) -> dict[str, Any]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except ValueError:
        raise request_body_invalid() from None


def required_text(parameters: dict[str, Any], name: str) -> str:
    """Return a parameter that must be there and be a text, or raise a 422."""
    if name not in parameters:
        raise invalid_parameter("form_param_missing", name, f"{name} must be included.")
    return checked_text(name, parameters[name])


def checked_text(name: str, value: object) -> str:
    """Return a value that is a text, or raise a 422."""
    if not isinstance(value, str):
        raise invalid_parameter("form_param_type_invalid", name, f"`{name}` must be a `string`.")
    return value


def whole_number(
    parameters: dict[str, Any], name: str, *, default: int, least: int, most: int
) -> int:
    """Return a parameter that is a whole number within bounds, or raise a 422."""
    value = parameters.get(name, default)
    if isinstance(value, str) and re.fullmatch("[0-9]{1,15}", value):
        value = int(value)
    if type(value) is not int:
        raise invalid_parameter("form_param_type_invalid", name, f"`{name}` must be a `number`.")
    if not least <= value <= most:
        raise invalid_parameter("form_param_value_invalid", name, f"{name} is invalid")
    return value
