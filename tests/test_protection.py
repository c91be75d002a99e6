"""Public paths: everything else is protected, and no other spelling of a path gets around it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webtest.http import StopableWSGIServer

from clerk_wsgi.protection import Access, PublicPaths, ambiguity_in, decode_path
from clerk_wsgi.testing import start_emulator

from .gunicorns import gunicorn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PUBLIC = PublicPaths.of(["/", "/healthz", "/about/", "/static/*", "/a/b/*", "/café", "/~ada;v=1"])


def path_info(target: str) -> str:
    """What a server makes of the path of a target: decoded once, as latin-1 text (PEP 3333)."""
    return unquote_to_bytes(target).decode("latin-1")


def access(target: str, public: PublicPaths = PUBLIC) -> Access:
    """Who may have a path that a client asked for, where the server shows only ``PATH_INFO``."""
    return public.access_to(path_info(target))


# What is public


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "",
        "/healthz",
        "/about/",
        "/static/",
        "/static/app.css",
        "/static/deep/er/",
        "/static/.well-known/x",
        "/static/...",
        "/static/..x",
        "/static/x..",
        "/static/a%20b",
        "/static/100%25",
        "/static/50%25off",
        "/static/%E2%80%A6",
        "/static/v1;a=1/x",
        "/static/a:b@c,d=e&f+g!$'()*",
        "/a/b/",
        "/a/b/c",
        "/caf%C3%A9",
        "/~ada;v=1",
        "/h%65althz",
        "/%7Eada;v=1",
    ],
)
def test_what_is_named_is_public_and_so_is_what_lies_below_a_star(target: str) -> None:
    assert access(target) is Access.PUBLIC


@pytest.mark.parametrize(
    "target",
    [
        "/admin",
        "/healthz/",
        "/healthz/x",
        "/healthzx",
        "/healthz.json",
        "/healthz;x=1",
        "/healthz%3Fx",
        "/healthz%23x",
        "/healthz%20",
        "/ healthz",
        "/Healthz",
        "/HEALTHZ",
        "/about",
        "/about/x",
        "/static",
        "/staticx",
        "/static-files/x",
        "/Static/x",
        "/x/static/",
        "/a/b",
        "/a/bc",
        "/a",
        "/a/",
        "/cafe",
        "/cafe%CC%81",
        "/CAF%C3%89",
        "/*",
        "/static*",
        "/%EF%BD%93tatic/x",
        "/admin/static/x",
        "/%EF%BC%8Fadmin",
        "/%E2%88%95admin",
        "/%EF%BC%8E%EF%BC%8E/admin",
        "/%E2%80%8Bhealthz",
        "/%C2%A0",
        "/healthz%C2%A0",
    ],
)
def test_whatever_is_not_named_is_protected(target: str) -> None:
    assert access(target) is Access.PROTECTED


def test_nothing_is_public_if_nothing_is_named() -> None:
    for target in ("/", "", "/healthz", "/static/x"):
        assert access(target, PublicPaths.of([])) is Access.PROTECTED
        assert access(target, PublicPaths()) is Access.PROTECTED


def test_the_root_alone_is_public_if_the_root_is_named() -> None:
    root = PublicPaths.of("/")
    assert access("/", root) is access("", root) is Access.PUBLIC
    assert access("/x", root) is Access.PROTECTED


def test_the_path_begins_with_where_the_application_is_mounted() -> None:
    below = PublicPaths.of(["/app/healthz", "/app"])
    assert below.access_to("/app" + "/healthz") is Access.PUBLIC
    assert below.access_to("/app" + "") is Access.PUBLIC
    assert below.access_to("" + "/healthz") is Access.PROTECTED


# What is ambiguous

HOSTILE = [
    # Slashes that some merge, and bottle strips.
    *("//", "//admin", "/static//admin", "/admin//", "///", "/static/x//", "//healthz"),
    *("/%2F", "/%2Fadmin", "/static/%2Fadmin", "/static%2F%2Fadmin", "/admin%2F/"),
    # Segments that some resolve.
    *("/.", "/..", "/./", "/../", "/static/..", "/static/.", "/static/../admin", "/./admin"),
    *("/static/%2e%2e/admin", "/static/.%2e/admin", "/static/%2E./admin", "/%2e/admin"),
    *("/static/x/../../admin", "/healthz/.", "/healthz/..", "/static/%2e", "/static/./x"),
    # ... also where something after a semicolon is cut off first.
    *("/static/..;/admin", "/static/..;x=1/admin", "/static/.;/x", "/;/admin", "/static/;x/admin"),
    *("/static/%2e%2e;/admin", "/static/..%3b/admin", "/;", "/healthz/;", "/;x=1"),
    # Backslashes that some take for slashes.
    *(
        "\\",
        "/\\",
        "/\\admin",
        "/static\\..\\admin",
        "/static/..\\admin",
        "/static/x\\",
        "\\/admin",
    ),
    *("/%5C", "/%5cadmin", "/static/%5c..%5cadmin", "/static/..%5Cadmin"),
    # Encoded twice, or more often.
    *("/%252e%252e/admin", "/static/%252e%252e/admin", "/static/%252E%252E%252Fadmin"),
    *("/static%252fadmin", "/static/..%252fadmin", "/static/x%255cadmin", "/%25252fadmin"),
    *("/static/%2500", "/static/%250d%250aX", "/static/%257f", "/static/%2525252e"),
    # Control characters.
    *("/\x00", "/healthz%00", "/static/x%00/admin", "/%00", "/static/%0a", "/static/%0d%0aX: y"),
    *("/healthz%09", "/%7f", "/static/%1b[2J", "/healthz%0a", "/%0ahealthz", "/static/%C2%85x"),
    # No UTF-8: overlong spellings of a slash and a dot, latin-1, a surrogate, half a character.
    *("/%C0%AF", "/static/%C0%AE%C0%AE/admin", "/static/%E0%80%AF", "/caf%E9", "/%ED%A0%80"),
    *("/static/%FF", "/static/%F5%80%80%80", "/static/%C3", "/%80"),
    # No path at all.
    *("*", "admin", "static/x", "http://app.test/static/x", "app.test:443", "?", ".", "..", " /"),
]


@pytest.mark.parametrize("target", HOSTILE)
def test_what_two_readers_could_take_for_two_paths_is_ambiguous(target: str) -> None:
    assert access(target) is Access.AMBIGUOUS
    assert access(target, PublicPaths.of(["/static/*"])) is Access.AMBIGUOUS
    assert access(target, PublicPaths()) is Access.AMBIGUOUS


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 90


def test_a_mount_point_that_ends_in_a_slash_is_ambiguous() -> None:
    assert PUBLIC.access_to("/static/" + "/admin") is Access.AMBIGUOUS
    assert PUBLIC.access_to("/" + "/admin") is Access.AMBIGUOUS


def test_a_path_that_is_no_text_of_a_server_is_ambiguous() -> None:
    assert PUBLIC.access_to("/caf\u0113") is Access.AMBIGUOUS
    assert PUBLIC.access_to("/\ud800") is Access.AMBIGUOUS


# What the server does not show in the path


@pytest.mark.parametrize(
    "target",
    [
        "/static%2fadmin",
        "/static%2Fadmin",
        "/static/..%2fadmin",
        "/static/x%2f..%2f..%2fadmin",
        "/static/x%5c..%5cadmin",
        "/static/%5Cadmin",
        "/static/x#/../../admin",
        "/static/x#",
        "/static/../admin",
        "/static/%2e%2e/admin",
        "//static/x",
        "/static//x",
        "/static/x\\",
        "/static/%252fx",
        "/static/..;/admin",
        "/static/%00",
        "/static/%ff",
        "/static/\xff",
        "http://app.test/static/x",
        "HTTP://app.test/static/x",
        "//app.test/static/x",
        "https://app.test",
        "app.test:443",
        "*",
        "static/x",
        " /static/x",
        "%2fstatic/x",
    ],
)
def test_a_target_that_hides_something_is_ambiguous_whatever_the_path_became(target: str) -> None:
    for path in ("/static/x", "/", "/admin"):
        assert PUBLIC.access_to(path, target) is Access.AMBIGUOUS
        assert PUBLIC.access_to(path, "/static/x", target) is Access.AMBIGUOUS
        assert PUBLIC.access_to(path, target, "/static/x") is Access.AMBIGUOUS


@pytest.mark.parametrize(
    "target",
    [
        "/static/x",
        "/static/x?",
        "/static/x?next=%2Fadmin&u=http%3A%2F%2Fx//..%5C..%00",
        "/static/x?a=/../\\;//#",
        "/static/x?/../admin",
        "/static/%78",
        "/static/caf%C3%A9",
        "/static/caf\xc3\xa9",
        "/static/x;v=1",
        "/static/100%25",
        "/static/100%",
        "/prefix/that/a/proxy/took/away/static/x",
    ],
)
def test_a_target_that_is_plain_changes_nothing(target: str) -> None:
    assert PUBLIC.access_to("/static/x", target, target) is Access.PUBLIC
    assert PUBLIC.access_to("/admin", target) is Access.PROTECTED


# What can be named


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/*", "then nothing would be protected"),
        ("", "does not begin with a slash"),
        ("healthz", "does not begin with a slash"),
        ("*", "does not begin with a slash"),
        ("https://app.test/", "does not begin with a slash"),
        ("//", "empty segment"),
        ("/a//b", "empty segment"),
        ("/static//*", "empty segment"),
        ("/;x", "empty segment"),
        ("/a/../b", "this or the one above"),
        ("/./a", "this or the one above"),
        ("/a\\b", "backslash"),
        ("/a\n", "control character"),
        ("/%2e", "encoded twice"),
        ("/caf%C3%A9", "'%' is not for that"),
        ("/a?b=c", "'\\?' is not for that"),
        ("/a#b", "'#' is not for that"),
        ("/static*", "'\\*' is not for that"),
        ("/*/x", "'\\*' is not for that"),
        ("/**", "'\\*' is not for that"),
        ("/a/**", "'\\*' is not for that"),
        ("/a/*/", "'\\*' is not for that"),
        ("/a*b", "'\\*' is not for that"),
    ],
)
def test_what_could_never_match_or_would_match_everything_is_an_error(
    path: str, message: str
) -> None:
    for paths in (path, [path], ["/healthz", path]):
        with pytest.raises(ValueError, match=f"public path .*{message}"):
            PublicPaths.of(paths)


@pytest.mark.parametrize("path", [None, 5, b"/healthz", ["/healthz"]])
def test_what_is_no_text_is_no_path(path: Any) -> None:
    with pytest.raises(TypeError, match="a public path is a text, not"):
        PublicPaths.of(["/", path])


def test_a_single_text_is_one_path_and_not_its_characters() -> None:
    assert PublicPaths.of("/ab") == PublicPaths.of(["/ab"])
    assert access("/", PublicPaths.of("/ab")) is Access.PROTECTED


def test_public_paths_are_a_value() -> None:
    assert PublicPaths.of(["/b", "/a", "/c/*"]) == PublicPaths.of(("/a", "/b", "/c/*", "/a"))
    assert hash(PublicPaths.of("/a")) == hash(PublicPaths.of(["/a"]))


# Whatever is asked


@given(st.text("/\\.;%2eEfF5cC0\x00ab?#é", max_size=14), st.text("/.;\\%a", max_size=6))
@settings(max_examples=600, deadline=None)
def test_what_is_public_stays_below_its_star_for_readers_of_every_kind(
    rest: str, more: str
) -> None:
    path = f"/static/{rest}{more}"
    if PublicPaths.of("/static/*").access_to(path.encode().decode("latin-1")) is not Access.PUBLIC:
        return
    for reading in (path, unquote(path), unquote(unquote(path)), path.replace("\\", "/")):
        for cut in (reading, *map(without_parameters, (reading,))):
            assert urlsplit(f"http://h{resolved(cut)}").path.startswith("/static/")
            assert "//" not in cut


def without_parameters(path: str) -> str:
    """A path as those read it who cut off what follows a semicolon in each segment."""
    return "/".join(segment.partition(";")[0] for segment in path.split("/"))


def resolved(path: str) -> str:
    """A path without the segments that mean this one or the one above."""
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


@given(st.binary(max_size=20), st.text(max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_path_and_no_target_raises(path: bytes, text: str) -> None:
    latin = path.decode("latin-1")
    assert PUBLIC.access_to(f"/{latin}", latin, f"/{latin}") in Access
    assert PUBLIC.access_to(text, text) in Access
    assert PUBLIC.access_to(f"/{latin}") is not Access.PUBLIC or latin in (
        "",
        "~ada;v=1",
        "healthz",
    )
    decoded = decode_path(latin)
    assert decoded is None or ambiguity_in(decoded) is None or decoded != "/"


# As servers show it


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Say who may have what was asked for, as a wrapper would find out."""
    targets = [environ[name] for name in ("RAW_URI", "REQUEST_URI") if name in environ]
    found = PUBLIC.access_to(environ["SCRIPT_NAME"] + environ["PATH_INFO"], *targets)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [found.value.encode()]


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def on_wsgiref() -> Iterator[str]:
    with make_server("127.0.0.1", 0, application, handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def on_waitress() -> Iterator[str]:
    server: Any = StopableWSGIServer.create(application)
    try:
        yield f"127.0.0.1:{server.effective_port}"
    finally:
        server.shutdown()


@contextmanager
def on_gunicorn() -> Iterator[str]:
    with start_emulator() as clerk, gunicorn("tests.test_protection:application", clerk) as url:
        yield url.partition("//")[2]


def answer(host: str, target: str) -> str:
    """What the server at ``host`` answers to a target that is sent as it is."""
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode("latin-1"))
        with connection.makefile("rb") as answered:
            status, *_ = answered.readline().split(b" ")[1:]
            body = answered.read().rpartition(b"\r\n\r\n")[2]
    return (body if status == b"200" else status).decode()


SENDABLE = [text for text in HOSTILE if text and not set(text) & set(" \r\n\x00\t")]


@pytest.mark.servers
@pytest.mark.parametrize("serving", [on_wsgiref, on_waitress, on_gunicorn])
def test_no_server_makes_anything_public_of_a_hostile_target(serving: Callable[[], Any]) -> None:
    with serving() as host:
        assert answer(host, "/static/x?a=/../") == "public"
        assert answer(host, "/admin?a=%2f") == "protected"
        for target in SENDABLE:
            found = answer(host, target)
            # Some have one slash, or the root, where the client sent none or several.
            plain = answer(host, f"/{target.lstrip('/?')}") if target[0] in "/?" else ""
            assert found in ("ambiguous", "400", plain), target


@pytest.mark.servers
@pytest.mark.parametrize("serving", [on_waitress, on_gunicorn])
def test_servers_that_say_what_the_client_sent_hide_no_encoded_slash(
    serving: Callable[[], Any],
) -> None:
    with serving() as host:
        for target in ("/static%2fx", "/static/x%2Fy", "/static/x%5cy", "http://h/static/x"):
            assert answer(host, target) == "ambiguous"
        assert answer(host, "/static/x?%2f") == "public"
