"""The views of a Django project for tests; its settings are those of ``django_site``, overridden.

As a URLconf it has a view at each name of ``urlpatterns``.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import (
    FileResponse,
    Http404,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page

from clerk_wsgi import Forbidden, Redirect, Requirement
from clerk_wsgi.integrations.django import ClerkRequiredMixin, require, sign_out

from .. import django_site

assert django_site.urlpatterns  # some settings of Django have to be there

LARGE = b"0123456789abcdef" * 100_000


def who(request: Any) -> Any:
    """Tell who is there, and how the request was decided."""
    state = request.environ["clerk.state"]
    return JsonResponse({"user": request.clerk.user_id, "reason": state.reason})


@require
def mine(request: Any, number: int = 0) -> Any:
    """Tell whose it is."""
    return JsonResponse({"user": request.clerk.user_id, "number": number})


@require(role="org:admin")
def admins(request: Any) -> Any:
    return JsonResponse({"organization": request.clerk.org_slug})


@require(permission="org:invoices:pay", reverification="strict")
def pay(request: Any) -> Any:
    return HttpResponse(b"paid", status=202)


@require
async def later(request: Any) -> Any:
    return JsonResponse({"user": request.clerk.user_id})


class Page(ClerkRequiredMixin, View):  # type: ignore[misc] # Django has no types
    def get(self, request: Any) -> Any:
        return JsonResponse({"user": request.clerk.user_id})


class AdminsPage(Page):
    clerk_requirement = Requirement(role="admin")


class LaterView(View):  # type: ignore[misc] # likewise
    async def get(self, request: Any) -> Any:
        return JsonResponse({"user": request.clerk.user_id})


class LaterPage(ClerkRequiredMixin, LaterView):
    """The same for those who are signed in."""


@method_decorator(require(role="org:admin"), name="dispatch")
class Decorated(View):  # type: ignore[misc] # likewise
    def get(self, request: Any) -> Any:
        return HttpResponse(b"decorated")

    @method_decorator(require(permission="org:invoices:pay"))  # type: ignore[untyped-decorator]
    def post(self, request: Any) -> Any:
        return HttpResponse(b"posted")


@method_decorator(require, name="dispatch")
class LaterDecorated(LaterView):
    """A method that is no coroutine function itself returns a coroutine."""


def stream(request: Any) -> Any:
    return StreamingHttpResponse(iter([b"one, ", b"two"]))


def large(request: Any) -> Any:
    return HttpResponse(LARGE, content_type="application/octet-stream")


def download(request: Any) -> Any:
    return FileResponse(iter([LARGE]), filename="large.bin", as_attachment=True)


FOR_EVERYBODY = HttpResponse("hello", headers={"mine": "1"})


def cookie(request: Any) -> Any:
    response = HttpResponse(b"have one")
    response.set_cookie("seen", "yes")
    response["Cache-Control"] = "max-age=60"
    return response


def broken(request: Any) -> Any:
    raise RuntimeError("the view is broken")


def missing(request: Any) -> Any:
    raise Http404


def denied(request: Any) -> Any:
    raise PermissionDenied


def forbidden(request: Any) -> Any:
    raise Forbidden("Not today.", data={"error": "not today"})


def insisting(request: Any) -> Any:
    """Ask in the midst of a view, where nobody can be let through any more."""
    Requirement(role="org:admin").check(request.clerk, request.environ["clerk.error"])
    return HttpResponse(b"an admin")


def elsewhere(request: Any) -> Any:
    raise Redirect("/there")


def full_name(request: Any) -> Any:
    return JsonResponse({"name": request.clerk.user.first_name})


def rendered(request: Any) -> Any:
    """Ask Clerk when the template is rendered, after the view."""
    return TemplateResponse(request, "name.html")


def links(request: Any) -> Any:
    return render(request, "links.html")


@cache_page(60)  # type: ignore[untyped-decorator] # Django has no types
@require
def cached(request: Any) -> Any:
    return HttpResponse(request.clerk.user_id)


urlpatterns = [
    path("", who),
    path("mine", mine),
    path("mine/<int:number>", mine),
    path("admins", admins),
    path("pay", pay),
    path("later", later),
    path("page", Page.as_view()),
    path("admins-page", AdminsPage.as_view()),
    path("pay-page", Page.as_view(clerk_requirement=Requirement(permission="org:invoices:pay"))),
    path("later-page", LaterPage.as_view()),
    path("decorated", Decorated.as_view()),
    path("later-decorated", LaterDecorated.as_view()),
    path("wrapped", require(role="org:admin")(LaterPage.as_view())),
    path("stream", stream),
    path("large", large),
    path("download", download),
    path("cookie", cookie),
    path("for-everybody", lambda _: FOR_EVERYBODY),
    path("broken", broken),
    path("missing", missing),
    path("denied", denied),
    path("forbidden", forbidden),
    path("insisting", insisting),
    path("elsewhere", elsewhere),
    path("full-name", full_name),
    path("rendered", rendered),
    path("links", links),
    path("cached", cached),
    path("sign-out", sign_out, {"return_to": "/bye"}),
    path("leave", lambda request: sign_out(request, request.GET["next"])),
]
