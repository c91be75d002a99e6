"""The unit that costs are told in: one bare RSA-2048 verification by ``cryptography``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests_of import Requests


def bare_verification(requests: Requests) -> Callable[[int], float]:
    """Return what measures one verification of a token's signature, nothing else.

    It takes how often to verify, and returns seconds on average.
    """
    key, signature, signed = requests.signature()
    padding, algorithm = PKCS1v15(), SHA256()

    def measure(batch: int) -> float:
        clock, taken = time.perf_counter, 0.0
        for _ in range(batch):
            started = clock()
            key.verify(signature, signed, padding, algorithm)
            taken += clock() - started
        return taken / batch

    return measure
