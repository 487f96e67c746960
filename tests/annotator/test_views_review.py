"""The review page: what it shows, what it saves, what it refuses."""

from __future__ import annotations

import re
import uuid
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.models import Correction, Document, Mention, Project, User
from tests import factories

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def user(client: Client) -> User:
    user = factories.make_user("ada")
    client.force_login(user)
    return user


@pytest.fixture
def document(user: User) -> Document:
    project = factories.make_project("Harbour", annotator=user)
    factories.make_version(project)
    return factories.make_document(project, "Ada met Bo in Oslo.")


def page(document: Document, name: str = "review") -> str:
    return reverse(f"annotator:{name}", args=[document.project.slug, document.pk])


def decide(client: Client, document: Document, headers: Any = HTMX, **data: Any) -> Any:
    data = {"id": str(uuid.uuid4())} | data
    return client.post(page(document, "decide"), data, headers=headers)


def shown_text(html: str) -> str:
    """The document's text as a reader of the page gets it: tags behind mentions left out."""
    lines = re.findall(r'<p class="line"[^>]*>(.*?)</p>', html, re.DOTALL)
    bare = [re.sub(r'<a class="tag".*?</a>', "", line, flags=re.DOTALL) for line in lines]
    return "\n".join(unescape(re.sub(r"<[^>]*>", "", line)) for line in bare)


PAYLOAD = "<script>alert(1)</script> & <img src=x onerror=alert(2)> \"'}}{{ 7*7 }} Oslo\t  end"


def test_text_is_shown_exactly_and_never_as_markup(client: Client, document: Document) -> None:
    text = f"  {PAYLOAD}\n\n{PAYLOAD} "
    nasty = factories.make_document(document.project, text)
    factories.make_mention(nasty, "<img src=x onerror=alert(2)>", "place")
    html = client.get(page(nasty)).content.decode()
    assert shown_text(html) == text
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_names_of_labels_and_documents_are_text_too(client: Client, user: User) -> None:
    label = '"><script>alert(1)</script>'
    project = factories.make_project("<b>Bold</b>", annotator=user, labels=(label,))
    document = factories.make_document(project, name="<script>alert(3)</script>")
    factories.make_mention(document, "Ada", label, reason="<script>alert(2)</script>")
    for to in (page(document), reverse("annotator:documents", args=[project.slug])):
        html = client.get(to).content.decode()
        assert "<script>alert" not in html
        assert "<b>Bold" not in html


def test_marks_tell_state_source_and_doubt(client: Client, document: Document) -> None:
    factories.make_mention(document, "Ada", "person", state="accepted", source="person")
    factories.make_doubt(document, "Bo", "person", 0.42)
    html = client.get(page(document)).content.decode()
    assert "mention accepted label-0 lit-10" in html
    assert "mention suggested label-0 lit-6 needs focus" in html
    assert 'aria-label="Bo, person, suggested by local model, uncertainty .42, needs you"' in html
    assert "The local model is unsure." in html


def test_recorded_answers_are_called_so(client: Client, document: Document) -> None:
    question = factories.make_question(document, "Oslo", "place", probability=0.9)
    factories.make_mention(document, "Oslo", "place", source="llm", question=question)
    assert "recorded answers, no live LLM" in client.get(page(document)).content.decode()


def test_a_decision_comes_back_as_the_document(client: Client, document: Document) -> None:
    first = factories.make_doubt(document, "Ada", "person")
    second = factories.make_doubt(document, "Oslo", "place")
    response = decide(client, document, action="accept", mention=first.pk, version=0)
    html = response.content.decode()
    assert response.status_code == 200
    assert html.lstrip().startswith('<div id="document"')
    assert f'data-focus="{second.pk}"' in html
    assert 'data-version="1"' in html
    first.refresh_from_db()
    assert first.state == Mention.State.ACCEPTED


def test_after_the_last_one_it_begins_again(client: Client, document: Document) -> None:
    first = factories.make_doubt(document, "Ada", "person")
    last = factories.make_doubt(document, "Oslo", "place")
    response = decide(client, document, action="reject", mention=last.pk)
    assert response.context_data["focus"].pk == first.pk


def test_sent_twice_it_is_saved_once(client: Client, document: Document) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    data = {"id": str(uuid.uuid4()), "action": "relabel", "label": "group", "mention": mention.pk}
    for _ in range(2):
        assert decide(client, document, version=0, **data).status_code == 200
    assert Correction.objects.count() == 1


def test_adding_uses_code_points(client: Client, user: User, document: Document) -> None:
    emoji = factories.make_document(document.project, "👨‍👩‍👧 in Oslo")
    start = emoji.text.index("Oslo")
    response = decide(client, emoji, action="add", start=start, end=start + 4, label="place")
    added = emoji.mentions.get()
    assert added.surface == "Oslo"
    assert response.context_data["focus"].pk == added.pk


def test_a_stale_decision_is_a_409_with_the_document(client: Client, document: Document) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    Document.objects.filter(pk=document.pk).update(version=7)
    response = decide(client, document, action="accept", mention=mention.pk, version=6)
    assert response.status_code == 409
    assert 'data-version="7"' in response.content.decode()
    assert "was not saved" in unescape(response.content.decode())
    assert not Correction.objects.exists()


def test_a_stale_form_gets_a_whole_page(client: Client, document: Document) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    response = decide(client, document, None, action="accept", mention=mention.pk, version=9)
    assert response.status_code == 409
    assert "<!doctype html>" in response.content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "add", "start": 0, "end": 99, "label": "person"},
        {"action": "add", "start": 3, "end": 3, "label": "person"},
        {"action": "add", "start": 0, "end": 3, "label": "planet"},
        {"action": "dance"},
        {"action": "add", "start": "<b>", "end": 3, "label": "person"},
        {"action": "accept", "id": "no-uuid"},
        {"action": "accept", "mention": "9" * 5000},
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    client: Client, document: Document, wrong: dict[str, Any]
) -> None:
    response = decide(client, document, **wrong)
    assert response.status_code == 422
    assert response.context_data["notice"]
    assert not Correction.objects.exists()


def test_without_script_a_decision_leads_back_to_the_page(
    client: Client, document: Document
) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    response = decide(client, document, None, action="accept", mention=mention.pk)
    assert response["Location"].startswith(page(document) + "?mention=")


def test_the_panel_comes_alone(client: Client, document: Document) -> None:
    mention = factories.make_doubt(document, "Oslo", "place")
    response = client.get(page(document), {"mention": mention.pk, "part": "panel"}, headers=HTMX)
    html = response.content.decode().strip()
    assert html.startswith('<aside id="panel"')
    assert html.endswith("</aside>")


def test_submitting_makes_gold_and_leads_on(client: Client, document: Document) -> None:
    sure = factories.make_mention(document, "Ada", "person")
    maybe = factories.make_mention(document, "Oslo", "place", maybe=True, needs_person=True)
    data = {"id": str(uuid.uuid4()), "version": 0}
    response = client.post(page(document, "submit"), data)
    assert response["Location"] == reverse("annotator:review_next", args=["harbour"])
    document.refresh_from_db()
    assert document.status == Document.Status.GOLD
    assert [Mention.objects.get(pk=m.pk).state for m in (sure, maybe)] == ["accepted", "rejected"]


def test_a_stale_submit_is_a_409(client: Client, document: Document) -> None:
    response = client.post(page(document, "submit"), {"id": str(uuid.uuid4()), "version": 3})
    assert response.status_code == 409
    document.refresh_from_db()
    assert document.status != Document.Status.GOLD


def review_next(client: Client, project: Project, query: str = "") -> Any:
    return client.get(reverse("annotator:review_next", args=[project.slug]) + query)


def test_review_leads_to_the_most_doubtful(client: Client, document: Document) -> None:
    factories.make_doubt(document, "Ada", "person", 0.5)
    other = factories.make_document(document.project)
    factories.make_doubt(other, "Ada", "person", 0.9)
    assert review_next(client, document.project)["Location"] == page(other)
    assert review_next(client, document.project, f"?after={other.pk}")["Location"] == page(document)


def test_when_nothing_is_in_doubt_it_says_so(client: Client, document: Document) -> None:
    factories.make_mention(document, "Ada", "person")
    response = review_next(client, document.project)
    assert "Nothing left that needs you" in response.content.decode()
    assert review_next(client, document.project, "?sure")["Location"] == page(document)
    assert review_next(client, document.project)["Location"] == page(document)
