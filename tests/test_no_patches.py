"""Nothing of the package is replaced in its own tests: what they judge is what people run.

Clocks, the network's other side and error handlers are arguments. Read from the source of every
test, so that it holds for those that are skipped somewhere, too.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
PACKAGE = "clerk_wsgi"
MOCKS = ("unittest.mock", "mock", "pytest_mock", "asynctest")
REPLACING = {"setattr", "delattr", "setitem", "delitem", "__setattr__", "__delattr__"}


def patches_in(source: str) -> list[str]:
    """Return what a test replaces of the package, or might: each as its line and the code."""
    tree = ast.parse(source)
    names = Names(tree)
    attempts = {part for node in ast.walk(tree) if is_attempt(node) for part in ast.walk(node)}
    return [
        f"{getattr(node, 'lineno', 0)}: {ast.unparse(node).splitlines()[0]}"
        for node in ast.walk(tree)
        if node not in attempts and is_patch(node, names)
    ]


def is_attempt(node: ast.AST) -> bool:
    """Say whether what is in a ``with`` must fail, as changes of what cannot be changed do."""
    return isinstance(node, ast.With) and any(
        ast.unparse(item.context_expr).startswith("pytest.raises(") for item in node.items
    )


class Names:
    """What the names of a file stand for, as far as imports say it."""

    def __init__(self, tree: ast.AST) -> None:
        self.ours: dict[str, str] = {}
        self.theirs: set[str] = set()
        for node in ast.walk(tree):
            for name, origin in imported(node):
                if origin.split(".")[0] == PACKAGE:
                    self.ours[name] = origin
                elif origin[0] != ".":
                    self.theirs.add(name)

    def is_ours(self, node: ast.AST) -> bool:
        """Say whether an expression begins with something imported from the package."""
        return root_of(node) in self.ours

    def is_theirs(self, node: ast.AST) -> bool:
        """Say whether an expression begins with something imported from elsewhere."""
        return root_of(node) in self.theirs

    def overridden(self, base: ast.expr, name: str) -> bool:
        """Say whether a class of the package has an attribute that a subclass would replace."""
        origin = self.ours.get(root_of(base) or "", PACKAGE)
        module, _, attribute = origin.rpartition(".")
        found = getattr(importlib.import_module(module), attribute, None) if module else None
        return hasattr(found, name) and not name.startswith("__")


def imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, and where each comes from."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.split(".")[0]
            yield alias.asname or top, alias.name if alias.asname else top
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"{'.' * node.level}{node.module or ''}.{alias.name}"


def root_of(node: ast.AST) -> str | None:
    """Return the name that an expression such as ``a.b[0].c`` begins with."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def is_patch(node: ast.AST, names: Names) -> bool:
    """Say whether one piece of code replaces, or could replace, something of the package."""
    if isinstance(node, ast.Import):
        return any(alias.name.startswith(MOCKS) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return any(origin.startswith(MOCKS) for _, origin in imported(node))
    if isinstance(node, ast.Call):
        return is_replacing_call(node, names)
    if isinstance(node, (ast.Assign, ast.Delete)):
        return any(is_patched(target, names) for target in node.targets)
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        return is_patched(node.target, names)
    if isinstance(node, ast.ClassDef):
        return overrides(node, names)
    return isinstance(node, ast.arg) and node.arg == "mocker"


def is_replacing_call(node: ast.Call, names: Names) -> bool:
    """Allowed are the modules of others: ``monkeypatch.setattr(socket, "getaddrinfo", …)``."""
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else root_of(called)
    if name not in REPLACING or not node.args:
        return False
    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return not names.is_theirs(node.args[0]) or any(
        isinstance(text, str) and text.startswith(PACKAGE) for text in texts
    )


def is_patched(target: ast.AST, names: Names) -> bool:
    """Say whether an assignment reaches into the package, or behind somebody's underscore."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return any(is_patched(one, names) for one in target.elts)
    if isinstance(target, ast.Subscript):
        inner = ast.unparse(target.value)
        return names.is_ours(target) or inner.startswith("vars(") or inner.endswith("__dict__")
    if not isinstance(target, ast.Attribute):
        return False
    is_private = target.attr.startswith("_") and root_of(target) != "self"
    return names.is_ours(target) or is_private


def overrides(node: ast.ClassDef, names: Names) -> bool:
    """Say whether a class takes the place of what it inherits from a class of the package."""
    defined = [one.name for one in node.body if isinstance(one, ast.FunctionDef)]
    bases = [base for base in node.bases if names.is_ours(base)]
    return any(names.overridden(base, name) for base in bases for name in defined)


@pytest.mark.parametrize(
    "path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS))
)
def test_no_test_replaces_anything_of_the_package(path: Path) -> None:
    assert patches_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        "from unittest import mock",
        "import unittest.mock",
        "from unittest.mock import patch",
        "from mock import patch",
        "def test_it(mocker): ...",
        "import clerk_wsgi\nmonkeypatch.setattr(clerk_wsgi, 'x', 1)",
        "from clerk_wsgi import keys\nmonkeypatch.setattr(keys.time, 'x', 1)",
        "from clerk_wsgi.keys import RemoteKeys\nmonkeypatch.setattr(RemoteKeys, 'find', 1)",
        "from clerk_wsgi.keys import RemoteKeys as R\nmonkeypatch.delattr(R, 'find')",
        "monkeypatch.setattr('clerk_wsgi.keys.RemoteKeys.find', 1)",
        "monkeypatch.setattr(clerk, 'authenticate', 1)",
        "import sys\nmonkeypatch.setitem(sys.modules, 'clerk_wsgi.keys', 1)",
        "setattr(clerk, 'authenticate', 1)",
        "object.__setattr__(clerk, 'authenticate', 1)",
        "import clerk_wsgi\nclerk_wsgi.keys.time = 1",
        "from clerk_wsgi import keys\nkeys.GRACE += 1",
        "from clerk_wsgi import keys\nkeys.GRACE: int = 1",
        "from clerk_wsgi import keys\ndel keys.GRACE",
        "from clerk_wsgi import keys\na, keys.GRACE = 1, 2",
        "from clerk_wsgi.config import SETTINGS\nSETTINGS[0] = 1",
        "clerk._authenticator = 1",
        "clerk.api._caller.timeout = clerk._x = 1",
        "vars(clerk)['x'] = 1",
        "clerk.__dict__['x'] = 1",
        "from clerk_wsgi import Clerk\nclass Mine(Clerk):\n    def authenticate(self): ...",
        "from clerk_wsgi.keys import RemoteKeys\nclass Mine(RemoteKeys):\n    def _load(self): ...",
    ],
)
def test_a_patch_would_be_noticed(code: str) -> None:
    assert len(patches_in(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "import socket\nmonkeypatch.setattr(socket, 'getaddrinfo', 1)",
        "monkeypatch.setenv('CLERK_SECRET_KEY', 'clerk_wsgi')",
        "from clerk_wsgi.testing import Emulator\nlocal = Emulator()\nlocal.faults.latency = 1",
        "with pytest.raises(AttributeError):\n    setattr(auth, 'user_id', 'user_2')",
        "clerk.patch('/v1/users/user_1', first_name='Eve')",
        "self._private = 1",
        "from clerk_wsgi import ClerkError\nclass Mine(ClerkError):\n    def __init__(self): ...",
        "from clerk_wsgi import ClerkError\nclass Mine(ClerkError):\n    def own(self): ...",
        "os.environ['A'] = 'b'",
    ],
)
def test_what_is_no_patch_is_let_through(code: str) -> None:
    assert patches_in(code) == []
