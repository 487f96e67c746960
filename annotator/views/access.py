"""How a view finds its project: through membership, so that a foreign one does not exist."""

from __future__ import annotations

from typing import Any, cast

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from annotator import sheet
from annotator.models import Document, Membership, Project, User
from annotator.prepared import Prepared


class Visit(HttpRequest):
    """A request of anybody."""

    htmx: HtmxDetails


class Request(Visit):
    """A request of somebody who is signed in."""

    user: User


_PROJECT: Prepared[Project] = Prepared(
    lambda user, slug: Project.objects.for_user(user).filter(slug=slug).order_by()
)


def find_project(request: Request, slug: str) -> Project:
    """The project of this name that the person is a member of, else 404."""
    project = _PROJECT.first(user=request.user.pk, slug=slug)
    if project is None:
        raise Http404
    return project


def find_managed(request: Request, slug: str) -> Project:
    """The same for owners and managers; for others it is 404 too."""
    projects = Project.objects.managed_by(request.user).select_related("serving")
    return cast("Project", get_object_or_404(projects, slug=slug))


def project_context(request: Request, project: Project, section: str) -> dict[str, object]:
    """What the heading of every page of a project needs."""
    manages = project.role_of(request.user) in Membership.MANAGING
    return {"project": project, "section": section, "manages": manages}


_DOCUMENT: Prepared[Document] = Prepared(
    lambda user, project, pk: (
        Document.objects.for_user(user).filter(project=project, pk=pk).only("pk").order_by()
    )
)


def find_document(request: Request, slug: str, pk: int) -> Document:
    """A document of that project, else 404: only what tells which it is."""
    project = find_project(request, slug)
    document = _DOCUMENT.first(user=request.user.pk, project=project.pk, pk=pk)
    if document is None:
        raise Http404
    document.project = project
    return document


def find_whole(project: Project, pk: int) -> Document:
    """A document of `project` as it stands now, with all that its sheet needs, else 404."""
    found = sheet.find_document(project, pk)
    if found is None:
        raise Http404
    return found


def sheet_of(request: Request, whole: Document) -> dict[str, Any]:
    """The sheet of a `whole` document, for this person."""
    url = reverse("annotator:review", args=[whole.project.slug, whole.pk])
    return sheet.sheet(whole, request.user, url)
