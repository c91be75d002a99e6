"""Settings of Django for tests, in force for a while, and a client that sees them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.test import Client
from django.test.utils import override_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

CLERK_MIDDLEWARE = "clerk_wsgi.integrations.django.ClerkMiddleware"
CSRF_MIDDLEWARE = "django.middleware.csrf.CsrfViewMiddleware"
TEMPLATES = {
    "name.html": "I am {{ clerk.user.first_name }}.",
    "links.html": "{% if clerk %}{{ clerk.user_id }} {{ clerk_account_url }}"
    "{% else %}nobody {{ clerk_sign_in_url }} {{ clerk_sign_up_url }}{% endif %}",
}


@contextmanager
def project(**settings: Any) -> Iterator[Client]:
    """A client of the project while its settings are in force."""
    with override_settings(**SETTINGS, **settings):
        yield Client()


SETTINGS: dict[str, Any] = {
    "ROOT_URLCONF": f"{__package__}.django_views",
    "MIDDLEWARE": [CLERK_MIDDLEWARE, CSRF_MIDDLEWARE],
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [("django.template.loaders.locmem.Loader", TEMPLATES)],
                "context_processors": ["clerk_wsgi.integrations.django.clerk_context"],
            },
        }
    ],
}
