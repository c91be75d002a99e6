"""Links to where people sign in and the like, and the way back from there."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clerk_wsgi import Clerk, ConfigurationError
from clerk_wsgi.links import Links

from .minting import NOW
from .wrapping import full_environ, minter

PAGE = {"HTTP_ACCEPT": "text/html", "PATH_INFO": "/page", "QUERY_STRING": "a=b"}


def links(clerk: Clerk | None = None, /, **keys: str) -> Links:
    """Return links for the answer to a request that an instance has decided about."""
    environ = full_environ(**{"clerk.instance": clerk or instance(), **keys})
    return Links(lambda: environ)


def instance(**settings: Any) -> Clerk:
    given = {"sign_in_url": "/in", "sign_up_url": "/up", "account_url": "/me", **settings}
    return Clerk(jwt_key=minter().pem, dotenv=False, clock=lambda: NOW, **given)


def back(url: str) -> str:
    ((name, (address,)),) = parse_qs(urlsplit(url).query).items()
    assert name == "redirect_url"
    return address


def test_each_link_leads_to_its_page_and_back_to_the_one_that_it_is_on() -> None:
    found = links(instance(sign_out_url="/out"), **PAGE)
    pages = (found.sign_in_url, found.sign_up_url, found.account_url, found.sign_out_url)
    assert [urlsplit(page()).path for page in pages] == ["/in", "/up", "/me", "/out"]
    assert {back(page()) for page in pages} == {"http://app.test/page?a=b"}


def test_from_what_is_no_page_they_lead_back_to_the_first_one() -> None:
    assert back(links(**PAGE, REQUEST_METHOD="POST").sign_in_url()) == "http://app.test/"
    assert back(links(PATH_INFO="/api").sign_in_url()) == "http://app.test/"


@pytest.mark.parametrize(
    ("return_to", "address"),
    [
        ("/other?c=d", "http://app.test/other?c=d"),
        ("http://app.test/other", "http://app.test/other"),
        ("http://evil.test/", "http://app.test/"),
        ("//evil.test/", "http://app.test/"),
        ("/\\evil.test", "http://app.test/"),
        ("javascript:alert(1)", "http://app.test/"),
        ("", "http://app.test/"),
    ],
)
def test_they_lead_back_to_pages_of_this_site_alone(return_to: str, address: str) -> None:
    assert back(links(**PAGE).sign_in_url(return_to)) == address


def test_a_proxy_says_which_site_this_is_if_it_is_believed() -> None:
    forwarded = {"HTTP_X_FORWARDED_HOST": "front.test", "HTTP_X_FORWARDED_PROTO": "https"}
    found = links(instance(trust_forwarded=True), **PAGE, **forwarded)
    assert back(found.sign_in_url()) == "https://front.test/page?a=b"
    assert back(links(**PAGE, **forwarded).sign_in_url("/x")) == "http://app.test/x"


def test_there_is_no_link_to_a_page_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError, match="sign_out_url"):
        links().sign_out_url()


def test_there_is_no_link_if_no_instance_decided_about_the_request() -> None:
    with pytest.raises(LookupError, match="wrap the application"):
        Links(full_environ).sign_in_url()
    with pytest.raises(LookupError, match="no instance"):
        Links(lambda: full_environ(**{"clerk.instance": None})).sign_in_url()
