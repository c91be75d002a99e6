"""Any number of session tokens that differ: one is signed when it is first presented.

So a million of them need not be signed, nor kept, to present some of a million at random: which of
the others there are makes no difference to anybody.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from clerk_wsgi.emulator.tokens import session_header

if TYPE_CHECKING:
    from requests_of import Requests, Variables


class Crowd:
    """The tokens of one local Clerk by number, the same ones each time they are asked for."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._claims = requests.claims()
        self._key = requests.emulator._keys.current
        self._signed: dict[int, str] = {}
        self._draw = Random(1)  # the same ones in each run of a program

    def some_of(self, size: int, count: int) -> list[Variables]:
        """Return requests with tokens drawn from the first ``size``, each as likely."""
        return [self.request(self._draw.randrange(size)) for _ in range(count)]

    def each_of(self, size: int) -> list[Variables]:
        """Return requests with each of the first ``size`` tokens."""
        return [self.request(number) for number in range(size)]

    def request(self, number: int) -> Variables:
        """Return what is in a request with one of them."""
        return self._requests.with_cookies(self._token(number))

    def _token(self, number: int) -> str:
        token = self._signed.get(number)
        if token is None:
            claims = {**self._claims, "jti": f"{number:020d}"}
            token = self._signed[number] = self._key.sign(session_header(self._key.kid), claims)
        return token
