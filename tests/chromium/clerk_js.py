"""The unmodified clerk-js in a page of the wrapped application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .application import NOBODY
from .npm import Package

if TYPE_CHECKING:
    from .browsers import Window
    from .served import Site

CLERK_JS = Package(
    name="@clerk/clerk-js",
    version="6.40.0",
    integrity=(
        "sha512-2MnZ/ygvuCmeuqfXQmsxfQaLN/SSJvQbtT2cLXbgr5VKr3KmZFZBVvX977fG3eZ6pprl4J9pO+I2bbe6BvColg=="
    ),
)
CLERK_UI = Package(
    name="@clerk/ui",
    version="1.36.0",
    integrity=(
        "sha512-uI96zYCh5jISLOt1mdpIPy/Y31P0kwFxjUFOxLUwFfTHFmGUcRjbqN6bbb+75tdI2Bz6ARGws3rhspDer+xIfQ=="
    ),
)
SCRIPTS = f"""\
<script crossorigin="anonymous" src="{{clerk}}/npm/@clerk/ui@{CLERK_UI.version}/dist/ui.browser.js">
</script>
<script crossorigin="anonymous"
 data-clerk-publishable-key="{{key}}" data-clerk-proxy-url="{{clerk}}"
 src="{{clerk}}/npm/@clerk/clerk-js@{CLERK_JS.version}/dist/clerk.browser.js"></script>
"""

_WHO = """() => Clerk.user && ({
    user_id: Clerk.user.id,
    session_id: Clerk.session.id,
    org_id: Clerk.organization?.id ?? null,
})"""
_ASK = """async () => {
    const answer = await fetch('/api/me');
    return answer.status === 401 ? null : await answer.json();
}"""
_CAUGHT = """async ([body, argument]) => {
    try {
        await new Function('argument', `return (async () => {${body}})()`)(argument);
    } catch (error) {
        if (!error.errors) throw error;
        return error.errors.map(one => one.code);
    }
    return [];
}"""


@dataclass(frozen=True, kw_only=True)
class Who:
    """Somebody who is signed in; ids."""

    user_id: str
    session_id: str
    org_id: str | None = None


class ClerkPage:
    """A page with ``window.Clerk``, loaded from the application at ``app``."""

    def __init__(self, window: Window, site: Site, app: str) -> None:
        self.page = window.page
        self.window = window
        self.site = site
        self.app = app

    def load(self) -> Who | None:
        """Load the page and Clerk in it, and return who is signed in, as all see it."""
        self.page.goto(f"{self.app}/")
        self.run("await Clerk.load()")
        return self.who()

    def reload(self) -> Who | None:
        """The same for a page that has been loaded."""
        self.page.reload()
        self.run("await Clerk.load()")
        return self.who()

    def who(self) -> Who | None:
        """Return who is signed in: Clerk in the page and the application must agree."""
        seen = _who(self.page.evaluate(_WHO))
        assert self.ask() == seen
        return seen

    def who_after_reload(self) -> Who | None:
        """Return who is signed in: they must agree now, and when the page was loaded again."""
        seen = self.who()
        self.page.reload()
        said = self.page.locator("#who").inner_text()
        assert said == (f"{seen.user_id} {seen.session_id} {seen.org_id}" if seen else NOBODY)
        self.run("await Clerk.load()")
        assert self.who() == seen
        return seen

    def ask(self) -> Who | None:
        """Return who the application finds when a script of the page asks."""
        return _who(self.page.evaluate(_ASK))

    def run(self, script: str, argument: object = None) -> None:
        """Run an asynchronous script in the page; its ``argument`` has this value."""
        assert self.errors_of(script, argument) == []

    def errors_of(self, script: str, argument: object = None) -> list[str]:
        """Run a script, and return the codes of the errors that Clerk answers with."""
        codes: list[str] = self.page.evaluate(_CAUGHT, [script, argument])
        return codes

    def sign_in(self, **parameters: str) -> list[str]:
        """Sign in by one request; return the codes of the errors if that is refused."""
        return self.errors_of(
            "const done = await Clerk.client.signIn.create(argument);"
            "if (done.status !== 'complete') throw new Error(done.status);"
            "await Clerk.setActive({session: done.createdSessionId})",
            parameters,
        )

    def sign_out(self, session_id: str | None = None) -> None:
        """End one session or all, which leads to the application's first page."""
        options = {"sessionId": session_id} if session_id else {}
        with self.page.expect_navigation(url=f"{self.app}/"):
            self.page.evaluate("argument => void Clerk.signOut(argument)", options)
        self.run("await Clerk.load()")

    def session_cookie(self) -> str:
        """Return the token that the application gets."""
        found = self.window.context.cookies(self.app)
        return next(str(one["value"]) for one in found if one["name"] == "__session")

    def hosted(self, page: str) -> str:
        """Return the address of a hosted page that leads back here."""
        return self.site.hosted(page, f"{self.app}/")


def _who(document: Any) -> Who | None:
    return Who(**document) if document else None
