"""A society's site, Django in one file: members have a motto, officers see everybody.

    pip install "clerk-wsgi[demo,django]"
    cd examples/django_app && clerk-wsgi run society:app --local --seed people.toml

serves it against a local Clerk, and prints its address, who can sign in, and a token for curl. With
an account at Clerk and its keys in the environment it is ``gunicorn society:app``.

| path            | for whom                                         |
|-----------------|--------------------------------------------------|
| ``/``           | everybody                                        |
| ``/motto``      | who is signed in: a form                         |
| ``/api/me``     | who is signed in: JSON                           |
| ``/members``    | admins of the organization chosen at "Account"   |
| ``/sign-out``   | who is signed in: a POST                         |
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management.utils import get_random_secret_key
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.urls import path

from clerk_wsgi import Forbidden, sign_in_on_error
from clerk_wsgi.integrations.django import get_clerk, require, sign_out

if TYPE_CHECKING:
    from django.http import HttpResponse

    from clerk_wsgi import ClerkError
    from clerk_wsgi.integrations.django import ClerkRequest

LONGEST_MOTTO = 80

PAGE = """<!doctype html>
<title>{% block title %}The Society{% endblock %}</title>
<nav>
  <a href="{% url 'home' %}">Home</a>
  {% if clerk %}
    <a href="{% url 'motto' %}">Your motto</a>
    {% if clerk.org_role == "org:admin" %}<a href="{% url 'members' %}">Members</a>{% endif %}
    <a href="{{ clerk_account_url }}">Account</a>
    <form method="post" action="{% url 'sign-out' %}">
      {% csrf_token %} <button>Sign out</button>
    </form>
  {% else %}
    <a href="{{ clerk_sign_in_url }}">Sign in</a>
  {% endif %}
</nav>
{% block main %}{% endblock %}
"""
HOME = """{% extends "page.html" %}
{% block main %}
<h1>{% if clerk %}Hello, {{ clerk.user.first_name }}.{% else %}Hello, stranger.{% endif %}</h1>
<blockquote>{{ clerk.user.public_metadata.motto }}</blockquote>
{% endblock %}
"""
MOTTO = """{% extends "page.html" %}
{% block main %}
<form method="post">
  {% csrf_token %}
  <label>Your motto <input name="motto" maxlength="80" value="{{ motto }}"></label>
  <button>Keep it</button>
</form>
{% endblock %}
"""
MEMBERS = """{% extends "page.html" %}
{% block main %}
<h1>{{ clerk.organization.name }}</h1>
<ul>
  {% for one in members %}<li>{{ one.public_user_data.identifier }}: {{ one.role }}</li>{% endfor %}
</ul>
{% endblock %}
"""
FORBIDDEN = """{% extends "page.html" %}
{% block main %}<h1>This is not for you.</h1>{% endblock %}
"""


def home(request: ClerkRequest) -> HttpResponse:
    return render(request, "home.html")


@require
def motto(request: ClerkRequest) -> HttpResponse:
    """Show a form, or keep what it says: Clerk keeps it, so there is no database here."""
    user = request.clerk.user
    assert user is not None  # require saw to it
    if request.method == "POST":
        text = request.POST.get("motto", "").strip()[:LONGEST_MOTTO]
        get_clerk().users.update(user.id, public_metadata={"motto": text})
        return redirect("home")
    return render(request, "motto.html", {"motto": user.public_metadata.get("motto", "")})


@require
def me(request: ClerkRequest) -> HttpResponse:
    auth = request.clerk
    return JsonResponse({"user_id": auth.user_id, "organization": auth.org_slug})


@require(role="org:admin")
def members(request: ClerkRequest) -> HttpResponse:
    organization_id = request.clerk.org_id
    assert organization_id is not None  # whoever has a role has it in an organization
    found = get_clerk().organizations.memberships(organization_id)
    return render(request, "members.html", {"members": list(found)})


def on_error(error: ClerkError) -> object:
    """Send people to sign in; who lacks a role gets Django's page for that, 403.html."""
    refusal = sign_in_on_error(error)
    accepted = error.request.headers.get("Accept", "") if error.request else ""
    if isinstance(refusal, Forbidden) and refusal.data is None and "text/html" in accepted:
        return PermissionDenied()
    return refusal


urlpatterns = [
    path("", home, name="home"),
    path("motto", motto, name="motto"),
    path("api/me", me),
    path("members", members, name="members"),
    path("sign-out", sign_out, name="sign-out"),
]

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY") or get_random_secret_key(),
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "clerk_wsgi.integrations.django.ClerkMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": ["clerk_wsgi.integrations.django.clerk_context"],
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {
                            "page.html": PAGE,
                            "home.html": HOME,
                            "motto.html": MOTTO,
                            "members.html": MEMBERS,
                            "403.html": FORBIDDEN,
                        },
                    )
                ],
            },
        }
    ],
    CLERK={"on_error": on_error},
)

app = get_wsgi_application()
