"""Clerk's script for browsers, and its components, from packages that npm has unpacked here.

Nothing of Clerk's comes with this project: ``Emulator(clerk_js=DIR)`` says where it is. Only the
files below ``dist`` are served, at the paths that Clerk's servers have them at.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webob import Response

from ..errors import Refusal

if TYPE_CHECKING:
    import os

    from webob import Request

CLERK_JS, CLERK_UI = "@clerk/clerk-js", "@clerk/ui"
# Where npm puts it, depending on how it was asked to.
_PLACES = (".", "package", "node_modules/@clerk/clerk-js", "@clerk/clerk-js")
_PREFIX = "/npm/"
_PATH = re.compile(r"/npm/(@clerk/[a-z-]+)@[^/]+/dist((?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+)")
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".map": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An unpacked package; ``dist`` is where its files for browsers really are."""

    version: str
    dist: Path

    def file(self, path: str) -> Path | None:
        """Return a file for browsers by its path below ``dist``, ``None`` if there is none such."""
        try:
            found = self.dist.joinpath(*path.split("/")).resolve(strict=True)
        except (OSError, RuntimeError):  # not there, a name that is too long, links in a circle
            return None
        is_inside = self.dist in found.parents and found.suffix in _TYPES
        return found if is_inside and found.is_file() else None


class Packages:
    """The packages that are served: none, ``@clerk/clerk-js``, or ``@clerk/ui`` beside it as well.

    ``directory`` is an unpacked ``@clerk/clerk-js``, or one that npm has installed it in. Raises
    ``ValueError`` if it is neither.
    """

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        self._packages: dict[str, Package] = {}
        if directory is not None:
            place, self._packages[CLERK_JS] = _found(Path(directory))
            beside = _package(place.resolve().parent / "ui", CLERK_UI)
            if beside is not None:
                self._packages[CLERK_UI] = beside

    def version(self, name: str) -> str | None:
        """Return the version of a package, ``None`` if it is not served."""
        return self._packages[name].version if name in self._packages else None

    def has(self, request: Request) -> bool:
        """Say whether a request is for a package's file, be it served or not."""
        path: str = request.environ.get("PATH_INFO", "")
        return path.startswith(_PREFIX)

    def answer(self, request: Request) -> Response:
        """Answer with a file, which browsers keep but ask about, or raise a 404."""
        if request.method not in ("GET", "HEAD"):
            raise Refusal(405, "method_not_allowed", "Use GET here.", allow="GET")
        file = self._file(request.environ.get("PATH_INFO", ""))
        content = file.read_bytes()
        answer = Response(
            body=content,
            content_type=_TYPES[file.suffix],
            charset="utf-8",
            conditional_response=True,
        )
        answer.etag = hashlib.sha256(content).hexdigest()
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    def _file(self, path: str) -> Path:
        match = _PATH.fullmatch(path)
        package = self._packages.get(match[1]) if match else None
        found = package.file(match[2][1:]) if package and match else None
        if found is None:
            raise Refusal(404, "resource_not_found", "Resource not found", self._why())
        return found

    def _why(self) -> str:
        if not self._packages:
            return f"{CLERK_JS} is not served: say where it is with clerk_js=DIR (--clerk-js DIR)."
        served = ", ".join(f"{name}@{one.version}" for name, one in self._packages.items())
        return f"There is no such file. Served are those below dist of {served}."


def _found(directory: Path) -> tuple[Path, Package]:
    for place in _PLACES:
        package = _package(directory / place, CLERK_JS)
        if package is not None:
            return directory / place, package
    raise ValueError(
        f"clerk_js: {directory} holds no {CLERK_JS}: expected an unpacked package, with"
        " package.json and dist, or a directory where npm has installed it"
    )


def _package(place: Path, name: str) -> Package | None:
    """Return the package of this name that is at a place, ``None`` if it is not there."""
    try:
        described: Any = json.loads((place / "package.json").read_bytes())
        dist = (place / "dist").resolve(strict=True)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(described, dict) or described.get("name") != name or not dist.is_dir():
        return None
    return Package(version=str(described.get("version", "unknown")), dist=dist)
