"""Who imports whom: the package is light to import, and its layers look one way."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from .processes import clean_environ

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "clerk_wsgi"

# The layers by module, ``.api`` and the like with all that is in them; what is not listed is
# core. "" is the package itself.
VALUES = {
    *("errors", "settings", "state", "claims", "machine_auth", "authorization"),
    *("address", "questions", "ids", "models"),
}
EDGES = {"config", "config_values", "context", "api", "people"}
SHELL = {
    *("", "clerk", "wiring", "defaults", "handlers", "verdicts", "watching", "config_texts"),
    *("middleware", "decisions", "additions", "published", "gate", "guards", "links", "signing"),
}
OUTSIDE = {"emulator", "testing", "demo", "serving", "cli", "__main__", "integrations", "webhooks"}
# Who may import the local Clerk: nobody who serves a real request.
EMULATED = {"emulator", "testing", "demo", "serving", "cli", "__main__"}

FRAMEWORKS = "flask django pyramid bottle falcon werkzeug starlette gevent gunicorn waitress"
TEST_TOOLS = "webtest pytest hypothesis jwt joserfc sqlite3"
HEAVY = {*FRAMEWORKS.split(), *TEST_TOOLS.split(), "requests", "urllib3"}


# What is loaded


def loaded_after(code: str, **environ: str) -> set[str]:
    """The modules of a new process after some code, which must print nothing."""
    shown = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", shown],
        cwd=PROJECT,
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stderr == ""
    return set(json.loads(run.stdout))


def heavy(modules: set[str]) -> set[str]:
    parts = {f"clerk_wsgi.{name}" for name in OUTSIDE}
    return {name for name in modules if name.split(".")[0] in HEAVY or name in parts}


def test_importing_the_package_loads_no_http_client_no_framework_and_no_emulator() -> None:
    modules = loaded_after("import clerk_wsgi")
    assert "clerk_wsgi.middleware" in modules
    assert heavy(modules) == set()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"CLERK_SECRET_KEY": "pk_test_x", "CLERK_API_URL": "ftp://x", "CLERK_TIMEOUT": "soon"},
        {"CLERK_JWT_KEY": "junk", "CLERK_PUBLISHABLE_KEY": "junk"},
    ],
)
def test_importing_the_package_reads_no_environment(environ: dict[str, str]) -> None:
    assert "clerk_wsgi" in loaded_after("from clerk_wsgi import *", **environ)


def test_requests_of_an_instance_with_a_pem_key_load_no_http_client() -> None:
    code = """
from clerk_wsgi import Clerk
from tests.minting import NOW, Minter, environ
minter = Minter()
clerk = Clerk(jwt_key=minter.pem, dotenv=False, clock=lambda: NOW)
keys = {"HTTP_AUTHORIZATION": minter.token(), "QUERY_STRING": "a=%ff"}
assert clerk.authenticate(environ(**keys)).status == "signed-in"
assert clerk.authenticate(environ()).status == "signed-out"
clerk.require_session(lambda environ, start_response: [])
"""
    assert heavy(loaded_after(code)) == set()


# Who imports whom


@cache
def modules() -> dict[str, Path]:
    """All modules by name, without the package's own: "api.transport"."""
    names = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in python_files()}
    return {
        ".".join(part for part in parts if part != "__init__"): path
        for path, parts in names.items()
    }


def python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(name: str) -> set[tuple[str, bool]]:
    """What a module imports, anywhere in it, and whether it is there when it runs.

    Modules of the package begin with a dot.
    """
    tree = ast.parse(modules()[name].read_text())
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    return {
        (imported, node not in typing_only)
        for node in ast.walk(tree)
        for imported in _names(name, node)
    }


def _names(module: str, node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    if not node.level:
        return [str(node.module)]
    here = module.split(".") if module else []
    is_package = modules()[module].name == "__init__.py"
    base = here[: len(here) - node.level + is_package]
    found = ".".join([*base, *([node.module] if node.module else [])])
    if node.module:
        return [f".{found}"]
    return [f".{'.'.join([*base, alias.name])}" for alias in node.names]


def ours(name: str) -> set[str]:
    """Modules of the package that a module imports, be it only for its types."""
    return {imported[1:] for imported, _ in imports_of(name) if imported.startswith(".")}


def theirs(name: str) -> set[str]:
    """Packages from elsewhere that a module imports when it runs."""
    found = (imported.split(".")[0] for imported, runs in imports_of(name) if runs)
    return {top for top in found if top}


def layer_of(name: str) -> set[str]:
    top = name.partition(".")[0]
    named = (layer for layer in (VALUES, EDGES, SHELL, OUTSIDE) if top in layer)
    return next(named, CORE)


CORE: set[str] = set()


def in_layer(layer: set[str]) -> list[str]:
    return [name for name in modules() if layer_of(name) is layer]


def leaves() -> set[str]:
    """Modules of the core that import nothing but values."""
    return {name for name in in_layer(CORE) if all(layer_of(one) is VALUES for one in ours(name))}


def test_the_layers_name_modules_that_exist() -> None:
    tops = {name.split(".")[0] for name in modules()}
    planned = {"integrations", "webhooks"}
    assert (VALUES | EDGES | SHELL | OUTSIDE) - planned <= tops
    assert {"tokens", "keys", "cookies", "authenticate"} <= set(in_layer(CORE))


def test_values_import_values_alone() -> None:
    found = {
        name: {one for one in ours(name) if layer_of(one) is not VALUES}
        for name in in_layer(VALUES)
    }
    assert {name: others for name, others in found.items() if others} == {}


def test_the_core_imports_values_and_core_alone() -> None:
    allowed = (VALUES, CORE)
    found = {
        name: {one for one in ours(name) if layer_of(one) not in allowed} for name in in_layer(CORE)
    }
    assert {name: others for name, others in found.items() if others} == {}


def test_edges_import_values_edges_and_leaves_alone() -> None:
    found = {
        name: {one for one in ours(name) - leaves() if layer_of(one) not in (VALUES, EDGES)}
        for name in in_layer(EDGES)
    }
    assert {name: others for name, others in found.items() if others} == {}


def test_nothing_that_serves_requests_imports_what_is_outside() -> None:
    for layer in (VALUES, CORE, EDGES, SHELL):
        for name in in_layer(layer):
            assert not {one for one in ours(name) if layer_of(one) is OUTSIDE}, name


def test_only_testing_the_command_and_the_demo_import_the_emulator() -> None:
    importers = {
        name.split(".")[0]
        for name in modules()
        if any(one.split(".")[0] == "emulator" for one in ours(name))
    }
    assert importers <= EMULATED
    assert "testing" in importers


def test_the_core_and_the_values_do_no_input_and_no_output() -> None:
    forbidden = {"webob", "requests", "urllib3", "dotenv", "socket", "http", "os", "subprocess"}
    for name in (*in_layer(VALUES), *in_layer(CORE)):
        found = theirs(name) & forbidden
        # Telling objects of a fork is the one thing that the core asks of the process.
        assert found == ({"os"} if name == "forking" else set()), name


def reads_environment(name: str) -> bool:
    tree = ast.parse(modules()[name].read_text())
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(attributes & {"os.environ", "os.getenv", "os.environb"})


def test_nothing_but_the_configuration_reads_the_environment() -> None:
    readers = {name for name in modules() if layer_of(name) is not OUTSIDE}
    assert {name for name in readers if reads_environment(name)} == {"config"}


@pytest.mark.parametrize(
    ("package", "users"),
    [
        ("cryptography", {"jwk"}),
        ("dotenv", {"config"}),
        ("requests", {"api.adapter", "api.sending"}),
        ("urllib3", {"api.adapter", "api.sending"}),
        ("webob", {"context", "decisions"}),
    ],
)
def test_each_dependency_is_known_to_the_modules_that_need_it(
    package: str, users: set[str]
) -> None:
    found = {
        name for name in modules() if layer_of(name) is not OUTSIDE and package in theirs(name)
    }
    assert found <= users


def test_no_framework_and_no_test_tool_is_imported_by_what_serves_requests() -> None:
    for name in modules():
        if layer_of(name) is not OUTSIDE:
            assert not theirs(name) & (HEAVY - {"requests", "urllib3"}), name
