"""Machine tokens at the local Clerk: what its API says of opaque ones, and to whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi.emulator import NotFound
from clerk_wsgi.testing import Emulator, FrozenClock, clerk_for

from .asking import FORM, WAYS, Asker, asking, found, refused
from .minting import NOW, environ

if TYPE_CHECKING:
    from collections.abc import Iterator

# Path and parameter by kind.
QUESTIONS = {
    "api_key": ("/api_keys/verify", "secret"),
    "m2m": ("/m2m_tokens/verify", "token"),
    "oauth": ("/oauth_applications/access_tokens/verify", "access_token"),
}
KINDS = pytest.mark.parametrize("kind", QUESTIONS)
BASES = pytest.mark.parametrize("base", ["", "/v1"])


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def clerk(clock: FrozenClock) -> Iterator[Asker]:
    with asking(clock=clock) as asker:
        yield asker


def create(emulator: Emulator, kind: str, **options: Any) -> tuple[dict[str, Any], str]:
    """Make a token of a kind: the object as the API shows it, and the text."""
    if kind == "api_key":
        made = emulator.create_api_key(emulator.users()[0]["id"], **options)
    elif kind == "m2m":
        made = emulator.create_m2m_token(emulator.create_machine()["id"], **options)
    else:
        made = emulator.create_oauth_token(emulator.users()[0]["id"], **options)
    text = made.pop("secret", None) or made.pop("token")
    return made, text


def verify(clerk: Asker, kind: str, text: object, base: str = "", **options: Any) -> Any:
    path, name = QUESTIONS[kind]
    return clerk.ask("POST", base + path, json={name: text}, **options)


@BASES
@KINDS
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.servers if way == "http" else ()) for way in WAYS]
)
def test_a_token_is_known_by_its_text(way: str, kind: str, base: str) -> None:
    with asking(way) as clerk:
        made, text = create(clerk.emulator, kind)
        assert found(verify(clerk, kind, text, base)) == made
        assert text not in str(made)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "api_key",
            {"type", "name", "description", "claims", "created_by", "last_used_at"},
        ),
        ("m2m", {"claims", "last_used_at"}),
        ("oauth", {"client_id"}),
    ],
)
def test_the_objects_have_all_fields_of_the_protocol(
    kind: str, names: set[str], clerk: Asker
) -> None:
    made, text = create(clerk.emulator, kind, expires_in=60)
    common = "object id subject scopes revoked revocation_reason expired expiration created_at"
    assert made.keys() == {*common.split(), "updated_at"} | names
    prefix = {"api_key": "ak", "m2m": "mt", "oauth": "oat"}[kind]
    assert re.fullmatch(f"{prefix}_[0-9a-f]{{32}}", made["id"])
    assert text.startswith(f"{prefix}_")
    assert (made["created_at"], made["expiration"]) == (NOW * 1000, NOW * 1000 + 60_000)
    assert (made["revoked"], made["expired"]) == (False, False)


@BASES
@KINDS
def test_what_counts_no_more_is_as_unknown_as_what_never_was(
    kind: str, base: str, clerk: Asker, clock: FrozenClock
) -> None:
    revoked, revoked_text = create(clerk.emulator, kind)
    _, expired_text = create(clerk.emulator, kind, expires_in=60)
    assert found(verify(clerk, kind, expired_text, base))
    clock.tick(60)
    clerk.emulator.revoke_machine_token(revoked["id"], reason="lost")
    answers = [
        refused(verify(clerk, kind, text, base), 404, "resource_not_found")
        for text in (revoked_text, expired_text, "ak_never", "", "mt_" + "x" * 5000, revoked["id"])
    ]
    assert len({tuple(answer.items()) for answer in answers}) == 1


@KINDS
def test_a_token_of_another_kind_is_unknown(kind: str, clerk: Asker) -> None:
    for other in QUESTIONS.keys() - {kind}:
        _, text = create(clerk.emulator, other)
        refused(verify(clerk, kind, text), 404, "resource_not_found")


@pytest.mark.parametrize("kind", ["api_key", "oauth"])  # machines are never deleted
def test_a_token_goes_with_whom_it_stands_for(kind: str, clerk: Asker) -> None:
    made, text = create(clerk.emulator, kind)
    clerk.emulator.delete_user(made["subject"])
    refused(verify(clerk, kind, text), 404, "resource_not_found")


@KINDS
@pytest.mark.parametrize("key", ["", "sk_test_wrong", "ak_of_no_machine"])
def test_only_the_holder_of_the_secret_key_may_ask(kind: str, key: str, clerk: Asker) -> None:
    _, text = create(clerk.emulator, kind)
    code = "clerk_key_invalid" if key else "authorization_header_format_invalid"
    refused(verify(clerk, kind, text, key=key), 401, code)


@KINDS
@pytest.mark.parametrize("value", [7, True, [], {"a": "b"}])
def test_a_text_is_asked_for(kind: str, value: object, clerk: Asker) -> None:
    name = QUESTIONS[kind][1]
    refused(verify(clerk, kind, value), 422, "form_param_type_invalid", name)
    refused(clerk.ask("POST", QUESTIONS[kind][0], json={}), 422, "form_param_missing", name)
    answer = clerk.ask("POST", QUESTIONS[kind][0], json={name: "x", "colour": "blue"})
    refused(answer, 422, "form_param_unknown", "colour")


@KINDS
def test_nothing_but_a_post_asks(kind: str, clerk: Asker) -> None:
    answer = clerk.get(QUESTIONS[kind][0])
    assert answer.headers["Allow"] == "POST"
    refused(answer, 405, "method_not_allowed")


def test_the_older_name_of_an_access_token_does_too(clerk: Asker) -> None:
    path = QUESTIONS["oauth"][0]
    made, text = create(clerk.emulator, "oauth")
    assert found(clerk.post(path, secret=text)) == made
    assert found(clerk.post(path, access_token=text, secret="other")) == made
    refused(clerk.post(path, access_token="other", secret=text), 404, "resource_not_found")
    form = clerk.ask("POST", path, data={"access_token": text}, headers={"Content-Type": FORM})
    assert found(form) == made


# Machines that ask themselves


@BASES
def test_a_machine_may_ask_about_tokens_that_are_for_it(base: str, clerk: Asker) -> None:
    mine, other = (clerk.emulator.create_machine(name) for name in ("mine", "other"))
    made, text = create(clerk.emulator, "m2m", scopes=[mine["id"]])
    assert found(verify(clerk, "m2m", text, base, key=mine["secret_key"])) == made
    refused(verify(clerk, "m2m", text, base, key=other["secret_key"]), 404, "resource_not_found")
    _, for_nobody = create(clerk.emulator, "m2m")
    refused(
        verify(clerk, "m2m", for_nobody, base, key=mine["secret_key"]), 404, "resource_not_found"
    )


def test_a_machine_may_ask_about_nothing_else(clerk: Asker) -> None:
    key = clerk.emulator.create_machine()["secret_key"]
    paths = [
        "/v1/jwks",
        "/v1/users",
        "/m2m_tokens/verify/",
        "/v1/v1/m2m_tokens/verify",
        "/m2m_tokens",
    ]
    for path in paths:
        refused(clerk.ask("GET", path, key=key), 401, "clerk_key_invalid")
    for kind in ("api_key", "oauth"):
        _, text = create(clerk.emulator, kind)
        refused(verify(clerk, kind, text, key=key), 401, "clerk_key_invalid")


def test_an_instance_asks_with_its_machines_key(clerk: Asker) -> None:
    emulator = clerk.emulator
    machine = emulator.create_machine()
    settings: Any = {"machine_secret_key": machine["secret_key"], "accepts_token": "m2m_token"}
    alone = clerk_for(emulator, secret_key="", publishable_key="", **settings)
    both = clerk_for(emulator, **settings)
    for instance in (alone, both):
        for scopes, status in (([machine["id"]], "signed-in"), ([], "signed-out")):
            _, text = create(emulator, "m2m", scopes=scopes)
            state = instance.authenticate(environ(HTTP_AUTHORIZATION=f"Bearer {text}"))
            assert state.status == status


# In Python


def test_tokens_stand_for_somebody_that_there_is() -> None:
    emulator = Emulator()
    organization = emulator.create_organization("Acme")
    assert emulator.create_api_key(organization["id"])["created_by"] is None
    for make in (emulator.create_api_key, emulator.create_m2m_token, emulator.create_oauth_token):
        with pytest.raises(NotFound):
            make("user_of_nobody")
    with pytest.raises(NotFound, match="mt_x"):
        emulator.revoke_machine_token("mt_x")


def test_a_key_of_a_machine_is_its_own() -> None:
    emulator = Emulator()
    machines = [emulator.create_machine() for _ in range(2)]
    assert [emulator.machine_of(one["secret_key"]) for one in machines] == machines
    assert emulator.machine_of("ak_x") is None
    assert emulator.machine_of(machines[0]["id"]) is None


def test_tokens_are_kept_with_the_state(tmp_path: Any) -> None:
    first = Emulator(tmp_path / "state.sqlite3")
    made, text = create(first, "api_key")
    first.close()
    second = Emulator(tmp_path / "state.sqlite3")
    assert second.machine_token("api_key", text) == made
    second.close()
