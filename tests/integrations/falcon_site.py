"""What a real gunicorn serves in the tests of Falcon: pages for everybody and for some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import falcon

from clerk_wsgi.integrations.falcon import ClerkRequest, install, require

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECES, PIECE = 300, b"x" * 10_000


class Public:
    def on_get(self, req: ClerkRequest, resp: falcon.Response) -> None:
        resp.media = {"signed_in": bool(req.context.clerk)}


class Page(Public):
    on_get = require(Public.on_get)


@require(role="org:admin")
class Admins(Public):
    pass


@require(reverification="strict")
class Careful(Public):
    pass


@require
class Stream:
    def on_get(self, _req: ClerkRequest, resp: falcon.Response) -> None:
        resp.stream = self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        for _ in range(PIECES):
            yield PIECE


@require
class Large:
    def on_get(self, _req: ClerkRequest, resp: falcon.Response) -> None:
        resp.data = PIECE * PIECES

    on_head = on_get

    def on_post(self, req: ClerkRequest, resp: falcon.Response) -> None:
        resp.media = {"length": len(req.bounded_stream.read())}


class Broken:
    def on_get(self, _req: ClerkRequest, _resp: falcon.Response) -> None:
        raise ValueError("broken")


def create_app() -> falcon.App[falcon.Request, falcon.Response]:
    """Return the site, which asks the default instance."""
    app = falcon.App()
    install(app)
    app.add_route("/", Public())
    app.add_route("/page", Page())
    app.add_route("/admins", Admins())
    app.add_route("/careful", Careful())
    app.add_route("/stream", Stream())
    app.add_route("/large", Large())
    app.add_route("/broken", Broken())
    return app
