"""``has(…)``: roles, permissions, features, plans and how recently somebody was verified."""

from __future__ import annotations

import itertools
import json
import lzma
import pickle
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.authorization import (
    PRESETS,
    Reverification,
    parse_entitlement,
    parse_key,
    parse_reverification,
)
from clerk_wsgi.claims import Auth
from clerk_wsgi.machine_auth import ApiKeyAuth, M2MAuth, MachineAuth, OAuthAuth
from clerk_wsgi.state import SignedIn

from .conformance.replay import DATA

if TYPE_CHECKING:
    from collections.abc import Callable

Case = dict[str, Any]

NAMES = ("role", "permission", "feature", "plan")
PERSON = {"sub": "user_1", "sid": "sess_1"}
ACME = {"id": "org_1", "slg": "acme", "rol": "admin", "per": "read,manage", "fpm": "1,2"}
IN_ACME = {"v": 2, "o": ACME, "fea": "o:dashboard,u:theme,ou:teams", "pla": "u:pro,o:gold"}
IN_ACME_V1 = {
    "org_id": "org_1",
    "org_role": "org:admin",
    "org_slug": "acme",
    "org_permissions": ["org:dashboard:read", "org:teams:manage"],
}


def auth(**claims: Any) -> Auth:
    return Auth({**PERSON, **claims})


def verified(first: Any, second: Any) -> Auth:
    """Somebody whose factors were verified so many minutes ago."""
    return auth(v=2, fva=[first, second])


# The answers of Clerk's own package


@cache
def recorded() -> list[Case]:
    with lzma.open(DATA / "has.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def named(case: Case, *dimensions: str) -> list[str]:
    """What a case asks of some dimensions, if it is a text."""
    asked = (case["has"].get(name) for name in dimensions)
    return [text for text in asked if isinstance(text, str)]


# Where we say no though Clerk's package says yes: each asks or holds what Clerk never issues.
STRICTER: dict[str, Callable[[Case], bool]] = {
    "a name is empty": lambda case: any(
        text.endswith(":") or not text for text in named(case, *NAMES)
    ),
    "a name has white space": lambda case: any(" " in text for text in named(case, *NAMES)),
    "a slug has two scopes": lambda case: any(
        text.count(":") > 1 for text in named(case, "feature", "plan")
    ),
    "a reverification has more members": lambda case: (
        isinstance(case["has"].get("reverification"), dict)
        and len(case["has"]["reverification"]) > 2
    ),
    "the id of the organization is no text": lambda case: (
        not isinstance(case["claims"].get("org_id", ""), str)
    ),
}


@cache
def differing() -> list[Case]:
    return [
        case for case in recorded() if auth(**case["claims"]).has(**case["has"]) != case["answer"]
    ]


def test_every_recorded_question_is_answered_likewise_or_more_strictly_by_a_rule() -> None:
    unexplained = [
        case
        for case in differing()
        if not case["answer"] or not any(applies(case) for applies in STRICTER.values())
    ]
    assert unexplained == []


@pytest.mark.parametrize("rule", STRICTER)
def test_every_rule_explains_some_difference(rule: str) -> None:
    assert any(STRICTER[rule](case) for case in differing())


def test_the_recorded_questions_are_many_and_of_both_answers() -> None:
    assert len(recorded()) == 12050
    assert sum(case["answer"] for case in recorded()) == 3422
    for name in (*NAMES, "reverification"):
        alone = [case for case in recorded() if case["has"].keys() == {name}]
        assert 0 < sum(case["answer"] for case in alone) < len(alone)


# Nobody, machines, and nothing asked


EVERYTHING: dict[str, Any] = {
    "role": "admin",
    "permission": "dashboard:read",
    "feature": "teams",
    "plan": "gold",
    "reverification": "lax",
}


def test_nobody_has_anything() -> None:
    for name, asked in EVERYTHING.items():
        assert Auth().has(**{name: asked}) is False


def test_whoever_is_signed_in_has_nothing_that_was_not_asked() -> None:
    assert auth(**IN_ACME).has() is False
    assert auth(**IN_ACME).has(role=None, reverification=None) is False


def test_somebody_has_all_that_is_asked_or_not() -> None:
    somebody = auth(**IN_ACME, fva=[5, 5])
    assert somebody.has(**EVERYTHING) is True
    for name in EVERYTHING:
        wrong = Reverification("first_factor", 5) if name == "reverification" else "other"
        assert somebody.has(**{**EVERYTHING, name: wrong}) is False, name


def test_a_pending_session_has_nothing_unless_it_is_treated_as_signed_in() -> None:
    state = SignedIn.from_claims("a.b.c", {**PERSON, **IN_ACME, "sts": "pending"})
    assert state.auth.has(role="admin") is False
    assert state.to_auth(treat_pending_as_signed_out=False).has(role="admin") is True


@pytest.mark.parametrize("kind", [MachineAuth, ApiKeyAuth, M2MAuth, OAuthAuth])
def test_a_machine_has_no_roles_whoever_it_stands_for(kind: type[MachineAuth]) -> None:
    claims = {**PERSON, **IN_ACME, "fva": [0, 0]}
    machine = kind(token_type="api_key", is_authenticated=True, subject="user_1", _claims=claims)
    assert bool(machine) is True
    for name, asked in EVERYTHING.items():
        assert machine.has(**{name: asked}) is False
    assert machine.has() is False


def test_an_auth_that_was_copied_answers_alike() -> None:
    copy = pickle.loads(pickle.dumps(auth(**IN_ACME)))
    assert copy.has(role="admin", plan="user:pro")


# Roles and permissions


@pytest.mark.parametrize("claims", [IN_ACME, IN_ACME_V1])
@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"role": "admin"}, True),
        ({"role": "org:admin"}, True),
        ({"role": "org:org:admin"}, True),
        ({"role": "member"}, False),
        ({"role": "Admin"}, False),
        ({"role": "admi"}, False),
        ({"role": "adminorg:"}, False),
        ({"permission": "dashboard:read"}, True),
        ({"permission": "org:dashboard:read"}, True),
        ({"permission": "org:teams:manage"}, True),
        ({"permission": "org:teams:read"}, False),
        ({"permission": "dashboard"}, False),
        ({"permission": "read"}, False),
        ({"role": "admin", "permission": "org:teams:manage"}, True),
        ({"role": "admin", "permission": "org:teams:read"}, False),
        ({"role": "member", "permission": "org:teams:manage"}, False),
    ],
)
def test_role_and_permission_are_those_of_the_active_organization(
    claims: dict[str, Any], asked: dict[str, Any], answer: bool
) -> None:
    assert auth(**claims).has(**asked) is answer


@pytest.mark.parametrize(
    "claims",
    [
        {"v": 2},
        {"v": 2, "o": {**ACME, "id": ""}, "fea": "o:dashboard"},
        {"v": 2, "o": {**ACME, "id": None}, "fea": "o:dashboard"},
        {"v": 2, **IN_ACME_V1},
        {**IN_ACME_V1, "org_id": ""},
        {},
    ],
)
def test_without_an_active_organization_there_is_neither(claims: dict[str, Any]) -> None:
    assert not auth(**claims).has(role="admin")
    assert not auth(**claims).has(permission="dashboard:read")


def test_a_member_without_a_role_has_none() -> None:
    assert not auth(v=2, o={"id": "org_1"}).has(role="admin")
    assert not auth(org_id="org_1", org_role="").has(role="admin")
    assert not auth(org_id="org_1").has(permission="org:dashboard:read")


# Features and plans


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("dashboard", True),
        ("org:dashboard", True),
        ("o:dashboard", True),
        ("organization:dashboard", True),
        ("user:dashboard", False),
        ("u:dashboard", False),
        ("theme", True),
        ("user:theme", True),
        ("u:theme", True),
        ("org:theme", False),
        ("teams", True),
        ("org:teams", True),
        ("user:teams", True),
        ("Dashboard", False),
        ("dash", False),
        ("ou:teams", False),
        ("ORG:dashboard", False),
        ("all:dashboard", False),
        (":dashboard", False),
    ],
)
def test_a_feature_is_one_of_the_organization_or_of_the_user(asked: str, answer: bool) -> None:
    assert auth(**IN_ACME).has(feature=asked) is answer
    assert auth(v=2, pla=IN_ACME["fea"]).has(plan=asked) is answer


def test_a_feature_is_no_plan_and_a_plan_no_feature() -> None:
    assert auth(**IN_ACME).has(feature="teams", plan="gold")
    assert not auth(**IN_ACME).has(feature="gold")
    assert not auth(**IN_ACME).has(plan="teams")


def test_features_need_no_organization_and_no_version() -> None:
    assert auth(fea="u:theme").has(feature="theme")


@pytest.mark.parametrize("claim", [None, "", "theme", "u:theme,x", "u:theme,", 5, ["u:theme"], {}])
def test_a_claim_that_is_no_list_of_features_has_none(claim: Any) -> None:
    assert not auth(v=2, fea=claim).has(feature="theme")


@pytest.mark.parametrize(
    "claim", [" u:theme ", "o:x,\tu:theme", "\xa0u:theme\ufeff", "x:y,u:theme"]
)
def test_white_space_around_an_entry_and_scopes_of_others_do_not_matter(claim: str) -> None:
    assert auth(v=2, fea=claim).has(feature="user:theme")


# Reverification


FRESH, STALE, NEVER = 9, 10, -1
# Who passes, by the ages of the first and the second factor, if ten minutes are asked for.
LEVEL_TABLE = {
    "first_factor": {(FRESH, NEVER), (FRESH, FRESH), (FRESH, STALE)},
    "second_factor": {(FRESH, NEVER), (NEVER, FRESH), (FRESH, FRESH), (STALE, FRESH)},
    "multi_factor": {(FRESH, NEVER), (FRESH, FRESH)},
}


@pytest.mark.parametrize("level", LEVEL_TABLE)
def test_a_level_says_which_factor_must_be_fresh(level: Any) -> None:
    passing = {
        ages
        for ages in itertools.product((FRESH, STALE, NEVER), repeat=2)
        if verified(*ages).has(reverification=Reverification(level, 10))
    }
    assert passing == LEVEL_TABLE[level]


@pytest.mark.parametrize(
    ("preset", "level", "minutes"),
    [
        ("strict_mfa", "multi_factor", 10),
        ("strict", "second_factor", 10),
        ("moderate", "second_factor", 60),
        ("lax", "second_factor", 1440),
    ],
)
def test_a_preset_is_a_level_and_minutes(preset: Any, level: Any, minutes: int) -> None:
    assert PRESETS[preset] == (level, minutes)
    assert verified(minutes - 1, minutes - 1).has(reverification=preset)
    assert not verified(minutes, minutes).has(reverification=preset)
    other = FRESH if level == "second_factor" else NEVER
    assert not verified(other, minutes).has(reverification=preset)


def test_a_reverification_is_a_pair_or_a_dict_in_either_spelling() -> None:
    somebody = verified(30, NEVER)
    for minutes, answer in ((31, True), (30, False), (30.5, True)):
        for asked in (
            Reverification("first_factor", minutes),
            Reverification(level="first_factor", after_minutes=minutes),
            {"level": "first_factor", "after_minutes": minutes},
            {"level": "first_factor", "afterMinutes": minutes},
        ):
            assert somebody.has(reverification=asked) is answer


@pytest.mark.parametrize(
    "ages",
    [
        *(None, 1, "1,1", {}, [], [1], [1, 1, 1]),
        *([True, 1], [1, "1"], [1, None], [-2, 1], [1, -0.5], [10**400, 1]),
        *([float("nan"), 1], [1, float("inf")], [-1, float("-inf")]),
    ],
)
def test_ages_that_are_malformed_are_never_fresh(ages: Any) -> None:
    for preset in PRESETS:
        assert not auth(v=2, fva=ages).has(reverification=preset)  # type: ignore[arg-type]


# Questions that are malformed


ODD: list[Any] = [5, True, False, b"admin", ["admin"], {}]
ODD_LEVELS: list[Any] = ["", "third_factor", None, 1, ["first_factor"], {}]
ODD_MINUTES: list[Any] = [0, -1, "10", None, True, [10], float("nan"), float("inf"), 10**400]
ODD_REVERIFICATIONS: list[Any] = [
    *("", "Strict", "strict ", "none", 5, True, False, (), [], {}, b"strict"),
    ("first_factor", 10),
    {"level": "first_factor"},
    {"after_minutes": 10},
    {"level": "first_factor", "after_minutes": 10, "afterMinutes": 10},
    {"level": "first_factor", "after_minutes": 10, "minutes": 10},
    *(Reverification("first_factor", minutes) for minutes in ODD_MINUTES),
    *(Reverification(level, 10) for level in ODD_LEVELS),
]
MALFORMED: list[Case] = [
    *(
        {name: wrong}
        for name in NAMES
        for wrong in ("", " ", "org:", "a b", "a,b", "org: a", "a\n")
    ),
    *({name: wrong} for name in NAMES for wrong in ODD),
    *({"feature": wrong} for wrong in ("o:", "user:", "a:b:c", "o:u:dashboard", "x:dashboard")),
    *({"reverification": wrong} for wrong in ODD_REVERIFICATIONS),
]


@pytest.mark.parametrize("asked", MALFORMED, ids=repr)
def test_what_is_malformed_is_never_granted(asked: Case) -> None:
    generous = {
        "org_id": "org_1",
        "org_role": "org:",
        "org_permissions": ["org:", "org: ", "org:a b", "org:a,b", "org:5", "", "org:a\n"],
        "fea": "ou:,ou: ,ou:a b,ou:o,ou:user,ou:dashboard,ou:a\n",
        "pla": "ou:,ou:org,ou:a b",
        "fva": [0, 0],
    }
    assert auth(**generous).has(**asked) is False
    assert (
        auth(**generous).has(**{"feature": "dashboard", "reverification": "lax", **asked}) is False
    )
    assert auth(**generous).has(feature="dashboard", reverification="lax") is True


@pytest.mark.parametrize("asked", MALFORMED, ids=repr)
def test_its_reader_says_what_was_expected(asked: Case) -> None:
    [(name, question)] = asked.items()
    parse: Any = parse_reverification if name == "reverification" else parse_entitlement
    with pytest.raises((TypeError, ValueError), match="expected|level|after_minutes"):
        (parse_key if name in ("role", "permission") else parse)(question)


texts = st.text(max_size=12) | st.sampled_from(["admin", "org:admin", "teams", "u:theme", "a:b:c"])
anything = texts | st.none() | st.integers() | st.floats() | st.booleans() | st.binary(max_size=3)
documents = st.recursive(
    anything, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
reverifications = st.sampled_from([*PRESETS]) | st.fixed_dictionaries(
    {"level": st.sampled_from([*LEVEL_TABLE]) | documents, "after_minutes": documents}
)


@given(
    asked=st.fixed_dictionaries(
        {}, optional={**dict.fromkeys(NAMES, documents), "reverification": reverifications}
    ),
    claims=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("v", "o", "fea", "pla", "fva", "org_id", "org_role"), documents)
    ),
)
@settings(max_examples=400, deadline=None)
def test_no_question_raises_and_all_dimensions_must_be_granted(
    asked: dict[str, Any], claims: dict[str, Any]
) -> None:
    somebody = auth(**claims)
    each = [somebody.has(**{name: it}) for name, it in asked.items() if it is not None]
    assert somebody.has(**asked) is (bool(each) and all(each))
