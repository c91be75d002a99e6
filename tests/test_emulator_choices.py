"""The hosted pages for those who are signed in: choosing an account, and an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .browsing import GRACE, PLACES, Browser, Internet
from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST
from .visiting import BACK, Visitor, html_of, local_clerk

if TYPE_CHECKING:
    from webtest.response import TestResponse

    from .browsing import Place

DEVELOPMENT, PRODUCTION = PLACES[0], PLACES[3]


class Company(Visitor):
    """A browser with two accounts: Ada's, who is in two organizations, and Grace's, in use."""

    def __init__(self, publishable_key: str = PUBLISHABLE_TEST) -> None:
        super().__init__(local_clerk(publishable_key))
        self.ada = self.emulator.users()[0]["id"]
        self.grace = self.emulator.create_user(username="Grace", password=GRACE["password"])["id"]
        names = ("Analytical Society", "Difference Engine & Sons")
        self.society, self.sons = (self.emulator.create_organization(name)["id"] for name in names)
        self.emulator.add_member(self.society, self.ada, "org:admin")
        self.emulator.add_member(self.sons, self.ada)
        self.sign_in()
        self.sign_in(**GRACE)
        self.adas, self.graces = (self.session_of(user) for user in (self.ada, self.grace))

    def session_of(self, user_id: str) -> str:
        return str(self.emulator.sessions(user_id=user_id)[-1]["id"])

    def status(self, session_id: str) -> str:
        return str(self.emulator.session(session_id)["status"])

    def active_organization(self) -> Any:
        return self.emulator.session(self.adas)["last_active_organization_id"]

    def current(self) -> Any:
        """The session that applications get."""
        client = self.emulator.session(self.adas)["client_id"]
        return self.emulator.client(client)["last_active_session_id"]

    def open_organizations(self, session_id: str | None = None) -> TestResponse:
        return self.open("choose-organization", session_id=session_id or self.adas)


@pytest.fixture(params=[PUBLISHABLE_TEST, PUBLISHABLE_LIVE], ids=["development", "production"])
def company(request: pytest.FixtureRequest) -> Company:
    return Company(request.param)


def choices(page: TestResponse) -> dict[str, str]:
    """What can be chosen on a page: values of buttons by what stands on them."""
    found = html_of(page).find_all("button", class_="choice")
    return {button.strong.get_text(): button["value"] for button in found}


def in_use(page: TestResponse) -> list[str]:
    """What is marked as what one has now."""
    found = html_of(page).find_all("button", attrs={"aria-current": "true"})
    assert all(button.find(string="In use") for button in found)
    return [button.strong.get_text() for button in found]


def alert_of(page: TestResponse) -> str:
    return str(html_of(page).find(attrs={"role": "alert"}).string)


# Choosing an account


def test_all_accounts_of_the_browser_can_be_chosen_and_the_current_one_is_marked(
    company: Company,
) -> None:
    page = company.open("choose")
    assert choices(page) == {"Ada Lovelace": company.adas, "Grace": company.graces}
    assert in_use(page) == ["Grace"]


def test_choosing_an_account_makes_it_the_current_one_and_leads_back(company: Company) -> None:
    answer = company.send(company.open("choose"), session_id=company.adas)
    assert answer.status_int == 303
    assert answer.headers["Location"].startswith(BACK)
    assert company.current() == company.adas
    assert in_use(company.open("choose")) == ["Ada Lovelace"]
    assert company.status(company.graces) == "active"


def test_without_an_application_one_stays_at_the_choice(company: Company) -> None:
    page = company.open("choose", back=None)
    for answer in (
        company.send(page, session_id=company.adas),
        company.send(page, sign_out=company.graces),
    ):
        assert answer.headers["Location"].endswith("/choose")
    assert choices(company.open("choose")) == {"Ada Lovelace": company.adas}


def test_somebody_without_a_name_is_called_by_an_identifier() -> None:
    visitor = Company()
    visitor.emulator.create_user(email_address="nobody@example.com", password="x")
    visitor.sign_in(identifier="nobody@example.com", password="x")
    assert list(choices(visitor.open("choose"))) == ["Ada Lovelace", "Grace", "nobody@example.com"]


@pytest.mark.parametrize("page", ["choose", "choose-organization"])
@pytest.mark.parametrize("back", [BACK, None])
def test_who_is_not_signed_in_has_nothing_to_choose_and_may_sign_in(
    company: Company, page: str, back: str | None
) -> None:
    answer = Visitor(company.emulator).open(page, back=back)
    html = html_of(answer)
    assert answer.status_int == 200
    assert "Nobody is signed in here." in html.get_text()
    assert choices(answer) == {}
    assert html.find("a", string="Sign in")["href"].startswith("sign-in")


@pytest.mark.parametrize(
    "over", ["", "sess_unknown", "the session of another browser", "a session that has ended"]
)
@pytest.mark.parametrize("name", ["session_id", "sign_out"])
def test_a_session_that_the_browser_has_not_can_neither_be_chosen_nor_left(
    company: Company, name: str, over: str
) -> None:
    other = Visitor(company.emulator)
    other.sign_in()
    known = {
        "the session of another browser": company.session_of(company.ada),
        "a session that has ended": company.adas,
    }
    company.emulator.update_session(company.adas, status="ended")
    before = company.emulator.sessions()
    fields: dict[str, Any] = {name: known.get(over, over)}
    answer = company.send(company.open("choose"), **fields)
    assert answer.status_int == 422
    assert alert_of(answer) == "That session is over. Please sign in again."
    assert company.emulator.sessions() == before


@pytest.mark.parametrize("fields", [{"session_id": "sess_x"}, {"sign_out": "sess_x"}, {}])
def test_a_stranger_has_no_session_to_choose_or_to_leave(
    company: Company, fields: dict[str, Any]
) -> None:
    stranger = Visitor(company.emulator)
    form = stranger.open()
    form.request.path_info = "/choose"
    answer = stranger.send(form, **fields)
    assert answer.status_int == 422
    assert "That session is over" in alert_of(answer)


# Leaving one of several accounts


def test_leaving_one_account_keeps_the_other_and_stays_at_the_choice(company: Company) -> None:
    page = company.open("choose")
    answer = company.send(page, sign_out=company.graces)
    assert (answer.status_int, answer.headers["Location"]) == (303, page.request.url)
    assert company.status(company.graces) == "removed"
    assert company.status(company.adas) == "active"
    assert in_use(company.open("choose")) == ["Ada Lovelace"]


def test_leaving_the_last_account_leads_back(company: Company) -> None:
    page = company.open("choose")
    company.send(page, sign_out=company.graces)
    answer = company.send(page, sign_out=company.adas)
    assert answer.headers["Location"].startswith(BACK)
    assert company.living() == 0


def test_in_development_the_application_stays_known_when_one_account_is_left() -> None:
    company = Company()
    [token] = (one.value for one in company.http.cookiejar if one.name == "__clerk_db_jwt")
    answer = company.send(company.open("choose"), sign_out=company.graces)
    assert any(f"={token};" in line for line in answer.headers.getall("Set-Cookie"))


def test_in_production_everybody_learns_of_the_change_at_once() -> None:
    company = Company(PUBLISHABLE_LIVE)
    answer = company.send(company.open("choose"), sign_out=company.graces)
    lines = answer.headers.getall("Set-Cookie")
    assert any(line.startswith(f"__client_uat={NOW};") for line in lines)


def test_the_sign_out_page_asks_whether_one_account_or_all_of_them(company: Company) -> None:
    html = html_of(company.open("sign-out"))
    assert "You are signed in as Ada Lovelace and Grace." in html.get_text()
    assert {button.get_text(): button.get("value") for button in html.find_all("button")} == {
        "Sign out of all accounts": None,
        "Sign out Ada Lovelace only": company.adas,
        "Sign out Grace only": company.graces,
    }


def test_signing_out_of_one_account_leads_back_with_the_other(company: Company) -> None:
    answer = company.send(company.open("sign-out"), session_id=company.graces)
    assert answer.headers["Location"].startswith(BACK)
    assert (company.status(company.adas), company.status(company.graces)) == ("active", "removed")


def test_signing_out_of_all_accounts_ends_them_all(company: Company) -> None:
    company.send(company.open("sign-out"))
    assert company.living() == 0


@pytest.mark.parametrize("session_id", ["", "sess_unknown", "of another browser"])
def test_nobody_can_be_signed_out_from_another_browser(company: Company, session_id: str) -> None:
    other = Visitor(company.emulator)
    other.sign_in()
    of_other = company.session_of(company.ada)
    wanted = of_other if session_id == "of another browser" else session_id
    answer = company.send(company.open("sign-out"), session_id=wanted)
    assert answer.status_int == 422
    assert "Location" not in answer.headers
    assert company.living() == 3


# Choosing an organization


def test_the_personal_account_and_all_organizations_of_the_user_can_be_chosen(
    company: Company,
) -> None:
    page = company.open_organizations()
    assert choices(page) == {
        "Personal account": "",
        "Analytical Society": company.society,
        "Difference Engine & Sons": company.sons,
    }
    assert in_use(page) == ["Personal account"]
    assert "Admin" in html_of(page).find("button", value=company.society).get_text()


def test_only_who_is_a_member_of_something_is_offered_a_choice(company: Company) -> None:
    links = html_of(company.open("choose")).find_all("a")
    offered = [link["href"] for link in links if "choose-organization" in link["href"]]
    assert len(offered) == 1
    assert company.adas in offered[0]
    assert list(choices(company.open_organizations(company.graces))) == ["Personal account"]


def test_choosing_an_organization_activates_it_in_that_session_and_leads_back(
    company: Company,
) -> None:
    answer = company.send(company.open_organizations(), organization_id=company.society)
    assert answer.status_int == 303
    assert answer.headers["Location"].startswith(BACK)
    assert company.active_organization() == company.society
    assert company.current() == company.adas
    assert in_use(company.open_organizations()) == ["Analytical Society"]
    assert "Analytical Society" in html_of(company.open("choose")).get_text()


def test_choosing_the_personal_account_leaves_the_organization(company: Company) -> None:
    company.emulator.activate_organization(company.adas, company.society)
    answer = company.send(company.open_organizations(), organization_id="")
    assert answer.status_int == 303
    assert company.active_organization() is None


def test_without_a_session_in_the_address_it_is_the_current_one(company: Company) -> None:
    page = company.open("choose-organization")
    assert "as Grace" in html_of(page).get_text()
    company.send(company.open("choose"), session_id=company.adas)
    answer = company.send(company.open("choose-organization"), organization_id=company.sons)
    assert answer.status_int == 303
    assert company.active_organization() == company.sons


@pytest.mark.parametrize("wanted", ["org_unknown", "analytical-society", "of others", "left", ...])
def test_an_organization_of_others_cannot_be_chosen(company: Company, wanted: Any) -> None:
    page = company.open_organizations()
    others = company.emulator.create_organization("Others")["id"]
    company.emulator.remove_member(company.sons, company.ada)
    known = {"of others": others, "left": company.sons}
    answer = company.send(page, organization_id=known.get(wanted, wanted))
    assert answer.status_int == 422
    assert alert_of(answer)
    assert company.active_organization() is None
    assert company.current() == company.graces


def test_an_organization_that_is_gone_cannot_be_chosen(company: Company) -> None:
    page = company.open_organizations()
    company.emulator.delete_organization(company.society)
    answer = company.send(page, organization_id=company.society)
    assert answer.status_int == 422
    assert alert_of(answer).startswith("You are not a member of that organization.")
    assert "Analytical Society" not in choices(answer)


@pytest.mark.parametrize("session_id", ["sess_unknown", "x", "of another browser", "that is over"])
def test_nobody_chooses_for_a_session_that_the_browser_has_not(
    company: Company, session_id: str
) -> None:
    other = Visitor(company.emulator)
    other.sign_in()
    of_other = company.session_of(company.ada)
    company.emulator.update_session(company.adas, status="revoked")
    known = {"of another browser": of_other, "that is over": company.adas}
    page = company.open_organizations(known.get(session_id, session_id))
    assert page.status_int == 422
    assert "That session is over." in html_of(page).get_text()
    answer = company.send(page, organization_id=company.society)
    assert answer.status_int in (403, 422)
    assert company.emulator.session(of_other)["last_active_organization_id"] is None


def test_a_stranger_has_no_organization_to_choose(company: Company) -> None:
    stranger = Visitor(company.emulator)
    form = stranger.open()
    form.request.path_info = "/choose-organization"
    answer = stranger.send(form, organization_id=company.society)
    assert answer.status_int == 422
    assert company.active_organization() is None


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Cookie": ""}])
@pytest.mark.parametrize("field", ["session_id", "sign_out", "organization_id"])
def test_a_form_of_another_site_chooses_nothing(
    company: Company, field: str, headers: dict[str, str]
) -> None:
    is_organization = field == "organization_id"
    page = company.open_organizations() if is_organization else company.open("choose")
    if "Cookie" in headers:
        company.http.reset()
    fields: dict[str, Any] = {field: company.society if is_organization else company.adas}
    answer = company.send(page, headers, **fields)
    assert answer.status_int == 403
    assert "again" in alert_of(answer)
    assert company.current() == company.graces
    assert company.active_organization() is None
    assert company.living() == 2


@pytest.mark.parametrize("name", ["choose", "choose-organization"])
def test_a_choice_without_the_right_token_is_none(company: Company, name: str) -> None:
    page = company.open(name, session_id=company.adas)
    for token in ("", "x" * 43, ...):
        fields: dict[str, Any] = (
            {"session_id": company.adas} if name == "choose" else {"organization_id": ""}
        )
        answer = company.send(page, form_token=token, **fields)
        assert answer.status_int == 403
    assert company.current() == company.graces


# What applications see of it


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_the_application_gets_the_organization_that_was_chosen(place: Place) -> None:
    browser = Browser(Internet(place))
    emulator = browser.internet.emulator
    society = emulator.create_organization("Analytical Society")["id"]
    emulator.add_member(society, browser.internet.ada, "org:admin")
    browser.sign_in()
    assert organization_in(browser) is None
    for chosen in (society, ""):
        browser.wait(3)
        page = browser.load(browser.hosted("choose-organization", "/"))
        assert browser.submit(page, organization_id=chosen).status_int == 200
        assert (organization_in(browser) or "") == chosen


@pytest.mark.parametrize("place", [DEVELOPMENT, PRODUCTION], ids=lambda place: place.name)
def test_the_application_goes_on_with_the_account_that_is_left(place: Place) -> None:
    internet = Internet(place)
    internet.add_grace()
    browser = Browser(internet)
    browser.sign_in()
    browser.wait(3)
    graces = browser.sign_in(**GRACE).text.split()[1]
    browser.wait(70)
    choice = browser.load(browser.hosted("choose", "/"))
    browser.submit(choice, sign_out=graces)
    browser.wait(3)
    assert browser.load("/").text.startswith(internet.ada)


def organization_in(browser: Browser) -> Any:
    """The id of the organization in the token that the application has."""
    claims = browser.internet.emulator.read_session_token(browser.cookie("__session") or "")
    assert claims is not None
    return claims.get("o", {}).get("id")
