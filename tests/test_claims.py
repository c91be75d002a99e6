"""What a verified token says, in both versions of the claims, and that nobody can change it."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.claims import Auth, Session
from clerk_wsgi.state import Handshake, SignedIn, SignedOut

from .reading import auth_of, user_of

if TYPE_CHECKING:
    from collections.abc import Callable

PERSON = {"sub": "user_1", "sid": "sess_1"}
FIELDS = (
    "user_id",
    "session_id",
    "session_status",
    "org_id",
    "org_role",
    "org_slug",
    "org_permissions",
    "factor_verification_age",
    "actor",
    "claims",
)


def auth_from(**claims: Any) -> Auth:
    return Auth({**PERSON, **claims})


def v2(fea: Any = None, **o: Any) -> Auth:
    return auth_from(v=2, fea=fea, o=o)


def signed_in(**claims: Any) -> SignedIn:
    return SignedIn.from_claims("eyJ.eyJ.abc", {**PERSON, **claims})


# Nobody


def test_an_auth_of_nobody_is_falsy_and_every_field_is_none() -> None:
    auth = Auth()
    assert not auth
    assert auth.is_authenticated is False
    assert auth.token_type == "session_token"
    assert {name: getattr(auth, name) for name in FIELDS} == dict.fromkeys(FIELDS)


def test_an_auth_of_nobody_may_still_say_that_the_session_is_pending() -> None:
    auth = Auth(session_status="pending")
    assert not auth
    assert (auth.session_status, auth.user_id, auth.claims) == ("pending", None, None)


def test_an_auth_of_somebody_is_truthy() -> None:
    auth = auth_from()
    assert auth
    assert auth.is_authenticated is True
    assert (auth.user_id, auth.session_id) == ("user_1", "sess_1")


def test_an_auth_shows_its_ids_and_no_other_claim() -> None:
    assert repr(auth_from(email="zoe@example.com")) == "Auth(user_id='user_1', session_id='sess_1')"


# Version 1


def test_version_1_names_the_organization_in_four_claims() -> None:
    auth = auth_from(
        org_id="org_1",
        org_role="org:admin",
        org_slug="acme",
        org_permissions=["org:teams:read", "org:teams:manage"],
    )
    assert (auth.org_id, auth.org_role, auth.org_slug) == ("org_1", "org:admin", "acme")
    assert auth.org_permissions == ("org:teams:read", "org:teams:manage")


def test_version_1_without_an_organization_has_none() -> None:
    auth = auth_from()
    assert (auth.org_id, auth.org_role, auth.org_slug, auth.org_permissions) == (None,) * 4


def test_the_organization_is_read_once_and_stays_the_same() -> None:
    auth = auth_from(org_id="org_1")
    assert auth.org_id == auth.org_id == "org_1"


@pytest.mark.parametrize("version", [None, 1, 3, "2", [2], {"v": 2}])
def test_any_other_version_than_the_number_2_is_read_as_version_1(version: Any) -> None:
    auth = auth_from(v=version, org_id="org_1", o={"id": "org_2"})
    assert auth.org_id == "org_1"


def test_a_version_given_as_a_float_is_the_same_number() -> None:
    assert auth_from(v=2.0, org_id="org_1", o={"id": "org_2"}).org_id == "org_2"


# Version 2


def test_version_2_names_the_organization_in_one_claim_and_gains_the_prefix_of_the_role() -> None:
    auth = v2(id="org_1", slg="acme", rol="admin")
    assert (auth.org_id, auth.org_role, auth.org_slug) == ("org_1", "org:admin", "acme")


def test_version_2_does_not_look_at_the_claims_of_version_1() -> None:
    auth = auth_from(v=2, org_id="org_1", org_role="org:admin", org_slug="a", org_permissions=["x"])
    assert (auth.org_id, auth.org_role, auth.org_slug, auth.org_permissions) == (None,) * 4


@pytest.mark.parametrize(
    ("fea", "per", "fpm", "granted"),
    [
        # The worked examples of the protocol.
        (
            "o:dashboard,o:teams",
            "manage,read",
            "3,2",
            ("org:dashboard:manage", "org:dashboard:read", "org:teams:read"),
        ),
        (
            "u:theme,o:dashboard,ou:teams",
            "manage,read",
            "1,2,3",
            ("org:dashboard:manage", "org:teams:read"),
        ),
        # Either order of the two letters of a scope.
        ("uo:a,ou:b", "p", "1,1", ("org:a:p", "org:b:p")),
        # White space between the parts of a list.
        (" o:a , o:b ", " p , q ", " 1 , 2 ", ("org:a:p", "org:b:q")),
        # No bit, no permission.
        ("o:a", "p", "0", ()),
        # More bits than permissions, more masks than features, more features than masks.
        ("o:a", "p", "7", ("org:a:p",)),
        ("o:a", "p", "1,1,1", ("org:a:p",)),
        ("o:a,o:b", "p", "1", ("org:a:p",)),
        # Integers past 2^53: a number that floats cannot tell from its neighbour.
        (
            "o:a",
            ",".join(f"p{bit}" for bit in range(70)),
            str(2**60 + 1),
            ("org:a:p0", "org:a:p60"),
        ),
        # Features of users alone.
        ("u:a,u:b", "p", "1,1", ()),
        # Nothing to expand.
        ("", "p", "1", ()),
        ("o:a", "", "1", ()),
        ("o:a", "p", "", ()),
    ],
)
def test_bit_masks_expand_to_permissions(
    fea: str, per: str, fpm: str, granted: tuple[str, ...]
) -> None:
    assert v2(fea, per=per, fpm=fpm).org_permissions == granted


@pytest.mark.parametrize("missing", ["fea", "per", "fpm"])
def test_permissions_of_an_organization_that_lacks_a_part_are_empty(missing: str) -> None:
    claims: dict[str, Any] = {"v": 2, "fea": "o:a", "o": {"per": "p", "fpm": "1"}}
    (claims if missing == "fea" else claims["o"]).pop(missing)
    assert auth_from(**claims).org_permissions == ()


@pytest.mark.parametrize(
    "fpm", ["x", "1,x", "x,1", "-1", "1.0", "0x1", "1e3", "1,,1", "٣", "1 1", "+1", "9" * 401]
)
def test_a_mask_that_is_no_decimal_number_grants_nothing(fpm: str) -> None:
    assert v2("o:a,o:b", per="p", fpm=fpm).org_permissions == ()


@pytest.mark.parametrize("fea", ["a", "o:", ":a", "o", "o:a,b", "o:a:b", "O:a", "1:a"])
def test_a_list_of_features_with_a_malformed_entry_counts_as_absent(fea: str) -> None:
    assert v2(fea, per="p", fpm="1,1").org_permissions == ()


@given(
    st.lists(st.integers(0, 2**80), max_size=6),
    st.lists(st.sampled_from(["o", "u", "ou", "uo"]), max_size=6),
    st.integers(1, 80),
)
@settings(max_examples=200, deadline=None)
def test_a_permission_is_granted_exactly_if_its_bit_is_set(
    masks: list[int], scopes: list[str], width: int
) -> None:
    fea = ",".join(f"{scope}:f{index}" for index, scope in enumerate(scopes))
    per = ",".join(f"p{bit}" for bit in range(width))
    features = [f"f{index}" for index, scope in enumerate(scopes) if scope != "u"]
    wanted = [
        f"org:{feature}:p{bit}"
        for feature, mask in zip(features, masks, strict=False)
        for bit, digit in enumerate(reversed(f"{mask:b}"))
        if digit == "1" and bit < width
    ]
    found = v2(fea, per=per, fpm=",".join(map(str, masks))).org_permissions
    assert found == tuple(wanted)


# Odd shapes count as absent

NOT_TEXT: list[Any] = [None, True, 0, 1.5, [], {}, ["x"], {"x": 1}]


@pytest.mark.parametrize("value", NOT_TEXT)
@pytest.mark.parametrize(
    ("claim", "field"),
    [
        ("sid", "session_id"),
        ("sts", "session_status"),
        ("org_id", "org_id"),
        ("org_role", "org_role"),
        ("org_slug", "org_slug"),
    ],
)
def test_a_claim_that_is_no_text_is_absent(claim: str, field: str, value: Any) -> None:
    auth = auth_from(**{claim: value})
    assert getattr(auth, field) is None
    assert auth.user_id == "user_1"


@pytest.mark.parametrize("value", NOT_TEXT)
@pytest.mark.parametrize(("member", "field"), [("id", "org_id"), ("rol", "org_role")])
def test_a_member_of_the_organization_that_is_no_text_is_absent(
    member: str, field: str, value: Any
) -> None:
    auth = v2(**{"slg": "acme", member: value})
    assert getattr(auth, field) is None
    assert auth.org_slug == "acme"


@pytest.mark.parametrize("value", [None, True, 1, "x", "", [], ["id"]])
def test_an_organization_that_is_no_object_is_absent(value: Any) -> None:
    auth = auth_from(v=2, o=value, fea="o:a")
    assert (auth.org_id, auth.org_role, auth.org_slug, auth.org_permissions) == (None,) * 4


@pytest.mark.parametrize("value", [None, True, 1, [], ["o:a"], {}])
@pytest.mark.parametrize("part", ["fea", "per", "fpm"])
def test_parts_of_the_permissions_that_are_no_text_grant_nothing(part: str, value: Any) -> None:
    parts = {"fea": "o:a", "per": "p", "fpm": "1", part: value}
    assert v2(**parts).org_permissions == ()


@pytest.mark.parametrize("value", [None, True, 1, "org:a:b", {"org:a:b": 1}])
def test_permissions_of_version_1_that_are_no_list_are_absent(value: Any) -> None:
    assert auth_from(org_permissions=value).org_permissions is None


@pytest.mark.parametrize("value", [[0, 0], [3, -1], [1.5, 2]])
def test_the_age_of_the_factors_is_a_pair_of_numbers(value: list[float]) -> None:
    assert auth_from(fva=value).factor_verification_age == tuple(value)


@pytest.mark.parametrize(
    "value",
    [None, 1, "1,2", [], [1], [1, 2, 3], [1, None], ["1", 2], [True, 1], [1, False], {"0": 1}],
)
def test_any_other_age_of_the_factors_is_absent(value: Any) -> None:
    assert auth_from(fva=value).factor_verification_age is None


@pytest.mark.parametrize("value", [None, True, 1, "user_2", [], [{"sub": "user_2"}]])
def test_an_actor_that_is_no_object_is_absent(value: Any) -> None:
    assert auth_from(act=value).actor is None
    assert Session.from_claims({**PERSON, "act": value}).actor is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
CLAIM_NAMES = ("v", "sid", "sts", "fva", "act", "fea", "pla", "o", "org_id", "org_permissions")
ORGANIZATION = st.dictionaries(st.sampled_from(["id", "slg", "rol", "per", "fpm"]), JSON)


@given(st.dictionaries(st.sampled_from(CLAIM_NAMES), JSON), st.just(2) | JSON, ORGANIZATION | JSON)
@settings(max_examples=500, deadline=None)
def test_no_shape_of_a_claim_raises(claims: dict[str, Any], version: Any, o: Any) -> None:
    state = signed_in(**{**claims, "v": version, "o": o})
    auth = auth_of(state, pending_counts=True)
    assert auth.user_id == "user_1"
    assert {name: getattr(auth, name) for name in FIELDS}["claims"]["o"] == o


# Pending sessions


def test_a_pending_session_is_signed_in_but_counts_as_nobody() -> None:
    state = signed_in(sts="pending")
    assert state.status == "signed-in"
    assert state.session is None
    assert not state.auth
    assert (auth_of(state).session_status, user_of(state)) == ("pending", None)
    assert state.to_auth() == state.auth


def test_a_pending_session_counts_if_asked_for() -> None:
    auth = auth_of(signed_in(sts="pending"), pending_counts=True)
    assert auth
    assert (auth.user_id, auth.session_id, auth.session_status) == ("user_1", "sess_1", "pending")


def test_an_active_session_is_the_same_either_way() -> None:
    state = signed_in(sts="active")
    assert user_of(state) == "user_1"
    assert user_of(state, pending_counts=True) == "user_1"
    assert auth_of(state).session_status == "active"


@pytest.mark.parametrize("sts", ["Pending", "pending ", ["pending"], True, None, ""])
def test_only_the_word_pending_makes_a_session_pending(sts: Any) -> None:
    assert user_of(signed_in(sts=sts)) == "user_1"


# Sessions


def test_a_session_says_what_the_token_says_and_leaves_the_rest_open() -> None:
    session = Session.from_claims(
        {**PERSON, "sts": "active", "org_id": "org_1", "act": {"sub": "user_2"}}
    )
    assert (session.id, session.user_id, session.status) == ("sess_1", "user_1", "active")
    assert session.last_active_organization_id == "org_1"
    assert session.actor == {"sub": "user_2"}
    unknown = ("client_id", "last_active_at", "expire_at", "abandon_at", "created_at")
    assert [getattr(session, name) for name in (*unknown, "updated_at", "raw")] == [None] * 7
    assert (session.latest_activity, session.tasks) == (None, None)


def test_a_session_of_a_token_without_sid_has_no_id() -> None:
    assert Session.from_claims({"sub": "user_1"}).id is None
    assert Session.from_claims({"sub": "user_1", "sid": 7}).id is None


@pytest.mark.parametrize("name", ["id", "user_id", "status", "actor"])
def test_a_session_is_frozen(name: str) -> None:
    session = Session.from_claims(PERSON)
    with pytest.raises(FrozenInstanceError):
        setattr(session, name, "user_2")


def test_the_raw_answer_is_not_in_the_repr_of_a_session() -> None:
    assert "sk_test" not in repr(Session(id="s", user_id="u", raw={"x": "sk_test_1"}))


# Read-only: one verified token serves many requests

RICH: dict[str, Any] = {
    "v": 2,
    "fea": "o:a",
    "o": {"id": "org_1", "rol": "admin", "slg": "acme", "per": "p", "fpm": "1"},
    "act": {"sub": "user_2", "chain": [{"sub": "user_3"}]},
    "fva": [1, 2],
    "custom": {"list": [1, {"deep": True}]},
}


def everything(state: SignedIn) -> str:
    """All that a state says, as text to compare with."""
    auth, session = state.auth, state.session
    fields = {name: getattr(auth, name) for name in FIELDS}
    return json.dumps([fields, repr(session), state.token], default=repr)


def test_changing_the_claims_handed_out_changes_nothing_else() -> None:
    state = signed_in(**RICH)
    before = everything(state)
    claims = state.auth.claims
    assert claims is not None
    claims["sub"] = "user_2"
    claims["o"]["id"] = "org_2"
    claims["custom"]["list"][1]["deep"] = False
    claims["custom"]["list"].append(2)
    del claims["act"]["sub"]
    assert everything(state) == before


def test_claims_are_a_fresh_copy_each_time() -> None:
    auth = auth_from(**RICH)
    assert auth.claims == auth.claims
    assert auth.claims is not auth.claims


@pytest.mark.parametrize("name", [*FIELDS, "is_authenticated", "token_type", "new", "_claims"])
def test_no_attribute_of_an_auth_can_be_set_or_deleted(name: str) -> None:
    auth = auth_from(**RICH)
    with pytest.raises(AttributeError):
        setattr(auth, name, "user_2")
    with pytest.raises(AttributeError):
        delattr(auth, name)
    assert auth.user_id == "user_1"


def test_an_actor_is_read_only_to_its_depths() -> None:
    state = signed_in(**RICH)
    assert state.session is not None
    actors: list[Any] = [auth_of(state).actor, state.session.actor]
    for actor in actors:
        assert actor == {"sub": "user_2", "chain": ({"sub": "user_3"},)}
        with pytest.raises(TypeError):
            actor["sub"] = "user_9"
        with pytest.raises(TypeError):
            actor["chain"][0]["sub"] = "user_9"


def test_permissions_and_ages_are_tuples() -> None:
    auth = auth_from(org_permissions=["a", ["b"]], fva=[1, 2])
    found: list[Any] = [auth.org_permissions, auth.factor_verification_age]
    assert found == [("a", ("b",)), (1, 2)]


@pytest.mark.parametrize("name", ["token", "auth", "full_auth", "session", "status", "headers"])
def test_no_attribute_of_a_state_can_be_set(name: str) -> None:
    state = signed_in()
    with pytest.raises((AttributeError, TypeError)):
        setattr(state, name, None)
    assert user_of(state) == "user_1"


def mutable_parts(value: Any) -> list[Any]:
    """Everything of JSON's mutable kinds that can be reached from a value."""
    if isinstance(value, dict):
        return [value, *(part for member in value.values() for part in mutable_parts(member))]
    if isinstance(value, list):
        return [value, *(part for member in value for part in mutable_parts(member))]
    return []


def test_nothing_that_a_state_hands_out_leads_to_what_it_remembers() -> None:
    state = signed_in(**RICH)
    before = everything(state)
    public = [name for name in dir(state) if not name.startswith("_")]
    for name in public:
        for part in mutable_parts(getattr(state, name)):
            part.clear()
    assert everything(state) == before
    assert user_of(state, pending_counts=True) == "user_1"


# States


def test_a_signed_in_state_has_no_reason_no_message_and_no_headers() -> None:
    state = signed_in()
    assert (state.status, state.reason, state.message) == ("signed-in", None, "")
    assert (state.token_type, state.token, state.headers) == ("session_token", "eyJ.eyJ.abc", [])


def test_a_signed_out_state_says_why_in_its_headers() -> None:
    state = SignedOut(reason="token-invalid", message="No.")
    assert state.headers == [
        ("x-clerk-auth-status", "signed-out"),
        ("x-clerk-auth-reason", "token-invalid"),
        ("x-clerk-auth-message", "No."),
    ]
    assert (state.token, state.session, state.token_type) == (None, None, "session_token")
    assert not state.auth
    assert not state.to_auth(treat_pending_as_signed_out=False)


def test_a_state_without_a_message_has_no_header_for_it() -> None:
    names = [name for name, _ in SignedOut(reason="token-invalid").headers]
    assert names == ["x-clerk-auth-status", "x-clerk-auth-reason"]


def test_a_handshake_has_its_own_headers_after_the_reason_and_no_auth() -> None:
    state = Handshake(reason="dev-browser-missing", extra_headers=(("Location", "https://x.test"),))
    assert state.headers == [
        ("x-clerk-auth-status", "handshake"),
        ("x-clerk-auth-reason", "dev-browser-missing"),
        ("Location", "https://x.test"),
    ]
    assert (state.status, state.auth, state.session, state.token) == ("handshake", None, None, None)
    decided: list[object] = [one.to_auth() for one in (state, SignedOut(reason="x"))]
    assert decided == [None, SignedOut(reason="y").auth]


def test_headers_are_a_list_of_ones_own() -> None:
    for state in (signed_in(), SignedOut(reason="token-invalid")):
        before = list(state.headers)
        state.headers.append(("Set-Cookie", "a=b"))
        assert state.headers == before


def test_a_state_does_not_show_its_token_or_claims() -> None:
    text = repr(signed_in(email="zoe@example.com"))
    assert "eyJ" not in text
    assert "zoe" not in text
    handshake = Handshake(reason="x", extra_headers=(("Set-Cookie", "__session=eyJ"),))
    assert "eyJ" not in repr(handshake)


def test_a_session_and_an_auth_can_be_copied_pickled_and_written_as_json() -> None:
    claims = {"sub": "user_1", "sid": "sess_1", "act": {"sub": "user_9", "by": [{"a": 1}]}}
    session, auth = Session.from_claims(claims), Auth(claims)
    for again in (copy.deepcopy(session), pickle.loads(pickle.dumps(session))):
        assert again == session
        actor: Any = again.actor
        with pytest.raises(TypeError):
            actor["sub"] = "user_1"
    for other in (copy.copy(auth), copy.deepcopy(auth), pickle.loads(pickle.dumps(auth))):
        assert (other.user_id, other.claims) == ("user_1", claims)
    assert json.loads(json.dumps(session.actor)) == claims["act"]
    assert not pickle.loads(pickle.dumps(Auth(session_status="pending")))


@pytest.mark.parametrize(
    "change",
    [
        lambda actor: actor.update(sub="x"),
        lambda actor: actor.pop("sub"),
        lambda actor: actor.popitem(),
        lambda actor: actor.clear(),
        lambda actor: actor.setdefault("new", 1),
        lambda actor: actor.__delitem__("sub"),
        lambda actor: actor.__ior__({"sub": "x"}),
        lambda actor: actor["list"].append(1),
    ],
)
def test_an_actor_refuses_every_change(change: Callable[[Any], object]) -> None:
    actor = Auth({"sub": "user_1", "act": {"sub": "user_9", "list": []}}).actor
    with pytest.raises((TypeError, AttributeError)):
        change(actor)
    assert actor == {"sub": "user_9", "list": ()}
