"""Settings as texts: each is known, means what an argument means, and says so if it does not."""

from __future__ import annotations

from typing import Any

import pytest

from clerk_wsgi import Clerk, ConfigurationError, sign_in_on_error
from clerk_wsgi.config_texts import OPTIONS, REQUIREMENTS, SETTINGS, parse_all, parse_wrapper
from clerk_wsgi.gate import WrapperOptions
from clerk_wsgi.guards import Asked
from clerk_wsgi.settings import SettingArguments, Settings

from .wrapping import minter


def test_every_setting_and_every_option_is_known() -> None:
    assert SETTINGS.keys() - {"dotenv"} == SettingArguments.__annotations__.keys()
    assert OPTIONS.keys() == WrapperOptions.__annotations__.keys() | {"on_error"}
    assert REQUIREMENTS.keys() == Asked.__annotations__.keys()


def parsed(name: str, text: str) -> Any:
    return parse_all({name: text}, SETTINGS, OPTIONS)[name in OPTIONS][name]


@pytest.mark.parametrize("name", ["is_satellite", "satellite_auto_sync", "trust_forwarded"])
def test_flags(name: str) -> None:
    assert parsed(name, "yes") is True
    assert parsed(name, " OFF ") is False
    with pytest.raises(ConfigurationError, match=f"^{name}: expected 1, true"):
        parsed(name, "")


@pytest.mark.parametrize("name", ["clock_skew", "timeout", "keys_ttl", "stale_keys", "people_ttl"])
def test_seconds(name: str) -> None:
    assert parsed(name, "2.5") == 2.5
    for text in ("", "soon", "-1", "1e3", "inf"):
        with pytest.raises(ConfigurationError, match=f"^{name}: expected a number of seconds"):
            parsed(name, text)


@pytest.mark.parametrize("name", ["authorized_parties", "audience", "issuer"])
@pytest.mark.parametrize("text", ["a b", "a,b", "a, b", "\n a\n b\n", "a ,, b,"])
def test_lists_have_white_space_lines_or_commas_between_entries(name: str, text: str) -> None:
    assert parsed(name, text) == ["a", "b"]


@pytest.mark.parametrize("name", ["organization_patterns", "personal_account_patterns", "exempt"])
def test_a_comma_in_a_path_or_a_pattern_belongs_to_it(name: str) -> None:
    assert parsed(name, "/a\n/b/:id(.{1,3}) /c,d, /e,") == ["/a", "/b/:id(.{1,3})", "/c,d", "/e"]


@pytest.mark.parametrize("name", ["authorized_parties", "exempt", "accepts_token"])
@pytest.mark.parametrize("text", ["", " ", ","])
def test_a_list_of_nothing_is_refused(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}: expected"):
        parsed(name, text)


def test_one_type_of_token_stands_alone_and_several_are_a_list() -> None:
    assert parsed("accepts_token", " any ") == "any"
    assert parsed("accepts_token", "session_token, api_key") == ["session_token", "api_key"]


def test_objects_are_named() -> None:
    for text in ("clerk_wsgi:sign_in_on_error", "clerk_wsgi.signing.sign_in_on_error"):
        assert parsed("on_error", text) is sign_in_on_error
    for text in ("", "nowhere.at:all", "clerk_wsgi:nothing", "not a name"):
        with pytest.raises(ConfigurationError, match="^on_error: expected package.module:name"):
            parsed("on_error", text)


def test_what_is_no_text_is_left_as_it_is() -> None:
    (values,) = parse_all({"timeout": 2, "audience": ("a",)}, SETTINGS)
    assert values == {"timeout": 2, "audience": ("a",)}


def test_a_name_that_nobody_knows_is_told_with_one_that_is_alike() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_all({"secret_kye": "sk_test_hidden"}, SETTINGS, prefix="clerk.")
    assert str(caught.value) == (
        "clerk.secret_kye: there is no such setting; did you mean clerk.secret_key?"
    )
    with pytest.raises(ConfigurationError, match="; there are below, feature, "):
        parse_all({"xyzzy": ""}, REQUIREMENTS, {"below": str})


# How each setting is written, and what it means.
WRITTEN = {
    "secret_key": ("sk_test_x", None),
    "api_url": ("http://127.0.0.1:4100/", "http://127.0.0.1:4100"),
    "api_version": ("v2", "v2"),
    "proxy_url": ("/clerk", "/clerk"),
    "domain": ("app.example.com", "app.example.com"),
    "is_satellite": ("no", False),
    "sign_in_url": ("/sign-in", "/sign-in"),
    "satellite_auto_sync": ("on", True),
    "authorized_parties": ("https://a.test https://b.test", ("https://a.test", "https://b.test")),
    "audience": ("a", ("a",)),
    "clock_skew": ("0", 0.0),
    "accepts_token": ("session_token api_key", ("session_token", "api_key")),
    "organization_patterns": ("/orgs/:slug /orgs/:slug/(.*)", ("/orgs/:slug", "/orgs/:slug/(.*)")),
    "verification": ("token", "token"),
    "trust_forwarded": ("1", True),
    "timeout": ("2.5", 2.5),
}


def test_an_instance_is_made_of_texts() -> None:
    texts = {name: text for name, (text, _) in WRITTEN.items()}
    clerk, options, _ = parse_wrapper({**texts, "dotenv": "false", "debug_headers": "1"})
    assert isinstance(clerk, Clerk)
    assert options == {"debug_headers": True}
    settings: Settings = clerk.settings
    meant = {name: value for name, (_, value) in WRITTEN.items() if value is not None}
    assert {name: getattr(settings, name) for name in meant} == meant


def test_a_key_of_several_lines_may_be_indented() -> None:
    pem = minter().pem.replace("\n", "\n    ")
    clerk, _, _ = parse_wrapper({"jwt_key": pem, "dotenv": "false"})
    assert isinstance(clerk, Clerk)
    assert clerk.warm_up()


def test_without_settings_there_is_no_instance() -> None:
    assert parse_wrapper({"remote_user": "yes"}) == (None, {"remote_user": True}, {})


def test_a_wrong_setting_shows_no_value_and_no_frame_of_ours_holds_a_key() -> None:
    given = {"secret_key": "sk_test_hidden", "timeout": "61"}
    with pytest.raises(ConfigurationError) as caught:
        parse_wrapper(given)
    assert "sk_test_hidden" not in str(caught.value)
    frames = [entry.frame for entry in caught.traceback if entry.frame.f_locals.get("settings")]
    assert [frame.code.name for frame in frames] == []
