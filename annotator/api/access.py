"""How a request finds its rows: only through membership, so that a foreign one does not exist."""

from __future__ import annotations

from typing import cast

from django.db.models import F, Prefetch
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from annotator.models import Document, Membership, Mention, Project, User
from annotator.models.documents import DocumentQuerySet
from annotator.models.projects import ProjectQuerySet


def user_of(request: Request) -> User:
    """Who asks; every route has made sure that they are signed in."""
    return cast("User", request.user)


def own_projects(request: Request) -> ProjectQuerySet:
    """The projects that the person is a member of, each with their `role` in it."""
    mine = Project.objects.for_user(user_of(request)).select_related("serving")
    return cast("ProjectQuerySet", mine.annotate(role=F("memberships__role")))


def find_project(request: Request, slug: str) -> Project:
    """The project of this name, with `role`; 404 for those who are not members."""
    return cast("Project", get_object_or_404(own_projects(request), slug=slug))


def find_managed(request: Request, slug: str) -> Project:
    """The same for owners and managers; 403 for other members."""
    project = find_project(request, slug)
    if project.role_of(user_of(request)) not in Membership.MANAGING:
        raise PermissionDenied("Only owners and managers of this project may do this.")
    return project


def find_document(request: Request, slug: str, pk: int) -> Document:
    """A document of this project, to decide about: without its text and its mentions."""
    documents = _documents(request, slug).without_text()
    return cast("Document", get_object_or_404(documents, pk=pk))


def read_document(request: Request, slug: str, pk: int) -> Document:
    """A document of this project, with its mentions and where each of them comes from."""
    sources = ("label", "question", "prediction__label", "prediction__tagging__version")
    mentions = Prefetch("mentions", Mention.objects.select_related(*sources))
    documents = _documents(request, slug).select_related("reviewed_by").prefetch_related(mentions)
    return cast("Document", get_object_or_404(documents, pk=pk))


def _documents(request: Request, slug: str) -> DocumentQuerySet:
    return Document.objects.for_user(user_of(request)).filter(project=find_project(request, slug))
