"""Where settings come from: arguments, the environment, ``.env`` files, defaults.

The only module that reads ``os.environ`` or a file of settings; it changes neither. What a text
means as a value is the business of ``config_values.py``.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .config_values import (
    TOKEN_TYPES,
    Unexpected,
    as_text,
    entries_from_text,
    flag_from_text,
    optional,
    parse_accepts_token,
    parse_age,
    parse_api_url,
    parse_api_version,
    parse_domain,
    parse_flag,
    parse_page_url,
    parse_pem,
    parse_proxy_url,
    parse_publishable,
    parse_seconds,
    parse_secret,
    parse_texts,
    parse_timeout,
    parse_verification,
    seconds_from_text,
    split_url,
)
from .errors import ConfigurationError
from .settings import ANY_TOKEN, API_KEY, M2M_TOKEN, SESSION_TOKEN, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .settings import Secret

logger = logging.getLogger(__name__)

DOTENV_FILES = (".env.local", ".env")


def load_settings(*, dotenv: bool = True, **arguments: object) -> Settings:
    """Return the settings, each from the first source that has it.

    The sources are the argument, the environment, ``.env.local``, ``.env`` (both in the working
    directory) and the default. Where a setting has two variables, the first is preferred within
    a source, but never to a better source: the real environment wins over both files. ``None`` is
    no argument, and an empty variable is not set; an empty text as an argument is an answer: the
    setting has no value, whatever the environment says. ``dotenv=False`` reads no file.

    Raises ``ConfigurationError`` for a value that is missing or wrong, ``TypeError`` for a name
    that is no setting.
    """
    given = {name: _Given(value=value, source="argument") for name, value in arguments.items()}
    arguments.clear()  # a traceback that prints local variables must not print a key
    _refuse_unknown(given)
    found = _find_all(given, _places(dotenv=dotenv))
    settings = Settings(
        **_parse_all(found),
        sources=MappingProxyType({name: each.source for name, each in found.items()}),
    )
    _check_secret_key(settings)
    _check_satellite(settings)
    _warn_of_swapped_keys(settings)
    return settings


# ---- sources ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A value as somebody wrote it, and where; ``is_text``: in a variable, not as an argument."""

    value: object = field(repr=False)
    source: str
    is_text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Variables by name; ``label`` says where one of them is found."""

    label: str
    variables: Mapping[str, str | None] = field(repr=False)


def _places(*, dotenv: bool) -> list[_Place]:
    environment = _Place(label="environment variable {}", variables=os.environ)
    names = [name for name in DOTENV_FILES if os.path.exists(name)] if dotenv else []
    files = [_Place(label="{} in " + name, variables=_read_file(name)) for name in names]
    return [environment, *files]


def _read_file(name: str) -> Mapping[str, str | None]:
    # Imported when there is a file to read: a deployment without one does not pay for it.
    from dotenv import dotenv_values

    try:
        return dotenv_values(name, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = type(error).__name__
    # Raised out here because a chained UnicodeDecodeError would carry the file's bytes along.
    raise ConfigurationError(f"{name} in the working directory cannot be read: {problem}")


def _refuse_unknown(given: Mapping[str, _Given]) -> None:
    unknown = sorted(given.keys() - {setting.name for setting in SETTINGS})
    if unknown:
        raise TypeError(f"unknown setting: {', '.join(unknown)}")


def _find_all(given: Mapping[str, _Given], places: Sequence[_Place]) -> dict[str, _Given]:
    found = {setting.name: _find(setting, given, places) for setting in SETTINGS}
    return {name: each for name, each in found.items() if each is not None}


def _find(
    setting: _Setting, given: Mapping[str, _Given], places: Sequence[_Place]
) -> _Given | None:
    argument = given.get(setting.name)
    if argument is not None and argument.value is not None:
        return argument
    for place in places:
        for variable in setting.variables:
            if text := place.variables.get(variable):
                return _Given(value=text, source=place.label.format(variable), is_text=True)
    return None


# ---- values ----------------------------------------------------------------------------------


class _Setting:
    """A setting: how its value is read, and the variables that stand for it, best first.

    ``from_text`` turns the text of a variable into what an argument would be.
    """

    def __init__(
        self,
        name: str,
        parse: Callable[[Any], object],
        *variables: str,
        from_text: Callable[[str], object] = as_text,
    ) -> None:
        self.name = name
        self.variables = variables
        self._parse = parse
        self._from_text = from_text

    def value_of(self, given: _Given) -> object:
        """Return the value, ``None`` if there is to be none."""
        try:
            return self._parse(
                self._from_text(as_text(given.value)) if given.is_text else given.value
            )
        except Unexpected as unexpected:
            expected = str(unexpected)
        # Raised out here so that neither the cause nor a frame of the traceback holds the value.
        raise ConfigurationError(f"{self.name} (from {given.source}): expected {expected}")


SETTINGS = (
    _Setting("secret_key", optional(parse_secret), "CLERK_SECRET_KEY", "CLERK_API_KEY"),
    _Setting("publishable_key", optional(parse_publishable), "CLERK_PUBLISHABLE_KEY"),
    _Setting("jwt_key", optional(parse_pem), "CLERK_JWT_KEY"),
    _Setting("machine_secret_key", optional(parse_secret), "CLERK_MACHINE_SECRET_KEY"),
    _Setting("api_url", optional(parse_api_url), "CLERK_API_URL"),
    _Setting("api_version", optional(parse_api_version), "CLERK_API_VERSION"),
    _Setting("proxy_url", optional(parse_proxy_url), "CLERK_PROXY_URL"),
    _Setting("domain", optional(parse_domain), "CLERK_DOMAIN"),
    _Setting("is_satellite", parse_flag, "CLERK_IS_SATELLITE", from_text=flag_from_text),
    _Setting("sign_in_url", optional(parse_page_url), "CLERK_SIGN_IN_URL"),
    _Setting("sign_up_url", optional(parse_page_url), "CLERK_SIGN_UP_URL"),
    _Setting("account_url", optional(parse_page_url), "CLERK_ACCOUNT_URL"),
    _Setting("sign_out_url", optional(parse_page_url), "CLERK_SIGN_OUT_URL"),
    _Setting("satellite_auto_sync", parse_flag),
    _Setting(
        "authorized_parties", parse_texts, "CLERK_AUTHORIZED_PARTIES", from_text=entries_from_text
    ),
    _Setting("audience", parse_texts),
    _Setting("issuer", parse_texts),
    _Setting("clock_skew", parse_seconds),
    _Setting("accepts_token", parse_accepts_token),
    _Setting("organization_patterns", parse_texts),
    _Setting("personal_account_patterns", parse_texts),
    _Setting("verification", optional(parse_verification), "CLERK_VERIFICATION"),
    _Setting("trust_forwarded", parse_flag, "CLERK_TRUST_FORWARDED", from_text=flag_from_text),
    _Setting("timeout", parse_timeout, "CLERK_TIMEOUT", from_text=seconds_from_text),
    _Setting("keys_ttl", parse_age),
    _Setting("stale_keys", parse_age),
    _Setting("people_ttl", parse_age),
)


def _parse_all(found: Mapping[str, _Given]) -> dict[str, Any]:
    given = ((setting, found[setting.name]) for setting in SETTINGS if setting.name in found)
    values = {setting.name: setting.value_of(each) for setting, each in given}
    return {name: value for name, value in values.items() if value is not None}


# ---- what must fit together ------------------------------------------------------------------


def _check_secret_key(settings: Settings) -> None:
    if settings.secret_key is not None:
        return
    accepted = _accepted(settings)
    if settings.verification == "live" and SESSION_TOKEN in accepted:
        raise _missing(settings, "secret_key", "live verification cannot do without")
    machines_alone = accepted == {M2M_TOKEN} and settings.machine_secret_key is not None
    if settings.jwt_key is None and not machines_alone:
        raise _missing(settings, "secret_key", "jwt_key (CLERK_JWT_KEY) would do instead")


def _check_satellite(settings: Settings) -> None:
    """Refuse a satellite that could not send a browser anywhere (rule D26)."""
    if not settings.is_satellite:
        return
    _check_satellite_sign_in(settings)
    if _accepted(settings) <= {API_KEY, M2M_TOKEN}:
        return  # such tokens come in a header and concern no browser
    if settings.publishable_key is None:
        raise _missing(settings, "publishable_key", "a satellite cannot do without")
    if settings.domain is None and settings.proxy_url is None:
        raise _missing(settings, "domain", "a satellite needs it or proxy_url (CLERK_PROXY_URL)")


def _check_satellite_sign_in(settings: Settings) -> None:
    url, key = settings.sign_in_url, settings.publishable_key
    if url is not None and not split_url(url):
        source = settings.sources["sign_in_url"]
        raise ConfigurationError(
            f"sign_in_url (from {source}): expected an http(s) URL, as this is a satellite"
        )
    # Clerk asks for it even where no browser is concerned, machine-to-machine tokens excepted.
    in_development = key is not None and key.instance_type == "development"
    if url is None and in_development and _accepted(settings) != {M2M_TOKEN}:
        raise _missing(settings, "sign_in_url", "a satellite in development cannot do without")


def _accepted(settings: Settings) -> frozenset[str]:
    """Return the accepted types; who accepts none is checked like the default."""
    accepts = settings.accepts_token
    if accepts == ANY_TOKEN:
        return TOKEN_TYPES
    types = (accepts,) if isinstance(accepts, str) else accepts
    return frozenset(types or (SESSION_TOKEN,))


def _missing(settings: Settings, name: str, why: str) -> ConfigurationError:
    variables = next(setting.variables for setting in SETTINGS if setting.name == name)
    source = settings.sources.get(name)
    state = f"is empty (from {source})" if source else "is not set"
    return ConfigurationError(
        f"{name} {state}: give it as an argument or as {' or '.join(variables)}; {why}"
    )


def _warn_of_swapped_keys(settings: Settings) -> None:
    """Log a publishable key in a secret key's place: no error, as Clerk's SDK takes any text."""
    keys: dict[str, Secret | None] = {
        "secret_key": settings.secret_key,
        "machine_secret_key": settings.machine_secret_key,
    }
    for name, key in keys.items():
        if key is not None and key.reveal().startswith("pk_"):
            source = settings.sources[name]
            logger.warning("%s (from %s) is a publishable key: Clerk will refuse it", name, source)
