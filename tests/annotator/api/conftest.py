"""A project with people of every role, and a foreign one; clients that speak JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from annotator.models import Document, Job, Membership, Mention, Project, User
from tests import factories

TEXT = "👩‍🚀 Ada met Bo in Oslo."
"""Three code points of emoji, so that UTF-16 offsets would be off by two."""

JSON = "application/json"
Client_ = Callable[[str], Client]


@dataclass
class World:
    project: Project
    document: Document
    ada: Mention
    """Suggested, needs a person."""
    oslo: Mention
    """Suggested, accepted unless somebody objects."""
    job: Job
    foreign: Project
    foreign_document: Document
    foreign_job: Job
    people: dict[str, User]

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project.slug}/"

    @property
    def document_url(self) -> str:
        return f"{self.url}documents/{self.document.pk}/"

    @property
    def foreign_url(self) -> str:
        return f"/api/v1/projects/{self.foreign.slug}/"


@pytest.fixture
def world(db: None, settings: Any) -> World:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
    people = {name: factories.make_user(name) for name in ("owner", "manager", "annotator")}
    people["outsider"] = factories.make_user("outsider")
    people["operator"] = factories.make_user("operator", is_superuser=True)
    project = factories.make_project(
        "Letters", owner=people["owner"], annotator=people["annotator"]
    )
    factories.add_member(project, people["manager"], Membership.Role.MANAGER)
    factories.make_version(project)
    document = factories.make_document(project, TEXT, meta={"from": "a letter"})
    ada = factories.make_doubt(document, "Ada", "person", 0.6)
    oslo = factories.make_mention(document, "Oslo", "place")
    foreign = factories.make_project("Secrets", owner=people["outsider"])
    return World(
        project=project,
        document=document,
        ada=ada,
        oslo=oslo,
        job=factories.make_job(project, Job.Kind.TAG),
        foreign=foreign,
        foreign_document=factories.make_document(foreign, "The sentinel text of somebody else."),
        foreign_job=factories.make_job(foreign, Job.Kind.LINK),
        people=people,
    )


@pytest.fixture
def client_of(world: World) -> Client_:
    """A signed-in client of the person of this name; of nobody for `anonymous`."""

    def make(name: str) -> Client:
        client = Client()
        if name != "anonymous":
            client.force_login(world.people[name])
        return client

    return make


@pytest.fixture
def owner(client_of: Client_) -> Client:
    return client_of("owner")


@pytest.fixture
def annotator(client_of: Client_) -> Client:
    return client_of("annotator")


def post(client: Client, url: str, body: Any) -> Any:
    return client.post(url, body, content_type=JSON)
