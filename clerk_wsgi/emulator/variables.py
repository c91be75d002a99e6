"""The environment variables by which an application uses a local Clerk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .instance import Instance


def variables_of(instance: Instance, url: str) -> dict[str, str]:
    """Return all of them for a local Clerk that is served at ``url``."""
    return {**api_variables(instance, url), **browser_variables(instance, url)}


def api_variables(instance: Instance, url: str) -> dict[str, str]:
    """Return those for the Backend API, which are enough to verify tokens."""
    return {"CLERK_API_URL": url, "CLERK_SECRET_KEY": instance.secret_key}


def browser_variables(instance: Instance, url: str) -> dict[str, str]:
    """Return those for browsers: the Frontend API, and the hosted pages.

    Nobody signs up at a local Clerk: its people are made by seeds, so the sign-in page has to do.
    """
    return {
        "CLERK_PUBLISHABLE_KEY": instance.publishable_key,
        "CLERK_PROXY_URL": url,
        "CLERK_SIGN_IN_URL": f"{url}/sign-in",
        "CLERK_SIGN_UP_URL": f"{url}/sign-in",
        "CLERK_ACCOUNT_URL": f"{url}/choose",
        "CLERK_SIGN_OUT_URL": f"{url}/sign-out",
    }
