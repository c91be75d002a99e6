"""What is kept of npm's packages is what was published, or it is not used."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from .browsers import REQUIRED
from .npm import Package, cache, unpack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """A package with one file for browsers, on a machine without npm."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(REQUIRED, "required")
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for path in ("package/dist/one.js", "package/dist/esm/one.js", "../one.js"):
            member = tarfile.TarInfo(path)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"1+1"))
    return file.getvalue()


def package_of(content: bytes) -> Package:
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return Package(name="@scope/one", version="1.0.0", integrity=f"sha512-{digest}")


def test_what_browsers_need_is_unpacked_to_where_node_would_look_for_it(
    packed: bytes, tmp_path: Path
) -> None:
    package = package_of(packed)
    (cache() / "scope-one-1.0.0.tgz").write_bytes(packed)
    assert unpack(package, tmp_path) == tmp_path / "@scope" / "one"
    files = [path for path in (tmp_path / "@scope").rglob("*") if path.is_file()]
    assert files == [tmp_path / "@scope/one/dist/one.js"]
    assert files[0].read_text() == "1+1"


def test_what_is_not_kept_needs_npm(packed: bytes, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="npm is missing"):
        unpack(package_of(packed), tmp_path)


def test_what_was_changed_is_not_used(packed: bytes, tmp_path: Path) -> None:
    (cache() / "scope-one-1.0.0.tgz").write_bytes(packed + b"\0")
    with pytest.raises(pytest.fail.Exception, match="npm is missing"):
        unpack(package_of(packed), tmp_path)
    assert not (tmp_path / "@scope").exists()
