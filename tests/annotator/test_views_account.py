"""The own account: the keys of the review page, and the tour that is seen once."""

from __future__ import annotations

from html import unescape

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from annotator import keys
from annotator.demo.making import make
from annotator.demo.tour import shows_tour
from annotator.models import User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = factories.make_user("ada")
    client.force_login(user)
    return user


def typed(**changed: str) -> dict[str, str]:
    """The form as it is sent from a page with the defaults, but for what is `changed`."""
    fields = {action.id: " ".join(action.keys) for action in keys.ACTIONS}
    return fields | {"single_keys": "on"} | changed


def test_the_page_names_every_action_with_its_keys(client: Client, user: User) -> None:
    html = unescape(client.get("/account/").content.decode())
    for action in keys.ACTIONS:
        assert f'<label for="id_{action.id}">{action.title}</label>' in html
        assert f'value="{" ".join(action.keys)}"' in html


def test_chosen_keys_are_saved_and_shown(client: Client, user: User) -> None:
    response = client.post("/account/keys/", typed(accept="Y  shift+ArrowUp", flag=""))
    assert response["Location"] == "/account/"
    user.refresh_from_db()
    assert user.keys == {"accept": ["y", "Shift+ArrowUp"], "flag": []}
    assert user.single_keys
    assert 'value="y Shift+ArrowUp"' in client.get("/account/").content.decode()


def test_single_keys_can_be_turned_off(client: Client, user: User) -> None:
    data = typed()
    del data["single_keys"]
    client.post("/account/keys/", data)
    user.refresh_from_db()
    assert not user.single_keys
    assert user.keys == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"accept": "x"}, "“x” cannot do two things: “Accept” and “Reject: not an entity”."),
        ({"accept": "3"}, "digits give labels"),
        ({"accept": "Escape"}, "closes what is open"),
        ({"accept": "nonsense"}, "is no key"),
        ({"accept": "<b>"}, "is no key"),
        ({"accept": "a" * 200}, "at most 100 characters"),
    ],
)
def test_a_wrong_key_is_said_in_its_place_and_nothing_is_saved(
    client: Client, user: User, changed: dict[str, str], said: str
) -> None:
    response = client.post("/account/keys/", typed(reject="x", flag="y") | changed)
    assert response.status_code == 422
    html = response.content.decode()
    assert said in unescape(html)
    assert "<b>" not in html
    assert f'value="{changed["accept"].replace("<", "&lt;").replace(">", "&gt;")}"' in html
    user.refresh_from_db()
    assert user.keys == {}


def test_back_to_the_defaults_whatever_is_typed(client: Client, user: User) -> None:
    User.objects.update(keys={"accept": ["y"]}, single_keys=False)
    client.post("/account/keys/", {"accept": "nonsense", "defaults": "1"})
    user.refresh_from_db()
    assert (user.keys, user.single_keys) == ({}, True)


def test_only_the_own_keys_change(client: Client, user: User) -> None:
    other = factories.make_user()
    client.post("/account/keys/", typed(accept="y"))
    other.refresh_from_db()
    assert other.keys == {}


# --- The tour ------------------------------------------------------------------------------------
def test_the_tour_is_for_the_demo_project_until_it_is_dismissed(client: Client, user: User) -> None:
    demo = make(user)
    assert shows_tour(user, demo)
    assert not shows_tour(user, factories.make_project())
    assert client.post("/account/tour/").status_code == 204
    user.refresh_from_db()
    assert not shows_tour(user, demo)
    assert shows_tour(factories.make_user(), demo)


def test_a_renamed_demo_project_is_still_the_demo(user: User) -> None:
    demo = make(user)
    demo.name, demo.provider = "Letters", ""
    assert shows_tour(user, demo)


def test_a_forged_dismissal_is_refused(user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post("/account/tour/").status_code == 403
    user.refresh_from_db()
    assert not user.tour_seen


def test_the_tour_stays_hidden_without_its_script() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    html = render_to_string("tour.html", request=request)
    assert html.count('class="tour-step"') == 3
    assert html.split(">", 1)[0].endswith(" hidden")
