"""Clerk sessions in a Django project that is served by WSGI.

``ClerkMiddleware`` decides about each request and puts ``request.clerk`` there; ``require`` and
``ClerkRequiredMixin`` let only those to a view who have what it asks. docs/frameworks/django.md
tells the rest. Importing this needs Django, but none of its settings.
"""

try:
    from .configured import get_clerk
    from .middleware import ClerkMiddleware, ClerkRequest
    from .pages import clerk_context, sign_out
    from .requiring import ClerkRequiredMixin, require
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "django":
        raise
    message = "clerk_wsgi.integrations.django needs Django: pip install django"
    raise ImportError(message) from missing

__all__ = [
    "ClerkMiddleware",
    "ClerkRequest",
    "ClerkRequiredMixin",
    "clerk_context",
    "get_clerk",
    "require",
    "sign_out",
]
