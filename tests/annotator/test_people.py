"""Sign-in links work once; and nobody sees a row of a project that they are not in."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from annotator import leases
from annotator.models import LLMCall, SignInLink
from annotator.models.scoping import ProjectScopedQuerySet
from annotator.review import Decision, decide
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_link_works_once() -> None:
    user = factories.make_user()
    token = SignInLink.issue(user)
    assert SignInLink.redeem(token) == user
    assert SignInLink.redeem(token) is None
    assert SignInLink.objects.get().used_at is not None


def test_only_the_hash_of_a_token_is_kept() -> None:
    token = SignInLink.issue(factories.make_user())
    link = SignInLink.objects.get()
    assert token not in (link.digest, str(link.pk))
    assert SignInLink.redeem(link.digest) is None


def test_a_new_link_ends_the_earlier_ones() -> None:
    user, other = factories.make_user(), factories.make_user()
    first, foreign, second = (SignInLink.issue(u) for u in (user, other, user))
    assert SignInLink.redeem(first) is None
    assert SignInLink.redeem(second) == user
    assert SignInLink.redeem(foreign) == other


def test_an_expired_link_does_not_work() -> None:
    token = SignInLink.issue(factories.make_user())
    assert SignInLink.objects.get().expires_at > timezone.now() + timedelta(hours=71)
    SignInLink.objects.update(expires_at=timezone.now())
    assert SignInLink.redeem(token) is None


def test_a_link_of_somebody_who_was_locked_out_does_not_work() -> None:
    user = factories.make_user()
    token = SignInLink.issue(user)
    user.is_active = False
    user.save()
    assert SignInLink.redeem(token) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "\x00"])
def test_what_is_no_token_signs_nobody_in(token: str) -> None:
    SignInLink.issue(factories.make_user())
    assert SignInLink.redeem(token) is None


SCOPED = [
    model
    for model in apps.get_app_config("annotator").get_models()
    if isinstance(model._default_manager.get_queryset(), ProjectScopedQuerySet)
]


def make_world(member: Any) -> None:
    """A project with one row of everything."""
    project = factories.make_project(owner=member, labels=("person",))
    factories.make_version(project)
    source = factories.make_import(project)
    document = factories.make_document(project, source=source)
    mention = factories.make_doubt(document, "Ada", "person")
    factories.make_question(document, "Ada", "person")
    factories.make_swept_sentence(document)
    document.comments.create(id=uuid.uuid4(), author=member, text="Is this a person?")
    leases.claim(document.pk, member)
    factories.make_job(project)
    LLMCall.objects.create(project=project, attempt=1, questions_count=1)
    project.spendings.create(month=date(2026, 1, 1))
    project.trials.create(prompt=factories.make_prompt(project))
    decide(document, member, Decision(uuid.uuid4(), "accept", mention=mention.pk))


def test_these_models_are_scoped() -> None:
    assert sorted(model.__name__ for model in SCOPED) == [
        "Comment",
        "Correction",
        "Document",
        "Import",
        "Job",
        "LLMCall",
        "Label",
        "Lease",
        "Mention",
        "ModelVersion",
        "Project",
        "Prompt",
        "Question",
        "Spending",
        "SweptSentence",
        "Trial",
    ]


def test_each_member_sees_the_rows_of_their_projects_only() -> None:
    members = [factories.make_user() for _ in range(2)]
    for member in members:
        make_world(member)
    operator = factories.make_user(is_superuser=True)
    for model in SCOPED:
        seen = [set(model.objects.for_user(member)) for member in members]
        assert [len(rows) for rows in seen] == [1, 1], model
        assert seen[0] | seen[1] == set(model.objects.all()), model
        assert not model.objects.for_user(operator).exists(), model


def test_annotators_manage_nothing() -> None:
    from annotator.models import Project

    owner, manager, annotator = (factories.make_user() for _ in range(3))
    project = factories.make_project(owner=owner, annotator=annotator)
    factories.add_member(project, manager, "manager")
    managing = [bool(Project.objects.managed_by(u)) for u in (owner, manager, annotator)]
    assert managing == [True, True, False]
