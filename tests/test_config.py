"""Settings: which source counts, which values do, and what an error says (and never says)."""

from __future__ import annotations

import base64
import dataclasses
import logging
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerk_wsgi import ConfigurationError
from clerk_wsgi.config import SETTINGS, load_settings
from clerk_wsgi.settings import PublishableKey, Secret, Settings, parse_publishable_key

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "sk_test_Z9q7Lw3Kd81VhR"
PRODUCTION = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
DEVELOPMENT = "pk_test_aGFwcHktZW11LTEuY2xlcmsuYWNjb3VudHMuZGV2JA"
PEM = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkq\nhkiG9w0BAQEF\n-----END PUBLIC KEY-----\n"
ONE_LINE_PEM = PEM.replace("\n", "\\n")


@pytest.fixture(autouse=True)
def _empty_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start each test without variables and in an empty working directory."""
    for name in [name for name in os.environ if name.startswith("CLERK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def load(**arguments: object) -> Settings:
    """Load with a secret key, unless the arguments say otherwise."""
    return load_settings(dotenv=True, **{"secret_key": SECRET, **arguments})


def value_of(name: str, **arguments: object) -> object:
    return getattr(load(**arguments), name)


def refusal(**arguments: object) -> str:
    """Return the message of the error that the arguments earn."""
    with pytest.raises(ConfigurationError) as caught:
        load(**arguments)
    return str(caught.value)


def secret_of(settings: Settings) -> str:
    assert settings.secret_key is not None
    return settings.secret_key.reveal()


def write(name: str, *lines: str) -> None:
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def publishable(host: str, prefix: str = "pk_live_") -> str:
    return prefix + base64.b64encode(host.encode()).decode().rstrip("=")


# ---- which source counts ---------------------------------------------------------------------


def test_without_anything_but_a_key_every_setting_has_its_default() -> None:
    assert load() == Settings(secret_key=Secret(SECRET))


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = load()
    assert (settings.api_url, settings.api_version) == ("https://api.clerk.com", "v1")
    assert (settings.clock_skew, settings.timeout) == (5, 3)
    assert (settings.keys_ttl, settings.stale_keys) == (300, 3600)
    assert (settings.accepts_token, settings.verification) == ("session_token", "token")
    assert settings.trust_forwarded is settings.is_satellite is False


def test_an_argument_wins_over_the_environment_and_the_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", "from-environment")
    monkeypatch.setenv("CLERK_API_KEY", "from-environment")
    write(".env", "CLERK_SECRET_KEY=from-file")
    assert secret_of(load_settings(secret_key="from-argument")) == "from-argument"


@pytest.mark.parametrize("variable", ["CLERK_SECRET_KEY", "CLERK_API_KEY"])
def test_either_variable_gives_the_secret_key(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "from-environment")
    settings = load_settings()
    assert secret_of(settings) == "from-environment"
    assert settings.sources["secret_key"] == f"environment variable {variable}"


def test_clerk_secret_key_wins_over_clerk_api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_API_KEY", "old-name")
    monkeypatch.setenv("CLERK_SECRET_KEY", "new-name")
    assert secret_of(load_settings()) == "new-name"


def test_clerk_secret_key_wins_over_clerk_api_key_within_a_file() -> None:
    write(".env", "CLERK_API_KEY=old-name", "CLERK_SECRET_KEY=new-name")
    assert secret_of(load_settings()) == "new-name"


def test_an_empty_clerk_secret_key_leaves_clerk_api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", "")
    monkeypatch.setenv("CLERK_API_KEY", "old-name")
    assert secret_of(load_settings()) == "old-name"


def test_the_real_environment_wins_over_a_file_whatever_the_variables_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLERK_API_KEY", "from-environment")
    write(".env.local", "CLERK_SECRET_KEY=from-file")
    assert secret_of(load_settings()) == "from-environment"


def test_env_local_wins_over_env_whatever_the_variables_name() -> None:
    write(".env.local", "CLERK_API_KEY=from-local")
    write(".env", "CLERK_SECRET_KEY=from-env", "CLERK_DOMAIN=example.com")
    settings = load_settings()
    assert secret_of(settings) == "from-local"
    assert settings.domain == "example.com"
    assert settings.sources == {
        "secret_key": "CLERK_API_KEY in .env.local",
        "domain": "CLERK_DOMAIN in .env",
    }


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", "")
    write(".env.local", "CLERK_SECRET_KEY=")
    write(".env", "CLERK_SECRET_KEY=from-env")
    assert secret_of(load_settings()) == "from-env"


def test_a_variable_without_a_value_in_a_file_is_not_set() -> None:
    write(".env.local", "CLERK_SECRET_KEY")
    write(".env", "CLERK_SECRET_KEY=from-env")
    assert secret_of(load_settings()) == "from-env"


def test_none_as_an_argument_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", "from-environment")
    settings = load_settings(dotenv=True, **dict.fromkeys(each.name for each in SETTINGS))
    assert settings == Settings(secret_key=Secret("from-environment"))
    assert list(settings.sources) == ["secret_key"]


def test_an_empty_argument_switches_the_variable_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_PUBLISHABLE_KEY", PRODUCTION)
    monkeypatch.setenv("CLERK_PROXY_URL", "/__clerk")
    monkeypatch.setenv("CLERK_AUTHORIZED_PARTIES", "https://a.example")
    settings = load(publishable_key="", proxy_url="", authorized_parties=[])
    assert settings.publishable_key is None
    assert settings.proxy_url is None
    assert settings.authorized_parties == ()


def test_an_empty_secret_key_does_not_fall_back_to_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", "of-another-instance")
    assert "secret_key is empty (from argument)" in refusal(secret_key="")


@pytest.mark.parametrize(
    "name", ["jwt_key", "machine_secret_key", "api_url", "api_version", "domain", "verification"]
)
def test_an_empty_text_leaves_the_default(name: str) -> None:
    assert value_of(name, **{name: ""}) == getattr(Settings(), name)


def test_dotenv_false_reads_neither_file() -> None:
    write(".env.local", "CLERK_SECRET_KEY=from-local")
    write(".env", "CLERK_SECRET_KEY=from-env")
    with pytest.raises(ConfigurationError):
        load_settings(dotenv=False)


def test_a_file_of_a_parent_directory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    write(".env", "CLERK_SECRET_KEY=from-parent")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    with pytest.raises(ConfigurationError):
        load_settings()


def test_the_environment_is_not_changed() -> None:
    write(".env", f"CLERK_SECRET_KEY={SECRET}", "ANOTHER_SETTING_ALTOGETHER=1")
    before = dict(os.environ)
    load_settings()
    assert dict(os.environ) == before


def test_python_dotenv_is_imported_only_for_a_file_that_exists(tmp_path: Path) -> None:
    code = (
        "import sys; from clerk_wsgi.config import load_settings; "
        "load_settings(secret_key='x'); print('dotenv' in sys.modules)"
    )

    def is_imported() -> str:
        root = Path(__file__).parents[1]
        command = [sys.executable, "-W", "ignore", "-c", code]
        variables = {**os.environ, "PYTHONPATH": str(root)}
        run = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    assert is_imported() == "False"
    write(".env", "X=1")
    assert is_imported() == "True"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"CLERK_JWT_KEY='{PEM}'", PEM),
        (f'CLERK_JWT_KEY="{PEM}"', PEM),
        (f'CLERK_JWT_KEY="{ONE_LINE_PEM}"', PEM),
        (f"CLERK_JWT_KEY={ONE_LINE_PEM}", ONE_LINE_PEM),
        (f"export CLERK_JWT_KEY='{ONE_LINE_PEM}'", ONE_LINE_PEM),
        ("CLERK_JWT_KEY=MIIBIjANBgkq+/==", "MIIBIjANBgkq+/=="),
    ],
)
def test_a_pem_in_a_file_loses_nothing(line: str, expected: str) -> None:
    write(".env", line)
    assert load().jwt_key == expected


@pytest.mark.parametrize("text", [PEM, ONE_LINE_PEM, f"  {PEM}\r\n", "MIIB$(x)${HOME}"])
def test_a_pem_in_the_environment_loses_nothing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CLERK_JWT_KEY", text)
    assert load_settings().jwt_key == text


def test_a_byte_order_mark_does_not_hide_the_first_line() -> None:
    Path(".env").write_text("CLERK_SECRET_KEY=first\n", encoding="utf-8-sig")
    assert secret_of(load_settings()) == "first"


def test_a_file_that_is_no_text_is_named_but_not_quoted() -> None:
    Path(".env.local").write_bytes(b"CLERK_SECRET_KEY=sk_test_hidden\xff\n")
    with pytest.raises(ConfigurationError, match=r"\.env\.local .*UnicodeDecodeError") as caught:
        load_settings(secret_key=SECRET)
    assert "hidden" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("CLERK_MACHINE_SECRET_KEY", "ak_x", "machine_secret_key", Secret("ak_x")),
        ("CLERK_API_URL", "http://127.0.0.1:9/", "api_url", "http://127.0.0.1:9"),
        ("CLERK_API_VERSION", "v2", "api_version", "v2"),
        ("CLERK_PROXY_URL", "/__clerk", "proxy_url", "/__clerk"),
        ("CLERK_DOMAIN", "sat.example", "domain", "sat.example"),
        ("CLERK_SIGN_IN_URL", "/sign-in", "sign_in_url", "/sign-in"),
        ("CLERK_SIGN_UP_URL", "/sign-up", "sign_up_url", "/sign-up"),
        ("CLERK_ACCOUNT_URL", "/user", "account_url", "/user"),
        ("CLERK_SIGN_OUT_URL", "/sign-out", "sign_out_url", "/sign-out"),
        ("CLERK_AUTHORIZED_PARTIES", "a", "authorized_parties", ("a",)),
        ("CLERK_AUTHORIZED_PARTIES", " a , b,,", "authorized_parties", ("a", "b")),
        ("CLERK_VERIFICATION", "live", "verification", "live"),
        ("CLERK_TRUST_FORWARDED", "1", "trust_forwarded", True),
        ("CLERK_TRUST_FORWARDED", "True", "trust_forwarded", True),
        ("CLERK_TRUST_FORWARDED", " yes ", "trust_forwarded", True),
        ("CLERK_TRUST_FORWARDED", "ON", "trust_forwarded", True),
        ("CLERK_TRUST_FORWARDED", "0", "trust_forwarded", False),
        ("CLERK_TRUST_FORWARDED", "false", "trust_forwarded", False),
        ("CLERK_TRUST_FORWARDED", "No", "trust_forwarded", False),
        ("CLERK_IS_SATELLITE", "off", "is_satellite", False),
        ("CLERK_TIMEOUT", "2", "timeout", 2.0),
        ("CLERK_TIMEOUT", "0.25", "timeout", 0.25),
        ("CLERK_TIMEOUT", " 60 ", "timeout", 60.0),
    ],
)
def test_a_variable_stands_for_its_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: object
) -> None:
    monkeypatch.setenv(variable, text)
    settings = load()
    assert getattr(settings, name) == value
    assert settings.sources[name] == f"environment variable {variable}"


def test_a_satellite_is_configured_by_variables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", SECRET)
    monkeypatch.setenv("CLERK_PUBLISHABLE_KEY", DEVELOPMENT)
    monkeypatch.setenv("CLERK_IS_SATELLITE", "true")
    monkeypatch.setenv("CLERK_DOMAIN", "sat.example")
    monkeypatch.setenv("CLERK_SIGN_IN_URL", "https://primary.example/sign-in")
    assert load_settings().is_satellite is True


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CLERK_SECRET_KEY", f"{SECRET}\n"),
        ("CLERK_SECRET_KEY", " "),
        ("CLERK_JWT_KEY", " \n"),
        ("CLERK_PUBLISHABLE_KEY", "pk_live_"),
        ("CLERK_API_URL", "http://api.example"),
        ("CLERK_AUTHORIZED_PARTIES", " , ,"),
        ("CLERK_IS_SATELLITE", "2"),
        ("CLERK_IS_SATELLITE", "t"),
        ("CLERK_TRUST_FORWARDED", "maybe"),
        ("CLERK_TRUST_FORWARDED", " "),
        ("CLERK_VERIFICATION", "Live"),
        ("CLERK_TIMEOUT", "0"),
        ("CLERK_TIMEOUT", "-1"),
        ("CLERK_TIMEOUT", "61"),
        ("CLERK_TIMEOUT", "1e1"),
        ("CLERK_TIMEOUT", "1_0"),
        ("CLERK_TIMEOUT", "nan"),
        ("CLERK_TIMEOUT", "inf"),
        ("CLERK_TIMEOUT", "٣"),
        ("CLERK_TIMEOUT", "3s"),
        ("CLERK_TIMEOUT", "9" * 5000),
    ],
)
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", SECRET)
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=rf"\(from environment variable {variable}\)"):
        load_settings()


def test_a_wrong_variable_of_a_file_is_named_with_the_file() -> None:
    write(".env.local", "CLERK_TIMEOUT=soon")
    assert "timeout (from CLERK_TIMEOUT in .env.local): expected" in refusal()


def test_a_wrong_variable_does_not_matter_behind_a_better_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLERK_TIMEOUT", "soon")
    assert load(timeout=1).timeout == 1


def test_sources_name_every_setting_that_was_given_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLERK_API_VERSION", "v1")
    assert load(timeout=2, issuer=None).sources == {
        "secret_key": "argument",
        "api_version": "environment variable CLERK_API_VERSION",
        "timeout": "argument",
    }


@pytest.mark.parametrize("name", ["secretKey", "clerk_secret_key", "on_error", "http"])
def test_a_name_that_is_no_setting_is_a_type_error(name: str) -> None:
    with pytest.raises(TypeError, match=f"unknown setting: {name}$"):
        load(**{name: None})


def test_every_field_of_settings_can_be_set() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert {setting.name for setting in SETTINGS} == fields - {"sources"}


# ---- keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [SECRET, "sk_live_0123456789abcdef", "test_x", "live_x", "deadbeef", "x", "a=b/c+d", "!~"],
)
def test_a_secret_key_of_any_shape_is_accepted(text: str) -> None:
    assert secret_of(load(secret_key=text)) == text


@pytest.mark.parametrize("name", ["secret_key", "machine_secret_key"])
@pytest.mark.parametrize(
    "value",
    [
        5,
        True,
        0,
        b"sk_test_x",
        ["sk_test_x"],
        Secret("sk_test_x"),
        " sk_test_x",
        "sk_test_x ",
        "sk_test_x\n",
        "sk_test_x\r\nX-Other: 1",
        "sk test",
        "sk_test\tx",
        "sk_test_\x00",
        "sk_test_\x7f",
        "sk_test_é",
        "sk_test_\u2026",
        "sk_test_\udc80",
    ],
)
def test_what_cannot_stand_in_a_header_is_no_secret_key(name: str, value: object) -> None:
    assert refusal(**{name: value}).startswith(f"{name} (from argument): expected ")


@pytest.mark.parametrize(
    ("text", "instance_type", "host"),
    [
        (PRODUCTION, "production", "clerk.example.com"),
        (DEVELOPMENT, "development", "happy-emu-1.clerk.accounts.dev"),
        ("pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA", "production", "clerk.shop.example"),
        ("pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA==", "production", "clerk.shop.example"),
        ("pk_test_Y2xlcmsuc2hvcC5leGFtcGxlJA", "development", "clerk.shop.example"),
        (publishable("127.0.0.1:8025$"), "production", "127.0.0.1:8025"),
        (publishable("a.b$"), "production", "a.b"),
    ],
)
def test_a_publishable_key_is_parsed(
    text: str, instance_type: Literal["development", "production"], host: str
) -> None:
    key = load(publishable_key=text).publishable_key
    assert key == PublishableKey(text=text, instance_type=instance_type, frontend_api=host)


@pytest.mark.parametrize(
    "value",
    [
        5,
        b"pk_live_Y2xlcmsuZXhhbXBsZS5jb20k",
        "garbage",
        "pk_nope",
        "pk_live",
        "pk_live_",
        "pk_live_=",
        "pk_live_====",
        "Y2xlcmsuc2hvcC5leGFtcGxlJA",
        "live_Y2xlcmsuc2hvcC5leGFtcGxlJA",
        "pk_prod_Y2xlcmsuc2hvcC5leGFtcGxlJA",
        "PK_LIVE_Y2xlcmsuc2hvcC5leGFtcGxlJA",
        " pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA",
        "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA\n",
        "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA_x",
        "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA_",
        "pk_live__Y2xlcmsuc2hvcC5leGFtcGxlJA",
        "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA=",
        "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA====",
        "pk_live_=Y2xlcmsuc2hvcC5leGFtcGxlJA",
        "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJB",
        "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJ",
        "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJ-",
        "pk_live_\u0661",
        publishable("clerk.shop.example"),
        publishable("clerk.shop.example$$"),
        publishable("$clerk.shop.example$"),
        publishable("clerk.sh$op.example$"),
        publishable("clerk.shop.example$\n"),
        publishable("localhost$"),
        publishable("localhost:3000$"),
        publishable(".$"),
        publishable("..$"),
        publishable("clerk.$"),
        publishable(".clerk.example$"),
        publishable("clerk.shop.example/x$"),
        publishable("clerk.shop.example?x$"),
        publishable("https://clerk.shop.example$"),
        publishable("user@clerk.shop.example$"),
        publishable("clerk.shop.example:$"),
        publishable("clerk.shop.example:http$"),
        publishable("clerk.shop.example:123456$"),
        publishable("clerk.shop example$"),
        publishable("clerk.shöp.example$"),
        publishable("clerk.shop.example\r\nX: y$"),
    ],
)
def test_what_names_no_host_is_no_publishable_key(value: object) -> None:
    message = refusal(publishable_key=value)
    assert message.startswith("publishable_key (from argument): expected ")


def test_a_secret_key_in_the_publishable_keys_place_is_said_plainly() -> None:
    message = refusal(publishable_key=SECRET)
    assert "publishable_key" in message
    assert "this is a secret key" in message
    assert SECRET not in message


@pytest.mark.parametrize("name", ["secret_key", "machine_secret_key"])
def test_a_publishable_key_in_a_secret_keys_place_is_said_plainly_in_the_log(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="clerk_wsgi"):
        load(**{name: PRODUCTION})
    assert caplog.messages == [f"{name} (from argument) is a publishable key: Clerk will refuse it"]


def test_right_keys_leave_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        load(publishable_key=PRODUCTION, machine_secret_key="ak_x")
    assert caplog.messages == []


@given(
    st.one_of(
        st.text(),
        st.text().map("pk_live_{}".format),
        st.binary().map(lambda data: "pk_test_" + base64.b64encode(data).decode()),
    )
)
def test_no_text_makes_the_parser_of_publishable_keys_raise_anything_else(text: str) -> None:
    try:
        key = parse_publishable_key(text)
    except ValueError as error:
        assert str(error) == "no publishable key"
    else:
        assert key.text == text
        assert publishable(f"{key.frontend_api}$", text[:8]) == text.rstrip("=")


@pytest.mark.parametrize(("key", "suffix"), [(PRODUCTION, "naoXFJnI"), (DEVELOPMENT, "X3MQYouV")])
def test_a_publishable_key_gives_the_suffix_of_the_cookies(key: str, suffix: str) -> None:
    assert parse_publishable_key(key).suffix == suffix


@pytest.mark.parametrize("text", [PEM, ONE_LINE_PEM, "garbage", " x "])
def test_a_jwt_key_is_passed_on_as_it_is(text: str) -> None:
    assert load_settings(jwt_key=text).jwt_key == text


@pytest.mark.parametrize("value", [5, b"x", [PEM], " ", "\n", "\t\r\n"])
def test_what_is_no_text_or_blank_is_no_jwt_key(value: object) -> None:
    assert refusal(jwt_key=value).startswith("jwt_key (from argument): expected ")


# ---- which keys are needed -------------------------------------------------------------------


def test_without_any_key_the_message_names_the_variables() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    for word in ("secret_key", "CLERK_SECRET_KEY", "CLERK_API_KEY", "jwt_key", "CLERK_JWT_KEY"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"jwt_key": "x"},
        {"jwt_key": "x", "accepts_token": "any"},
        {"jwt_key": "x", "accepts_token": "oauth_token"},
        {"machine_secret_key": "ak_x", "accepts_token": "m2m_token"},
        {"machine_secret_key": "ak_x", "accepts_token": ["m2m_token"]},
        {"machine_secret_key": "ak_x", "accepts_token": "m2m_token", "verification": "live"},
    ],
)
def test_without_a_secret_key_these_will_do(arguments: Mapping[str, object]) -> None:
    assert load(secret_key=None, **arguments).secret_key is None


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"publishable_key": PRODUCTION},
        {"jwt_key": ""},
        {"machine_secret_key": "ak_x"},
        {"machine_secret_key": "ak_x", "accepts_token": "any"},
        {"machine_secret_key": "ak_x", "accepts_token": "api_key"},
        {"machine_secret_key": "ak_x", "accepts_token": "oauth_token"},
        {"machine_secret_key": "ak_x", "accepts_token": []},
        {"machine_secret_key": "ak_x", "accepts_token": ["m2m_token", "session_token"]},
        {"accepts_token": "m2m_token"},
        {"accepts_token": "m2m_token", "machine_secret_key": ""},
        {"jwt_key": "x", "verification": "live"},
        {"jwt_key": "x", "verification": "live", "accepts_token": "any"},
    ],
)
def test_without_a_secret_key_these_will_not_do(arguments: Mapping[str, object]) -> None:
    assert refusal(secret_key=None, **arguments).startswith("secret_key is not set")


# ---- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.clerk.com", "https://api.clerk.com"),
        ("https://api.clerk.com/", "https://api.clerk.com"),
        ("https://api.example:8443/clerk//", "https://api.example:8443/clerk"),
        ("https://clerk_api", "https://clerk_api"),
        ("http://localhost:8025", "http://localhost:8025"),
        ("http://LocalHost", "http://LocalHost"),
        ("http://127.0.0.1:8025/", "http://127.0.0.1:8025"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8025/x", "http://[::1]:8025/x"),
        ("http://[::1]", "http://[::1]"),
    ],
)
def test_an_api_url_is_https_or_on_this_machine(text: str, url: str) -> None:
    assert load(api_url=text).api_url == url


@pytest.mark.parametrize(
    "value",
    [
        5,
        b"https://api.clerk.com",
        "api.clerk.com",
        "//api.clerk.com",
        "/v1",
        "https://",
        "https:///v1",
        "https:api.clerk.com",
        "ftp://api.clerk.com",
        "HTTPS://api.clerk.com",
        "javascript://x",
        "http://api.clerk.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://128.0.0.1",
        "http://127.1",
        "http://2130706433",
        "http://localhost.example",
        "http://127.0.0.1.nip.io",
        "http://[::2]",
        "http://[:::1]",
        "http://localhost@api.example",
        "https://user@api.clerk.com",
        "https://user:password@api.clerk.com",
        "https://api.clerk.com?x=1",
        "https://api.clerk.com/?",
        "https://api.clerk.com#x",
        "https://api.clerk.com/a?b#c",
        "https://api.clerk.com\\@evil.example",
        "https://api.clerk.com/a b",
        "https://api.clerk.com/\n",
        " https://api.clerk.com",
        "https://api.clerk.com\r\nHost: evil.example",
        "https://äpi.clerk.com",
        "https://api..clerk.com",
        "https://api.clerk.com:",
        "https://api.clerk.com:0",
        "https://api.clerk.com:65536",
        "https://api.clerk.com:x",
        "https://[::1",
        "https://[:::1]",
        "https://[1.2.3.4]",
    ],
)
def test_anything_else_is_no_api_url(value: object) -> None:
    assert refusal(api_url=value).startswith("api_url (from argument): expected ")


@pytest.mark.parametrize("value", [1, "v1/", "v1/../x", "v 1", "v1\n", "v1?x", ".", "vé"])
def test_an_api_version_is_one_plain_segment(value: object) -> None:
    assert refusal(api_version=value).startswith("api_version (from argument): expected ")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("/__clerk", "/__clerk"),
        ("/__clerk/", "/__clerk/"),
        ("/", "/"),
        ("//evil.example/c", "//evil.example/c"),
        ("https://app.example/__clerk///", "https://app.example/__clerk///"),
        ("https://proxy.example/c?x=1", "https://proxy.example/c?x=1"),
        ("http://proxy.example/c", "http://proxy.example/c"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("proxy.example/c", "https://proxy.example/c"),
    ],
)
def test_a_proxy_url_is_a_url_or_a_path(text: str, url: str) -> None:
    assert load(proxy_url=text).proxy_url == url


@pytest.mark.parametrize(
    "value",
    [
        5,
        ["/__clerk"],
        "https://",
        "ftp://proxy.example",
        "javascript:alert(1)",
        "https://user:password@proxy.example/c",
        "/c d",
        "/c\r\nX: y",
        "/\\evil.example",
        "\\\\evil.example",
        "/ç",
        "https://proxy.example/\x00",
        "https://[:::1]/c?x=1",
        "?x",
        "#",
    ],
)
def test_anything_else_is_no_proxy_url(value: object) -> None:
    assert refusal(proxy_url=value).startswith("proxy_url (from argument): expected ")


@pytest.mark.parametrize("text", ["sat.example", "localhost:3001", "my-app.example", "127.0.0.1"])
def test_a_domain_is_a_host(text: str) -> None:
    assert load(domain=text).domain == text


@pytest.mark.parametrize(
    "value",
    [
        5,
        "https://sat.example",
        "sat.example/",
        "a@sat.example",
        "sat.example:x",
        "sat example",
        "sät.example",
        ".",
        "a\n",
    ],
)
def test_anything_else_is_no_domain(value: object) -> None:
    assert refusal(domain=value).startswith("domain (from argument): expected ")


PAGES = ("sign_in_url", "sign_up_url", "account_url", "sign_out_url")


@pytest.mark.parametrize(
    "text", ["/sign-in", "/", "https://primary.example", "http://primary.example/sign-in?a=1#b"]
)
def test_the_url_of_a_page_is_a_url_or_a_path(text: str) -> None:
    for name in PAGES:
        assert value_of(name, **{name: text}) == text


@pytest.mark.parametrize(
    "value",
    [
        5,
        "sign-in",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:///x",
        "https://a@b.example",
        "/a b",
        "/a\n",
    ],
)
def test_anything_else_is_no_url_of_a_page(value: object) -> None:
    for name in PAGES:
        assert refusal(**{name: value}).startswith(f"{name} (from argument): expected ")


# ---- satellites ------------------------------------------------------------------------------

SATELLITE: Mapping[str, object] = {
    "is_satellite": True,
    "publishable_key": DEVELOPMENT,
    "domain": "sat.example",
    "sign_in_url": "https://primary.example/sign-in",
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"domain": None, "proxy_url": "/__clerk"},
        {"domain": None, "proxy_url": "https://sat.example/__clerk"},
        {"publishable_key": PRODUCTION},
        {"publishable_key": PRODUCTION, "sign_in_url": None},
        {"publishable_key": PRODUCTION, "sign_in_url": ""},
        {"sign_in_url": "http://localhost:3000"},
        {"accepts_token": "api_key", "domain": None},
        {"accepts_token": ["api_key", "m2m_token"], "domain": None},
        {"accepts_token": "api_key", "publishable_key": None},
        {"accepts_token": "m2m_token", "publishable_key": None, "sign_in_url": None},
        {"accepts_token": "m2m_token", "domain": None, "sign_in_url": None},
    ],
)
def test_a_satellite_with_what_it_needs_is_accepted(changes: Mapping[str, object]) -> None:
    assert load(**{**SATELLITE, **changes}).is_satellite is True


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"publishable_key": None}, "publishable_key"),
        ({"publishable_key": None, "accepts_token": "any"}, "publishable_key"),
        ({"publishable_key": None, "accepts_token": "oauth_token"}, "publishable_key"),
        ({"publishable_key": None, "sign_in_url": None}, "publishable_key"),
        ({"domain": None}, "domain"),
        ({"domain": ""}, "domain"),
        ({"domain": "", "proxy_url": ""}, "domain"),
        ({"domain": None, "publishable_key": PRODUCTION}, "domain"),
        ({"domain": None, "accepts_token": []}, "domain"),
        ({"domain": None, "accepts_token": ["api_key", "oauth_token"]}, "domain"),
        ({"sign_in_url": None}, "sign_in_url"),
        ({"sign_in_url": ""}, "sign_in_url"),
        ({"sign_in_url": None, "accepts_token": "api_key"}, "sign_in_url"),
        ({"sign_in_url": "/sign-in"}, "sign_in_url"),
        ({"sign_in_url": "/sign-in", "publishable_key": PRODUCTION}, "sign_in_url"),
        ({"sign_in_url": "/sign-in", "accepts_token": "api_key"}, "sign_in_url"),
    ],
)
def test_a_satellite_without_what_it_needs_is_refused(
    changes: Mapping[str, object], named: str
) -> None:
    assert refusal(**{**SATELLITE, **changes}).startswith(f"{named} ")


@pytest.mark.parametrize(
    "changes", [{"domain": None}, {"sign_in_url": "/x"}, {"sign_in_url": None}]
)
def test_what_only_satellites_need_is_not_asked_of_others(changes: Mapping[str, object]) -> None:
    assert not load(**{**SATELLITE, "is_satellite": False, **changes}).is_satellite


# ---- numbers and flags -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clock_skew", 0),
        ("clock_skew", 0.001),
        ("clock_skew", 86400),
        ("clock_skew", -10),
        ("timeout", 0.01),
        ("timeout", 60),
        ("keys_ttl", 0),
        ("keys_ttl", 86400),
        ("stale_keys", 0),
        ("stale_keys", 1e9),
    ],
)
def test_a_number_of_seconds_is_taken_as_it_is(name: str, value: float) -> None:
    assert value_of(name, **{name: value}) == value


@pytest.mark.parametrize("name", ["clock_skew", "timeout", "keys_ttl", "stale_keys"])
@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        "5",
        "",
        b"5",
        [5],
        5j,
        float("nan"),
        float("inf"),
        float("-inf"),
        10**400,
        -(10**400),
    ],
)
def test_what_is_no_finite_number_is_no_number_of_seconds(name: str, value: object) -> None:
    assert refusal(**{name: value}).startswith(f"{name} (from argument): expected ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0),
        ("timeout", -0.0),
        ("timeout", -1),
        ("timeout", 60.001),
        ("timeout", 10**300),
        ("keys_ttl", -1),
        ("stale_keys", -0.001),
    ],
)
def test_a_number_of_seconds_out_of_range_is_refused(name: str, value: float) -> None:
    assert refusal(**{name: value}).startswith(f"{name} (from argument): expected ")


@pytest.mark.parametrize("name", ["is_satellite", "satellite_auto_sync", "trust_forwarded"])
@pytest.mark.parametrize("value", [0, 1, "", "true", "false", b"1", [], object()])
def test_a_flag_given_as_an_argument_is_a_bool(name: str, value: object) -> None:
    assert refusal(**{name: value}).startswith(f"{name} (from argument): expected True or False")


def test_a_flag_is_taken_as_it_is() -> None:
    settings = load(satellite_auto_sync=True, trust_forwarded=False)
    assert settings.satellite_auto_sync is True
    assert settings.trust_forwarded is False


# ---- lists and choices -----------------------------------------------------------------------

LISTS = (
    "authorized_parties",
    "audience",
    "issuer",
    "organization_patterns",
    "personal_account_patterns",
)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("value", "entries"),
    [
        ("https://app.example", ("https://app.example",)),
        ("a,b", ("a,b",)),
        (["a", "b"], ("a", "b")),
        (("b", "a"), ("b", "a")),
        ({"a"}, ("a",)),
        ([""], ("",)),
        (["", "a"], ("", "a")),
        ([], ()),
        ("", ()),
    ],
)
def test_a_list_keeps_its_entries_and_a_text_is_one(
    name: str, value: object, entries: tuple[str, ...]
) -> None:
    assert value_of(name, **{name: value}) == entries


@pytest.mark.parametrize("name", LISTS)
def test_a_generator_is_read_once(name: str) -> None:
    assert value_of(name, **{name: (text for text in "ab")}) == ("a", "b")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "value", [5, True, b"a", bytearray(b"a"), {"a": 1}, [None], ["a", 5], [b"a"], [["a"]], object()]
)
def test_what_is_no_list_of_texts_is_refused(name: str, value: object) -> None:
    assert refusal(**{name: value}).startswith(f"{name} (from argument): expected a text")


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("session_token", "session_token"),
        ("api_key", "api_key"),
        ("m2m_token", "m2m_token"),
        ("oauth_token", "oauth_token"),
        ("any", "any"),
        (["session_token"], ("session_token",)),
        (["api_key", "session_token"], ("api_key", "session_token")),
        (("m2m_token", "oauth_token"), ("m2m_token", "oauth_token")),
        ([], ()),
    ],
)
def test_accepted_tokens_are_a_type_or_types_or_any(value: object, accepted: object) -> None:
    assert load(accepts_token=value).accepts_token == accepted


@pytest.mark.parametrize(
    "value",
    [
        "",
        "foo_token",
        "session",
        "Session_Token",
        " session_token",
        "session_token,api_key",
        ["session_token", "foo_token"],
        ["any"],
        ["any", "api_key"],
        [""],
        [None],
        5,
        True,
        {"session_token": 1},
    ],
)
def test_an_unknown_type_of_token_is_refused(value: object) -> None:
    assert refusal(accepts_token=value).startswith("accepts_token (from argument): expected ")


@pytest.mark.parametrize("value", ["token", "live"])
def test_there_are_two_ways_to_verify(value: str) -> None:
    assert load(verification=value).verification == value


@pytest.mark.parametrize("value", ["Token", "live ", "both", 1, None.__class__, ["token"]])
def test_there_is_no_third_way_to_verify(value: object) -> None:
    assert refusal(verification=value).startswith("verification (from argument): expected ")


# ---- what must not be seen -------------------------------------------------------------------

HIDDEN = "hidden0value"
WRONG: tuple[tuple[str, object], ...] = (
    ("secret_key", f"{HIDDEN} x"),
    ("secret_key", [HIDDEN]),
    ("publishable_key", f"sk_test_{HIDDEN}"),
    ("publishable_key", f"pk_test_{HIDDEN}"),
    ("publishable_key", publishable(HIDDEN)),
    ("machine_secret_key", f"{HIDDEN}\n"),
    ("jwt_key", HIDDEN.encode()),
    ("api_url", f"https://user:{HIDDEN}@api.example"),
    ("api_url", f"http://{HIDDEN}.example"),
    ("api_version", f"{HIDDEN}/x"),
    ("proxy_url", f"ftp://{HIDDEN}"),
    ("domain", f"https://{HIDDEN}"),
    *((name, f"//{HIDDEN}") for name in PAGES),
    ("is_satellite", HIDDEN),
    ("authorized_parties", {HIDDEN: 1}),
    ("audience", [HIDDEN, 5]),
    ("issuer", HIDDEN.encode()),
    ("clock_skew", HIDDEN),
    ("accepts_token", HIDDEN),
    ("accepts_token", [HIDDEN]),
    ("organization_patterns", [HIDDEN.encode()]),
    ("verification", HIDDEN),
    ("trust_forwarded", HIDDEN),
    ("timeout", HIDDEN),
    ("keys_ttl", HIDDEN),
)


def own_frames(error: BaseException) -> str:
    """Return the traceback as tools print it that show local variables: our frames alone."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = [frame for frame in report.stack if Path(frame.filename).parent.name == "clerk_wsgi"]
    return "".join(str(frame.locals) for frame in shown)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_error_does_not_show_the_value(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(**{name: value})
    error = caught.value
    assert name in str(error)
    assert HIDDEN not in f"{error} {error!r} {own_frames(error)}"
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CLERK_SECRET_KEY", f"{HIDDEN} x"),
        ("CLERK_PUBLISHABLE_KEY", HIDDEN),
        ("CLERK_API_URL", f"https://{HIDDEN}@x"),
        ("CLERK_IS_SATELLITE", HIDDEN),
        ("CLERK_TIMEOUT", HIDDEN),
        ("CLERK_VERIFICATION", HIDDEN),
    ],
)
def test_an_error_does_not_show_the_text_of_a_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv("CLERK_API_KEY", SECRET)
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    error = caught.value
    assert HIDDEN not in f"{error} {error!r} {own_frames(error)}"
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize(
    "wrong", [{"timeout": 0}, {"is_satellite": True}, {"verification": "x"}, {"no_setting": 1}]
)
def test_an_error_about_another_setting_does_not_show_the_keys(wrong: dict[str, object]) -> None:
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        load(jwt_key=HIDDEN, machine_secret_key=HIDDEN, **wrong)
    assert SECRET not in own_frames(caught.value)
    assert HIDDEN not in own_frames(caught.value)


def test_settings_show_no_key() -> None:
    settings = load(jwt_key=HIDDEN, machine_secret_key=f"ak_{HIDDEN}", publishable_key=PRODUCTION)
    for shown in (repr(settings), str(settings), f"{settings}", repr(settings.secret_key)):
        assert SECRET not in shown
        assert HIDDEN not in shown
    assert PRODUCTION in repr(settings)


def test_settings_are_not_pickled_with_a_secret() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(load())


def test_settings_cannot_be_changed() -> None:
    settings, name = load(), "timeout"
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(settings, name, 5)
    assert isinstance(settings.sources, MappingProxyType)


def test_a_list_given_as_an_argument_can_be_changed_afterwards() -> None:
    parties = ["https://a.example"]
    settings = load(authorized_parties=parties)
    parties.append("https://b.example")
    assert settings.authorized_parties == ("https://a.example",)


def test_a_configuration_error_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="timeout"):
        load(timeout=0)
