"""Seeds: TOML files that say what a local Clerk has, read strictly and planted all or nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.emulator import DEMO_PASSWORD, Emulator
from clerk_wsgi.emulator.errors import Refusal, SeedError
from clerk_wsgi.emulator.seeding.introduction import known_accounts, lines_about
from clerk_wsgi.emulator.seeding.seed_file import _KEYS, _REQUIRED
from clerk_wsgi.emulator.seeding.seeds import load_seed, read_seed, seed_from
from clerk_wsgi.emulator.sign_in import SignIns

from .processes import PROJECT, clean_environ

if TYPE_CHECKING:
    from pathlib import Path

    from clerk_wsgi.emulator.objects import Document

DOCUMENT = (PROJECT / "docs" / "local-clerk.md").read_text("utf-8").partition("## Control API")[0]
SEED = """
[[roles]]
key = "org:accountant"
permissions = ["org:invoices:read", "org:invoices:pay"]

[[users]]
id = "user_ada"
email_address = "Ada@Example.com"
username = "ada_l"
first_name = "Ada"
last_name = "Lovelace"
password = "analytical engine"
plan = "pro"
features = ["reports"]
public_metadata = {theme = "dark", tags = ["a", 1, true]}
private_metadata = {notes = {secret = "of Ada"}}
unsafe_metadata = {seen = 3}

[[users]]
username = "grace"
password = "nanoseconds"
locked = true

[[organizations]]
id = "org_society"
name = "Analytical Society"
slug = "analytical-society"
plan = "team"
features = ["invoices", "exports"]
public_metadata = {founded = 1812}
private_metadata = {rooms = 2}
members = [
    {user = "ada@example.com", role = "org:accountant"},
    {user = "GRACE"},
]

[[sessions]]
user = "ada_l"
organization = "analytical-society"

[[sessions]]
user = "user_ada"
"""
BOB = '[[users]]\nemail_address = "bob@example.com"\n'
SOCIETY = '[[organizations]]\nname = "Society"\nslug = "society"\n'


def everything(emulator: Emulator) -> dict[str, Any]:
    """All that a seed can say, as the instance has it."""
    owners = [*emulator.users(), *emulator.organizations()]
    return {
        "users": emulator.users(),
        "organizations": emulator.organizations(),
        "memberships": emulator.memberships(),
        "roles": emulator.roles(),
        "sessions": emulator.sessions(),
        "entitlements": [emulator.entitlements(owner["id"]) for owner in owners],
    }


def claims_of(emulator: Emulator, session: Document) -> dict[str, Any]:
    token = emulator.session_token(session["id"])
    return dict(jwt.decode(token, emulator.public_key_pem(), algorithms=["RS256"]))


def emulator_with(text: str) -> Emulator:
    return Emulator(seed=seed_from(text))


@pytest.fixture(scope="module")
def planted() -> Emulator:
    """An instance that has the seed, for what is refused and so changes nothing."""
    return emulator_with(SEED)


def complaint(emulator: Emulator, text: str) -> str:
    """What is said of a seed that cannot be planted; nothing of it has been."""
    before = everything(emulator)
    with pytest.raises(SeedError) as caught:
        load_seed(emulator, seed_from(text, name="my.toml"))
    assert everything(emulator) == before
    said = str(caught.value)
    assert said.startswith("my.toml")
    assert "\n" not in said
    return said


# What a seed gives


def test_a_fresh_state_has_the_users_of_the_seed_and_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "seed.toml").write_text(BOB)
    emulator = Emulator(tmp_path / "state.sqlite3", seed=tmp_path / "seed.toml")
    [bob] = emulator.users()
    assert bob["email_addresses"][0]["email_address"] == "bob@example.com"
    assert emulator.sessions() == []


def test_a_seed_that_says_nothing_is_a_state_without_users() -> None:
    assert everything(emulator_with("# nobody yet\n"))["users"] == []


def test_without_a_seed_there_is_ada() -> None:
    [ada] = Emulator().users()
    assert ada["first_name"] == "Ada"


def test_a_user_is_all_that_the_seed_says() -> None:
    emulator = emulator_with(SEED)
    ada, grace = emulator.users()
    assert ada["id"] == "user_ada"
    assert ada["email_addresses"][0]["email_address"] == "ada@example.com"
    assert ada["email_addresses"][0]["verification"]["status"] == "verified"
    assert ada["primary_email_address_id"] == ada["email_addresses"][0]["id"]
    assert (ada["username"], ada["first_name"], ada["last_name"]) == ("ada_l", "Ada", "Lovelace")
    assert ada["public_metadata"] == {"theme": "dark", "tags": ["a", 1, True]}
    assert ada["private_metadata"] == {"notes": {"secret": "of Ada"}}
    assert ada["unsafe_metadata"] == {"seen": 3}
    assert emulator.entitlements("user_ada") == ("pro", ["reports"])
    assert (grace["username"], grace["email_addresses"], grace["locked"]) == ("grace", [], True)
    assert ada["locked"] is False


def test_a_user_signs_in_with_the_password_of_the_seed_and_no_other() -> None:
    emulator = emulator_with(SEED)
    sign_ins = SignIns(emulator)
    ada = sign_ins.find_user("ada@example.com")
    sign_ins.check_password(ada, "analytical engine")
    with pytest.raises(Refusal):
        sign_ins.check_password(ada, DEMO_PASSWORD)


def test_a_locked_user_does_not_sign_in_even_with_the_password() -> None:
    sign_ins = SignIns(emulator_with(SEED))
    with pytest.raises(Refusal) as caught:
        sign_ins.check_password(sign_ins.find_user("grace"), "nanoseconds")
    assert caught.value.entry["code"] == "user_locked"


def test_an_organization_is_all_that_the_seed_says() -> None:
    emulator = emulator_with(SEED)
    [society] = emulator.organizations()
    assert (society["id"], society["slug"]) == ("org_society", "analytical-society")
    assert society["name"] == "Analytical Society"
    assert society["public_metadata"] == {"founded": 1812}
    assert society["private_metadata"] == {"rooms": 2}
    assert society["members_count"] == 2
    roles = {one["user_id"]: one["role"] for one in emulator.memberships()}
    grace = emulator.users()[1]["id"]
    assert roles == {"user_ada": "org:accountant", grace: "org:member"}


def test_tokens_say_what_the_seed_has_said() -> None:
    emulator = emulator_with(SEED)
    in_society, personal = (claims_of(emulator, session) for session in emulator.sessions())
    assert in_society["o"] == {
        "id": "org_society",
        "slg": "analytical-society",
        "rol": "accountant",
        "per": "read,pay",
        "fpm": "3,0",
    }
    assert in_society["pla"] == "o:team,u:pro"
    assert in_society["fea"] == "o:invoices,o:exports,u:reports"
    assert "o" not in personal
    assert (personal["pla"], personal["fea"]) == ("u:pro", "u:reports")


def test_a_reset_begins_with_the_seed_again() -> None:
    emulator = emulator_with(SEED)
    emulator.delete_user("user_ada")
    emulator.create_user(first_name="Eve")
    emulator.reset()
    assert [user["username"] for user in emulator.users()] == ["ada_l", "grace"]
    assert [one["slug"] for one in emulator.organizations()] == ["analytical-society"]


# Planting it again


def test_planting_it_again_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "seed.toml").write_text(SEED)
    first = Emulator(tmp_path / "state.sqlite3", seed=tmp_path / "seed.toml")
    before = everything(first)
    first.close()
    again = Emulator(tmp_path / "state.sqlite3", seed=tmp_path / "seed.toml")
    load_seed(again, tmp_path / "seed.toml")
    assert everything(again) == before
    assert SignIns(again).find_user("ada_l")["password_enabled"]
    assert again.has_password("user_ada", "analytical engine")


def test_a_state_that_there_is_keeps_what_it_has(tmp_path: Path) -> None:
    Emulator(tmp_path / "state.sqlite3").close()
    emulator = Emulator(tmp_path / "state.sqlite3", seed=seed_from(BOB))
    ada, bob = emulator.users()
    assert ada["first_name"] == "Ada"
    assert bob["email_addresses"][0]["email_address"] == "bob@example.com"
    assert len(emulator.sessions()) == 1


@pytest.mark.parametrize(
    "identifier",
    ['id = "user_ada"', 'email_address = "ADA@example.com"', 'username = "Ada_L"'],
)
def test_a_user_is_found_by_any_identifier_and_changes_as_the_seed_does(identifier: str) -> None:
    emulator = emulator_with(SEED)
    load_seed(emulator, seed_from(f'[[users]]\n{identifier}\nlast_name = "King"'))
    assert len(emulator.users()) == 2
    ada = emulator.user("user_ada")
    assert (ada["first_name"], ada["last_name"]) == ("Ada", "King")


def test_what_a_seed_does_not_say_stays_as_it_is() -> None:
    emulator = emulator_with(SEED)
    before = everything(emulator)
    less = '[[users]]\nid = "user_ada"\n' + SEED[SEED.index("[[organizations]]") :]
    less = "\n".join(line for line in less.splitlines() if "metadata" not in line)
    less = less.replace('    {user = "GRACE"},\n', "").replace(', role = "org:accountant"', "")
    load_seed(emulator, seed_from(less))
    assert everything(emulator) == before


def test_what_a_seed_says_anew_counts() -> None:
    emulator = emulator_with(SEED)
    changed = (
        SEED.replace('"analytical engine"', '"difference engine"')
        .replace("locked = true", "locked = false")
        .replace('{user = "GRACE"}', '{user = "GRACE", role = "org:admin"}')
        .replace('plan = "pro"', 'plan = "free"')
        .replace('["org:invoices:read", "org:invoices:pay"]', '["org:invoices:read"]')
        .replace('"Analytical Society"', '"Society"')
    )
    load_seed(emulator, seed_from(changed))
    ada, grace = emulator.users()
    assert emulator.has_password(ada["id"], "difference engine")
    assert not emulator.has_password(ada["id"], "analytical engine")
    assert grace["locked"] is False
    assert emulator.membership("org_society", grace["id"])["role"] == "org:admin"
    assert emulator.entitlements(ada["id"]) == ("free", ["reports"])
    assert emulator.role("org:accountant")["permissions"] == ["org:invoices:read"]
    assert emulator.organization("org_society")["name"] == "Society"
    assert len(emulator.memberships()) == 2


def test_a_user_with_a_new_address_has_that_one() -> None:
    emulator = emulator_with(SEED)
    load_seed(emulator, seed_from('[[users]]\nid = "user_ada"\nemail_address = "a@example.org"'))
    ada = emulator.user("user_ada")
    assert [one["email_address"] for one in ada["email_addresses"]] == ["a@example.org"]
    assert ada["primary_email_address_id"] == ada["email_addresses"][0]["id"]


def test_an_organization_with_an_id_may_get_another_slug() -> None:
    emulator = emulator_with(SEED)
    load_seed(emulator, seed_from(SOCIETY + 'id = "org_society"'))
    assert emulator.organization("society")["id"] == "org_society"
    assert len(emulator.organizations()) == 1


def test_clerks_own_roles_can_have_permissions() -> None:
    text = '[[roles]]\nkey = "org:admin"\nname = "Boss"\npermissions = ["org:rooms:open"]'
    emulator = emulator_with(text)
    assert emulator.role("org:admin")["permissions"] == ["org:rooms:open"]
    assert [role["name"] for role in emulator.roles()] == ["Boss", "Member"]


def test_a_session_that_is_over_is_started_again() -> None:
    emulator = emulator_with(SEED)
    emulator.end_sessions("user_ada")
    load_seed(emulator, seed_from(SEED))
    assert len(emulator.sessions(status="active")) == 2
    assert len(emulator.sessions()) == 4


def test_members_and_sessions_may_be_of_users_that_were_there_before() -> None:
    emulator = Emulator()
    text = 'members = [{user = "ada@example.com"}]\n[[sessions]]\nuser = "ada@example.com"'
    load_seed(emulator, seed_from(SOCIETY + text))
    assert len(emulator.memberships()) == 1
    assert len(emulator.sessions()) == 1  # the one that she had


# What is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user = 1", "my.toml, 'user': expected one of roles, users, organizations, sessions"),
        ("[[members]]", "my.toml, 'members': expected one of roles"),
        (f"{'x' * 999} = 1", f"my.toml, '{'x' * 60}…': expected one of"),
        ("users = 1", "my.toml, users: expected tables, each under [[users]], not a number"),
        ("[users]", "my.toml, users: expected tables, each under [[users]], not a table"),
        ("users = ['ada']", "not a list with a text in it"),
        ("sessions = [[]]", "not a list with a list in it"),
        ("[[users]]", "my.toml, users #1, email_address: expected, unless there is a username"),
        ('[[users]]\nfirst_name = "Bob"', "users #1, email_address: expected, unless"),
        (f'{BOB}emial = "x"', "my.toml, users #1, 'emial': expected one of id, email_address,"),
        (f"{BOB}banned = true", "users #1, 'banned': expected one of"),
        (f"{BOB}[[users]]\nusername = 3", "users #2, username: expected 4 to 64 letters, digits"),
        ('[[users]]\nusername = "bob"', "digits, '_' or '-', not 'bob'"),
        ('[[users]]\nusername = "bob bob"', "not 'bob bob'"),
        (f'[[users]]\nusername = "{"b" * 65}"', "users #1, username"),
        ('[[users]]\nid = "bob"', "users #1, id: expected an id such as user_1, not 'bob'"),
        ('[[users]]\nid = "user_"', "users #1, id"),
        ('[[users]]\nid = "user_../x"', "users #1, id"),
        ("[[users]]\nid = 1", "users #1, id: expected an id such as user_1, not a number"),
        ('[[users]]\nemail_address = "bob"', "expected an email address such as ada@example.com"),
        ('[[users]]\nemail_address = ""', "users #1, email_address: expected an email address"),
        ("[[users]]\nemail_address = ['a@b.c']", "not a list"),
        ('[[users]]\nemail_address = "a@b.c\\n"', "not 'a@b.c\\n'"),
        (f"{BOB}first_name = true", "users #1, first_name: expected a text"),
        (f'{BOB}last_name = ""', "users #1, last_name: expected a text of 1 to 256 characters"),
        (f'{BOB}first_name = "a\\u001b[2J"', "users #1, first_name"),
        (f'{BOB}locked = "no"', "users #1, locked: expected true or false, not a text"),
        (f"{BOB}locked = 0", "users #1, locked: expected true or false, not a number"),
        (f'{BOB}plan = "Pro plan"', "users #1, plan: expected a slug such as pro, not 'Pro plan'"),
        (f'{BOB}plan = "a:b"', "users #1, plan"),
        (f'{BOB}features = "reports"', "users #1, features: expected a list, not a text"),
        (f'{BOB}features = ["a,b"]', "users #1, features: expected a slug such as pro, not 'a,b'"),
        (f'{BOB}features = ["a", "a"]', "users #1, features: expected each once"),
        (f"{BOB}public_metadata = 1", "users #1, public_metadata: expected a table, not a number"),
        (f"{BOB}unsafe_metadata = {{a = nan}}", "users #1, unsafe_metadata: expected what JSON"),
        (f"{BOB}unsafe_metadata = {{a = 1979-05-27}}", "unsafe_metadata: expected what JSON"),
        (f"{BOB}plan = 1979-05-27", "users #1, plan: expected a slug such as pro, not a date or"),
        ('[[roles]]\nname = "Boss"', "my.toml, roles #1, key: expected, but missing"),
        ('[[roles]]\nkey = "boss"', "roles #1, key: expected the key of a role, such as org:mem"),
        ('[[roles]]\nkey = "org:a"\npermissions = ["read"]', "roles #1, permissions: expected a"),
        ('[[roles]]\nkey = "org:a"\npermissions = [1]', "roles #1, permissions: expected a perm"),
        ('[[roles]]\nkey = "org:a"\n[[roles]]\nkey = "org:a"', "roles #2, key: expected another"),
        ('[[organizations]]\nname = "A"', "organizations #1, slug: expected, but missing"),
        ('[[organizations]]\nslug = "a"', "organizations #1, name: expected, but missing"),
        (SOCIETY.replace("society", "So"), "slug: expected a slug such as analytical-society"),
        (f'{SOCIETY}id = "user_1"', "organizations #1, id: expected an id such as org_1"),
        (f"{SOCIETY}{SOCIETY}", "organizations #2, slug: expected another one than in #1, not '"),
        (
            f'{SOCIETY}members = ["grace"]',
            'members: expected a list of tables such as { user = "ada@example.com" }, not a list',
        ),
        (f"{SOCIETY}members = [{{}}]", "organizations #1, members #1, user: expected, but missing"),
        (
            f'{SOCIETY}members = [{{user = "grace", rol = "x"}}]',
            "'rol': expected one of user, role",
        ),
        (f'{SOCIETY}members = [{{user = "grace", role = "x"}}]', "members #1, role: expected the"),
        ("[[sessions]]", "sessions #1, user: expected, but missing"),
        ('[[sessions]]\nuser = "grace"\nstatus = "ended"', "sessions #1, 'status': expected one"),
        ('[[sessions]]\nuser = "grace"\norganization = "a b"', "sessions #1, organization"),
    ],
)
def test_what_a_seed_cannot_say_is_refused_by_table_and_key(
    planted: Emulator, text: str, said: str
) -> None:
    assert said in complaint(planted, text)


@pytest.mark.parametrize(
    ("key", "first", "second"),
    [
        ("email_address", "bob@example.com", "BOB@example.com"),
        ("username", "bobby", "Bobby"),
        ("id", "user_1", "user_1"),
    ],
)
def test_two_users_with_one_identifier_are_refused(
    planted: Emulator, key: str, first: str, second: str
) -> None:
    text = f'{BOB.replace("bob", "rob")}[[users]]\n{key} = "{first}"\n[[users]]\n{key} = "{second}"'
    assert f"users #3, {key}: expected another one than in #2" in complaint(planted, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f'{BOB}[[users]]\nid = "user_ada"\nusername = "grace"',
            "users #2, username: expected one that nobody else has: 'grace' is user_",
        ),
        (
            f'{BOB}[[users]]\nid = "user_2"\nemail_address = "ada@example.com"',
            "users #2, id: expected 'user_ada': the user exists with that id already",
        ),
        (
            f'{BOB}{SOCIETY}[[organizations]]\nid = "org_2"\nname = "A"\nslug="analytical-society"',
            "organizations #2, id: expected 'org_society': the organization exists with that id",
        ),
        (
            f'{SOCIETY}members = [{{user = "grace", role = "org:boss"}}]',
            "members #1, role: expected one of org:admin, org:member, org:accountant, not 'org:bo",
        ),
        (
            f'{SOCIETY}members = [{{user = "ada_l"}}, {{user = "user_ada"}}]',
            "organizations #1, members #2, user: expected each user once",
        ),
        (f'{BOB}[[sessions]]\nuser = "eve"', "sessions #1, user: expected the email address, use"),
        (
            f'{BOB}[[sessions]]\nuser = "bob@example.com"\norganization = "analytical-society"',
            "sessions #1, organization: expected an organization that the user is a member of, n",
        ),
        (
            f'{BOB}[[sessions]]\nuser = "grace"\norganization = "no-such"',
            "sessions #1, organization: expected an organization that the user is a member of, n",
        ),
        (
            f'{BOB}[[sessions]]\nuser = "ada_l"\n[[sessions]]\nuser = "user_ada"',
            "sessions #2, user: expected each user once with an organization, once without",
        ),
    ],
)
def test_what_does_not_fit_the_state_is_refused_and_nothing_is_planted(
    planted: Emulator, text: str, said: str
) -> None:
    assert said in complaint(planted, text)


def test_a_slug_that_another_organization_has_is_refused() -> None:
    emulator = emulator_with(SEED + SOCIETY)
    text = SOCIETY.replace('"society"', '"analytical-society"')
    taken = emulator.organization("society")["id"]
    said = complaint(emulator, f'{text}id = "{taken}"')
    assert "slug: expected one that no other organization has" in said
    assert "is org_society" in said


def test_sessions_may_not_name_an_organization_that_the_user_has_left() -> None:
    emulator = emulator_with(SEED)
    emulator.remove_member("org_society", "user_ada")
    text = '[[sessions]]\nuser = "ada_l"\norganization = "org_society"'
    assert "a member of, not 'org_society'" in complaint(emulator, text)


@pytest.mark.parametrize("secret", ["short", "x" * 73])
def test_no_password_is_in_a_complaint(planted: Emulator, secret: str) -> None:
    said = complaint(planted, f'{BOB}password = "{secret}"')
    assert said == "my.toml, users #1, password: expected a text of 8 to 72 characters"


def test_a_number_as_password_is_refused_without_being_told(planted: Emulator) -> None:
    assert "12345678" not in complaint(planted, f"{BOB}password = 12345678")


def test_a_seed_shows_no_password_and_no_metadata() -> None:
    shown = repr(seed_from(SEED))
    assert "analytical engine" not in shown
    assert "of Ada" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "users",
        "[[users]",
        '[[users]]\nid = "user_1"\nid = "user_2"',
        '[users]\n[[users]]\nid = "user_1"',
        '[[users]]\nfirst_name = "\\ud800"',
        f"users = {'9' * 5000}",
        f"users = {'[' * 100_000}",
        "\ufeff[[users]]",
        "\x00",
    ],
)
def test_what_is_no_toml_is_refused_in_one_line(planted: Emulator, text: str) -> None:
    complaint(planted, text)


def test_metadata_without_end_are_refused(planted: Emulator) -> None:
    said = complaint(planted, f"{BOB}[users.public_metadata.{'a.' * 9999}a]")
    # By whoever meets the depth first: the reader of TOML, or ours.
    assert "not nested so deeply" in said or "users #1, public_metadata" in said


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_seed_or_a_complaint_of_one_line(text: str) -> None:
    try:
        seed_from(text)
    except SeedError as error:
        assert "\n" not in str(error)


TOML = st.recursive(
    st.sampled_from(["1", "true", "nan", "-inf", "''", "'x'", "1979-05-27", "07:32:00", "{}"]),
    lambda inner: st.lists(inner, max_size=2).map(lambda rows: f"[{', '.join(rows)}]"),
)


@cache
def nobody() -> Emulator:
    """A local Clerk for seeds that cannot be planted."""
    return Emulator()


@settings(deadline=None)
@given(
    st.sampled_from(["roles", "users", "organizations", "sessions", "nothing"]),
    st.sampled_from(["id", "key", "user", "members", "features", "locked", "plan", "nothing"]),
    TOML,
)
def test_any_value_in_any_place_is_a_complaint_of_one_line(
    table: str, key: str, value: str
) -> None:
    # Who a session is of is only known when it is planted.
    with pytest.raises(SeedError) as caught:
        load_seed(nobody(), seed_from(f"[[{table}]]\n{key} = {value}"))
    assert "\n" not in str(caught.value)


# Files


def test_a_file_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match=r"cannot read the seed .*missing\.toml: No such file"):
        read_seed(tmp_path / "missing.toml")
    with pytest.raises(SeedError, match="cannot read the seed .*: Is a directory"):
        Emulator(seed=tmp_path)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seed.toml").write_bytes(b'[[users]]\nid = "user_\xff"')
    with pytest.raises(SeedError, match=r"seed\.toml: expected UTF-8"):
        read_seed(tmp_path / "seed.toml")


def test_a_complaint_begins_with_the_path_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "seed.toml").write_text("[[users]]")
    with pytest.raises(SeedError) as caught:
        read_seed(tmp_path / "seed.toml")
    assert str(caught.value).startswith(f"{tmp_path / 'seed.toml'}, users #1, email_address: ")


def test_a_seed_that_cannot_be_read_makes_no_state(tmp_path: Path) -> None:
    (tmp_path / "seed.toml").write_text("[[users]]")
    with pytest.raises(SeedError):
        Emulator(tmp_path / "state.sqlite3", seed=tmp_path / "seed.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["seed.toml"]


def test_a_seed_that_does_not_fit_leaves_a_fresh_state_fresh(tmp_path: Path) -> None:
    seed = seed_from(f'{BOB}[[sessions]]\nuser = "eve"')
    with pytest.raises(SeedError):
        Emulator(tmp_path / "state.sqlite3", seed=seed)
    [ada] = Emulator(tmp_path / "state.sqlite3").users()
    assert ada["first_name"] == "Ada"


def test_where_nothing_reads_toml_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['tomllib'] = sys.modules['tomli'] = None\n"
        "from clerk_wsgi.emulator.seeding.seeds import seed_from\n"
        "try: seed_from('')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=clean_environ(),
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(
        "SeedError seed: Python 3.10 reads no TOML by itself: pip install"
    )
    assert done.stdout.count("\n") == 1


# What the document says


def test_the_seed_of_the_document_is_one() -> None:
    [example] = re.findall(r"^```toml\n(.+?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    emulator = emulator_with(example)
    assert [user["first_name"] for user in emulator.users()] == ["Ada", None]
    claims = claims_of(emulator, emulator.sessions()[0])
    assert (claims["o"]["slg"], claims["o"]["rol"]) == ("analytical-society", "admin")


def test_the_document_has_every_key_and_no_other() -> None:
    rows = dict(re.findall(r"^\| `\[\[(\w+)\]\]` \| (.+) \|$", DOCUMENT, re.MULTILINE))
    told = {table: re.findall(r"`([a-z_]+)`", text) for table, text in rows.items()}
    keys = {table: list(checks) for table, checks in _KEYS.items()}
    keys["organizations"] += keys.pop("members")
    assert {table: sorted(names) for table, names in told.items()} == {
        table: sorted(names) for table, names in keys.items()
    }
    required = {table: set(re.findall(r"\*\*`(\w+)`\*\*", text)) for table, text in rows.items()}
    needed = {table: set(_REQUIRED.get(table, ())) for table in rows}
    needed["organizations"] |= set(_REQUIRED["members"])
    assert required == needed


def test_the_complaint_of_the_document_is_what_is_said() -> None:
    text = f'{BOB}[[users]]\nemail_address = "bob"'
    with pytest.raises(SeedError) as caught:
        seed_from(text, name="seed.toml")
    assert f"`{caught.value}`" in DOCUMENT.replace("\n", " ")


def test_a_name_steers_no_terminal_that_shows_who_can_sign_in() -> None:
    emulator = Emulator()
    emulator.update_user(emulator.users()[0]["id"], last_name="L\x1b[2J\x9b1m\n\u202eé")
    [line] = lines_about(known_accounts(emulator))
    assert line == f"ada@example.com, password {DEMO_PASSWORD}  Ada L\ufffd[2J\ufffd1m\ufffd\ufffdé"
