"""The way to Clerk's Backend API, against servers that are slow, broken or hostile."""

from __future__ import annotations

import gzip
import itertools
import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time
import traceback
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from clerk_wsgi.api.answer import Answer
from clerk_wsgi.api.backend import BackendApi
from clerk_wsgi.api.transport import Transport, Unreachable
from clerk_wsgi.errors import ClerkUnavailable
from clerk_wsgi.settings import Secret

from .servers import (
    Conversation,
    drips,
    free_port,
    hangs_up,
    resets,
    response,
    self_signed,
    sends,
    sends_for_ever,
    sends_json,
    sends_then_closes,
    serving,
    sleeps,
    stopwatch,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from .servers import Behaviour, Server

SECRET = Secret("sk_test_4242secret4242")
OK = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(bytes(20_000_000))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def transport(base_url: str, http: requests.Session | None = None, **options: Any) -> Transport:
    return Transport(http, base_url=base_url, **{"timeout": 1.0, **options})


def get(server: Server, path: str = "/jwks", **options: Any) -> Answer:
    return transport(server.url).call("GET", path, secret=SECRET, **options)


def everything_about(error: BaseException) -> str:
    """What an error tracker could show of an exception: causes, and frames with locals."""
    seen = []
    links = [error, error.__cause__, error.__context__]
    while links:
        link = links.pop()
        if link is not None:
            seen += [repr(link), repr(link.args), repr(vars(link))]
            frames = (frame for frame, _ in traceback.walk_tb(link.__traceback__))
            seen += [repr(f.f_locals) for f in frames if f.f_code.co_filename != __file__]
            links += [link.__cause__, link.__context__] if link is not error else []
    return "\n".join(seen)


# ---- what is sent ----


def test_a_call_is_one_request_with_key_versions_and_no_encodings() -> None:
    with serving(sends_json({"keys": []})) as server:
        answer = get(server)
    (request,) = server.received
    assert (answer.status, answer.json()) == (200, {"keys": []})
    assert (request.method, request.target, request.body) == ("GET", "/v1/jwks", b"")
    assert request.headers["authorization"] == "Bearer sk_test_4242secret4242"
    assert request.headers["clerk-api-version"] == "2026-05-12"
    assert re.fullmatch(r"clerk_wsgi/[0-9][\w.+]*", request.headers["user-agent"])
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert "cookie" not in request.headers


def test_query_and_json_body_are_sent_and_the_version_is_optional() -> None:
    with serving(sends_json({})) as server:
        transport(server.url, api_version="v2").call(
            "POST",
            "/m2m_tokens/verify",
            secret=SECRET,
            query={"a": "1 &", "b": ["x", "y"]},
            json={"token": "mt_é"},
            versioned=False,
        )
        transport(server.url, api_version="v2").call("POST", "/users", secret=SECRET)
    first, second = server.received
    assert first.target == "/m2m_tokens/verify?a=1+%26&b=x&b=y"
    assert json.loads(first.body) == {"token": "mt_é"}
    assert first.headers["content-type"] == "application/json"
    assert (second.target, second.headers["content-length"]) == ("/v2/users", "0")


@pytest.mark.parametrize(
    "path",
    [
        *("", "jwks", "/", "//jwks", "/jwks/", "/a//b", "/..", "/.", "/a/..", "/a/../b", "/a/./b"),
        *("/a?b", "/a#b", "/a%2e%2e", "/a b", "/a\\b", "/a\n", "/\n", "/a;b", "/ä", "/a:b", "/@h"),
        *("http://evil.test/a", "/sessions/sess_../../users/x", "/" + "a" * 20_000 + "?"),
    ],
)
def test_a_path_that_is_not_plain_segments_is_never_sent(path: str) -> None:
    with serving(sends_json({})) as server:
        with pytest.raises(ValueError, match="plain segments"):
            get(server, path)
        assert server.connections == 0


@pytest.mark.parametrize(
    "path", ["/a", "/a/b", "/...", "/..a/b..", "/sess_1-2.~", "/.well-known/x"]
)
def test_plain_segments_are_sent_as_they_are(path: str) -> None:
    with serving(sends_json({})) as server:
        get(server, path)
    assert server.received[0].target == "/v1" + path


def test_a_body_that_is_not_json_is_never_sent() -> None:
    with serving(sends_json({})) as server:
        with pytest.raises(ValueError, match="JSON"):
            get(server, json=float("nan"))
        assert server.connections == 0


@pytest.mark.parametrize("text", ["sk_a\r\nX: 1", "sk_a b", "sk_\u20ac", "sk_\x7f", ""])
def test_a_key_that_no_header_can_carry_is_neither_sent_nor_shown(text: str) -> None:
    with serving(sends_json({})) as server:
        with pytest.raises(Unreachable) as caught:
            transport(server.url).call("GET", "/jwks", secret=Secret(text))
        assert server.connections == 0
    assert not text or text not in everything_about(caught.value)


def test_netrc_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(sends_json({})) as server:
        get(server)
        transport(server.url, requests.Session()).call("GET", "/jwks", secret=SECRET)
        requests.get(server.url, timeout=1)  # the file works
    ours, given, theirs = (request.headers["authorization"] for request in server.received)
    assert ours == given == "Bearer sk_test_4242secret4242"
    assert theirs.startswith("Basic ")


def test_of_a_given_session_headers_count_but_neither_credentials_nor_cookies() -> None:
    http = requests.Session()
    http.headers.update({"X-Trace": "1", "Cookie": "a=b", "authorization": "Basic x"})
    http.auth = ("somebody", "else")
    http.params = {"a": "b"}
    http.cookies.set("c", "d", domain="127.0.0.1")
    with serving(sends(response(b"{}", "200 OK", "Set-Cookie: stored=1; Path=/"))) as server:
        api = transport(server.url, http)
        for _ in range(2):
            api.call("GET", "/jwks", secret=SECRET)
    assert [request.target for request in server.received] == ["/v1/jwks", "/v1/jwks"]
    for request in server.received:
        assert request.headers["x-trace"] == "1"
        assert request.headers["authorization"] == "Bearer sk_test_4242secret4242"
        assert "cookie" not in request.headers
    assert http.cookies.get_dict() == {"c": "d"}


def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(sends_json({"keys": [1]})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        answer = transport("http://api.clerk.test").call("GET", "/jwks", secret=SECRET)
    assert answer.json() == {"keys": [1]}
    assert proxy.received[0].target == "http://api.clerk.test/v1/jwks"


def tunnel(context: ssl.SSLContext, then: Behaviour) -> Behaviour:
    """Be a proxy, and at the other end of its tunnels the server, too."""

    def behave(conversation: Conversation) -> None:
        if conversation.request.method == "CONNECT":
            conversation.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            conversation.secure(context)
        else:
            then(conversation)

    return behave


def test_through_a_proxy_tls_is_with_clerk_and_the_key_is_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = self_signed(tmp_path)
    http = requests.Session()
    http.verify = certificate
    with serving(tunnel(context, sends_json([1]))) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        api = transport("https://api.clerk.test", http)
        for _ in range(2):
            assert api.call("GET", "/jwks", secret=SECRET).json() == [1]
        proxy.behave = tunnel(context, drips(OK, b"A: b\r\n" * 50))
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            api.call("GET", "/jwks", secret=SECRET, timeout=0.4)
        assert seconds() < 1
    assert [(r.method, r.target) for r in proxy.received] == [
        ("CONNECT", "api.clerk.test:443"),
        *[("GET", "/v1/jwks")] * 3,
    ]
    assert ["authorization" in r.headers for r in proxy.received] == [False, True, True, True]


def test_a_kind_of_proxy_that_nobody_can_use_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", f"socks5://127.0.0.1:{free_port()}")
    with serving(sends_json([1])) as server:
        with pytest.raises(Unreachable):
            get(server)
        assert server.connections == 0


def test_a_session_without_trust_in_the_environment_uses_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    http = requests.Session()
    http.trust_env = False
    with serving(sends_json({})) as server:
        assert transport(server.url, http).call("GET", "/jwks", secret=SECRET).status == 200


# ---- the origin ----


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_never_followed(status: int) -> None:
    with serving(sends_json({"keys": []})) as other:
        target = f"Location: {other.url}/v1/jwks"
        with serving(sends(response(b"moved", f"{status} Elsewhere", target))) as server:
            answer = get(server)
        assert (answer.status, answer.body) == (status, b"moved")
        assert other.connections == 0


def test_a_redirect_with_an_endless_body_ends(tmp_path: Path) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"
    with serving(sends_for_ever(head, itertools.repeat(bytes(65536)))) as server:
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            get(server)
        assert seconds() < 1.5


def test_the_key_is_not_sent_to_a_server_whose_certificate_is_not_trusted(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    with serving(sends_json({}), context) as server:
        for http in (None, requests.Session()):
            with pytest.raises(Unreachable, match="SSL"):
                transport(server.url, http).call("GET", "/jwks", secret=SECRET)
        assert server.received == []


def test_a_trusted_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path)
    http = requests.Session()
    http.verify = certificate
    with serving(sends_json({}), context) as server:
        api = transport(server.url.replace("127.0.0.1", "localhost"), http)
        with pytest.raises(Unreachable, match="Certificate|SSL"):
            api.call("GET", "/jwks", secret=SECRET)
        assert server.received == []


def test_a_trusted_certificate_is_accepted_and_the_connection_kept(tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path)
    http = requests.Session()
    http.verify = certificate
    with serving(sends_json({}), context) as server:
        api = transport(server.url, http)
        assert [api.call("GET", "/a", secret=SECRET).status for _ in range(3)] == [200, 200, 200]
        assert server.connections == 1


# ---- answers in bad form ----

TRAILER = b"A: " + b"x" * 60_000 + b"\r\n"


def chunked(*chunks: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + last


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00\xff" * 400, id="bytes"),
        pytest.param(b"<html>hello</html>\r\n\r\n", id="html only"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="status not a number"),
        pytest.param(b"HTTP/1.1 99 Low\r\n\r\n", id="status too low"),
        pytest.param(b"HTTP/1.1 1000 High\r\n\r\n", id="status too high"),
        pytest.param(b"HTTP/9.9 200 OK\r\n\r\n", id="unknown version"),
        pytest.param(b"HTTP/1.1 200 " + b"x" * 70_000, id="endless status line"),
        pytest.param(OK + b"A: " + b"x" * 70_000 + b"\r\n\r\n", id="long header"),
        pytest.param(OK + b"A: b\r\n" * 200 + b"\r\n", id="many headers"),
        pytest.param(OK + b"Content-Length: 100\r\n\r\n{}", id="truncated body"),
        pytest.param(OK + b"Content-Length: 5, 6\r\n\r\n12345", id="two lengths"),
        pytest.param(OK + b"Content-Encoding: gzip\r\n\r\n" + BOMB, id="gzip bomb"),
        pytest.param(OK + b"Content-Encoding: gzip\r\n\r\nnot gzip", id="broken gzip"),
        pytest.param(OK + b"Content-Encoding: br, gzip\r\n\r\n{}", id="two encodings"),
        pytest.param(OK + b"Content-Encoding:\r\n\r\n{}", id="empty encoding"),
        pytest.param(OK + b"\r\n" + b" " * 20_000_000, id="20 MB"),
        pytest.param(OK + b"Content-Length: 20000000\r\n\r\n" + b" " * 1_100_000, id="announced"),
        pytest.param(chunked(*[b" " * 65_536] * 20), id="large in chunks"),
        pytest.param(chunked(b"{", last=b""), id="truncated chunks"),
        pytest.param(chunked(last=b"zz\r\n"), id="chunk size not a number"),
        pytest.param(chunked(last=b"-5\r\n{}\r\n0\r\n\r\n"), id="negative chunk size"),
        pytest.param(chunked(last=b"1" * 5_000_000), id="endless chunk size"),
        pytest.param(chunked(last=b"0\r\n" + TRAILER * 100), id="endless trailers"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 200_000, id="endless continue"),
    ],
)
def test_an_answer_in_bad_form_is_unreachable(answer: bytes) -> None:
    with serving(sends_then_closes(answer)) as server:
        seconds = stopwatch()
        with pytest.raises(Unreachable) as caught:
            get(server, query={"nonce": "n0nce"}, timeout=5)
        assert seconds() < 4
        assert len(server.received) == 1
    shown = everything_about(caught.value)
    assert "4242secret" not in shown
    assert "n0nce" not in str(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize("behave", [resets, hangs_up])
def test_a_connection_that_breaks_is_unreachable_and_not_tried_again(behave: Behaviour) -> None:
    with serving(behave) as server:
        with pytest.raises(Unreachable) as caught:
            get(server)
        assert server.connections == 1
    assert "4242secret" not in everything_about(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        f"http://127.0.0.1:{free_port()}",
        "http://no-such-host.invalid",
        "https://127.0.0.1:1",
        "http://[::1]:1",
        "http://" + "a" * 70 + ".test",
        "http://xn--a.test:99999",
    ],
)
def test_a_server_that_is_not_there_is_unreachable(base_url: str) -> None:
    seconds = stopwatch()
    with pytest.raises(Unreachable) as caught:
        transport(base_url).call("GET", "/jwks", secret=SECRET, query={"nonce": "n0nce"})
    assert seconds() < 2
    assert caught.value.__cause__ is not None
    assert caught.value.__context__ is None
    assert "4242secret" not in everything_about(caught.value)
    assert "n0nce" not in str(caught.value)


def test_a_broken_answer_does_not_spoil_the_next_call() -> None:
    with serving(sends_then_closes(OK + b"Content-Length: 100\r\n\r\n{}")) as server:
        api = transport(server.url)
        with pytest.raises(Unreachable):
            api.call("GET", "/a", secret=SECRET)
        server.behave = sends_json([1])
        assert api.call("GET", "/a", secret=SECRET).json() == [1]


def test_what_follows_a_refused_answer_is_not_read_as_the_next_one() -> None:
    def behave(conversation: Conversation) -> None:
        if conversation.request.target == "/v1/first":
            conversation.send(response(b" " * 2_000_000) + response(b'"smuggled"'))
        else:
            conversation.send(response(b'"right"'))

    with serving(behave) as server:
        api = transport(server.url)
        with pytest.raises(Unreachable):
            api.call("GET", "/first", secret=SECRET)
        assert api.call("GET", "/second", secret=SECRET).json() == "right"


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    with serving(sends_then_closes(response(b"1"))) as server:
        api = transport(server.url)
        for connections in (1, 2, 3):
            assert api.call("GET", "/a", secret=SECRET).json() == 1
            assert server.connections == connections
            time.sleep(0.05)


def test_any_status_is_an_answer() -> None:
    for status in (100 + 101, 204, 304, 400, 401, 404, 429, 500, 503, 599, 999):
        with serving(sends(response(b"", f"{status} X"))) as server:
            assert get(server).status == status


# ---- time ----

HEADERS = b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(sleeps(10), id="silence"),
        pytest.param(drips(b"", OK + HEADERS), id="status drips"),
        pytest.param(drips(OK, b"A: b\r\n" * 50 + HEADERS), id="headers drip"),
        pytest.param(drips(OK + b"Content-Length: 99\r\n\r\n", b" " * 99), id="body drips"),
        pytest.param(drips(chunked(last=b""), b"1\r\n \r\n" * 99), id="chunks drip"),
        pytest.param(drips(OK + b"\r\n", b" " * 99, pause=0.2), id="slow body without length"),
        pytest.param(drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 9, pause=0.01), id="continue"),
    ],
)
def test_the_time_limit_is_for_the_whole_answer(behave: Behaviour) -> None:
    with serving(behave) as server:
        seconds = stopwatch()
        with pytest.raises(Unreachable) as caught:
            get(server, timeout=0.6)
        assert 0.5 < seconds() < 1.2
    assert "4242secret" not in everything_about(caught.value)


def test_headers_that_drip_for_an_hour_take_a_second() -> None:
    with serving(drips(OK, b"A: b\r\n" * 1000, pause=0.5)) as server:
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            get(server)
        assert 0.9 < seconds() < 1.4


def test_the_time_limit_holds_over_tls(tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path)
    http = requests.Session()
    http.verify = certificate
    with serving(drips(OK, b"A: b\r\n" * 50), context) as server:
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            transport(server.url, http).call("GET", "/jwks", secret=SECRET, timeout=0.6)
        assert 0.5 < seconds() < 1.2


@pytest.mark.parametrize("behave", [sleeps(10), drips(OK, b"A: b\r\n" * 50)])
def test_the_time_limit_holds_for_a_proxy_that_opens_no_tunnel(
    behave: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(behave) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            transport("https://api.clerk.test", timeout=0.6).call("GET", "/jwks", secret=SECRET)
        assert 0.5 < seconds() < 1.2
    assert [request.method for request in proxy.received] == ["CONNECT"]
    assert "authorization" not in proxy.received[0].headers


def test_the_time_limit_holds_for_a_tls_handshake_that_never_comes() -> None:
    with serving(sleeps(10)) as server:
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            transport(server.url.replace("http:", "https:"), timeout=0.6).call(
                "GET", "/jwks", secret=SECRET
            )
        assert 0.5 < seconds() < 1.2


@contextmanager
def black_hole(host: str, port: int = 0) -> Iterator[int]:
    """A port that answers no attempt to connect: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(address)
        yield address[1]


def test_the_time_limit_holds_for_a_host_that_answers_nothing() -> None:
    with black_hole("127.0.0.1") as port:
        seconds = stopwatch()
        with pytest.raises(Unreachable, match="ConnectTimeout"):
            transport(f"http://127.0.0.1:{port}", timeout=0.6).call("GET", "/a", secret=SECRET)
        assert 0.5 < seconds() < 1.2


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Give every host name that is not an address these addresses."""
    resolve = socket.getaddrinfo

    def fake(host: str, *args: Any) -> list[Any]:
        hosts = [host] if host[0].isdigit() else addresses
        return [found for each in hosts for found in resolve(each, *args)]

    monkeypatch.setattr(socket, "getaddrinfo", fake)


def test_an_address_that_answers_nothing_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    with serving(sends_json([1])) as server, black_hole("127.0.0.2", server.port):
        api = transport(f"http://two.test:{server.port}", timeout=0.8)
        assert api.call("GET", "/a", secret=SECRET).json() == [1]
        assert server.received[0].headers["host"] == f"two.test:{server.port}"


def test_who_connects_in_a_part_of_the_time_has_the_whole_for_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, *["127.0.0.1"] * 4)
    context, certificate = self_signed(tmp_path)
    http = requests.Session()
    http.verify = certificate
    with serving(sends_json([1]), context) as server:
        server.slow_to_greet = 0.4
        api = transport(f"https://api.clerk.test:{server.port}", http)
        assert api.call("GET", "/a", secret=SECRET).json() == [1]
        assert server.connections == 1


def test_the_time_to_connect_is_for_all_addresses_together(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, *["127.0.0.1"] * 4)
    with black_hole("127.0.0.1") as port:
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            transport(f"http://four.test:{port}", timeout=0.6).call("GET", "/a", secret=SECRET)
        assert 0.5 < seconds() < 1.2


def test_an_address_that_refuses_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.3", "127.0.0.1")
    with serving(sends_json([1])) as server:
        api = transport(f"http://two.test:{server.port}")
        assert api.call("GET", "/a", secret=SECRET).json() == [1]


def test_a_kept_connection_gets_the_time_of_each_call_anew() -> None:
    def behave(conversation: Conversation) -> None:
        conversation.sleep(0.3)
        conversation.send(response(b"1"))

    with serving(behave) as server:
        api = transport(server.url, timeout=0.6)
        assert [api.call("GET", "/a", secret=SECRET).json() for _ in range(4)] == [1] * 4
        with pytest.raises(Unreachable):
            api.call("GET", "/a", secret=SECRET, timeout=0.1)
        assert server.connections == 1


def test_a_call_may_have_a_time_limit_of_its_own() -> None:
    with serving(sleeps(10)) as server:
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            get(server, timeout=0.2)
        assert seconds() < 0.6


def test_calls_at_the_same_time_have_their_own_limits() -> None:
    def behave(conversation: Conversation) -> None:
        conversation.sleep(0.4)
        conversation.send(response(conversation.request.target.encode()))

    outcomes: dict[str, object] = {}

    def call(api: Transport, path: str, timeout: float) -> None:
        try:
            outcomes[path] = api.call("GET", path, secret=SECRET, timeout=timeout).body
        except Unreachable:
            outcomes[path] = Unreachable

    with serving(behave) as server:
        api = transport(server.url)
        threads = [
            threading.Thread(target=call, args=(api, f"/{n}", 0.2 if n % 2 else 2.0))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == {f"/{n}": Unreachable if n % 2 else b"/v1/%d" % n for n in range(8)}


# ---- a session's own adapters ----


class Recording(HTTPAdapter):
    """An adapter of the application."""

    def __init__(self) -> None:
        super().__init__()
        self.options: list[dict[str, Any]] = []

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        self.options.append(options)
        return super().send(request, *args, **options)


@pytest.fixture
def recording() -> Iterator[tuple[requests.Session, Recording]]:
    with requests.Session() as http:
        adapter = Recording()
        http.mount("http://", adapter)
        yield http, adapter


def test_an_adapter_of_another_class_is_used_as_it_is(
    recording: tuple[requests.Session, Recording],
) -> None:
    http, adapter = recording
    with serving(sends_json([1])) as server:
        assert transport(server.url, http).call("GET", "/a", secret=SECRET).json() == [1]
    (options,) = adapter.options
    assert options["timeout"] == (1.0, 1.0)
    assert options["verify"]
    assert options["stream"] is True


def test_an_adapter_that_lets_a_body_drip_is_stopped_all_the_same(
    recording: tuple[requests.Session, Recording],
) -> None:
    body = drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"", 0)

    def behave(conversation: Conversation) -> None:
        body(conversation)
        for _ in range(20):
            conversation.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
            conversation.sleep(0.2)

    with serving(behave) as server:
        seconds = stopwatch()
        with pytest.raises(Unreachable):
            transport(server.url, recording[0]).call("GET", "/a", secret=SECRET)
        assert seconds() < 1.6


def test_a_given_session_keeps_its_adapters() -> None:
    http = requests.Session()
    before = dict(http.adapters)
    with serving(sends_json({})) as server:
        transport(server.url, http).call("GET", "/a", secret=SECRET)
    assert dict(http.adapters) == before


# ---- reading JSON ----


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"nope", b"\xff", b'"\xe4"', b"\xef\xbb\xbf{}", b"{}x", b"[NaN]"),
        *(b"-Infinity", '"x"'.encode("utf-16"), b"[" * 50_000, b'{"a":' * 101 + b"1" + b"}" * 101),
        *(b"[" * 101 + b"]" * 101, b"9" * 5_000, b'["\\"' * 200),
    ],
)
def test_what_is_not_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Answer(status=200, headers={}, body=body).json()


@pytest.mark.parametrize(
    "document",
    [{}, [], None, 1, "x", [[]] * 500, ["[" * 500, '\\"[' * 500], {"a": [{"b": "{[\\"}] * 200}],
)
def test_json_of_any_size_that_is_not_deep_is_read(document: object) -> None:
    assert Answer(status=200, headers={}, body=json.dumps(document).encode()).json() == document


def test_an_answer_does_not_show_its_body() -> None:
    assert repr(Answer(status=200, headers={"a": "b"}, body=b"tok")) == "Answer(status=200)"


# ---- the Backend API ----


def fetch_jwks(behave: Behaviour) -> object:
    with serving(behave) as server:
        return BackendApi(transport(server.url, timeout=0.5), secret_key=SECRET).fetch_jwks()


@pytest.mark.parametrize("document", [{"keys": [{"kid": "a"}]}, {}, [], None, "oops"])
def test_keys_are_whatever_document_was_answered(document: object) -> None:
    assert fetch_jwks(sends_json(document)) == document


FAILED, KEY_INVALID = "could not be fetched|not JSON|too large", "refuses the secret key"
REASONS = {"jwk-remote-failed-to-load", "secret-key-invalid"}


def errors(*codes: object) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": "m", "long_message": "l"} for code in codes]}


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        *((sends_json({"keys": []}, f"{n} X"), FAILED) for n in (201, 204, 302, 401, 403, 404)),
        *((sends_json({}, f"{n} X"), FAILED) for n in (408, 410, 429, 500, 502, 503)),
        (sends_json(errors("clerk_key_invalid"), "401 X"), KEY_INVALID),
        (sends_json(errors("x", None, [], "clerk_key_invalid"), "403 X"), KEY_INVALID),
        (sends_json(errors("authentication_invalid"), "401 X"), FAILED),
        (sends_json(errors({}, ["clerk_key_invalid"]), "401 X"), FAILED),
        (sends_json({"errors": "clerk_key_invalid"}, "401 X"), FAILED),
        (sends_json({"errors": ["clerk_key_invalid"]}, "401 X"), FAILED),
        (sends_json(["clerk_key_invalid"], "401 X"), FAILED),
        (sends(response(b"clerk_key_invalid", "401 X")), FAILED),
        (sends(response(b"[" * 60_000, "401 X")), FAILED),
        (sends(response(b"<html>", "200 OK", "Content-Type: text/html")), FAILED),
        (sends(response(b"")), FAILED),
        (sends(response(b'{"keys": [')), FAILED),
        (sends(response("é".encode("latin-1"))), FAILED),
        (sends(response(b"[" * 50_000)), FAILED),
        (sends(response(b" " * 200_000 + b"{}")), FAILED),
        (sends_then_closes(OK + b"\r\n" + b" " * 20_000_000), FAILED),
        (sends_then_closes(OK + b"Content-Encoding: gzip\r\n\r\n" + BOMB), FAILED),
        (sends_then_closes(b"nonsense"), FAILED),
        (sends_then_closes(b"HTTP/1.1 200 OK"), FAILED),
        (drips(OK, b"A: b\r\n" * 50), FAILED),
        (resets, FAILED),
        (sleeps(9), FAILED),
    ],
)
def test_keys_that_cannot_be_had_are_an_outage_and_the_message_says_why(
    behave: Behaviour, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ClerkUnavailable, match=message) as caught:
        fetch_jwks(behave)
    assert caught.value.status_code == 503
    assert caught.value.reason in REASONS
    assert (KEY_INVALID in caught.value.message) == (message == KEY_INVALID)
    assert "4242secret" not in everything_about(caught.value) + caplog.text


def test_a_set_of_keys_of_150_kb_is_read() -> None:
    body = b'{"keys":[]}'
    assert fetch_jwks(sends(response(body + b" " * (150_000 - len(body))))) == {"keys": []}


# ---- imports ----


def test_importing_the_package_does_not_import_requests() -> None:
    code = (
        "import sys, clerk_wsgi.api.backend, clerk_wsgi.api.transport, clerk_wsgi.keys\n"
        "from clerk_wsgi.api.transport import Transport\n"
        "Transport(base_url='http://127.0.0.1:1')\n"
        "print(sorted({'requests', 'urllib3'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
