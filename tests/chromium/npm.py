"""Clerk's packages for browsers as they are published: npm gets them once, they are kept packed."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .browsers import require_or_skip

TIMEOUT = 300  # seconds

# The folders below have thousands of files for bundlers.
_FOR_BROWSERS = re.compile(r"package/(package\.json|dist/[^/]+\.js)")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of one version; ``integrity`` is what npm says of it."""

    name: str
    version: str
    integrity: str

    @property
    def file_name(self) -> str:
        """How npm calls it packed."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


def unpack(package: Package, folder: Path) -> Path:
    """Unpack what browsers need of a package to where Node would look for it below a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(_packed(package)) as archive:
            members = [one for one in archive if _FOR_BROWSERS.fullmatch(one.name)]
            archive.extractall(scratch, members, filter="data")
        target = folder / package.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(scratch, "package"), target)
    return target


def cache() -> Path:
    """Return the folder of the user's cache that is ours."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    folder = (Path(given) if given else Path.home() / ".cache") / "clerk-wsgi-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _packed(package: Package) -> Path:
    """Return the packed file, which is what was published, or it is not used."""
    kept = cache() / package.file_name
    if not kept.exists() or not _is_intact(kept, package):
        _fetch(package, kept)
    return kept


def _fetch(package: Package, kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        require_or_skip("npm")
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        _run(npm, "pack", f"{package.name}@{package.version}", "--pack-destination", scratch)
        fetched = Path(scratch, package.file_name)
        assert _is_intact(fetched, package), f"{package.file_name} is not what was published"
        fetched.replace(kept)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=TIMEOUT, cwd=cache()
        )
    except subprocess.TimeoutExpired:
        require_or_skip(f"an answer to {' '.join(command[1:3])} in time")
    if done.returncode != 0:
        require_or_skip(f"what {' '.join(command[1:3])} asks for:\n{done.stderr}\nIt")


def _is_intact(file: Path, package: Package) -> bool:
    digest = hashlib.sha512(file.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}" == package.integrity
