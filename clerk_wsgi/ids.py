"""What an id must look like before it may enter the path of an API call: a leaf."""

from __future__ import annotations

import re

_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def is_safe_id(value: object) -> bool:
    """Say whether a value may enter an API path (rule D1)."""
    return isinstance(value, str) and _SAFE_ID.fullmatch(value) is not None
