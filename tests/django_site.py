"""A small Django site for tests: its settings are made when this is imported, once a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.template.response import TemplateResponse
from django.urls import path

from .telling import tell

if TYPE_CHECKING:
    from collections.abc import Callable

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__,
        SECRET_KEY="for tests alone",
        ALLOWED_HOSTS=["testserver"],
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [
                        ("django.template.loaders.locmem.Loader", {"who.html": "I am {{ who }}."})
                    ]
                },
            }
        ],
    )
    django.setup()


def who(request: Any) -> Any:
    return JsonResponse(tell(request.environ))


def page(request: Any) -> Any:
    return TemplateResponse(request, "who.html", {"who": tell(request.environ)["user"]})


def broken(request: Any) -> Any:
    raise RuntimeError("the view is broken")


def stream(request: Any) -> Any:
    return StreamingHttpResponse(iter([b"one, ", b"two"]))


def form(request: Any) -> Any:
    get_token(request)  # sets a cookie
    response = HttpResponse(f"posted {request.POST.get('a')}", status=202)
    response["Cache-Control"] = "max-age=60"
    response.set_cookie("seen", "yes")
    return response


VIEWS: dict[str, Callable[[Any], Any]] = {
    "": who,
    "page": page,
    "broken": broken,
    "stream": stream,
    "form": form,
}
urlpatterns = [path(name, view) for name, view in VIEWS.items()]
