"""The review page and its calls: what they show, what they save, what they refuse."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator import leases
from annotator.models import Comment, Correction, Document, Lease, Mention, Project, User
from tests import factories

pytestmark = pytest.mark.django_db

ADA = {"start": 0, "end": 3, "label": "person"}
OSLO = {"start": 14, "end": 18, "label": "place"}


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


def post(client: Client, to: str, body: Any) -> Any:
    return client.post(to, body, content_type="application/json")


def decision(action: str, **fields: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "action": action} | fields


def decide(client: Client, document: Document, *given: dict[str, Any], **fields: Any) -> Any:
    body = {"version": 0, "step": str(uuid.uuid4()), "decisions": given} | fields
    return post(client, page(document, "decide"), body)


def read_sheet(client: Client, document: Document) -> Any:
    return client.get(page(document, "sheet")).json()


# --- The page and its sheet ---------------------------------------------------------------------
PAYLOAD = "</script><script>alert(1)</script> & <img src=x onerror=alert(2)> Oslo\t  end\r\n👩‍🚀"


def test_texts_names_and_labels_are_data_and_never_markup(client: Client, user: User) -> None:
    label = '"></script><script>alert(3)</script>'
    project = factories.make_project("<b>Bold</b>", annotator=user, labels=(label,))
    document = factories.make_document(project, PAYLOAD, name="<script>alert(4)</script>")
    factories.make_mention(document, "Oslo", label, needs_person=True, reason="<script>alert(5)")
    html = client.get(page(document)).content.decode()
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "<b>Bold" not in html
    assert read_sheet(client, document)["text"] == PAYLOAD
    fragment = client.get(page(document, "why"), {"mention": document.mentions.get().pk})
    assert "<script>alert" not in fragment.content.decode()


def test_the_page_carries_the_sheet_that_the_call_answers(
    client: Client, document: Document
) -> None:
    factories.make_doubt(document, "Ada", "person", 0.42)
    response = client.get(page(document))
    sheet = read_sheet(client, document)
    assert response.context_data["sheet"] == sheet
    assert response["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    labels = response.context_data["desk"]["labels"]
    assert [label["name"] for label in labels] == [*factories.LABELS]


def test_a_sheet_tells_state_source_and_doubt(client: Client, document: Document) -> None:
    factories.make_mention(document, "Oslo", "place", state="accepted", source="person")
    question = factories.make_question(document, "Bo", "person")
    factories.make_mention(document, "Bo", "person", source="llm", question=question, right=0.91234)
    factories.make_doubt(document, "Ada", "person", 0.42)
    ada, bo, oslo = read_sheet(client, document)["mentions"]
    for row in (ada, bo, oslo):
        assert row.pop("id")
    assert ada == ADA | {
        "state": "suggested",
        "source": "local",
        "needs": True,
        "reason": "The local model is unsure.",
        "u": 0.42,
        "local": "person",
    }
    assert (bo["right"], bo["asked"], bo["source"]) == (0.9123, True, "llm")
    assert oslo == OSLO | {"state": "accepted", "source": "person"}


def test_a_sheet_names_what_the_llm_named_and_nobody_could_place(
    client: Client, document: Document
) -> None:
    project = document.project
    project.provider, project.sweep_share = Project.Provider.OPENAI, 100
    project.save()
    from annotator.swept import whom_sweeps

    asked = whom_sweeps(project)
    factories.make_swept_sentence(
        document,
        ungrounded=[["Ada Bo", "person"], ["Ada Bo", "person"], ["", "place"]],
        model=asked.model,
        provider=asked.provider,
        prompt_version=asked.prompt_version,
    )
    assert read_sheet(client, document)["unplaced"] == [["Ada Bo", "person"]]


def test_the_number_of_queries_does_not_grow_with_the_mentions(
    client: Client, document: Document, django_assert_max_num_queries: Any
) -> None:
    for words in ("Ada", "Bo", "Oslo", "met"):
        factories.make_doubt(document, words, "person")
    with django_assert_max_num_queries(12):
        read_sheet(client, document)


# --- Decisions ----------------------------------------------------------------------------------
def test_the_answer_is_what_changed(client: Client, document: Document) -> None:
    ada = factories.make_doubt(document, "Ada", "person")
    bo = factories.make_doubt(document, "Bo", "person")
    oslo = factories.make_doubt(document, "Oslo", "place")
    step = str(uuid.uuid4())
    add = decision("add", start=4, end=10, label="group")
    answer = decide(client, document, decision("accept", mention=ADA), add, step=step).json()
    rows = {row["id"]: row for row in answer["mentions"]}
    assert rows[ada.pk] == ADA | {
        "id": ada.pk,
        "state": "accepted",
        "source": "local",
        "u": 0.6,
        "local": "person",
    }
    assert (answer["version"], answer["gone"]) == (1, [bo.pk])
    assert oslo.pk not in rows
    before = read_sheet(client, document)
    assert (before["undo"], before["redo"]) == ([step], [])
    assert sorted(row["id"] for row in before["mentions"]) == sorted([*rows, oslo.pk])


def test_undo_and_again_give_back_deltas(client: Client, document: Document) -> None:
    factories.make_doubt(document, "Ada", "person")
    first = read_sheet(client, document)["mentions"]
    step, back = str(uuid.uuid4()), str(uuid.uuid4())
    decide(client, document, decision("add", start=0, end=7, label="group"), step=step)
    second = read_sheet(client, document)["mentions"]
    undone = decide(client, document, decision("undo", of=step), version=1, step=back).json()
    assert undone["mentions"] == first == read_sheet(client, document)["mentions"]
    assert undone["gone"] == [second[0]["id"]]
    assert read_sheet(client, document)["redo"] == [back]
    again = decide(client, document, decision("undo", of=back), version=2).json()
    assert again["mentions"] == second == read_sheet(client, document)["mentions"]


def test_submitting_makes_gold_and_undoing_it_does_not(client: Client, document: Document) -> None:
    factories.make_mention(document, "Ada", "person")
    factories.make_mention(document, "Oslo", "place", maybe=True, needs_person=True)
    step = str(uuid.uuid4())
    answer = decide(client, document, decision("submit"), step=step).json()
    assert [row["state"] for row in answer["mentions"]] == ["accepted", "rejected"]
    assert answer["status"] == "gold"
    answer = decide(client, document, decision("undo", of=step), version=1).json()
    assert [row["state"] for row in answer["mentions"]] == ["suggested", "suggested"]
    assert answer["status"] == "tagged"


def test_sent_twice_it_is_saved_once_and_answered_alike(client: Client, document: Document) -> None:
    factories.make_doubt(document, "Ada", "person")
    given = [decision("relabel", mention=ADA, label="group"), decision("submit")]
    step = str(uuid.uuid4())
    answers = [decide(client, document, *given, step=step) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert Correction.objects.count() == 2


def test_a_repeat_after_others_went_on_brings_the_whole_sheet(
    client: Client, document: Document
) -> None:
    given = decision("add", start=0, end=3, label="person")
    decide(client, document, given)
    decide(client, document, decision("add", start=8, end=10, label="person"), version=1)
    answer = decide(client, document, given).json()
    assert answer["version"] == answer["sheet"]["version"] == 2
    assert len(answer["sheet"]["mentions"]) == 2


def test_a_stale_decision_is_a_409_with_the_document(client: Client, document: Document) -> None:
    factories.make_doubt(document, "Ada", "person")
    Document.objects.filter(pk=document.pk).update(version=7)
    for given in (decision("accept", mention=ADA), decision("submit")):
        response = decide(client, document, given, version=6)
        assert response.status_code == 409
        assert response.json()["sheet"]["version"] == 7
        assert "at version 7 now" in response.json()["message"]
    assert not Correction.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "add", "start": 0, "end": 99, "label": "person"},
        {"action": "add", "start": 3, "end": 3, "label": "person"},
        {"action": "add", "start": 0, "end": 3, "label": "planet"},
        {"action": "dance"},
        {"action": "accept"},
        {"action": "accept", "mention": {"start": 1, "end": 2, "label": "person"}},
        {"action": "undo"},
        {"action": "undo", "of": str(uuid.UUID(int=1))},
    ],
)
def test_what_cannot_be_is_a_422_with_a_reason_and_the_document(
    client: Client, document: Document, wrong: dict[str, Any]
) -> None:
    response = decide(client, document, decision("add", **OSLO), {**decision("x"), **wrong})
    assert response.status_code in (409, 422)
    assert response.json()["message"]
    assert response.json()["sheet"]["version"] == 0
    assert not Correction.objects.exists()


GOOD = {"version": 0, "step": str(uuid.UUID(int=2)), "decisions": []}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"version": NaN}', "no JSON"),
        ('{"version": "\\ud800"}', "no JSON"),
        ("[]", "must be an object"),
        (GOOD | {"verison": 1}, "unknown"),
        (GOOD | {"version": -1}, "“version” of the body must be a whole number"),
        (GOOD | {"version": True}, "whole number"),
        (GOOD | {"version": 10**30}, "whole number"),
        (GOOD | {"step": "no-uuid"}, "must be a UUID"),
        (GOOD | {"decisions": {}}, "must be a list"),
        (GOOD | {"decisions": ["accept"]}, "decision 1 must be an object"),
        (GOOD | {"decisions": [decision("accept", mention=7)]}, "“mention” of decision 1"),
        (GOOD | {"decisions": [decision("add", end=3, start="<b>")]}, "whole number"),
        (GOOD | {"decisions": [decision("add", label="a\0b")]}, "must be text"),
    ],
)
def test_what_is_malformed_is_a_400_that_says_where(
    client: Client, document: Document, body: Any, says: str
) -> None:
    sent = body if isinstance(body, str) else json.dumps(body)
    response = post(client, page(document, "decide"), sent)
    assert response.status_code == 400
    assert says in response.json()["message"]


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x"])
def test_what_is_not_called_json_is_a_400(document: Document, user: User, kind: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.get(page(document))
    token = {"X-CSRFToken": client.cookies["csrftoken"].value}
    body = json.dumps(GOOD)
    response = client.post(page(document, "decide"), body, content_type=kind, headers=token)
    assert response.status_code == 400
    assert "application/json" in response.json()["message"]


def test_too_many_decisions_are_a_413(client: Client, document: Document) -> None:
    many = [decision("reject", mention=ADA)] * 2001
    assert decide(client, document, *many).status_code == 413


# --- Why ----------------------------------------------------------------------------------------
def test_why_tells_what_is_known_of_a_span(client: Client, document: Document) -> None:
    question = factories.make_question(document, "Ada", "group", probability=0.9)
    mention = factories.make_doubt(document, "Ada", "person", 0.42)
    mention.question, mention.right = question, 0.8
    mention.save()
    html = client.get(page(document, "why"), {"mention": mention.pk}).content.decode()
    for part in ("uncertainty", ".42", "recorded answers", "choice.v2", "90%", "right with 80%"):
        assert part in html
    assert "What the LLM is asked" not in html


def test_why_tells_what_was_decided_and_what_was_only_confirmed(
    client: Client, document: Document
) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    other = factories.make_doubt(document, "Oslo", "place")
    decide(client, document, decision("relabel", mention=ADA, label="group"))
    decide(client, document, decision("submit"), version=1)
    html = client.get(page(document, "why"), {"mention": mention.pk}).content.decode()
    assert "relabelled from person to group" in html
    assert "confirmed on submit" not in html
    html = client.get(page(document, "why"), {"mention": other.pk}).content.decode()
    assert "confirmed on submit" in html


@pytest.mark.parametrize("mention", ["", "0", "no", "9" * 5000])
def test_why_of_no_mention_is_a_404(client: Client, document: Document, mention: str) -> None:
    assert client.get(page(document, "why"), {"mention": mention}).status_code == 404


# --- Flags and comments -------------------------------------------------------------------------
def test_a_flag_stays_until_it_is_taken_away(client: Client, document: Document) -> None:
    post(client, page(document, "flag"), {"flagged": True})
    assert read_sheet(client, document)["flagged"] is True
    assert post(client, page(document, "flag"), {"flagged": False}).json() == {"flagged": False}
    assert read_sheet(client, document)["flagged"] is False
    assert post(client, page(document, "flag"), {"flagged": "yes"}).status_code == 400


def test_a_comment_sent_twice_is_kept_once(client: Client, document: Document) -> None:
    body = {"id": str(uuid.uuid4()), "text": " Is this Bo? ", "start": 8, "end": 10}
    for _ in range(2):
        (row,) = post(client, page(document, "comment"), body).json()["comments"]
    assert row == {"text": "Is this Bo?", "author": "ada", "start": 8, "end": 10}
    assert read_sheet(client, document)["comments"] == [row]
    assert Comment.objects.count() == 1
    client.force_login(factories.add_member(document.project, factories.make_user()).user)
    assert post(client, page(document, "comment"), body).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"text": "x" * 2001},
        {"text": "x", "start": 3},
        {"text": "x", "start": 3, "end": 3},
        {"text": "x", "start": 3, "end": 99},
    ],
)
def test_a_comment_that_cannot_be_is_a_400(
    client: Client, document: Document, wrong: dict[str, Any]
) -> None:
    body = {"id": str(uuid.uuid4())} | wrong
    assert post(client, page(document, "comment"), body).status_code == 400


# --- The queue ----------------------------------------------------------------------------------
def review_next(client: Client, project: Project, query: str = "") -> Any:
    return client.get(reverse("annotator:review_next", args=[project.slug]) + query)


def call_next(client: Client, project: Project, **body: Any) -> Any:
    return post(client, reverse("annotator:next", args=[project.slug]), body)


def test_review_leads_to_the_most_doubtful(client: Client, document: Document) -> None:
    factories.make_doubt(document, "Ada", "person", 0.5)
    other = factories.make_document(document.project)
    factories.make_doubt(other, "Ada", "person", 0.9)
    assert review_next(client, document.project)["Location"] == page(other)
    answer = call_next(client, document.project, after=other.pk).json()
    assert answer["sheet"]["id"] == document.pk


def test_a_search_for_what_no_text_can_hold_finds_what_is_left_of_it(
    client: Client, document: Document
) -> None:
    """PostgreSQL knows no NUL."""
    to = reverse("annotator:review_next", args=[document.project.slug])
    assert client.get(to, {"q": "Os\0lo"})["Location"] == f"{page(document)}?order=expected&q=Oslo"


def test_when_nothing_is_in_doubt_it_says_so(client: Client, document: Document) -> None:
    factories.make_mention(document, "Ada", "person")
    response = review_next(client, document.project)
    assert "Nothing left that needs you" in response.content.decode()
    answer = call_next(client, document.project).json()
    assert answer["sheet"] is None
    assert answer["url"] == reverse("annotator:review_next", args=["harbour"])
    assert review_next(client, document.project, "?sure")["Location"] == page(document)
    assert call_next(client, document.project).json()["sheet"]["id"] == document.pk


def test_what_is_not_in_doubt_is_offered_only_where_there_is_such(
    client: Client, document: Document
) -> None:
    factories.make_doubt(document, "Ada", "person")
    other = factories.add_member(document.project, factories.make_user("bo")).user
    leases.claim(document.pk, other)
    assert "sure of everything" not in review_next(client, document.project).content.decode()
    factories.make_mention(factories.make_document(document.project), "Ada", "person")
    assert "sure of everything" in review_next(client, document.project).content.decode()
    searched = review_next(client, document.project, "?q=Rome").content.decode()
    assert "No document to review has these words" in searched
    assert "sure of everything" not in searched


def test_next_gives_a_sheet_that_is_mine_and_the_page_tells_how_far_i_am(
    client: Client, document: Document
) -> None:
    factories.make_doubt(document, "Ada", "person", 0.9)
    other = factories.make_document(document.project)
    factories.make_doubt(other, "Ada", "person", 0.5)
    answer = call_next(client, document.project).json()
    assert (answer["sheet"]["id"], answer["sheet"]["lease"]["mine"]) == (document.pk, True)
    decide(client, document, decision("accept", mention=ADA), decision("submit"))
    answer = call_next(client, document.project, after=document.pk).json()
    assert answer["sheet"]["id"] == other.pk
    assert client.get(page(other)).context_data["desk"]["progress"] == {
        "documents": 2,
        "gold": 1,
        "waiting": 1,
        "submitted": 1,
    }
    assert Lease.objects.get().document == other


@pytest.mark.parametrize(
    "wrong", [{"order": "best"}, {"after": "x"}, {"q": 7}, {"skipped": 1}, {"odrer": "random"}]
)
def test_a_wish_that_is_none_is_a_400(
    client: Client, document: Document, wrong: dict[str, Any]
) -> None:
    assert call_next(client, document.project, **wrong).status_code == 400


def test_the_page_takes_a_free_document_and_tells_whose_another_is(
    client: Client, document: Document
) -> None:
    other = factories.add_member(document.project, factories.make_user("bo")).user
    leases.claim(document.pk, other)
    lease = client.get(page(document)).context_data["sheet"]["lease"]
    assert (lease["mine"], lease["by"]) == (False, "bo")
    answer = post(client, page(document, "lease"), {})
    assert (answer.status_code, answer.json()) == (409, {"by": "bo"})
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert client.get(page(document)).context_data["sheet"]["lease"]["mine"] is True
    answer = post(client, page(document, "lease"), {})
    assert (answer.status_code, answer.json()) == (200, {"by": "ada"})


def test_deciding_keeps_a_lease_that_is_half_over(client: Client, document: Document) -> None:
    factories.make_doubt(document, "Ada", "person")
    client.get(page(document))
    decide(client, document, decision("accept", mention=ADA))
    fresh = Lease.objects.get().until
    ends = timezone.now() + timedelta(minutes=2)
    Lease.objects.update(until=ends)
    decide(client, document, decision("reject", mention=ADA), version=1)
    assert Lease.objects.get().until > max(ends, fresh)


def test_the_name_of_a_mention_outlives_its_row(client: Client, document: Document) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    Mention.objects.filter(pk=mention.pk).delete()
    factories.make_mention(document, "Ada", "person", needs_person=True)
    assert decide(client, document, decision("accept", mention=ADA)).status_code == 200
