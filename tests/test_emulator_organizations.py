"""Organizations of the local Clerk: members, roles, and what session tokens say of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.claims import Auth
from clerk_wsgi.emulator import NotFound
from clerk_wsgi.testing import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Document = dict[str, Any]

NOW = 1_700_000_000.0


class Company:
    """A local Clerk with an organization that Ada is in, and Grace is not."""

    def __init__(self) -> None:
        self.now = NOW
        self.emulator = Emulator(clock=lambda: self.now)
        [self.ada] = self.emulator.users()
        self.grace = self.emulator.create_user(username="Grace")
        self.acme = self.emulator.create_organization("Acme Inc.")
        self.emulator.add_member(self.acme["id"], self.ada["id"], "org:admin")
        [self.session] = self.emulator.sessions()

    def enter(self, organization_id: str | None) -> Document:
        return self.emulator.activate_organization(self.session["id"], organization_id)

    def claims(self) -> Document:
        return claims_of(self.emulator, self.session["id"])


def claims_of(emulator: Emulator, session_id: str) -> Document:
    """What a session's token says, as an independent library reads it."""
    token = emulator.session_token(session_id)
    key = emulator.public_key_pem()
    return dict(jwt.decode(token, key, algorithms=["RS256"], options={"verify_exp": False}))


@pytest.fixture
def company() -> Company:
    return Company()


# Organizations


def test_a_new_organization_has_every_field_and_no_members(company: Company) -> None:
    made = company.emulator.create_organization("Navy", public_metadata={"ships": 2})
    assert made == {
        "object": "organization",
        "id": made["id"],
        "name": "Navy",
        "slug": "navy",
        "image_url": "",
        "has_image": False,
        "members_count": 0,
        "pending_invitations_count": 0,
        "max_allowed_memberships": 5,
        "admin_delete_enabled": True,
        "public_metadata": {"ships": 2},
        "private_metadata": {},
        "created_by": None,
        "created_at": NOW * 1000,
        "updated_at": NOW * 1000,
    }
    assert made["id"].startswith("org_")
    assert company.emulator.organizations() == [
        company.emulator.organization(company.acme["id"]),
        made,
    ]


def test_an_organization_is_found_by_id_and_by_slug(company: Company) -> None:
    acme = company.emulator.organization(company.acme["id"])
    assert company.emulator.organization("acme-inc") == acme
    assert acme == {**company.acme, "members_count": 1}


@pytest.mark.parametrize("unknown", ["", "org_x", "acme", "Acme Inc.", "ACME-INC", "\0", "é"])
def test_an_unknown_organization_is_not_found(company: Company, unknown: str) -> None:
    emulator = company.emulator
    attempts: list[Callable[[], object]] = [
        lambda: emulator.organization(unknown),
        lambda: emulator.update_organization(unknown, name="x"),
        lambda: emulator.delete_organization(unknown),
        lambda: emulator.add_member(unknown, company.grace["id"]),
        lambda: emulator.remove_member(unknown, company.ada["id"]),
        lambda: emulator.set_entitlements(unknown, plan="gold"),
        lambda: company.enter(unknown),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            attempt()
    assert len(emulator.organizations()) == 1


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Analytical Society", "analytical-society"),
        ("  A -- b_c! 42 ", "a-b-c-42"),
        ("Ärzte", "rzte"),
        ("", "organization"),
        ("東京", "organization"),
        ("x" * 300, "x" * 300),
    ],
)
def test_a_slug_is_made_of_the_name(name: str, slug: str) -> None:
    assert Emulator().create_organization(name)["slug"] == slug


def test_slugs_that_would_collide_get_a_number(company: Company) -> None:
    emulator = company.emulator
    emulator.create_organization("Other", slug="acme-inc-3")
    slugs = [emulator.create_organization("ACME inc")["slug"] for _ in range(3)]
    assert slugs == ["acme-inc-2", "acme-inc-4", "acme-inc-5"]
    emulator.delete_organization(emulator.organization("acme-inc-2")["id"])
    assert emulator.create_organization("Acme Inc.")["slug"] == "acme-inc-2"


@pytest.mark.parametrize(
    "slug", ["", "Acme", "a b", "-a", "a-", "a--b", "a_b", "ä", "a\n", "org_x"]
)
def test_what_is_no_slug_is_refused(company: Company, slug: str) -> None:
    with pytest.raises(ValueError, match="is no slug"):
        company.emulator.create_organization("Navy", slug=slug)
    with pytest.raises(ValueError, match="is no slug"):
        company.emulator.update_organization(company.acme["id"], slug=slug)
    assert [one["slug"] for one in company.emulator.organizations()] == ["acme-inc"]


def test_a_slug_that_is_taken_is_refused(company: Company) -> None:
    emulator = company.emulator
    navy = emulator.create_organization("Navy")
    with pytest.raises(ValueError, match="'acme-inc' is taken"):
        emulator.create_organization("Other", slug="acme-inc")
    with pytest.raises(ValueError, match="'acme-inc' is taken"):
        emulator.update_organization(navy["id"], slug="acme-inc", name="Pirates")
    assert emulator.organization("navy") == navy
    kept = emulator.update_organization(company.acme["id"], slug="acme-inc", name="Acme")
    assert (kept["slug"], kept["name"]) == ("acme-inc", "Acme")


def test_an_id_that_is_taken_is_refused(company: Company) -> None:
    acme = company.emulator.organization("acme-inc")
    with pytest.raises(ValueError, match="already"):
        company.emulator.create_organization("Navy", id=acme["id"])
    assert company.emulator.organizations() == [acme]


def test_a_field_that_no_organization_has_is_refused(company: Company) -> None:
    with pytest.raises(TypeError, match="no field colour"):
        company.emulator.create_organization("Navy", colour="blue")
    with pytest.raises(TypeError, match="no field colour"):
        company.emulator.update_organization(company.acme["id"], colour="blue")


def test_of_many_who_want_a_slug_at_once_one_gets_it(tmp_path: Path) -> None:
    emulators = [Emulator(tmp_path / "state.sqlite3") for _ in range(2)]

    def create(number: int) -> str | None:
        emulator = emulators[number % 2]
        with suppress(ValueError):
            return str(emulator.create_organization("Navy", slug="navy")["id"])
        return None

    with ThreadPoolExecutor(8) as threads:
        made = list(filter(None, threads.map(create, range(16))))
    assert [one["id"] for one in emulators[0].organizations()] == made
    assert len(made) == 1


def test_many_of_one_name_get_slugs_of_their_own(tmp_path: Path) -> None:
    emulators = [Emulator(tmp_path / "state.sqlite3") for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda n: emulators[n % 2].create_organization("Navy"), range(16)))
    assert {one["slug"] for one in made} == {"navy", *(f"navy-{n}" for n in range(2, 17))}


# Members


def test_a_member_is_added_counted_and_shown(company: Company) -> None:
    emulator, acme, grace = company.emulator, company.acme, company.grace
    added = emulator.add_member(acme["id"], grace["id"])
    assert added == emulator.membership(acme["id"], grace["id"])
    assert (added["organization_id"], added["user_id"]) == (acme["id"], grace["id"])
    assert added["role"] == "org:member"
    assert emulator.organization(acme["id"])["members_count"] == 2
    assert emulator.shown_membership(added) == {
        "object": "organization_membership",
        "id": added["id"],
        "role": "org:member",
        "role_name": "Member",
        "permissions": ["org:sys_memberships:read"],
        "public_metadata": {},
        "private_metadata": {},
        "organization": emulator.organization(acme["id"]),
        "public_user_data": {
            "user_id": grace["id"],
            "identifier": "Grace",
            "username": "Grace",
            "first_name": None,
            "last_name": None,
            "image_url": "",
            "profile_image_url": "",
            "has_image": False,
            "banned": False,
        },
        "created_at": NOW * 1000,
        "updated_at": NOW * 1000,
    }


def test_memberships_are_found_by_user_organization_and_role(company: Company) -> None:
    emulator = company.emulator
    navy = emulator.create_organization("Navy")
    grace = emulator.add_member(navy["id"], company.grace["id"], "org:admin")
    ada = emulator.add_member(navy["id"], company.ada["id"])
    assert emulator.memberships(organization_id=navy["id"]) == [grace, ada]
    assert emulator.memberships(user_id=company.ada["id"])[1:] == [ada]
    assert emulator.memberships(role="org:admin")[1:] == [grace]
    assert emulator.memberships(role="org:admin", user_id=company.grace["id"]) == [grace]
    assert emulator.memberships(user_id="user_x") == []


def test_nobody_is_a_member_twice(company: Company) -> None:
    before = company.emulator.memberships()
    with pytest.raises(ValueError, match="already"):
        company.emulator.add_member(company.acme["id"], company.ada["id"])
    assert company.emulator.memberships() == before


def test_of_many_who_add_one_user_at_once_one_does(tmp_path: Path) -> None:
    emulators = [Emulator(tmp_path / "state.sqlite3") for _ in range(2)]
    organization = emulators[0].create_organization("Navy")
    [user] = emulators[0].users()

    def add(number: int) -> bool:
        with suppress(ValueError):
            return bool(emulators[number % 2].add_member(organization["id"], user["id"]))
        return False

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(add, range(16)))[-2:] == [False, True]
    assert len(emulators[1].memberships()) == 1
    assert emulators[1].organization("navy")["members_count"] == 1


@pytest.mark.parametrize("unknown", ["", "user_x", "org:captain"])
def test_an_unknown_user_or_role_makes_no_member(company: Company, unknown: str) -> None:
    emulator, acme = company.emulator, company.acme["id"]
    with pytest.raises(NotFound):
        emulator.add_member(acme, unknown)
    with pytest.raises(NotFound):
        emulator.add_member(acme, company.grace["id"], unknown)
    with pytest.raises(NotFound):
        emulator.update_membership(acme, company.ada["id"], role=unknown)
    assert emulator.organization(acme)["members_count"] == 1
    assert emulator.membership(acme, company.ada["id"])["role"] == "org:admin"


def test_who_is_no_member_cannot_be_changed_or_removed(company: Company) -> None:
    emulator, acme, grace = company.emulator, company.acme["id"], company.grace["id"]
    for attempt in (
        lambda: emulator.membership(acme, grace),
        lambda: emulator.update_membership(acme, grace, role="org:admin"),
        lambda: emulator.remove_member(acme, grace),
    ):
        with pytest.raises(NotFound, match="no member"):
            attempt()


def test_a_member_gets_another_role_and_leaves(company: Company) -> None:
    emulator, acme, ada = company.emulator, company.acme["id"], company.ada["id"]
    before = emulator.membership(acme, ada)
    company.now += 1
    changed = emulator.update_membership(acme, ada, role="org:member")
    assert changed == {**before, "role": "org:member", "updated_at": NOW * 1000 + 1000}
    emulator.remove_member(acme, ada)
    assert emulator.memberships() == []
    assert emulator.organization(acme)["members_count"] == 0
    emulator.add_member(acme, ada)
    assert emulator.organization(acme)["members_count"] == 1


# Roles


def test_two_roles_are_always_there(company: Company) -> None:
    emulator = company.emulator
    assert [role["key"] for role in emulator.roles()] == ["org:admin", "org:member"]
    assert emulator.role("org:admin")["name"] == "Admin"
    captain = emulator.create_role("org:ship_captain", ["org:ships:steer"])
    assert captain == emulator.role("org:ship_captain")
    assert captain["name"] == "Ship captain"
    assert emulator.roles()[2:] == [captain]


def test_a_role_that_is_created_again_is_replaced(company: Company) -> None:
    emulator = company.emulator
    emulator.create_role("org:admin", ["org:ships:sink"], name="Admiral")
    emulator.create_role("org:captain", ["org:ships:steer"])
    emulator.create_role("org:captain", ["org:ships:read"])
    assert [role["key"] for role in emulator.roles()] == ["org:admin", "org:member", "org:captain"]
    assert emulator.role("org:admin")["permissions"] == ["org:ships:sink"]
    assert emulator.role("org:captain")["permissions"] == ["org:ships:read"]


@pytest.mark.parametrize("key", ["", "admin", "org:", "org:Admin", "org:a b", "org:a:b", "x:org:a"])
def test_what_is_no_key_of_a_role_is_refused(company: Company, key: str) -> None:
    with pytest.raises(ValueError, match="not the key of a role"):
        company.emulator.create_role(key)
    assert len(company.emulator.roles()) == 2


@pytest.mark.parametrize(
    "permission",
    [
        "",
        "ships:steer",
        "org:ships",
        "org:ships:",
        "org::steer",
        "org:a:b:c",
        "org:a,b:c",
        "org:A:b",
    ],
)
def test_what_is_no_permission_is_refused(company: Company, permission: str) -> None:
    with pytest.raises(ValueError, match="is no permission"):
        company.emulator.create_role("org:captain", ["org:ships:steer", permission])
    with pytest.raises(NotFound):
        company.emulator.role("org:captain")


# Nothing is left behind


def test_a_user_who_is_deleted_is_a_member_of_nothing(company: Company) -> None:
    emulator = company.emulator
    navy = emulator.create_organization("Navy")
    for user in (company.ada, company.grace):
        emulator.add_member(navy["id"], user["id"])
    emulator.set_entitlements(company.ada["id"], plan="gold")
    company.enter(navy["id"])
    emulator.delete_user(company.ada["id"])
    assert [one["user_id"] for one in emulator.memberships()] == [company.grace["id"]]
    counts = [one["members_count"] for one in emulator.organizations()]
    assert counts == [0, 1]
    session = emulator.session(company.session["id"])
    assert (session["status"], session["last_active_organization_id"]) == ("ended", None)
    assert emulator.entitlements(company.ada["id"]) == (None, [])


def test_a_user_who_is_unknown_takes_nobodys_memberships_away(company: Company) -> None:
    with pytest.raises(NotFound):
        company.emulator.delete_user("user_x")
    assert len(company.emulator.memberships()) == 1


def test_an_organization_that_is_deleted_has_no_members_and_is_active_nowhere(
    company: Company,
) -> None:
    emulator = company.emulator
    navy = emulator.create_organization("Navy")
    emulator.add_member(navy["id"], company.ada["id"])
    emulator.set_entitlements(company.acme["id"], features=["ships"])
    company.enter(company.acme["id"])
    stranger = emulator.create_session(
        company.grace["id"], last_active_organization_id=company.acme["id"]
    )
    elsewhere = emulator.create_session(company.ada["id"])
    emulator.activate_organization(elsewhere["id"], navy["id"])
    emulator.delete_organization(company.acme["id"])
    assert [one["organization_id"] for one in emulator.memberships()] == [navy["id"]]
    for session in (company.session, stranger):
        assert emulator.session(session["id"])["last_active_organization_id"] is None
    assert emulator.session(elsewhere["id"])["last_active_organization_id"] == navy["id"]
    assert emulator.entitlements(company.acme["id"]) == (None, [])
    with pytest.raises(NotFound):
        emulator.organization("acme-inc")


def test_who_leaves_has_the_organization_active_nowhere(company: Company) -> None:
    emulator, acme = company.emulator, company.acme["id"]
    emulator.add_member(acme, company.grace["id"])
    other = emulator.create_session(company.grace["id"])
    emulator.activate_organization(other["id"], acme)
    company.enter(acme)
    emulator.remove_member(acme, company.ada["id"])
    assert emulator.session(company.session["id"])["last_active_organization_id"] is None
    assert emulator.session(other["id"])["last_active_organization_id"] == acme
    emulator.add_member(acme, company.ada["id"])
    assert "o" not in company.claims()


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    before = Emulator(state)
    [user] = before.users()
    [session] = before.sessions()
    navy = before.create_organization("Navy")
    before.create_role("org:captain", ["org:ships:steer"])
    before.add_member(navy["id"], user["id"], "org:captain")
    before.set_entitlements(navy["id"], plan="gold")
    before.activate_organization(session["id"], navy["id"])
    said = claims_of(before, session["id"])
    before.close()
    after = Emulator(state)
    again = claims_of(after, session["id"])
    for name in ("o", "fea", "pla"):
        assert again[name] == said[name]


# What tokens say


def test_without_an_organization_a_token_says_nothing_of_any(company: Company) -> None:
    assert not {"o", "fea", "pla"} & company.claims().keys()


def test_a_token_names_the_active_organization(company: Company) -> None:
    session = company.enter(company.acme["id"])
    assert session["last_active_organization_id"] == company.acme["id"]
    assert company.claims()["o"] == {
        "id": company.acme["id"],
        "slg": "acme-inc",
        "rol": "admin",
    }
    company.enter(None)
    assert "o" not in company.claims()


def test_a_token_says_what_the_documentation_shows(company: Company) -> None:
    emulator, acme = company.emulator, company.acme["id"]
    granted = ["org:dashboard:manage", "org:dashboard:read", "org:teams:read"]
    emulator.create_role("org:admin", granted)
    company.enter(acme)
    said = company.claims()
    assert said["fea"] == "o:dashboard,o:teams"
    assert said["o"]["per"] == "manage,read"
    assert said["o"]["fpm"] == "3,2"


def test_features_and_plans_carry_the_scope_that_they_are_had_in(company: Company) -> None:
    emulator = company.emulator
    emulator.set_entitlements(company.ada["id"], plan="free", features=["theme", "ships"])
    assert company.claims()["fea"] == "u:theme,u:ships"
    assert company.claims()["pla"] == "u:free"
    emulator.set_entitlements(company.acme["id"], plan="gold", features=["ships", "docks"])
    assert company.claims()["fea"] == "u:theme,u:ships"
    company.enter(company.acme["id"])
    assert company.claims()["fea"] == "uo:ships,o:docks,u:theme"
    assert company.claims()["pla"] == "o:gold,u:free"
    emulator.set_entitlements(company.ada["id"], plan="gold")
    assert company.claims()["pla"] == "uo:gold"
    emulator.set_entitlements(company.ada["id"])
    emulator.set_entitlements(company.acme["id"])
    assert not {"fea", "pla"} & company.claims().keys()


@pytest.mark.parametrize("slug", ["", "a,b", "o:a", "A", "a b", "ä", "a\n"])
def test_what_would_take_a_claim_apart_is_no_feature_and_no_plan(
    company: Company, slug: str
) -> None:
    for owner in (company.ada["id"], company.acme["id"]):
        with pytest.raises(ValueError, match="is no slug of a plan or feature"):
            company.emulator.set_entitlements(owner, features=["ships", slug])
        with pytest.raises(ValueError, match="is no slug of a plan or feature"):
            company.emulator.set_entitlements(owner, plan=slug)
        assert company.emulator.entitlements(owner) == (None, [])


def test_claims_that_are_given_replace_those_of_the_organization(company: Company) -> None:
    company.enter(company.acme["id"])
    token = company.emulator.session_token(company.session["id"], o={"id": "org_x"})
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["o"] == {"id": "org_x"}


def test_who_is_no_member_cannot_have_an_organization_active(company: Company) -> None:
    emulator = company.emulator
    navy = emulator.create_organization("Navy")
    with pytest.raises(NotFound, match="no member"):
        company.enter(navy["id"])
    with pytest.raises(NotFound):
        emulator.activate_organization("sess_x", None)
    assert emulator.session(company.session["id"]) == company.session


def test_a_session_whose_user_is_no_member_has_no_say_there(company: Company) -> None:
    session = company.emulator.create_session(
        company.grace["id"], last_active_organization_id=company.acme["id"]
    )
    assert "o" not in claims_of(company.emulator, session["id"])


def test_what_is_active_already_changes_nothing(company: Company) -> None:
    client = company.emulator.client(company.session["client_id"])
    company.now += 5
    company.enter(None)
    assert company.emulator.client(client["id"]) == client
    entered = company.enter(company.acme["id"])
    company.now += 5
    assert company.enter(company.acme["id"]) == entered
    updated = company.emulator.client(client["id"])["updated_at"]
    assert updated == (NOW + 5) * 1000


def test_a_new_role_counts_with_the_next_token(company: Company) -> None:
    emulator, acme = company.emulator, company.acme["id"]
    emulator.create_role("org:captain", ["org:ships:steer"])
    company.enter(acme)
    assert Auth(company.claims()).org_permissions == ()
    emulator.update_membership(acme, company.ada["id"], role="org:captain")
    assert Auth(company.claims()).org_role == "org:captain"
    assert Auth(company.claims()).org_permissions == ("org:ships:steer",)


def test_what_clerk_itself_lets_a_role_do_is_in_no_token(company: Company) -> None:
    permissions = company.emulator.role("org:admin")["permissions"]
    assert "org:sys_memberships:manage" in permissions
    company.enter(company.acme["id"])
    assert company.claims()["o"].keys() == {"id", "slg", "rol"}


SLUGS = st.text("abz09_-", min_size=1, max_size=4)
FEATURES = st.one_of(SLUGS, SLUGS.map("sys_{}".format))
PERMISSIONS = st.lists(st.builds("org:{}:{}".format, FEATURES, SLUGS), max_size=12)
ENTITLED = st.fixed_dictionaries(
    {"features": st.lists(SLUGS, max_size=6), "plan": st.none() | SLUGS}
)


@pytest.fixture(scope="module")
def drawn() -> Company:
    """The company of all that is drawn."""
    return Company()


@given(granted=PERMISSIONS, ours=ENTITLED, own=ENTITLED, role=st.text("abz09_", min_size=1))
@settings(deadline=None)
def test_a_token_grants_exactly_what_the_role_does(
    drawn: Company, granted: list[str], ours: Document, own: Document, role: str
) -> None:
    emulator, acme = drawn.emulator, drawn.acme["id"]
    emulator.create_role(f"org:{role}", granted)
    emulator.update_membership(acme, drawn.ada["id"], role=f"org:{role}")
    emulator.set_entitlements(acme, **ours)
    emulator.set_entitlements(drawn.ada["id"], **own)
    drawn.enter(acme)
    claims = drawn.claims()
    auth = Auth(claims)
    assert (auth.org_id, auth.org_slug, auth.org_role) == (acme, "acme-inc", f"org:{role}")
    told = auth.org_permissions
    assert told is not None
    assert len(set(told)) == len(told)
    assert set(told) == {one for one in granted if not one.startswith("org:sys_")}
    in_use = {one.split(":")[1] for one in told}
    assert had(claims, "fea", "o") == set(ours["features"]) | in_use
    assert had(claims, "fea", "u") == set(own["features"])
    assert had(claims, "pla", "o") == {ours["plan"]} - {None}
    assert had(claims, "pla", "u") == {own["plan"]} - {None}


def had(claims: Document, name: str, scope: str) -> set[str]:
    """The slugs of a claim that are had in a scope; none of them is there twice."""
    pairs = [one.split(":") for one in claims.get(name, "").split(",") if one]
    slugs = [slug for _, slug in pairs]
    assert len(set(slugs)) == len(slugs)
    return {slug for scopes, slug in pairs if scope in scopes}
