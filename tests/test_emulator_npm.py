"""Serving Clerk's script for browsers from a directory that npm has filled."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import requests
from webtest import TestApp

from clerk_wsgi.emulator import Emulator, SigningKey
from clerk_wsgi.testing import start_emulator

from .minting import PUBLISHABLE_TEST

if TYPE_CHECKING:
    from pathlib import Path

    from webtest.response import TestResponse

SCRIPT = "window.Clerk = {} // ©"
APP = "http://localhost:8000"
SHAPES = ("package", ".", "node_modules/@clerk/clerk-js", "@clerk/clerk-js")


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate("ins_for_tests")


def unpack(place: Path, name: str = "@clerk/clerk-js", version: str = "6.40.0") -> Path:
    """Make a package as npm would, with a few files of each kind."""
    (place / "dist" / "types").mkdir(parents=True)
    described = {"name": name, "version": version}
    (place / "package.json").write_text(json.dumps(described), encoding="utf-8")
    files = {
        "dist/clerk.browser.js": SCRIPT,
        "dist/vendors_clerk.browser_a68c22_6.40.0.js": "chunk",
        "dist/clerk.mjs": "module",
        "dist/clerk.browser.js.map": "{}",
        "dist/types/index.js": "types",
        "dist/types/index.d.ts": "type A = 1",
        "dist/page.html": "<script>alert(1)</script>",
        "dist/.hidden.js": "hidden",
        "dist/noextension": "x",
        "outside.js": "outside",
    }
    for path, text in files.items():
        (place / path).write_text(text, encoding="utf-8")
    return place


def serving(directory: Path | str | None, key: SigningKey) -> TestApp:
    emulator = Emulator(
        clerk_js=directory,
        publishable_key=PUBLISHABLE_TEST,
        redirect_origins=["https://app.example.com"],
        signing_key=key,
    )
    return TestApp(emulator)


@pytest.fixture
def http(tmp_path: Path, key: SigningKey) -> TestApp:
    unpack(tmp_path / "node_modules/@clerk/clerk-js")
    unpack(tmp_path / "node_modules/@clerk/ui", "@clerk/ui", "1.36.0")
    return serving(tmp_path, key)


def get(http: TestApp, path: str, **headers: str) -> TestResponse:
    return http.get(path, headers=headers, expect_errors=True)


# Where it is


@pytest.mark.parametrize("shape", SHAPES)
def test_a_package_is_found_wherever_npm_puts_it(
    tmp_path: Path, key: SigningKey, shape: str
) -> None:
    unpack(tmp_path / shape)
    for directory in (tmp_path, str(tmp_path)):
        emulator = Emulator(clerk_js=directory, signing_key=key)
        assert emulator.clerk_js == "6.40.0"
        answer = TestApp(emulator).get("/npm/@clerk/clerk-js@6/dist/clerk.browser.js")
        assert answer.text == SCRIPT


def test_a_package_that_is_linked_to_is_served_with_what_is_beside_it(
    tmp_path: Path, key: SigningKey
) -> None:
    """As pnpm does it."""
    unpack(tmp_path / "store/clerk-js")
    unpack(tmp_path / "store/ui", "@clerk/ui", "1.36.0")
    scope = tmp_path / "project/node_modules/@clerk"
    scope.mkdir(parents=True)
    for name in ("clerk-js", "ui"):
        (scope / name).symlink_to(tmp_path / "store" / name)
    http = serving(tmp_path / "project", key)
    assert get(http, "/npm/@clerk/clerk-js@6/dist/clerk.browser.js").text == SCRIPT
    assert get(http, "/npm/@clerk/ui@1/dist/clerk.browser.js").text == SCRIPT


def test_without_a_directory_nothing_is_served(key: SigningKey) -> None:
    emulator = Emulator(signing_key=key)
    assert emulator.clerk_js is None
    answer = get(TestApp(emulator), "/npm/@clerk/clerk-js@6/dist/clerk.browser.js")
    assert answer.status_int == 404
    assert "--clerk-js DIR" in answer.json["errors"][0]["long_message"]


def test_components_are_optional(tmp_path: Path, key: SigningKey) -> None:
    http = serving(unpack(tmp_path / "package"), key)
    answer = get(http, "/npm/@clerk/ui@1/dist/ui.browser.js")
    assert answer.status_int == 404
    assert "@clerk/clerk-js@6.40.0" in answer.json["errors"][0]["long_message"]


@pytest.mark.parametrize(
    "spoil",
    ["nothing", "another name", "no dist", "dist is a file", "no JSON", "a list", "deep JSON"],
)
def test_a_directory_without_the_package_is_refused(
    tmp_path: Path, key: SigningKey, spoil: str
) -> None:
    place = tmp_path / "package"
    if spoil != "nothing":
        unpack(place, "@clerk/backend" if spoil == "another name" else "@clerk/clerk-js")
    described = {"no JSON": "{", "a list": "[]", "deep JSON": "[" * 100_000}
    if spoil in described:
        (place / "package.json").write_text(described[spoil], encoding="utf-8")
    if spoil.endswith(("dist", "file")):
        shutil.rmtree(place / "dist")
    if spoil.endswith("file"):
        (place / "dist").write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match="clerk_js: .* holds no @clerk/clerk-js") as caught:
        Emulator(clerk_js=tmp_path, signing_key=key)
    assert "\n" not in str(caught.value)


# What is served


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("@clerk/clerk-js@6.40.0/dist/clerk.browser.js", "text/javascript; charset=utf-8"),
        ("@clerk/clerk-js@6/dist/clerk.browser.js", "text/javascript; charset=utf-8"),
        ("@clerk/clerk-js@latest/dist/clerk.mjs", "text/javascript; charset=utf-8"),
        (
            "@clerk/clerk-js@%5E6/dist/vendors_clerk.browser_a68c22_6.40.0.js",
            "text/javascript; charset=utf-8",
        ),
        ("@clerk/clerk-js@6/dist/clerk.browser.js.map", "application/json"),
        ("@clerk/clerk-js@6/dist/types/index.js", "text/javascript; charset=utf-8"),
        ("@clerk/ui@1.36.0/dist/clerk.browser.js", "text/javascript; charset=utf-8"),
    ],
)
def test_files_for_browsers_are_served(http: TestApp, path: str, content_type: str) -> None:
    answer = get(http, f"/npm/{path}")
    assert answer.status_int == 200
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    head = http.head(f"/npm/{path}")
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(answer.body)))


def test_a_file_that_the_browser_has_is_not_sent_again(http: TestApp) -> None:
    path = "/npm/@clerk/clerk-js@6/dist/clerk.browser.js"
    first = get(http, path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = get(http, path, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_int, again.body) == (304, b"")
    assert get(http, path, **{"If-None-Match": '"other"'}).status_int == 200


@pytest.mark.parametrize("origin", [APP, "https://app.example.com"])
def test_a_page_that_may_ask_may_load_the_script(http: TestApp, origin: str) -> None:
    """``crossorigin="anonymous"`` demands it."""
    path = "/npm/@clerk/clerk-js@6/dist/clerk.browser.js"
    answer = get(http, path, Origin=origin)
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Vary"] == "Origin"
    etag = {"If-None-Match": answer.headers["ETag"]}
    assert get(http, path, Origin=origin, **etag).headers["Access-Control-Allow-Origin"] == origin


def test_other_pages_may_not(http: TestApp) -> None:
    path = "/npm/@clerk/clerk-js@6/dist/clerk.browser.js"
    for origin in ("https://evil.example", "null", "*"):
        answer = get(http, path, Origin=origin)
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "@clerk/clerk-js@6/dist/",
        "@clerk/clerk-js@6/dist",
        "@clerk/clerk-js@6/dist/types",
        "@clerk/clerk-js@6/dist/types/index.d.ts",
        "@clerk/clerk-js@6/dist/missing.js",
        "@clerk/clerk-js@6/dist/page.html",
        "@clerk/clerk-js@6/dist/.hidden.js",
        "@clerk/clerk-js@6/dist/noextension",
        "@clerk/clerk-js@6/outside.js",
        "@clerk/clerk-js@6/package.json",
        "@clerk/clerk-js@6/dist/../outside.js",
        "@clerk/clerk-js@6/dist/%2e%2e/outside.js",
        "@clerk/clerk-js@6/dist/..%2foutside.js",
        "@clerk/clerk-js@6/dist/types/../../outside.js",
        "@clerk/clerk-js@6/dist/./clerk.browser.js",
        "@clerk/clerk-js@6/dist//clerk.browser.js",
        "@clerk/clerk-js@6/dist/clerk.browser.js/",
        "@clerk/clerk-js@6/dist/clerk.browser.js%00",
        "@clerk/clerk-js@6/dist/clerk.browser.js%00.js",
        "@clerk/clerk-js@6/dist/clerk.browser.js%0a",
        "@clerk/clerk-js@6/dist/..\\outside.js",
        "@clerk/clerk-js@6/dist//etc/passwd",
        "@clerk/clerk-js@6/dist/link.js",
        "@clerk/clerk-js@6/dist/linked/outside.js",
        "@clerk/clerk-js@6/dist/circle.js",
        "@clerk/clerk-js@6/dist/" + "x" * 5000 + ".js",
        "@clerk/clerk-js@6/dist" + "/x" * 5000 + ".js",
        "@clerk/clerk-js@a/b/dist/clerk.browser.js",
        "@clerk/clerk-js/dist/clerk.browser.js",
        "@clerk/clerk-js@/dist/clerk.browser.js",
        "@clerk/backend@6/dist/clerk.browser.js",
        "clerk-js@6/dist/clerk.browser.js",
        "../npm/@clerk/clerk-js@6/dist/clerk.browser.js",
        "",
    ],
)
def test_nothing_else_is_served(tmp_path: Path, key: SigningKey, path: str) -> None:
    place = unpack(tmp_path / "package")
    (place / "dist" / "link.js").symlink_to(place / "outside.js")
    (place / "dist" / "linked").symlink_to(place)
    (place / "dist" / "circle.js").symlink_to("circle.js")
    answer = get(serving(place, key), f"/npm/{path}", Origin=APP)
    assert answer.status_int == 404
    assert answer.json["errors"][0]["code"] == "resource_not_found"
    for text in ("outside", "hidden", "root:", str(tmp_path)):
        assert text not in answer.text.replace("outside.js", "")


def test_files_are_only_read(http: TestApp) -> None:
    path = "/npm/@clerk/clerk-js@6/dist/clerk.browser.js"
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = http.request(path, method=method, expect_errors=True)
        assert answer.status_int == 405
        assert answer.headers["Allow"] == "GET"


@pytest.mark.servers
def test_a_script_is_served_over_http(tmp_path: Path) -> None:
    directory = unpack(tmp_path / "package")
    with start_emulator(clerk_js=directory) as clerk, requests.Session() as session:
        session.trust_env = False
        url = f"{clerk.url}/npm/@clerk/clerk-js@6/dist/clerk.browser.js"
        answer = session.get(url, timeout=10, headers={"Origin": APP})
        assert answer.text == SCRIPT
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        again = session.get(url, timeout=10, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
