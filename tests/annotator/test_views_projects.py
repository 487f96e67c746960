"""The pages of a project: overview, new project, documents, upload, model, export."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from annotator import suggestions
from annotator.asked import whom
from annotator.models import Document, Job, ModelVersion, Project, User, WorkerBeat
from annotator.views import activity
from annotator.views.projects import llm_host
from tests import factories

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner(client: Client) -> User:
    owner = factories.make_user("owner")
    client.force_login(owner)
    return owner


@pytest.fixture
def project(owner: User) -> Project:
    return factories.make_project("Harbour", owner=owner)


def at(name: str, project: Project, *args: object) -> str:
    return reverse(f"annotator:{name}", args=[project.slug, *args])


def text_of(response: Any) -> str:
    return response.content.decode()


# --- Overview ------------------------------------------------------------------------------------
def test_the_list_shows_own_projects_only(client: Client, project: Project) -> None:
    factories.make_project("Foreign matters", owner=factories.make_user())
    html = text_of(client.get("/"))
    assert "Harbour" in html
    assert "Foreign matters" not in html


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([], "Bring in some text"),
        (["text"], "Mark the first documents"),
        (["gold"], "it needs 9 more documents"),
        (["gold"] * 10, "Train the local model"),
        (["version", "text"], "Let the model read what is new"),
        (["version", "doubt"], "1 document</span> needs you"),
        (["version", "gold"], "All done"),
    ],
)
def test_it_says_what_to_do_next(
    client: Client, project: Project, made: list[str], said: str
) -> None:
    for thing in made:
        if thing == "version":
            factories.make_version(project)
        elif thing == "doubt":
            factories.make_doubt(factories.make_document(project), "Oslo", "place")
        else:
            status, split = ("gold", "train") if thing == "gold" else ("new", "none")
            factories.make_document(project, status=status, split=split)
    assert said in text_of(client.get(at("project", project)))


@pytest.mark.parametrize("name", ["project", "model"])
def test_a_running_job_is_polled_quickly(client: Client, project: Project, name: str) -> None:
    job = factories.make_job(project, total=10, done=4, note="about a minute left")
    running = client.get(at(name, project), headers=HTMX)
    assert running.status_code == 200
    assert 'hx-trigger="every 1500ms"' in text_of(running)
    assert "4 of 10" in text_of(running)
    assert "<html" not in text_of(running)
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    ended = client.get(at(name, project), headers=HTMX)
    assert 'hx-trigger="every 10s"' in text_of(ended), "the next job would not be seen"


def test_a_missing_worker_is_told(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "No worker is running"
    now = timezone.now()
    monkeypatch.setattr(activity, "STARTED", now)
    assert told not in text_of(client.get(at("project", project))), "workers may still be loading"
    monkeypatch.setattr(activity, "STARTED", now - timedelta(hours=1))
    for queue in ("default", "gpu"):
        WorkerBeat.objects.create(queue=queue, seen_at=now)
    assert told not in text_of(client.get(at("project", project)))
    WorkerBeat.objects.filter(queue="gpu").update(seen_at=now - timedelta(minutes=2))
    html = text_of(client.get(at("project", project)))
    assert told in html
    assert "for training and tagging" in html


def test_recorded_answers_are_called_so(client: Client, project: Project) -> None:
    Project.objects.update(provider="recorded", recording="demo")
    for name in ("project", "model"):
        assert "ecorded answers, no live LLM" in text_of(client.get(at(name, project)))


def test_the_llm_is_off_and_says_what_it_would_get(
    client: Client, project: Project, settings: Settings
) -> None:
    settings.LLM_BASE_URL = "https://llm.example:8443/v1"
    settings.LLM_MODEL = "some-model"
    html = text_of(client.get(at("project", project)))
    assert "sent to llm.example:8443" in html
    client.post(at("choose_llm", project), {"provider": "openai"})
    project.refresh_from_db()
    assert project.provider == "openai"


@pytest.mark.parametrize(
    ("budget", "said"), [("2.50", "At most 2.50 USD a month."), ("", "No monthly limit.")]
)
def test_saving_a_budget_alone_says_what_it_is(
    client: Client, project: Project, budget: str, said: str
) -> None:
    given = {"provider": "", "monthly_budget": budget}
    assert said in text_of(client.post(at("choose_llm", project), given, follow=True))


@pytest.mark.parametrize("provider", ["openai", "recorded", "nonsense"])
def test_an_llm_that_is_not_set_up_cannot_be_chosen(
    client: Client, project: Project, provider: str, settings: Settings
) -> None:
    settings.LLM_BASE_URL = ""
    client.post(at("choose_llm", project), {"provider": provider})
    project.refresh_from_db()
    assert project.provider == ""


def test_what_is_suggested_follows_the_llm_that_is_chosen(
    client: Client, project: Project, settings: Settings
) -> None:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "https://llm.example/v1", "some-model"
    factories.make_version(project, tau=0.4)
    document = factories.make_document(project, status="tagged")
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    Project.objects.update(provider="openai")
    to = asdict(whom(Project.objects.get()))
    factories.make_question(document, "Bo", "person", **to)
    suggestions.refresh_under_review(Project.objects.get())
    assert document.mentions.get().source == "llm"
    for provider, source, needs_person in (("", "local", True), ("openai", "llm", False)):
        client.post(at("choose_llm", project), {"provider": provider})
        mention = document.mentions.get()
        assert (mention.source, mention.needs_person) == (source, needs_person)


def test_tau_is_chosen_anew_from_what_the_llm_that_is_chosen_says(
    client: Client, project: Project, settings: Settings
) -> None:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "https://llm.example/v1", "some-model"
    factories.make_version(project, tau=0.4)
    factories.make_document(project, status="gold", split="dev")
    client.post(at("choose_llm", project), {"provider": "openai", "monthly_budget": "5"})
    job = project.jobs.get()
    assert (job.kind, job.follow) == (Job.Kind.RECALIBRATE, False)
    client.post(at("choose_llm", project), {"provider": "openai", "monthly_budget": "6"})
    assert project.jobs.count() == 1


# --- New project ---------------------------------------------------------------------------------
ROWS = {"labels-TOTAL_FORMS": "2", "labels-INITIAL_FORMS": "0", "language": "en"}


@pytest.fixture
def operator(client: Client) -> User:
    operator = factories.make_user("operator", is_superuser=True)
    client.force_login(operator)
    return operator


def test_a_project_is_made_from_rows(client: Client, operator: User) -> None:
    rows = {"labels-0-name": "person", "labels-0-description": "Names.", "labels-1-name": "place"}
    response = client.post("/projects/new/", {"name": "Letters", **ROWS, **rows})
    project = Project.objects.for_user(operator).get()
    assert response["Location"] == at("upload", project)
    assert [label.name for label in project.labels.all()] == ["person", "place"]
    assert project.provider == ""


def test_a_project_is_made_from_pasted_labels(client: Client, operator: User) -> None:
    pasted = "- name: person\n  description: Names of people.\n- place\n"
    client.post("/projects/new/", {"name": "Letters", "pasted": pasted, **ROWS})
    described = {label.name: label.description for label in Project.objects.get().labels.all()}
    assert described == {"person": "Names of people.", "place": ""}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "Letters"}, "at least one label"),
        ({"name": "", "labels-0-name": "person"}, "required"),
        ({"name": "Letters", "labels-0-name": "O"}, "cannot be a label"),
        ({"name": "Letters", "labels-0-name": "a", "labels-1-name": "A"}, "too alike"),
        ({"name": "Letters", "pasted": "- [unclosed"}, "neither YAML nor JSON"),
        ({"name": "Letters", "pasted": "name: person"}, "expected a list"),
    ],
)
def test_a_project_that_cannot_be_says_why(
    client: Client, operator: User, data: dict[str, str], said: str
) -> None:
    response = client.post("/projects/new/", ROWS | data)
    assert response.status_code == 422
    assert said in text_of(response)
    assert not Project.objects.exists()


def test_a_project_without_text_is_told_to_bring_some(client: Client, project: Project) -> None:
    html = text_of(client.get(at("review_next", project)))
    assert "There is no text in this project yet" in html
    assert at("upload", project) in html
    factories.make_gold(project, "Ada.", ("Ada", "person"))
    assert "Nothing left that needs you" in text_of(client.get(at("review_next", project)))


# --- Documents -----------------------------------------------------------------------------------
def listed(client: Client, project: Project, **query: str) -> list[str]:
    page = client.get(at("documents", project), query).context["page"]
    return [document.name for document in page]


def test_documents_are_found_by_words_status_and_order(client: Client, project: Project) -> None:
    factories.make_version(project)
    factories.make_document(project, "Rain in Bergen.", name="rain", status="gold")
    factories.make_document(project, "Sun in Oslo.", name="sun")
    factories.make_doubt(factories.make_document(project, name="doubt"), "Oslo", "place")
    assert listed(client, project, q="oslo") == ["doubt", "sun"]
    assert listed(client, project, status="gold") == ["rain"]
    assert listed(client, project, status="needs") == ["doubt"]
    assert listed(client, project, order="position") == ["rain", "sun", "doubt"]


@pytest.mark.parametrize("key", ["order", "status", "page"])
@pytest.mark.parametrize("value", ["password", "-pk", "project__name", "'; --", "\x00", "9" * 30])
def test_what_is_not_known_orders_and_filters_nothing(
    client: Client, project: Project, key: str, value: str
) -> None:
    factories.make_document(project, name="only")
    assert listed(client, project, **{key: value}) == ["only"]


def test_the_list_comes_alone_for_htmx(client: Client, project: Project) -> None:
    html = text_of(client.get(at("documents", project), headers=HTMX)).strip()
    assert html.startswith('<div id="list">')


# --- Upload --------------------------------------------------------------------------------------
def upload(client: Client, project: Project, name: str, data: bytes, **more: Any) -> Any:
    file = SimpleUploadedFile(name, data)
    headers = more.pop("headers", {})
    given = {"file": file, "split": "none"} | more
    return client.post(at("upload", project), given, headers=headers)


def test_a_file_comes_in(client: Client, project: Project) -> None:
    response = upload(client, project, "two.txt", b"One text.\n\nAnother one.\n")
    assert response.status_code == 302
    html = text_of(client.get(response["Location"]))
    assert "two.txt" in html
    assert project.documents.exists()


def test_htmx_is_led_on_too(client: Client, project: Project) -> None:
    response = upload(client, project, "two.txt", b"One text.", headers=HTMX)
    assert response["HX-Redirect"] == at("upload", project)


def test_a_broken_file_names_its_line_and_leaves_nothing(client: Client, project: Project) -> None:
    rows = [json.dumps({"text": "fine"}), "{broken"]
    response = upload(client, project, "two.jsonl", "\n".join(rows).encode(), format="jsonl")
    assert response.status_code == 422
    assert "two.jsonl, line 2" in text_of(response)
    assert not project.documents.exists()


def test_the_same_file_twice_says_so(client: Client, project: Project) -> None:
    upload(client, project, "one.txt", b"Same text.")
    response = upload(client, project, "again.txt", b"Same text.", headers=HTMX)
    assert response.status_code == 422
    assert "already here" in text_of(response)
    assert "one.txt" in text_of(response)
    assert project.documents.count() == 1


@pytest.mark.parametrize(
    ("name", "data"), [("empty.txt", b""), ("photo.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")]
)
def test_what_is_no_text_is_refused(
    client: Client, project: Project, name: str, data: bytes
) -> None:
    response = upload(client, project, name, data)
    assert response.status_code == 422
    assert not project.documents.exists()


def test_too_large_a_file_is_refused(client: Client, project: Project, settings: Settings) -> None:
    settings.UPLOAD_LIMIT = 10
    response = upload(client, project, "long.txt", b"More than ten bytes.")
    assert "larger than" in text_of(response)


def test_a_hostile_filename_is_text(client: Client, project: Project) -> None:
    name = "<img src=x onerror=alert(1)>.txt"
    response = upload(client, project, name, b"Fine.")
    assert "<img src=x" not in text_of(client.get(response["Location"]))


# --- Model ---------------------------------------------------------------------------------------
def test_versions_show_their_figures(client: Client, project: Project) -> None:
    version = factories.make_version(project, tau=0.37)
    interval = {"low": 0.4, "high": 0.5, "spans": 9, "local_accuracy": 0.5, "asked": 0}
    version.thresholds.update(intervals=[interval | {"llm_accuracy": None}])
    html = text_of(client.get(at("model", project)))
    for figure in ("67.8", "71.2", "64.8", "0.37", "0.40–0.50", "50%"):
        assert figure in html


def test_a_version_says_what_it_went_on_from(client: Client, project: Project) -> None:
    first = factories.make_version(project)
    assert ">from 1<" not in text_of(client.get(at("model", project)))
    second = factories.make_version(project)
    ModelVersion.objects.filter(pk=second.pk).update(start=first)
    assert ">from 1<" in text_of(client.get(at("model", project)))


def learning(client: Client, project: Project, **chosen: Any) -> str:
    """The page after saving how the model learns."""
    given = {"head": "softmax", "method": "least_confidence", "candidates_per_100": "20"}
    given |= {"questions_per_100": "", "language": "en"}
    return text_of(client.post(at("choose_learning", project), given | chosen, follow=True))


def test_another_uncertainty_has_the_documents_read_again(client: Client, project: Project) -> None:
    factories.make_version(project)
    document = factories.make_document(project, "Ada met Bo.")
    factories.make_prediction(document, "Ada", "person")
    assert "being read again" not in learning(client, project, candidates_per_100="5")
    assert "being read again" in learning(client, project, method="entropy")
    project.refresh_from_db()
    assert (project.method, project.candidates_per_100) == ("entropy", 20)
    assert project.jobs.get().kind == Job.Kind.TAG


def test_an_uncertainty_by_which_all_was_read_before_counts_again(
    client: Client, project: Project
) -> None:
    version = factories.make_version(project, tau=0.4)
    version.thresholds.create(method="entropy", tau=0.4)
    document = factories.make_document(project, "Ada met Bo.", status="tagged")
    for method, uncertainty in (("entropy", 0.1), ("least_confidence", 0.7)):
        document.project.method = method
        factories.make_prediction(document, "Ada", "person", uncertainty=uncertainty)
    for method, needs_person in (("entropy", False), ("least_confidence", True)):
        learning(client, project, method=method)
        assert document.mentions.get().needs_person is needs_person


def test_a_language_is_chosen_among_those_that_have_rules(client: Client, project: Project) -> None:
    learning(client, project, language="he")
    assert Project.objects.get().language == "he"
    assert "tlh is not one of the available choices" in learning(client, project, language="tlh")
    assert Project.objects.get().language == "he"


def test_a_budget_sets_the_threshold_at_once_and_what_it_routes(
    client: Client, project: Project
) -> None:
    factories.make_version(project, tau=0.05)
    for n in range(4):
        document = factories.make_document(project, f"Ada met Bo {n}.", status="tagged")
        factories.make_prediction(document, "Ada", "person", uncertainty=0.1 * (n + 1))
    assert "sends 2 of 4 spans" in learning(client, project, questions_per_100="50")
    threshold = project.threshold()
    assert threshold.origin == "budget"
    assert threshold.tau == pytest.approx(0.2)
    assert "50 questions per 100 documents" in threshold.note
    assert project.documents.filter(needs_count=1).count() == 2
    assert "τ stays as the budget left it" in learning(client, project)
    assert "greater than or equal to 0" in learning(client, project, questions_per_100="-1")


def test_an_uncertainty_that_the_model_cannot_give_is_refused(
    client: Client, project: Project
) -> None:
    factories.make_version(project)
    page = learning(client, project, head="evidential", method="evidential")
    assert "A model with a softmax head does not offer evidential" in page
    assert "train first" in page
    project.refresh_from_db()
    assert (project.head, project.method) == ("softmax", "least_confidence")
    assert "Saved." in learning(client, project, head="evidential")


def test_a_threshold_says_how_much_it_sends_and_how_firm_it_is(
    client: Client, project: Project
) -> None:
    version = factories.make_version(project, tau=0.3)
    version.thresholds.update(low=0.2, high=0.45, candidate_floor=0.17)
    document = factories.make_document(project, "Ada met Bo.")
    factories.make_prediction(document, "Ada", "person", uncertainty=0.4)
    factories.make_prediction(document, "Bo", "person", uncertainty=0.1)
    page = text_of(client.get(at("model", project)))
    assert "sends 1 of 2 spans" in page
    assert "between 0.20 and 0.45" in page
    assert "entity mass of 0.17" in page


def test_training_without_gold_says_what_is_missing(client: Client, project: Project) -> None:
    response = client.post(at("start", project), {"kind": "train"}, follow=True)
    assert "gold" in text_of(response).lower()
    assert not project.jobs.exists()


def test_no_second_job_of_a_kind(client: Client, project: Project) -> None:
    factories.make_document(project)
    factories.make_version(project)
    factories.make_job(project, Job.Kind.TAG)
    response = client.post(at("start", project), {"kind": "tag"}, follow=True)
    assert "already" in text_of(response)
    assert project.jobs.count() == 1


def test_an_unknown_job_is_refused(client: Client, project: Project) -> None:
    assert client.post(at("start", project), {"kind": "rm"}).status_code == 400


def test_a_job_is_cancelled(client: Client, project: Project) -> None:
    job = factories.make_job(project)
    client.post(at("cancel", project, job.pk))
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED


def test_a_foreign_job_is_not(client: Client, project: Project) -> None:
    job = factories.make_job(factories.make_project())
    assert client.post(at("cancel", project, job.pk)).status_code == 404


def test_a_failed_job_says_why(client: Client, project: Project) -> None:
    factories.make_job(project, state="failed", note="The disk is full.")
    for name in ("project", "model"):
        assert "The disk is full." in text_of(client.get(at(name, project)))


# --- Export --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["jsonl", "labelstudio", "conll"])
def test_files_leave_as_attachments(client: Client, project: Project, name: str) -> None:
    document = factories.make_document(project, "Oslo <script>", status=Document.Status.GOLD)
    factories.make_mention(document, "Oslo", "place", state="accepted")
    response = client.get(at("download", project, name))
    assert "Oslo" in b"".join(response.streaming_content).decode()
    assert response["Content-Disposition"].startswith('attachment; filename="harbour-')
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]


def test_an_unknown_format_is_not_found(client: Client, project: Project) -> None:
    assert client.get(at("download", project, "exe")).status_code == 404


def test_what_is_uploaded_beside_a_model_is_tagged(client: Client, project: Project) -> None:
    factories.make_version(project)
    file = SimpleUploadedFile("new.txt", b"Ada met Grace in Paris.\n")
    client.post(at("upload", project), {"file": file, "split": "none", "format": "text"})
    assert [(job.kind, job.total) for job in project.jobs.all()] == [("tag", 1)]


def test_who_the_operator_is_to_the_llm_server_is_not_shown(settings: Any) -> None:
    settings.LLM_BASE_URL = "https://me:secret@llm.example:8443/v1"
    assert llm_host() == "llm.example:8443"
