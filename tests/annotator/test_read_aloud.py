"""What the review page says to whoever hears it: each mention, and what a decision did."""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from annotator.models import Document, User
from tests import factories
from tests.annotator import filled

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def document() -> Document:
    owner = factories.make_user("mei")
    project = factories.make_project("Letters", owner=owner)
    factories.make_version(project)
    return filled.make_document(project)


@pytest.fixture
def review(page: Page, live_server: LiveServer, document: Document) -> Page:
    client = Client()
    client.force_login(User.objects.get(username="mei"))
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page.goto(f"{live_server.url}/projects/letters/documents/{document.pk}/")
    expect(page.locator(".mention")).to_have_count(9)
    return page


@pytest.mark.parametrize(
    "said",
    [
        "Ada Lovelace, person, decided",
        "Bo, person, suggested by local model, uncertainty .63, needs you",
        "Oslo, place, suggested by local model, uncertainty .41, needs you",
        "Cai, person, suggested by local model, uncertainty .08",
        "Rome, not group, rejected",
        "Bank of Oslo, group, decided",
        "Dee, person, suggested by LLM reading the sentence, needs you",
        "Eve, perhaps person, suggested by LLM",
        "ليلى, person, suggested by local model, uncertainty .71, needs you",
    ],
)
def test_a_mention_says_its_words_label_state_and_uncertainty(review: Page, said: str) -> None:
    tag = review.locator("#text").get_by_role("button", name=said, exact=True)
    expect(tag).to_have_count(1)
    assert f'button "{said}"' in tag.aria_snapshot()


def test_the_text_stands_in_the_tree_in_the_order_it_is_read(review: Page) -> None:
    expect(review.locator("#text")).to_match_aria_snapshot(
        """
        - paragraph:
          - text: Ada Lovelace
          - button "Ada Lovelace, person, decided"
          - text: met Bo
          - button "Bo, person, suggested by local model, uncertainty .63, needs you"
          - text: in Oslo
          - button "Oslo, place, suggested by local model, uncertainty .41, needs you"
        """
    )


def test_a_right_to_left_paragraph_is_laid_out_and_read_as_one(review: Page) -> None:
    line = review.locator(".line", has_text="القمر")
    assert line.evaluate("line => getComputedStyle(line).direction") == "rtl"
    snapshot = line.aria_snapshot()
    before, after = snapshot.split('button "ليلى, person')
    assert "رأت" in before
    assert "القمر في عمان" in after
    mark = line.locator(".mention").bounding_box()
    box = line.bounding_box()
    assert mark is not None
    assert box is not None
    assert mark["x"] > box["x"] + box["width"] / 2  # the second word, so on the right


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("a", "Bo, person, decided. 3 need you."),
        ("x", "Bo, not person, rejected. 3 need you."),
        ("2", "Bo, place, decided. 3 need you."),
        ("]", "Bo in, person, decided. 3 need you."),
        ("x Control+z", "Undone. 4 need you."),
        ("x Control+z Control+Shift+z", "Done again. 3 need you."),
        ("f", "Flagged."),
    ],
)
def test_what_a_decision_did_is_said(review: Page, keys: str, said: str) -> None:
    for key in keys.split():
        review.keyboard.press(key)
    expect(review.locator("#said")).to_have_text(said)
    assert review.locator("#said").get_attribute("aria-live") == "polite"
