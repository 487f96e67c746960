"""What a newcomer does with the demo: sign in, review by keyboard, watch it learn. Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Spanlight
from tests.ops.processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser]

REVIEWED = 3


def test_sign_in_review_three_documents_and_see_it_retrain(
    spanlight: Spanlight, page: Page
) -> None:
    complaints: list[str] = []
    with spanlight.running() as link:
        sign_in(page, link)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{spanlight.url}/projects/demo/")
        expect(page.get_by_text("Training").first).to_be_visible(timeout=60_000)
        wait_until(lambda: spanlight.job_ended("tag"), "the demo to be tagged", 600)
        wait_until(lambda: spanlight.job_ended("link", 2), "the recorded answers", 120)

        page.goto(f"{spanlight.url}/projects/demo/review/")
        for number in range(1, REVIEWED + 1):
            review_by_keyboard(page)
            assert gold_reviewed(spanlight) == number
        kept = decided(spanlight)
        wait_until(lambda: spanlight.job_ended("train", 2), "the retraining", 600)
        wait_until(lambda: spanlight.job_ended("tag", 2), "the new version to tag", 120)

        page.goto(f"{spanlight.url}/projects/demo/model/")
        expect(page.get_by_role("row", name="2 serving")).to_be_visible()
        decisions = "SELECT count(*) FROM annotator_correction WHERE evidence = 'decision'"
        assert spanlight.ask(decisions) >= REVIEWED
        assert decided(spanlight) == kept, "the new version changed what a person decided"
    assert complaints == []


def sign_in(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Sign me in").click()
    expect(page.get_by_role("link", name="Demo").first).to_be_visible()
    page.goto(link)
    page.get_by_role("button", name="Sign me in").click()
    expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()


def review_by_keyboard(page: Page) -> None:
    """Accepts all that needs a person in the document on the page, and submits it."""
    here = page.url
    while (left := page.locator(".mention.needs").count()) > 0:
        page.keyboard.press("a")
        expect(page.locator(".mention.needs")).to_have_count(left - 1)
        expect(page.locator("#state")).to_have_text("Saved")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != here)


def gold_reviewed(spanlight: Spanlight) -> int:
    return int(
        spanlight.ask("SELECT count(*) FROM annotator_document WHERE reviewed_at IS NOT NULL")
    )


def decided(spanlight: Spanlight) -> str:
    """Every span that a person decided about, with its label and verdict."""
    return str(
        spanlight.ask(
            "SELECT group_concat(said) FROM (SELECT m.document_id || ' ' || m.start || '-' || m.end"
            " || ' ' || m.label_id || m.state AS said FROM annotator_mention m"
            " JOIN annotator_document d ON d.id = m.document_id"
            " WHERE d.reviewed_at IS NOT NULL ORDER BY m.id)"
        )
    )
