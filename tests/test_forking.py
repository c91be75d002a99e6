"""What a fork does to keys and connections, and keys under gevent: in processes of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from requests import Session
from requests.adapters import HTTPAdapter

from clerk_wsgi import forking
from clerk_wsgi.api.transport import Transport
from clerk_wsgi.keys import KeysUnavailable, RemoteKeys
from clerk_wsgi.settings import Secret

from .minting import Minter
from .servers import Conversation, response, self_signed, sends_json, serving

if TYPE_CHECKING:
    from .servers import Behaviour

PROJECT = Path(__file__).parent.parent
K1, K2 = Minter("ins_k1"), Minter("ins_k2")
JWKS = {"keys": [K1.jwk(), K2.jwk()]}

PRELUDE = """
import os, sys, threading, time

def in_child(work):
    # Fork; the status of the child is 0 if `work` returned in time.
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hangs"

from clerk_wsgi.api.backend import BackendApi
from clerk_wsgi.api.transport import Transport
from clerk_wsgi.keys import RemoteKeys
from clerk_wsgi.settings import Secret

SECRET = Secret("sk_test_1")
"""


def run(script: str, *arguments: str) -> str:
    """Run a script in a process of its own, and return what it printed."""
    environ = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environ["PYTHONPATH"] = str(PROJECT)
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env=environ,
    )
    assert done.returncode == 0, done.stderr
    sys.stderr.write(done.stderr)  # of children that failed
    return done.stdout.strip()


# ---- the hook ----


def test_living_objects_are_told_in_the_child_and_only_there() -> None:
    script = """
        import gc
        from clerk_wsgi.forking import forget_in_child

        class Forgetful:
            def __init__(self, name):
                self.name = name
                forget_in_child(self)
            def _after_fork(self):
                told.append(self.name)

        def tell():
            print(sorted(told), flush=True)

        told = []
        first, second = Forgetful("first"), Forgetful("second")
        Forgetful("gone")
        gc.collect()
        in_child(tell)
        del first
        gc.collect()
        in_child(tell)
        tell()
    """
    assert run(script) == "['first', 'second']\n['second']\n[]"


def test_a_platform_that_never_forks_needs_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork")
    spec = importlib.util.spec_from_file_location("elsewhere", str(forking.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.forget_in_child(threading.Event())


# ---- keys ----


def test_what_is_told_to_a_child_frees_it_of_locks_and_flights() -> None:
    gate, calls = threading.Event(), []

    def fetch() -> object:
        calls.append(gate.is_set())
        assert gate.wait(10)
        return JWKS

    keys = RemoteKeys(fetch, wait=0.05)
    with pytest.raises(KeysUnavailable):
        keys.find("ins_k1")
    lock = keys._lock
    assert keys._lock is lock
    with lock:
        forking._tell_child()  # as if this were one
        assert keys._lock is not lock
        with pytest.raises(KeysUnavailable):
            keys.find("ins_k1")
    assert calls == [False, False]
    gate.set()


def slow(document: object, seconds: float) -> Behaviour:
    answer = sends_json(document)

    def behave(conversation: Conversation) -> None:
        conversation.sleep(seconds)
        answer(conversation)

    return behave


def test_a_child_of_a_process_that_is_fetching_fetches_for_itself() -> None:
    script = """
        import clerk_wsgi.api.sending                         # no fork mends a half-done import
        api = BackendApi(Transport(base_url=sys.argv[1]), secret_key=SECRET)
        keys = RemoteKeys(api.fetch_jwks)
        threading.Thread(target=keys.find, args=("ins_k1",), daemon=True).start()
        time.sleep(0.3)                                       # the parent's fetch is under way
        keys._lock.acquire()                                  # and somebody holds its lock
        print(in_child(lambda: keys.find("ins_k1")))
        keys._lock.release()
        print(keys.find("ins_k1").kid)                        # the parent's fetch goes on
    """
    with serving(slow(JWKS, 0.6)) as server:
        assert run(script, server.url) == "0\nins_k1"
        assert len(server.received) == 2


def test_a_child_keeps_the_keys_of_its_parent() -> None:
    script = """
        api = BackendApi(Transport(base_url=sys.argv[1]), secret_key=SECRET)
        keys = RemoteKeys(api.fetch_jwks)
        key = keys.find("ins_k1")

        def child():
            assert keys.is_current(key)
            assert keys.find("ins_k1") is key

        print(in_child(child))
    """
    with serving(sends_json(JWKS)) as server:
        assert run(script, server.url) == "0"
        assert len(server.received) == 1


GEVENT_CHILD = """
        def child():
            from gevent import monkey
            monkey.patch_all()
            import gevent
            start = time.monotonic()
            found = [gevent.spawn(keys.find, "ins_k1") for _ in range(48)]
            gevent.joinall(found, timeout=5, raise_error=True)
            assert {greenlet.value.kid for greenlet in found} == {"ins_k1"}
            assert time.monotonic() - start < 2

            known = keys.find("ins_k1")
            waits = [gevent.spawn(keys.find, "ins_new") for _ in range(24)]   # a fetch of 0.3 s
            gevent.sleep(0.05)
            start = time.monotonic()
            for _ in range(100):
                assert keys.find("ins_k1") is known and keys.is_current(known)
                gevent.sleep(0)
            assert time.monotonic() - start < 0.2
            gevent.joinall(waits, timeout=5)
            assert {type(greenlet.exception).__name__ for greenlet in waits} == {"UnknownKey"}
"""


def test_keys_made_before_the_fork_serve_greenlets_patched_after_it() -> None:
    script = f"""
        transport = Transport(base_url=sys.argv[1])
        keys = RemoteKeys(BackendApi(transport, secret_key=SECRET).fetch_jwks)
        keys._lock.acquire()
{GEVENT_CHILD}
        print(in_child(child))
    """
    with serving(slow(JWKS, 0.3)) as server:
        assert run(script, server.url) == "0"
        assert len(server.received) == 2


def test_keys_serve_greenlets_of_a_process_that_was_patched_first() -> None:
    script = f"""
        keys = RemoteKeys(BackendApi(Transport(base_url=sys.argv[1]), secret_key=SECRET).fetch_jwks)
{GEVENT_CHILD}
        child()
        print("served")
    """
    with serving(slow(JWKS, 0.3)) as server:
        assert run(script, server.url) == "served"
        assert len(server.received) == 2


def test_greenlets_patched_after_the_fork_speak_tls(tmp_path: Path) -> None:
    script = """
        import ssl                                  # as a server does that loads the application
        keys = RemoteKeys(BackendApi(Transport(base_url=sys.argv[1]), secret_key=SECRET).fetch_jwks)
        os.environ["REQUESTS_CA_BUNDLE"] = sys.argv[2]

        def child():
            from gevent import monkey
            monkey.patch_all()
            assert keys.find("ins_k1").kid == "ins_k1"

        print(in_child(child))
    """
    context, certificate = self_signed(tmp_path)
    with serving(sends_json(JWKS), context) as server:
        assert run(script, server.url, certificate) == "0"


def test_greenlets_that_cannot_speak_tls_any_more_get_no_crash(tmp_path: Path) -> None:
    script = """
        import requests                             # before gevent: urllib3 has the unpatched ssl
        from clerk_wsgi.keys import KeysUnavailable
        keys = RemoteKeys(BackendApi(Transport(base_url=sys.argv[1]), secret_key=SECRET).fetch_jwks)

        def child():
            import warnings
            from gevent import monkey
            warnings.simplefilter("ignore")
            monkey.patch_all()
            try:
                keys.find("ins_k1")
            except KeysUnavailable as error:
                assert "no usable answer" in str(error)

        print(in_child(child))
    """
    context, _ = self_signed(tmp_path)
    with serving(sends_json(JWKS), context) as server:
        assert run(script, server.url) == "0"


# ---- connections ----

CONNECTIONS = """
        def call():
            assert transport.call("GET", "/a", secret=SECRET).json() == 1

        call()
        print(in_child(call))
        call()
"""


@pytest.mark.parametrize(
    "http",
    [
        "None",
        "requests.Session()",
        "mounted(HTTPAdapter())",
        "mounted(Own())",
        "mounted(Minimal())",
    ],
)
def test_a_child_opens_connections_of_its_own_and_the_parent_keeps_its(http: str) -> None:
    script = f"""
        import requests
        from requests.adapters import BaseAdapter, HTTPAdapter

        class Own(HTTPAdapter):
            def __init__(self):
                self.name = "own"
                super().__init__(pool_maxsize=2)
            def init_poolmanager(self, *args, **kwargs):
                assert self.name == "own"
                super().init_poolmanager(*args, **kwargs)

        class Minimal(BaseAdapter):
            def send(self, request, **options):
                return HTTPAdapter().send(request, **options)
            def close(self):
                pass

        def mounted(adapter):
            session = requests.Session()
            session.mount("http://", adapter)
            return session

        transport = Transport({http}, base_url=sys.argv[1])
{CONNECTIONS}
    """
    with serving(lambda conversation: conversation.send(response(b"1"))) as server:
        assert run(script, server.url) == "0"
        assert server.connections == (3 if "Minimal" in http else 2)


def test_what_is_told_to_a_child_makes_it_open_connections_of_its_own() -> None:
    with serving(lambda conversation: conversation.send(response(b"1"))) as server:
        for http in (None, Session(), own_session()):
            before = server.connections
            transport = Transport(http, base_url=server.url)
            for connections in (1, 2, 3):
                for _ in range(2):
                    transport.call("GET", "/a", secret=Secret("sk_test_1"))
                assert server.connections - before == connections
                forking._tell_child()  # as if this were one


def own_session() -> Session:
    class Own(HTTPAdapter):
        pass

    session = Session()
    session.mount("http://", Own())
    return session


def test_a_child_that_ends_does_not_end_the_tls_connections_of_its_parent(tmp_path: Path) -> None:
    script = f"""
        import gc, requests
        http = requests.Session()
        http.verify = sys.argv[2]
        transport = Transport(http, base_url=sys.argv[1])
{CONNECTIONS}

        def collect():
            global transport, http
            transport = http = None
            gc.collect()

        print(in_child(collect))
        pid = os.fork()
        if not pid:
            sys.exit()
        os.waitpid(pid, 0)
        call()
    """
    context, certificate = self_signed(tmp_path)
    with serving(lambda conversation: conversation.send(response(b"1")), context) as server:
        assert run(script, server.url, certificate) == "0\n0"
        assert server.connections == 2


def test_calls_that_the_parent_has_under_way_do_not_count_in_a_child() -> None:
    output = run(
        """
        from clerk_wsgi.rationed import Ration

        ration = Ration(time.monotonic, in_flight=1)

        def fork_during_a_call():
            return in_child(lambda: ration.ask("another", lambda: None))

        print(ration.ask("one", fork_during_a_call))
        """
    )
    assert output.split() == ["0"]
