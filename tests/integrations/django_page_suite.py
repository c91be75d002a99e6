"""What docs/frameworks/django.md says, asked of the project that its code makes.

A suite for pytest, which is copied into that project: Django's settings are one for a process.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, override_settings

from clerk_wsgi import default_clerk as the_default
from clerk_wsgi.integrations.django import get_clerk

if TYPE_CHECKING:
    from clerk_wsgi import Clerk
    from clerk_wsgi.testing import Emulator, SignIn

PAGE = {"HTTP_ACCEPT": "text/html"}
LIVE = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
AUTH = "django.contrib.auth"


@pytest.fixture
def browser(default_clerk: Clerk) -> Any:
    return Client()


def test_the_first_views(browser: Any, signed_in: SignIn) -> None:
    assert browser.get("/").json() == {"signed_in": False}
    for path in ("/me", "/bills", "/later", "/reports", "/teams"):
        assert browser.get(path).status_code == 401
    who = signed_in(browser)
    assert browser.get("/").json() == {"signed_in": True}
    assert browser.get("/me").json() == {"user_id": who.user["id"]}
    assert browser.get("/later").json() == {"user_id": who.user["id"]}


def test_what_views_require(browser: Any, signed_in: SignIn) -> None:
    signed_in(browser, org_role="org:admin", claims={"fva": [0, 30]})
    assert browser.get("/teams").json() == {"teams": []}
    assert browser.post("/teams").status_code == 201
    assert browser.get("/bills/7/pay").status_code == 403
    payer: Any = {"org_role": "org:payer", "permissions": ["org:bills:pay"]}
    signed_in(browser, **payer, claims={"fva": [0, 30]})
    assert "clerk_error" in browser.get("/bills/7/pay").json()
    signed_in(browser, **payer)
    assert browser.get("/bills/7/pay").content == b"Bill 7 is paid."
    assert browser.get("/teams").status_code == 403


def test_what_is_protected_varies(browser: Any, signed_in: SignIn) -> None:
    signed_in(browser)
    assert browser.get("/me")["Vary"].startswith("Cookie, Authorization")


@pytest.mark.clerk(publishable_key=LIVE)
def test_people_sign_in_or_see_a_page_of_their_own(browser: Any, signed_in: SignIn) -> None:
    assert browser.get("/me", **PAGE).status_code == 303
    signed_in(browser)
    assert b"<h1>403 Forbidden</h1>" in browser.get("/bills", **PAGE).content
    assert browser.get("/bills").content == b""
    assert browser.post("/bills", **PAGE).status_code == 403


@pytest.mark.clerk(publishable_key=LIVE)
def test_templates(browser: Any, signed_in: SignIn, clerk_emulator: Emulator) -> None:
    who = signed_in(browser, org_role="org:admin", permissions=["org:bills:pay"])
    clerk_emulator.update_user(who.user["id"], first_name="Grace")
    shown = browser.get("/reports").content.decode()
    for part in ("Hello, Grace.", "Teams", "Bills", "csrfmiddlewaretoken", "Sign out"):
        assert part in shown
    signed_in(browser)
    shown = browser.get("/reports").content.decode()
    assert "Teams" not in shown
    assert "Bills" not in shown


def test_signing_out(browser: Any, signed_in: SignIn, clerk_emulator: Emulator) -> None:
    who = signed_in(browser)
    assert browser.post("/sign-out")["Location"] == "/"
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


def test_users_have_rows(browser: Any, signed_in: SignIn) -> None:
    assert not browser.get("/").wsgi_request.user.is_authenticated
    who = signed_in(browser)
    rows = [browser.get("/").wsgi_request.user for _ in range(2)]
    assert [row.username for row in rows] == [who.user["id"]] * 2
    assert rows[0].pk == rows[1].pk
    assert not rows[0].has_usable_password()


def test_django_makes_rows_itself(default_clerk: Clerk, signed_in: SignIn) -> None:
    from django.conf import settings

    ours = settings.MIDDLEWARE[:-1]  # without local_user
    changed = {
        "CLERK": {**settings.CLERK, "remote_user": True},
        "MIDDLEWARE": [*ours, f"{AUTH}.middleware.RemoteUserMiddleware"],
        "AUTHENTICATION_BACKENDS": [f"{AUTH}.backends.RemoteUserBackend"],
    }
    with override_settings(**changed):
        browser = Client()
        who = signed_in(browser)
        assert browser.get("/").wsgi_request.user.username == who.user["id"]
        browser.defaults.clear()
        assert not browser.get("/").wsgi_request.user.is_authenticated
        forged = browser.get("/", headers={"Remote-User": who.user["id"]})
        assert not forged.wsgi_request.user.is_authenticated


def test_whatever_is_asked_of_clerk(browser: Any, signed_in: SignIn) -> None:
    who = signed_in(browser, org_role="org:admin")
    assert browser.get("/members").json() == {"members": [who.user["id"]]}
    assert get_clerk() is the_default()


def test_workers_are_warmed_up(default_clerk: Clerk, clerk_emulator: Emulator) -> None:
    names: dict[str, Any] = {}
    with open("gunicorn.conf.py", encoding="utf-8") as file:  # noqa: PTH123 - as gunicorn does
        exec(file.read(), names)
    names["post_worker_init"](object())
    assert [one.path for one in clerk_emulator.requests] == ["/v1/jwks"]


@pytest.mark.parametrize("wrong", [{"on_eror": "mysite.errors.on_error"}, {"timeout": "soon"}])
def test_wrong_settings_are_told_of_at_the_start(wrong: Any, default_clerk: Clerk) -> None:
    with (
        override_settings(CLERK=wrong),
        pytest.raises(ImproperlyConfigured, match=next(iter(wrong))),
    ):
        WSGIHandler()


@pytest.mark.parametrize("carrier", [{"carrier": "bearer"}, {"carrier": "cookies"}])
def test_reports_of_failures_show_no_token(
    browser: Any, carrier: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    who = signed_in(browser, org_role="org:admin", **carrier)
    browser.raise_request_exception = False
    browser.get("/me")
    with override_settings(DEBUG=True, TEMPLATES=[]):
        report = browser.get("/reports").content.decode()
    assert "Traceback" in report
    assert "PATH_INFO" in report
    assert who.token not in report
    assert who.token.split(".")[1] not in report


def test_typed_views_are_views(browser: Any) -> None:
    assert importlib.import_module("mysite.typed").greeting.__name__ == "greeting"
