"""Who is asking, in full: fetched when asked for, kept for a while, and never mixed up."""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from webob import Response

import clerk_wsgi
from clerk_wsgi import (
    ApiError,
    Clerk,
    ClerkError,
    ClerkUnavailable,
    ConfigurationError,
    Organization,
    User,
)
from clerk_wsgi.api.models import parse_organization, parse_user
from clerk_wsgi.people import LONGEST_KEPT, People, Visitor
from clerk_wsgi.testing import FrozenClock, start_emulator

from .minting import Minter, environ
from .reading import auth_of
from .scripted import ORGANIZATION, SECRET_KEY, USER, Script, ScriptedClerk, Stopwatch, error
from .servers import drips, hangs_up, response, sends, serving, sleeps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clerk_wsgi.testing import RunningEmulator

    from .scripted import Asked
    from .servers import Behaviour

GET_USER, GET_ORGANIZATION = "GET /v1/users/user_1", "GET /v1/organizations/org_1"
TTL = 5.0


class World:
    """A scripted Clerk, the people that it knows, and a clock of ages that stands still."""

    def __init__(self, answers: dict[str, Any] | None = None, *, size: int = 1024) -> None:
        given = {GET_USER: USER, GET_ORGANIZATION: ORGANIZATION}
        self.clerk = ScriptedClerk(given if answers is None else answers)
        self.watch = Stopwatch()
        self.api = self.clerk.instance(monotonic=self.watch.monotonic, sleep=self.watch.sleep).api
        self.size = size

    def people(self, ttl: float = TTL) -> People:
        return People.of(self.api, ttl=ttl, size=self.size, monotonic=self.watch.monotonic)


def anybody(asked: Asked) -> dict[str, Any]:
    """Answer with whoever was asked for."""
    kind, name = asked.path.split("/")[-2:]
    return {"object": kind.removesuffix("s"), "id": name, "slug": "a", "username": f"is {name}"}


def everybody(count: int) -> dict[str, Any]:
    """A script with so many users and organizations."""
    paths = (("users", "user"), ("organizations", "org"))
    return {f"GET /v1/{kind}/{id_}_{n}": anybody for kind, id_ in paths for n in range(count)}


@dataclasses.dataclass(frozen=True)
class Kind:
    """Users or organizations: whatever holds of the ones holds of the others."""

    find: Callable[[People], Callable[[str], Any]]
    id: str
    line: str
    document: dict[str, Any]
    parse: Callable[[object], Any]


KINDS = {
    "user": Kind(lambda people: people.user, "user_1", GET_USER, USER, parse_user),
    "organization": Kind(
        lambda people: people.organization,
        "org_1",
        GET_ORGANIZATION,
        ORGANIZATION,
        parse_organization,
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


# What is fetched, and how often


def test_each_is_fetched_when_asked_for(kind: Kind) -> None:
    world = World()
    people = world.people()
    assert world.clerk.asked == []
    assert kind.find(people)(kind.id) == kind.parse(kind.document)
    assert world.clerk.lines == [kind.line]


def test_nothing_is_kept_unless_it_was_asked_for(kind: Kind) -> None:
    world = World()
    people = People.of(world.api, monotonic=world.watch.monotonic)
    for _ in range(3):
        assert kind.find(people)(kind.id) == kind.parse(kind.document)
    assert world.clerk.lines == [kind.line] * 3
    assert len(people._users._kept) + len(people._organizations._kept) == 0


@pytest.mark.parametrize(
    ("later", "fetches"), [(0.0, 1), (4.999, 1), (5.0, 2), (5.001, 2), (1e9, 2)]
)
def test_what_was_fetched_is_known_for_so_long(kind: Kind, later: float, fetches: int) -> None:
    world = World()
    find = kind.find(world.people())
    first = find(kind.id)
    world.watch.now += later
    assert find(kind.id) == first
    assert len(world.clerk.asked) == fetches


def test_using_it_makes_it_no_younger(kind: Kind) -> None:
    world = World()
    find = kind.find(world.people())
    for _ in range(11):
        find(kind.id)
        world.watch.now += 1.0
    assert len(world.clerk.asked) == 3


def test_an_answer_is_as_old_as_its_question(kind: Kind) -> None:
    world = World()

    def answer(asked: Asked) -> dict[str, Any]:
        world.watch.now += 2.0
        return kind.document

    world.clerk.answers[kind.line] = answer
    find = kind.find(world.people())
    find(kind.id)
    world.watch.now += 2.999
    find(kind.id)
    assert len(world.clerk.asked) == 1
    world.watch.now += 0.001
    find(kind.id)
    assert len(world.clerk.asked) == 2


def test_an_answer_that_took_longer_than_it_may_be_kept_is_not(kind: Kind) -> None:
    world = World()

    def answer(asked: Asked) -> dict[str, Any]:
        world.watch.now += 2.0
        return kind.document

    world.clerk.answers[kind.line] = answer
    find = kind.find(world.people(ttl=1.0))
    assert find(kind.id) == find(kind.id)
    assert len(world.clerk.asked) == 2


def test_a_change_is_seen_in_time(kind: Kind) -> None:
    world = World()
    find = kind.find(world.people())
    assert find(kind.id).public_metadata == kind.document.get("public_metadata", {})
    world.clerk.answers[kind.line] = {**kind.document, "public_metadata": {"now": 1}}
    world.watch.now += TTL
    assert find(kind.id).public_metadata == {"now": 1}


def test_of_too_many_those_go_that_were_asked_for_longest_ago() -> None:
    world = World(everybody(9), size=2)
    people = world.people()
    for name in ("user_1", "user_2", "user_1", "user_3"):
        people.user(name)
    world.clerk.asked.clear()
    for name in ("user_1", "user_3"):
        people.user(name)
    assert world.clerk.asked == []
    people.user("user_2")
    assert world.clerk.lines == ["GET /v1/users/user_2"]


def test_users_take_no_room_from_organizations() -> None:
    world = World(everybody(9), size=1)
    people = world.people()
    people.user("user_1")
    people.organization("org_1")
    people.user("user_1")
    people.organization("org_1")
    assert len(world.clerk.asked) == 2


def test_instances_share_nothing(kind: Kind) -> None:
    world = World()
    for _ in range(2):
        kind.find(world.people())(kind.id)
    assert len(world.clerk.asked) == 2


def test_however_many_visitors_there_are_the_memory_is_bounded() -> None:
    def answer(asked: Asked) -> dict[str, Any]:
        return {**anybody(asked), "first_name": "x" * (LONGEST_KEPT - 1000)}

    world = World({f"GET /v1/users/user_{n}": answer for n in range(300)}, size=10)
    people = world.people()
    tracemalloc.start()
    try:
        for n in range(300):
            assert people.user(f"user_{n}").id == f"user_{n}"
            world.clerk.asked.clear()
            if n == 50:
                before = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 5 * LONGEST_KEPT


@pytest.mark.parametrize(
    ("length", "fetches"), [(LONGEST_KEPT - 200, 1), (LONGEST_KEPT, 3), (900_000, 3)]
)
def test_what_is_too_long_is_fetched_each_time(length: int, fetches: int) -> None:
    world = World({GET_USER: {**USER, "username": "x" * length}})
    people = world.people()
    for _ in range(3):
        assert len(people.user("user_1").username or "") == length
    assert len(world.clerk.asked) == fetches


# Whose it is


def test_nobody_changes_what_another_sees(kind: Kind) -> None:
    document = {**kind.document, "public_metadata": {"plan": {"name": "free"}}, "news": [1]}
    world = World({kind.line: document})
    find = kind.find(world.people())
    for _ in range(3):
        found = find(kind.id)
        assert found.public_metadata == {"plan": {"name": "free"}}
        assert found.raw == document
        found.public_metadata["plan"]["name"] = "pro"
        found.private_metadata["seen"] = True
        found.raw["news"].clear()
    assert len(world.clerk.asked) == 1


def test_what_is_known_is_the_same_as_what_was_fetched(kind: Kind) -> None:
    odd: list[Any] = ["\u0000é\U0001f600", "\ud800", 10**400, -0.0, 1e300, None, {"": []}]
    document = {**kind.document, "public_metadata": {"odd": odd}, "created_at": 1_795_413_600_123}
    world = World({kind.line: Response(json=document)})
    find = kind.find(world.people())
    fetched, known = find(kind.id), find(kind.id)
    assert known == fetched
    assert known is not fetched
    assert (known.raw, repr(known)) == (fetched.raw, repr(fetched))
    assert len(world.clerk.asked) == 1


OTHERS: dict[str, Any] = {
    "another id": {"id": "user_2"},
    "the id in other letters": {"id": "USER_1"},
    "more than the id": {"id": "user_1 "},
    "no id": {"id": None},
    "an empty id": {"id": ""},
    "a number": {"id": 1},
    "the id in a list": {"id": ["user_1"]},
    "another type": {"object": "session"},
    "no type that is one": {"object": None},
}


@pytest.mark.parametrize("ttl", [0.0, TTL])
@pytest.mark.parametrize("other", OTHERS)
def test_another_than_the_one_asked_for_is_no_answer(other: str, ttl: float) -> None:
    world = World({GET_USER: {**USER, **OTHERS[other]}, "GET /v1/users/user_2": error(404)})
    people = world.people(ttl)
    for _ in range(2):
        with pytest.raises(ClerkUnavailable, match=r"Clerk's answer is") as caught:
            people.user("user_1")
        assert caught.value.status_code == 503
    assert len(world.clerk.asked) == 2
    with pytest.raises(ApiError):
        people.user("user_2")  # what was said about it to somebody else is not remembered
    world.clerk.answers[GET_USER] = USER
    assert people.user("user_1").id == "user_1"


@pytest.mark.parametrize("other", [{"id": "org_2"}, {"object": "user"}, {"id": None}])
def test_another_organization_is_no_answer_either(other: dict[str, Any]) -> None:
    world = World({GET_ORGANIZATION: {**ORGANIZATION, **other}})
    for _ in range(2):
        with pytest.raises(ClerkUnavailable, match=r"Clerk's answer is"):
            world.people().organization("org_1")
    assert len(world.clerk.asked) == 2


def test_an_organization_is_not_found_by_its_slug() -> None:
    world = World({"GET /v1/organizations/analytical-society": ORGANIZATION})
    with pytest.raises(ClerkUnavailable, match="another organization"):
        world.people().organization("analytical-society")


def test_a_user_and_an_organization_of_the_same_id_are_two() -> None:
    world = World({"GET /v1/users/x": {**USER, "id": "x"}, "GET /v1/organizations/x": error(404)})
    people = world.people()
    assert isinstance(people.user("x"), User)
    with pytest.raises(ApiError):
        people.organization("x")
    world.clerk.answers["GET /v1/organizations/x"] = {**ORGANIZATION, "id": "x"}
    assert isinstance(people.organization("x"), Organization)
    assert isinstance(people.user("x"), User)


def test_threads_get_whom_they_asked_for() -> None:
    world, ages = World(everybody(12)), Stopwatch()
    people = People.of(world.api, ttl=TTL, size=5, monotonic=ages.monotonic)

    def ask(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(400):
            number = chance.randrange(12)
            user = people.user(f"user_{number}")
            assert (user.id, user.username) == (f"user_{number}", f"is user_{number}")
            assert people.organization(f"org_{number}").raw["username"] == f"is org_{number}"
            ages.now += 0.05

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
    finally:
        sys.setswitchinterval(interval)


# What fails

FAILURES: dict[str, tuple[Any, type[ClerkError], int]] = {
    "a user who was deleted": (error(404, "resource_not_found"), ApiError, 404),
    "a key that is refused": (error(401, "clerk_key_invalid"), ApiError, 401),
    "too many requests": (error(429, "too_many_requests", Retry_After="7"), ApiError, 429),
    "a fault of Clerk's": (error(500, "internal_clerk_error"), ApiError, 500),
    "an unknown status": (Response(status=599), ApiError, 599),
    "a redirect": (Response(status=302, location="https://evil.test/"), ClerkUnavailable, 503),
    "no content": (Response(status=204), ClerkUnavailable, 503),
    "a page": (Response(text="<html>", content_type="text/html"), ClerkUnavailable, 503),
    "a list": ([], ClerkUnavailable, 503),
    "null": (Response(json=None), ClerkUnavailable, 503),
    "a deep one": (Response(body=b"[" * 60_000), ClerkUnavailable, 503),
    "a huge one": (Response(body=b" " * 1_000_001), ClerkUnavailable, 503),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_raised_each_time_and_never_kept(kind: Kind, failure: str) -> None:
    answer, raised, status = FAILURES[failure]
    world = World({kind.line: answer})
    find = kind.find(world.people())
    for _ in range(3):
        with pytest.raises(raised) as caught:
            find(kind.id)
        assert (type(caught.value), caught.value.status_code) == (raised, status)
    assert world.clerk.lines == [kind.line] * 3  # so it is tried once each time, too
    assert world.watch.pauses == []
    world.clerk.answers[kind.line] = kind.document
    assert find(kind.id).id == kind.id


@pytest.mark.parametrize("failure", FAILURES)
def test_what_is_too_old_is_not_used_however_clerk_fails(kind: Kind, failure: str) -> None:
    answer, raised, _ = FAILURES[failure]
    world = World({kind.line: Script(kind.document, answer)})
    find = kind.find(world.people())
    find(kind.id)
    world.watch.now += TTL
    for _ in range(2):
        with pytest.raises(raised):
            find(kind.id)


def test_a_failure_leaves_what_is_known_of_others() -> None:
    world = World({GET_USER: USER})
    people = world.people()
    people.user("user_1")
    with pytest.raises(ApiError):
        people.user("user_2")
    people.user("user_1")
    assert world.clerk.lines == [GET_USER, "GET /v1/users/user_2"]


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "user_1?x", "user_1\n", "é", "x" * 129])
@pytest.mark.parametrize("ttl", [0.0, TTL])
def test_what_cannot_be_an_id_is_not_asked_about(kind: Kind, bad: str, ttl: float) -> None:
    world = World()
    with pytest.raises(ValueError, match="is not an id"):
        kind.find(world.people(ttl))(bad)
    assert world.clerk.asked == []


def test_without_a_secret_key_nothing_is_asked(kind: Kind) -> None:
    clerk = ScriptedClerk({kind.line: kind.document})
    people = People.of(clerk.instance(secret_key=None, jwt_key=Minter().pem).api)
    with pytest.raises(ConfigurationError, match="CLERK_SECRET_KEY"):
        kind.find(people)(kind.id)
    assert clerk.asked == []


# Time, threads and forks


def over_network(url: str, **options: Any) -> Clerk:
    return Clerk(**{"secret_key": SECRET_KEY, "api_url": url, "dotenv": False, **options})


OK = b"HTTP/1.1 200 OK\r\n"
FAULTS: dict[str, Behaviour] = {
    "silence": sleeps(10),
    "headers drip": drips(OK, b"A: b\r\n" * 500),
    "body drips": drips(OK + b"Content-Length: 99\r\n\r\n", b" " * 99),
    "hang-up": hangs_up,
    "a huge answer": sends(response(json.dumps({**USER, "username": "x" * 1_000_000}).encode())),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_holds_a_request_up_for_longer_than_the_time_limit(fault: str) -> None:
    with serving(FAULTS[fault]) as server:
        people = People.of(over_network(server.url, timeout=0.4).api, ttl=TTL)
        began = time.monotonic()
        with pytest.raises(ClerkUnavailable):
            people.user("user_1")
        assert time.monotonic() - began < 1.0
        assert server.connections == 1


def test_each_has_a_time_limit_of_its_own() -> None:
    world = World()
    people = world.people(ttl=0.0)
    people.user("user_1")
    world.watch.now += 1000.0
    people.user("user_1")
    people.organization("org_1")
    assert len(world.clerk.asked) == 3


def test_nobody_waits_for_what_another_asked_about() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(asked: Asked) -> dict[str, Any]:
        began.set()
        assert go_on.wait(10)
        return USER

    world = World({**everybody(3), GET_USER: slow})
    people = world.people()
    people.user("user_2")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(people.user, "user_1")
        assert began.wait(10)
        try:
            assert people.user("user_2").id == "user_2"
            assert people.user("user_0").id == "user_0"
            world.clerk.answers[GET_USER] = {**USER, "first_name": "Augusta"}
            assert people.user("user_1").first_name == "Augusta"
        finally:
            go_on.set()
        assert waiting.result(10).first_name == "Ada"


FORKING = """
import os, sys, threading
from clerk_wsgi import Clerk
from clerk_wsgi.people import People

people = People.of(Clerk(dotenv=False).api, ttl=600.0)
people.user("user_1")
stop = threading.Event()
def use():
    while not stop.is_set():
        people.user("user_1")
thread = threading.Thread(target=use)
thread.start()
for _ in range(20):
    pid = os.fork()
    if not pid:
        found = people.user("user_1").id, people.user("user_2").id
        os._exit(found != ("user_1", "user_2"))
    status = os.waitpid(pid, 0)[1]
    if status:
        break
stop.set()
thread.join()
sys.exit(bool(status))
"""


def test_a_child_knows_what_was_known_and_asks_for_the_rest() -> None:
    def echo(conversation: Any) -> None:
        name = conversation.request.target.rpartition("/")[2]
        conversation.send(response(json.dumps({**USER, "id": name}).encode()))

    with serving(echo) as server:
        environment = {
            "PYTHONPATH": str(Path(clerk_wsgi.__file__).parent.parent),
            "CLERK_SECRET_KEY": SECRET_KEY,
            "CLERK_API_URL": server.url,
        }
        subprocess.run([sys.executable, "-c", FORKING], check=True, env=environment, timeout=60)
        asked = [request.target for request in server.received]
        assert asked == ["/v1/users/user_1", *["/v1/users/user_2"] * 20]
        assert server.connections == 21


# One request


def test_a_visitor_is_asked_about_once_however_often_the_application_looks() -> None:
    world = World()
    visitor = Visitor(world.people(ttl=0.0), user_id="user_1", organization_id="org_1")
    assert world.clerk.asked == []
    first = visitor.user
    assert first == parse_user(USER)
    assert visitor.user is first
    assert world.clerk.lines == [GET_USER]
    assert visitor.organization == parse_organization(ORGANIZATION)
    assert visitor.organization is visitor.organization
    assert world.clerk.lines == [GET_USER, GET_ORGANIZATION]


@pytest.mark.parametrize("ttl", [0.0, TTL])
def test_a_request_sees_the_same_from_its_beginning_to_its_end(ttl: float) -> None:
    world = World({GET_USER: Script(USER, {**USER, "first_name": "Augusta"})})
    people = world.people(ttl)
    visitor = Visitor(people, user_id="user_1", organization_id=None)
    first = visitor.user
    world.watch.now += 1000.0
    assert visitor.user is first
    another = Visitor(people, user_id="user_1", organization_id=None)
    assert another.user is not None
    assert another.user.first_name == "Augusta"


def test_requests_share_no_object() -> None:
    world = World()
    people = world.people()
    one, two = (Visitor(people, user_id="user_1", organization_id="org_1") for _ in range(2))
    assert one.user == two.user
    assert one.user is not two.user
    assert one.organization == two.organization
    assert one.organization is not two.organization
    assert len(world.clerk.asked) == 2


def test_nobody_is_nobody_and_costs_nothing() -> None:
    world = World()
    nobody = Visitor(world.people(), user_id=None, organization_id=None)
    assert (nobody.user, nobody.organization) == (None, None)
    alone = Visitor(world.people(), user_id="user_1", organization_id=None)
    assert alone.organization is None
    assert world.clerk.asked == []


def test_an_empty_id_is_not_nobody() -> None:
    world = World()
    odd = Visitor(world.people(), user_id="", organization_id="")
    with pytest.raises(ValueError, match="is not an id"):
        _ = odd.user
    assert world.clerk.asked == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_visitor_who_cannot_be_had_is_an_error_each_time_until_it_can(failure: str) -> None:
    answer, raised, status = FAILURES[failure]
    world = World({GET_USER: answer, GET_ORGANIZATION: answer})
    visitor = Visitor(world.people(), user_id="user_1", organization_id="org_1")
    for _ in range(2):
        with pytest.raises(raised) as caught:
            _ = visitor.user
        assert caught.value.status_code == status
        with pytest.raises(raised):
            _ = visitor.organization
    assert len(world.clerk.asked) == 4
    world.clerk.answers.update({GET_USER: USER, GET_ORGANIZATION: ORGANIZATION})
    assert visitor.user == parse_user(USER)
    assert visitor.organization == parse_organization(ORGANIZATION)


def test_threads_of_one_request_get_the_same_object() -> None:
    together = threading.Barrier(2)

    def answer(asked: Asked) -> dict[str, Any]:
        together.wait(10)
        return USER

    world = World({GET_USER: answer})
    visitor = Visitor(world.people(ttl=0.0), user_id="user_1", organization_id=None)
    with ThreadPoolExecutor(2) as pool:
        one, two = (pool.submit(lambda: visitor.user) for _ in range(2))
        assert one.result(20) is two.result(20)
    assert visitor.user is one.result()
    assert len(world.clerk.asked) == 2


def test_a_visitor_shows_ids_alone() -> None:
    world = World()
    visitor = Visitor(world.people(), user_id="user_1", organization_id="org_1")
    before = repr(visitor)
    assert before == "Visitor(user_id='user_1', organization_id='org_1')"
    assert visitor.user is not None
    assert repr(visitor) == before


# The local Clerk


@pytest.fixture(scope="module")
def local() -> Iterator[RunningEmulator]:
    with start_emulator() as running:
        yield running


def visitor_with(token: str, clerk: Clerk, people: People) -> Visitor:
    """Whoever a session token is of, once it was verified."""
    auth = auth_of(clerk.authenticate(environ(HTTP_AUTHORIZATION=f"Bearer {token}")))
    return Visitor(people, user_id=auth.user_id, organization_id=auth.org_id)


def test_a_signed_in_user_is_the_one_that_clerk_knows(local: RunningEmulator) -> None:
    emulator = local.emulator
    user_id = emulator.create_user(first_name="Grace", email_address="grace@navy.test")["id"]
    organization_id = emulator.create_organization("Navy", public_metadata={"ships": 3})["id"]
    emulator.add_member(organization_id, user_id, "org:admin")
    session = emulator.create_session(user_id, last_active_organization_id=organization_id)
    clerk = over_network(local.url, secret_key=emulator.secret_key)
    token = emulator.session_token(session["id"])
    visitor = visitor_with(token, clerk, People.of(clerk.api))
    assert visitor.user is not None
    assert visitor.user.id == user_id
    assert visitor.user.primary_email_address is not None
    assert visitor.user.primary_email_address.email_address == "grace@navy.test"
    assert visitor.organization is not None
    assert visitor.organization.id == organization_id
    assert (visitor.organization.name, visitor.organization.public_metadata) == (
        "Navy",
        {"ships": 3},
    )


def test_what_became_of_a_user_is_seen_once_the_time_is_over(local: RunningEmulator) -> None:
    emulator, clock = local.emulator, FrozenClock()
    user_id = emulator.create_user(first_name="Grace")["id"]
    clerk = over_network(local.url, secret_key=emulator.secret_key)
    people = People.of(clerk.api, ttl=TTL, monotonic=clock.monotonic)
    token = emulator.session_token(emulator.create_session(user_id)["id"])

    def first_name() -> str | None:
        user = visitor_with(token, clerk, people).user
        return None if user is None else user.first_name

    assert first_name() == "Grace"
    clerk.users.update(user_id, first_name="Amazing Grace")
    assert first_name() == "Grace"
    clock.tick(TTL)
    assert first_name() == "Amazing Grace"
    clerk.users.delete(user_id)
    assert first_name() == "Amazing Grace"
    clock.tick(TTL)
    with pytest.raises(ApiError) as caught:
        first_name()
    assert caught.value.status_code == 404


def test_a_forged_token_has_nobody_asked_about(local: RunningEmulator) -> None:
    emulator = local.emulator
    user_id = emulator.create_user(first_name="Grace")["id"]
    clerk = over_network(local.url, secret_key=emulator.secret_key)
    forged = Minter("another").token(sub=user_id)
    visitor = visitor_with(forged, clerk, People.of(clerk.api))
    assert (visitor.user, visitor.organization) == (None, None)
