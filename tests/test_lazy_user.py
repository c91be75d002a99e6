"""``auth.user`` and ``auth.organization``: asked for once in a request, and never mixed up."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi import (
    ApiError,
    Auth,
    Clerk,
    ClerkUnavailable,
    ConfigurationError,
    Organization,
    User,
    get_auth,
    protect,
    require,
    with_session,
)
from clerk_wsgi.api.models import parse_organization, parse_user
from clerk_wsgi.people import People, Visitor
from clerk_wsgi.testing import bearer as bearer_of
from clerk_wsgi.testing import clerk_for

from .minting import NOW, Minter
from .reading import auth_of
from .scripted import ORGANIZATION, SECRET_KEY, USER, Script, ScriptedClerk, Stopwatch, error
from .wrapping import App, bearer, clerk, full_environ, minter, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from clerk_wsgi.testing import Emulator, Tokens

    from .scripted import Asked

GET_USER, GET_ORGANIZATION = "GET /v1/users/user_1", "GET /v1/organizations/org_1"
MEMBER = {"org_id": "org_1", "org_role": "org:member"}


def anybody(asked: Asked) -> dict[str, Any]:
    """Answer with whoever was asked for."""
    return {"object": "user", "id": asked.path.rpartition("/")[2], "public_metadata": {"seen": []}}


class World:
    """A scripted Clerk and an instance that knows it and the key of all tokens here."""

    def __init__(self, answers: dict[str, Any] | None = None, **settings: Any) -> None:
        given = {GET_USER: USER, GET_ORGANIZATION: ORGANIZATION}
        self.api = ScriptedClerk(given if answers is None else answers)
        self.watch = Stopwatch()
        options = {"jwt_key": minter().pem, "clock": lambda: NOW, **settings}
        self.clerk = self.api.instance(
            monotonic=self.watch.monotonic, sleep=self.watch.sleep, **options
        )

    def auth(self, **claims: Any) -> Auth:
        """Return what the application finds in a request of its own."""
        app = App()
        serve(self.clerk.with_session(app), **bearer(**claims))
        return auth_in(app.environ)


def auth_in(environ: WSGIEnvironment) -> Auth:
    auth = get_auth(environ)
    assert isinstance(auth, Auth)
    return auth


# ---- how often Clerk is asked


def test_clerk_is_not_asked_before_the_application_asks() -> None:
    world = World()
    auth = world.auth(**MEMBER)
    assert auth.user_id == "user_1"
    assert repr(auth)
    assert auth.has(role="org:member")
    assert world.api.asked == []


def test_each_is_asked_for_once_in_a_request() -> None:
    world = World()
    auth = world.auth(**MEMBER)
    user, organization = auth.user, auth.organization
    assert isinstance(user, User)
    assert isinstance(organization, Organization)
    assert (user.first_name, organization.name) == ("Ada", "Analytical Society")
    for _ in range(3):
        assert auth.user is user
        assert auth.organization is organization
    assert world.api.lines == [GET_USER, GET_ORGANIZATION]


def nested(app: WSGIApplication, mine: Clerk) -> list[WSGIApplication]:
    """Wrap an application in several ways, all of which are one request."""
    return [
        with_session(with_session(with_session(app, mine), mine), mine),
        with_session(require(with_session(require(app), mine), role="member"), mine),
        protect(with_session(require(app), mine), mine, public="/"),
        with_session(with_session(app, lambda _: mine), mine),
    ]


@pytest.mark.parametrize("number", range(4))
def test_wrappers_within_each_other_ask_once_together(number: int) -> None:
    world = World()
    seen: list[object] = []

    def look(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(auth_in(environ).user)
        return app(environ, start_response)

    app = App()
    inner = nested(look, world.clerk)[number]

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(auth_in(environ).user)
        return inner(environ, start_response)

    serve(world.clerk.with_session(outer), **bearer(**MEMBER))
    assert seen[0] is seen[1]
    assert isinstance(seen[0], User)
    assert world.api.lines == [GET_USER]


def test_each_request_asks_anew_even_with_the_same_token() -> None:
    world = World()
    for number in range(1, 4):
        assert world.auth().user == world.auth().user
        assert len(world.api.asked) == number * 2


def test_for_some_seconds_the_answer_is_kept_if_a_setting_says_so() -> None:
    world = World(people_ttl=10)
    assert world.auth().user == world.auth().user
    assert world.auth(**MEMBER).organization == world.auth(**MEMBER).organization
    assert world.api.lines == [GET_USER, GET_ORGANIZATION]
    world.watch.now += 9.9
    assert world.auth().user is not None
    assert len(world.api.asked) == 2
    world.watch.now += 0.1
    assert world.auth().user is not None
    assert len(world.api.asked) == 3


def test_what_was_kept_is_a_copy_for_each_request() -> None:
    world = World({"GET /v1/users/user_1": anybody}, people_ttl=10)
    for _ in range(3):
        user = world.auth().user
        assert user is not None
        metadata: Any = user.public_metadata
        assert metadata == {"seen": []}
        metadata["seen"].append("something")
    assert len(world.api.asked) == 1


# ---- who has none


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"HTTP_AUTHORIZATION": "Bearer a.b.c"},
        bearer(sts="pending", v=2),
        bearer(exp=NOW - 60),
        {"HTTP_AUTHORIZATION": f"Bearer {Minter().token()}"},
    ],
)
def test_of_nobody_there_is_neither_and_nobody_is_asked(keys: dict[str, str]) -> None:
    world = World()
    app = App()
    serve(world.clerk.with_session(app), **keys)
    auth = auth_in(app.environ)
    assert auth.user is None
    assert auth.organization is None
    assert world.api.asked == []


def test_without_an_active_organization_there_is_none() -> None:
    world = World()
    assert world.auth().organization is None
    assert world.api.asked == []


def test_on_an_exempt_path_there_is_nobody() -> None:
    world = World()
    app = App()
    serve(world.clerk.with_session(app, exempt="/"), **bearer())
    assert auth_in(app.environ).user is None
    assert world.api.asked == []


def test_a_machine_has_no_user(clerk_emulator: Emulator, clerk_tokens: Tokens) -> None:
    app = App()
    mine = clerk_for(clerk_emulator, accepts_token="api_key")
    serve(mine.with_session(app), **bearer_of(clerk_tokens.api_key()).environ)
    assert not hasattr(get_auth(app.environ), "user")


# ---- where it cannot be known


def test_outside_of_a_wrapped_application_it_is_a_lookup_error() -> None:
    world = World()
    state = world.clerk.authenticate(full_environ(**bearer(**MEMBER)))
    pending = world.clerk.authenticate(full_environ(**bearer(sts="pending", v=2)))
    for auth in (auth_of(state), auth_of(pending, pending_counts=True), Auth({"sub": "user_1"})):
        with pytest.raises(LookupError):
            assert auth.user
    with pytest.raises(LookupError):
        assert auth_of(state).organization
    assert Auth().user is None
    assert Auth().organization is None
    assert world.api.asked == []


def test_what_a_request_found_out_does_not_stick_to_the_state_that_all_requests_share() -> None:
    world = World()
    app = App()
    serve(world.clerk.with_session(app), **bearer())
    assert auth_in(app.environ).user is not None
    shared = app.environ["clerk.state"].auth
    assert shared is not app.environ["clerk.auth"]
    with pytest.raises(LookupError):
        assert shared.user


@pytest.mark.parametrize(
    "made",
    [copy.copy, copy.deepcopy, lambda auth: pickle.loads(pickle.dumps(auth))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_says_the_same_and_belongs_to_no_request(made: Callable[[Auth], Auth]) -> None:
    world = World()
    auth = world.auth(**MEMBER)
    assert auth.user is not None
    other = made(auth)
    assert (other.user_id, other.org_id, other.claims) == (auth.user_id, "org_1", auth.claims)
    with pytest.raises(LookupError):
        assert other.user
    assert SECRET_KEY.encode() not in pickle.dumps(auth)


def test_it_is_read_only() -> None:
    auth = World().auth()
    for name in ("user", "organization", "_host", "_visitor"):
        with pytest.raises(AttributeError, match="read-only"):
            setattr(auth, name, None)
        with pytest.raises(AttributeError, match="read-only"):
            delattr(auth, name)


# ---- failures


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (error(404, "resource_not_found"), ApiError),
        (error(401, "authentication_invalid"), ApiError),
        (error(422, "x"), ApiError),
        (error(503), ApiError),
        ({**USER, "id": "user_2"}, ClerkUnavailable),
        ([], ClerkUnavailable),
    ],
    ids=str,
)
@pytest.mark.parametrize("ttl", [0, 60])
def test_a_failure_is_raised_and_not_remembered(
    answer: Any, raised: type[Exception], ttl: float
) -> None:
    world = World({GET_USER: Script(answer, answer, USER)}, people_ttl=ttl)
    auth = world.auth()
    for _ in range(2):
        with pytest.raises(raised):
            assert auth.user
    assert auth.user is not None
    assert len(world.api.asked) == 3


def test_without_a_secret_key_nobody_can_be_asked() -> None:
    app = App()
    serve(clerk().with_session(app), **bearer())
    with pytest.raises(ConfigurationError):
        assert auth_in(app.environ).user


@pytest.mark.parametrize("sub", ["../sessions/sess_1", "user_1?x", "user_1/", "a" * 200, "ü"])
def test_a_token_with_an_id_that_is_none_asks_nothing(sub: str) -> None:
    world = World()
    with pytest.raises(ValueError, match="user_id"):
        assert world.auth(sub=sub).user
    assert world.api.asked == []


# ---- whose it is


@pytest.mark.parametrize("ttl", [0, 60])
def test_threads_never_see_each_others_users(ttl: float) -> None:
    """The same token and different ones, at once, through one wrapper."""
    names = [f"user_{number}" for number in range(8)]
    world = World({f"GET /v1/users/{name}": anybody for name in names}, people_ttl=ttl)
    keys = {name: bearer(sub=name) for name in names}
    together = threading.Barrier(8)
    found: list[User] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        auth = auth_in(environ)
        user = auth.user
        assert user is not None
        assert auth.user is user
        assert user.id == auth.user_id
        metadata: Any = user.public_metadata
        assert metadata == {"seen": []}
        metadata["seen"].append(auth.user_id)
        found.append(user)
        start_response("200 OK", [])
        return [user.id.encode()]

    app = world.clerk.with_session(application)

    def visit(number: int) -> None:
        together.wait(30)
        for turn in range(60):
            name = names[0] if turn % 3 == 0 else names[(number * turn) % 8]
            assert serve(app, **keys[name]).body == name.encode()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(8)))
    assert len({id(user) for user in found}) == len(found) == 480


class SlowHost:
    """Receives no visitor before all of several threads have asked for one."""

    def __init__(self, clerk: Clerk, threads: int) -> None:
        self._clerk = clerk
        self._together = threading.Barrier(threads)

    def receive(self, *, user_id: str | None, organization_id: str | None) -> Visitor:
        self._together.wait(30)
        return self._clerk.receive(user_id=user_id, organization_id=organization_id)


def test_threads_of_one_request_get_the_same_object() -> None:
    world = World()
    auth = world.auth().received_by(SlowHost(world.clerk, 8))
    with ThreadPoolExecutor(8) as pool:
        assert len({id(user) for user in pool.map(lambda _: auth.user, range(8))}) == 1
    assert auth.user is auth.user


def test_threads_that_ask_clerk_at_once_get_the_same_object() -> None:
    together = threading.Barrier(8)

    def fetch(_user_id: str) -> User:
        together.wait(30)
        return parse_user(USER)

    visitor = Visitor(People(fetch, parse_organization), user_id="user_1", organization_id="org_1")
    with ThreadPoolExecutor(8) as pool:
        assert len({id(user) for user in pool.map(lambda _: visitor.user, range(8))}) == 1


def test_tenants_never_see_each_others_users() -> None:
    """The same ids and the same key in two instances, each with a Clerk of its own."""
    worlds = {
        name: World({GET_USER: {**USER, "first_name": name}}, people_ttl=60) for name in ("a", "b")
    }
    app = App()
    wrapped = with_session(app, lambda environ: worlds[environ["HTTP_HOST"]].clerk)
    for host in ("a", "b", "b", "a"):
        app.environs.clear()
        serve(wrapped, HTTP_HOST=host, **bearer())
        user = auth_in(app.environ).user
        assert user is not None
        assert user.first_name == host
    assert [len(world.api.asked) for world in worlds.values()] == [1, 1]


def test_a_wrapper_of_another_instance_further_in_asks_its_own_clerk() -> None:
    outer, inner = World(), World({GET_USER: {**USER, "first_name": "inner"}})
    app = App()
    serve(outer.clerk.with_session(inner.clerk.with_session(app)), **bearer())
    user = auth_in(app.environ).user
    assert user is not None
    assert (user.first_name, outer.api.asked) == ("inner", [])


def test_who_changes_on_the_way_in_has_a_user_of_their_own() -> None:
    names = {f"GET /v1/users/user_{number}": anybody for number in (1, 2)}
    world = World(names)
    app = App()
    inner = world.clerk.with_session(app)

    def changing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        first = auth_in(environ).user
        assert first is not None
        assert first.id == "user_1"
        return inner({**environ, **bearer(sub="user_2")}, start_response)

    serve(world.clerk.with_session(changing), **bearer())
    user = auth_in(app.environ).user
    assert user is not None
    assert user.id == "user_2"


# ---- what is left when a request is over


class Marker:
    """Something in an environ whose end can be seen."""


@pytest.mark.parametrize("ttl", [0, 60])
def test_a_request_ends_without_the_garbage_collector(ttl: float) -> None:
    world = World(people_ttl=ttl)
    serve(world.clerk.with_session(App()), **bearer(**MEMBER))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        auth = auth_in(environ)
        assert auth.user
        assert auth.organization
        start_response("200 OK", [])
        return []

    gc.collect()
    gc.disable()
    try:
        alone = with_session(application, world.clerk)
        apps: list[WSGIApplication] = [alone, *nested(application, world.clerk)]
        for app in apps:
            marker = Marker()
            alive = weakref.ref(marker)
            environ = full_environ(**bearer(**MEMBER), marker=marker)
            app(environ, lambda *_: lambda _: None)
            del environ, marker
            assert alive() is None
    finally:
        gc.enable()


def test_an_auth_that_is_kept_keeps_no_request() -> None:
    world = World()
    marker = Marker()
    alive = weakref.ref(marker)
    environ = full_environ(**bearer(), marker=marker)
    serve(world.clerk.with_session(lambda *_: []), environ)
    auth = auth_in(environ)
    del environ, marker
    gc.collect()
    assert alive() is None
    assert auth.user is not None


def test_many_requests_take_no_memory() -> None:
    world = World(people_ttl=60)
    wrapped = world.clerk.with_session(lambda environ, _: [str(auth_in(environ).user).encode()])
    keys = bearer(**MEMBER)
    for _ in range(50):
        serve(wrapped, **keys)
    world.api.asked.clear()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(300):
            serve(wrapped, **keys)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 100_000
