"""Requirements: who passes, which error everybody else earns, and what cannot be required."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from clerk_wsgi.authorization import Reverification
from clerk_wsgi.errors import ClerkError, ClerkUnavailable, Forbidden, Unauthenticated
from clerk_wsgi.handlers import error_response, json_error_response
from clerk_wsgi.machine_auth import ApiKeyAuth, refused_machine
from clerk_wsgi.requirements import Requirement
from clerk_wsgi.state import PENDING_AUTH, SIGNED_OUT_AUTH

from .test_authorization import EVERYTHING, IN_ACME, MALFORMED, Case, auth
from .wrapping import serve

ADA = auth(**IN_ACME, fva=[5, 5])
NOBODY = auth(v=2, fva=[5, 5])  # has signed in, and has nothing else
MACHINE = ApiKeyAuth(token_type="api_key", is_authenticated=True, subject="user_1")
NOT_SIGNED_IN = [SIGNED_OUT_AUTH, PENDING_AUTH, None, refused_machine("api_key")]


def refusal(required: Case, auth: Any, signed_out: ClerkError | None = None) -> ClerkError:
    error = Requirement(**required).refusal(auth, signed_out)
    assert error is not None
    return error


# Who passes


@pytest.mark.parametrize("somebody", [ADA, NOBODY, MACHINE])
def test_who_is_signed_in_passes_if_nothing_else_is_required(somebody: Any) -> None:
    assert Requirement().refusal(somebody) is None
    Requirement().check(somebody)


@pytest.mark.parametrize("name", EVERYTHING)
def test_who_has_what_is_required_passes_and_nobody_else(name: str) -> None:
    required = {name: EVERYTHING[name]}
    assert Requirement(**required).refusal(ADA) is None
    Requirement(**required).check(ADA)
    stale = auth(v=2, fva=[2000, 2000])
    for other in (stale, MACHINE):
        assert isinstance(refusal(required, other), Forbidden)
        with pytest.raises(Forbidden):
            Requirement(**required).check(other)


def test_all_that_is_required_must_be_there() -> None:
    assert Requirement(**EVERYTHING).refusal(ADA) is None
    for name in EVERYTHING:
        wrong = Reverification("first_factor", 5) if name == "reverification" else "other"
        assert isinstance(refusal({**EVERYTHING, name: wrong}, ADA), Forbidden)


# Nobody signed in


@pytest.mark.parametrize("nobody", NOT_SIGNED_IN)
@pytest.mark.parametrize("required", [{}, *({name: it} for name, it in EVERYTHING.items())])
def test_who_is_not_signed_in_is_unauthenticated_whatever_is_required(
    required: Case, nobody: Any
) -> None:
    error = refusal(required, nobody)
    assert (type(error), error.status_code, error.data) == (Unauthenticated, 401, None)
    with pytest.raises(Unauthenticated):
        Requirement(**required).check(nobody)


def test_the_reason_says_whether_a_session_is_pending() -> None:
    assert refusal({}, SIGNED_OUT_AUTH).reason == "session-token-and-uat-missing"
    assert refusal({}, None).reason == "session-token-and-uat-missing"
    assert refusal({}, PENDING_AUTH).reason == "session-pending"


def test_the_error_that_is_known_already_is_the_answer() -> None:
    outage = ClerkUnavailable("no keys", reason="jwk-remote-failed-to-load", retry_after=7)
    for nobody in NOT_SIGNED_IN:
        assert refusal(EVERYTHING, nobody, outage) is outage
        with pytest.raises(ClerkUnavailable) as raised:
            Requirement(role="admin").check(nobody, outage)
        assert raised.value is outage


def test_an_error_does_not_refuse_who_is_signed_in() -> None:
    outage = ClerkUnavailable("no keys")
    assert Requirement().refusal(ADA, outage) is None
    assert refusal({"role": "other"}, ADA, outage).reason == "role-missing"


# Somebody who lacks something


@pytest.mark.parametrize("name", ["role", "permission", "feature", "plan"])
def test_the_error_says_what_is_missing(name: str) -> None:
    error = refusal({name: "other"}, ADA)
    assert (type(error), error.status_code) == (Forbidden, 403)
    assert (error.reason, error.data) == (f"{name}-missing", None)
    assert name in error.message
    assert "other" in error.message


@pytest.mark.parametrize(
    ("asked", "config"),
    [
        ("strict_mfa", "strict_mfa"),
        ("strict", "strict"),
        (Reverification("first_factor", 5), {"level": "first_factor", "afterMinutes": 5}),
        (
            {"level": "multi_factor", "after_minutes": 0.5},
            {"level": "multi_factor", "afterMinutes": 0.5},
        ),
        (
            {"level": "multi_factor", "afterMinutes": 2},
            {"level": "multi_factor", "afterMinutes": 2},
        ),
    ],
)
def test_who_must_verify_again_is_told_so_as_clerks_front_end_expects_it(
    asked: Any, config: object
) -> None:
    error = refusal({"reverification": asked}, auth(v=2, fva=[30, 30]))
    assert (type(error), error.status_code) == (Forbidden, 403)
    assert error.reason == "reverification-needed"
    assert error.data == {
        "clerk_error": {
            "type": "forbidden",
            "reason": "reverification-error",
            "metadata": {"reverification": config},
        }
    }
    for response in (error_response, json_error_response):
        answer = serve(response(error))
        assert answer.status == "403 Forbidden"
        assert answer.one("Content-Type") == "application/json"
        assert json.loads(answer.body) == error.data


def test_each_refusal_has_a_document_of_its_own() -> None:
    required = {"reverification": Reverification("first_factor", 1)}
    first, second = refusal(required, ADA), refusal(required, ADA)
    first.data["clerk_error"]["type"] = "changed"
    assert second.data["clerk_error"]["type"] == "forbidden"


def test_nobody_is_sent_to_verify_again_who_would_not_get_in_then() -> None:
    stale = auth(**IN_ACME, fva=[2000, 2000])
    for name in ("role", "permission", "feature", "plan"):
        error = refusal({name: "other", "reverification": "lax"}, stale)
        assert (error.reason, error.data) == (f"{name}-missing", None)
    assert refusal(EVERYTHING, stale).reason == "reverification-needed"


def test_what_is_missing_is_told_in_a_fixed_order() -> None:
    lacking: Case = {}
    for name in reversed(EVERYTHING):
        lacking[name] = EVERYTHING[name]
        expected = "reverification-needed" if name == "reverification" else f"{name}-missing"
        assert refusal(lacking, auth(v=2)).reason == expected


# What can be required


@pytest.mark.parametrize("asked", MALFORMED, ids=repr)
def test_what_could_never_be_met_fails_where_it_is_declared(asked: Case) -> None:
    [name] = asked
    with pytest.raises((TypeError, ValueError), match=f"^{name}: .*(expected|not )"):
        Requirement(**asked)


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"role": ""}, ValueError, "role: expected a name without white space and commas, not ''"),
        ({"role": 5}, TypeError, "role: expected a text, not int"),
        ({"feature": "x:y"}, ValueError, "feature: expected a slug, org:slug or user:slug"),
        ({"plan": "org:"}, ValueError, "plan: expected a name .* not 'org:'"),
        (
            {"reverification": "hard"},
            ValueError,
            "expected one of strict_mfa, strict, moderate, lax",
        ),
        ({"reverification": 5}, TypeError, "expected a preset, a Reverification or a dict, not 5"),
        (
            {"reverification": Reverification("first_factor", 0)},
            ValueError,
            "reverification: after_minutes: expected more than 0, not 0",
        ),
        (
            {"reverification": {"level": "third", "after_minutes": 1}},
            ValueError,
            "level: expected one of first_factor, second_factor, multi_factor, not 'third'",
        ),
        (
            {"reverification": {"level": "first_factor", "minutes": 1}},
            ValueError,
            "expected level and after_minutes, not level, minutes",
        ),
    ],
)
def test_the_message_says_which_and_what_was_expected(
    asked: Case, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        Requirement(**asked)


def test_an_unknown_requirement_is_none() -> None:
    with pytest.raises(TypeError):
        Requirement(rol="admin")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Requirement("admin")  # type: ignore[call-arg]


def test_a_requirement_is_a_value() -> None:
    pair = Reverification("first_factor", 10)
    mapping: dict[str, object] = {"level": "first_factor", "after_minutes": 10}
    required = Requirement(role="admin", permission="teams:read", reverification=mapping)
    mapping["after_minutes"] = 10**6
    same = Requirement(role="org:admin", permission="org:org:teams:read", reverification=pair)
    assert required == same
    assert hash(required) == hash(same)
    assert (required.role, required.permission) == ("org:admin", "org:teams:read")
    with pytest.raises(FrozenInstanceError):
        required.role = "org:member"  # type: ignore[misc]


def test_features_and_plans_stay_as_they_were_written() -> None:
    required = Requirement(feature="user:theme", plan="organization:gold")
    assert (required.feature, required.plan) == ("user:theme", "organization:gold")
    assert required.refusal(ADA) is None
