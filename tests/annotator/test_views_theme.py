"""Light, dark, or as the system has it."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def change(client: Client, referer: str = "") -> str:
    """The page that pressing the button leads to."""
    return str(client.post("/theme/", headers={"referer": referer})["Location"])


def test_the_colours_change_from_page_to_page_and_back_to_the_systems(client: Client) -> None:
    for theme in ('data-theme="dark"', 'data-theme="light"', ""):
        change(client)
        page = client.get("/sign-in/").content.decode()
        assert theme in page
        assert ("data-theme" in page) == bool(theme)


def test_it_leads_back_to_the_page_that_was_open(client: Client) -> None:
    assert change(client, "http://testserver/projects/x/?q=a") == "/projects/x/?q=a"


@pytest.mark.parametrize(
    ("referer", "to"),
    [
        ("https://evil.example/x", "/"),
        ("javascript:alert(1)", "/"),
        ("//evil/x", "/"),
        ("http://testserver//evil.example/", "/%2Fevil.example/"),
        ("http://testserver", "/"),
        ("nowhere", "nowhere"),
    ],
)
def test_it_leads_nowhere_else(client: Client, referer: str, to: str) -> None:
    assert change(client, referer) == to


def test_an_unknown_theme_counts_for_none(client: Client) -> None:
    client.cookies["theme"] = '"><script>'
    assert "script>&quot;" not in client.get("/sign-in/").content.decode()
    change(client)
    assert client.cookies["theme"].value == ""
