"""Who may do what: every route and method, for every role, on one's own and on foreign rows."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import get_resolver

from annotator.api import urls
from annotator.models import Correction, Import, Job

from .conftest import JSON, Client_, World

MEMBERS = {"owner", "manager", "annotator"}
MANAGERS = {"owner", "manager"}
SIGNED_IN = MEMBERS | {"outsider", "operator"}
ROLES = [*sorted(SIGNED_IN), "anonymous"]
METHODS = ["get", "post", "put", "patch", "delete"]

ROUTES = {  # (route, method): who may, and the status of their success
    ("schema", "get"): (SIGNED_IN, 200),
    ("projects", "get"): (SIGNED_IN, 200),
    ("projects", "post"): ({"operator"}, 201),
    ("project", "get"): (MEMBERS, 200),
    ("documents", "get"): (MEMBERS, 200),
    ("documents", "post"): (MANAGERS, 201),
    ("document", "get"): (MEMBERS, 200),
    ("decisions", "post"): (MEMBERS, 201),
    ("submit", "post"): (MEMBERS, 201),
    ("next", "get"): (MEMBERS, 200),
    ("export", "get"): (MANAGERS, 200),
    ("jobs", "get"): (MEMBERS, 200),
    ("jobs", "post"): (MANAGERS, 400),  # too little gold to train on: past the door
    ("job", "get"): (MEMBERS, 200),
    ("cancel", "post"): (MANAGERS, 200),
    ("pause", "post"): (MANAGERS, 200),
    ("resume", "post"): (MANAGERS, 409),  # it is not paused: past the door
}
OF_A_JOB = ("job", "cancel", "pause", "resume")
NESTED = [key for key in ROUTES if key[0] in ("document", "decisions", "submit", *OF_A_JOB)]
SCOPED = [key for key in ROUTES if key[0] not in ("schema", "projects")]


def request(client: Client, world: World, route: str, method: str, url: str) -> Any:
    """The route's request as its happy path sends it."""
    if (route, method) == ("documents", "post"):
        file = SimpleUploadedFile("note.txt", b"One more note.")
        return client.post(url, {"file": file, "format": "text"})
    bodies = {
        "projects": {"name": "New", "labels": [{"name": "person"}]},
        "decisions": {
            "id": str(uuid.uuid4()),
            "action": "accept",
            "version": 0,
            "mention": world.ada.pk,
        },
        "submit": {"id": str(uuid.uuid4()), "version": 0},
        "jobs": {"kind": "train"},
    }
    if method == "get":
        return client.get(url)
    return getattr(client, method)(url, bodies.get(route, {}), content_type=JSON)


def url_of(
    route: str, slug: str = "letters", document: int = 0, job: int = 0, name: str = "jsonl"
) -> str:
    pattern = next(str(p.pattern) for p in urls.urlpatterns if p.name == route)
    pk = job if route in OF_A_JOB else document
    found = {"<slug:slug>": slug, "<int:pk>": str(pk), "<slug:name>": name}
    for placeholder, value in found.items():
        pattern = pattern.replace(placeholder, value)
    return f"/api/v1/{pattern}"


def own(world: World, route: str) -> str:
    return url_of(route, world.project.slug, world.document.pk, world.job.pk)


def test_every_route_stands_in_the_matrix() -> None:
    routed = {p.name for p in urls.urlpatterns}
    assert routed == {route for route, _ in ROUTES}
    assert "v1" in get_resolver().namespace_dict


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("route", "method"), ROUTES)
def test_own_rows(world: World, client_of: Client_, route: str, method: str, role: str) -> None:
    allowed, success = ROUTES[route, method]
    answer = request(client_of(role), world, route, method, own(world, route))
    if role in allowed:
        assert answer.status_code == success
    elif role == "anonymous" or role in MEMBERS or route == "projects":
        assert answer.status_code == 403
        assert answer.json().keys() == {"detail"}
    else:
        assert answer.status_code == 404
    if role not in allowed:
        assert not Correction.objects.exists()
        assert not Import.objects.exists()
        assert Job.objects.filter(state="running").count() == 2


@pytest.mark.parametrize("role", sorted(MEMBERS | {"operator"}))
@pytest.mark.parametrize(("route", "method"), SCOPED)
def test_foreign_rows_do_not_exist(
    world: World, client_of: Client_, route: str, method: str, role: str
) -> None:
    client = client_of(role)
    there = url_of(route, world.foreign.slug, world.foreign_document.pk, world.foreign_job.pk)
    answer = request(client, world, route, method, there)
    nowhere = request(client, world, route, method, url_of(route, "nowhere", 10**6, 10**6))
    assert (answer.status_code, answer.content) == (404, nowhere.content)


@pytest.mark.parametrize(("route", "method"), NESTED)
def test_a_foreign_row_is_not_reached_through_ones_own_project(
    world: World, owner: Client, route: str, method: str
) -> None:
    mixed = url_of(route, world.project.slug, world.foreign_document.pk, world.foreign_job.pk)
    assert request(owner, world, route, method, mixed).status_code == 404
    assert not Correction.objects.exists()


@pytest.mark.parametrize("route", sorted({route for route, _ in ROUTES}))
@pytest.mark.parametrize("method", METHODS)
def test_other_methods_are_refused(world: World, owner: Client, route: str, method: str) -> None:
    if (route, method) not in ROUTES:
        answer = getattr(owner, method)(own(world, route), {}, content_type=JSON)
        assert answer.status_code == 405


def test_a_mention_of_another_project_cannot_be_decided(world: World, owner: Client) -> None:
    document = world.foreign_document
    label = world.foreign.labels.first()
    foreign = document.mentions.create(start=0, end=3, label=label, source="local")
    body = {"id": str(uuid.uuid4()), "action": "reject", "version": 0, "mention": foreign.pk}
    answer = owner.post(f"{world.document_url}decisions/", body, content_type=JSON)
    assert answer.status_code == 409
    foreign.refresh_from_db()
    assert foreign.state == "suggested"


def test_a_member_who_left_is_refused_at_the_next_request(world: World, annotator: Client) -> None:
    assert annotator.get(world.url).status_code == 200
    world.project.memberships.filter(user=world.people["annotator"]).delete()
    assert annotator.get(world.url).status_code == 404


def test_writing_needs_the_csrf_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.people["owner"])
    for route, method in ROUTES:
        if method == "post":
            answer = request(client, world, route, method, own(world, route))
            assert answer.status_code == 403
            assert "CSRF" in answer.json()["detail"]
    client.get("/projects/letters/")  # any page with a form sets the cookie
    token = "a" * 32
    client.cookies["csrftoken"] = token
    body = {"id": str(uuid.uuid4()), "version": 0}
    answer = client.post(
        f"{world.document_url}submit/", body, content_type=JSON, headers={"X-CSRFToken": token}
    )
    assert answer.status_code == 201


def test_nothing_is_kept_by_browsers(world: World, owner: Client) -> None:
    for route, method in ROUTES:
        answer = request(owner, world, route, method, own(world, route))
        assert "no-store" in answer["Cache-Control"]
