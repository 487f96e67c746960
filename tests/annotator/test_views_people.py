"""Signing in and out, one-time links, passwords."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.models import SignInLink, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return factories.make_user("ada")


def link(user: User) -> str:
    return reverse("annotator:sign_in_link", args=[SignInLink.issue(user)])


def test_name_and_password_sign_in(client: Client, user: User) -> None:
    data = {"username": "ada", "password": factories.PASSWORD, "next": "/account/"}
    response = client.post("/sign-in/", data)
    assert response["Location"] == "/account/"
    assert client.get("/account/").status_code == 200


def test_a_wrong_password_does_not(client: Client, user: User) -> None:
    response = client.post("/sign-in/", {"username": "ada", "password": "guess"})
    assert response.status_code == 422
    assert "do not match" in response.content.decode()


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(client: Client, user: User, to: str) -> None:
    data = {"username": "ada", "password": factories.PASSWORD, "next": to}
    assert client.post("/sign-in/", data)["Location"] == "/"


@pytest.mark.parametrize("to", ["projects", "?a=1", "#x"])
def test_signing_in_leads_to_no_page_by_its_name(client: Client, user: User, to: str) -> None:
    data = {"username": "ada", "password": factories.PASSWORD, "next": to}
    assert client.post("/sign-in/", data)["Location"] == to


def test_looking_at_a_link_does_not_use_it(client: Client, user: User) -> None:
    to = link(user)
    for _ in range(3):
        assert "Sign me in" in client.get(to).content.decode()
    assert client.post(to)["Location"] == "/"
    assert client.get("/account/").status_code == 200


def test_a_link_works_once(client: Client, user: User) -> None:
    to = link(user)
    client.post(to)
    again = Client().post(to)
    assert again.status_code == 410
    assert "no longer works" in again.content.decode()


def test_an_old_link_is_refused(client: Client, user: User) -> None:
    to = link(user)
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.post(to).status_code == 410


def test_a_fragment_without_session_reloads_the_page(client: Client) -> None:
    response = client.get("/sign-in/", headers={"HX-Request": "true"})
    assert response["HX-Refresh"] == "true"


def test_signing_out_ends_the_session(client: Client, user: User) -> None:
    client.force_login(user)
    client.post("/sign-out/")
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize(
    ("first", "second"),
    [("short", "short"), ("password1234", "password1234"), ("a" * 14, "b" * 14)],
)
def test_a_weak_or_mistyped_password_is_refused(
    client: Client, user: User, first: str, second: str
) -> None:
    client.force_login(user)
    data = {"new_password1": first, "new_password2": second}
    assert client.post("/account/", data).status_code == 422
    user.refresh_from_db()
    assert user.check_password(factories.PASSWORD)


def test_a_new_password_keeps_the_session(client: Client, user: User) -> None:
    client.force_login(user)
    words = "lantern over quiet harbour"
    client.post("/account/", {"new_password1": words, "new_password2": words})
    user.refresh_from_db()
    assert user.check_password(words)
    assert client.get("/account/").status_code == 200
