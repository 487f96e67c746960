"""How a view finds its project: through membership, so that a foreign one does not exist."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django_htmx.middleware import HtmxDetails

from annotator.models import Membership, Project, User


class Visit(HttpRequest):
    """A request of anybody."""

    htmx: HtmxDetails


class Request(Visit):
    """A request of somebody who is signed in."""

    user: User


def find_project(request: Request, slug: str) -> Project:
    """The project of this name that the person is a member of, else 404."""
    projects = Project.objects.for_user(request.user).select_related("serving")
    return cast("Project", get_object_or_404(projects, slug=slug))


def find_managed(request: Request, slug: str) -> Project:
    """The same for owners and managers; for others it is 404 too."""
    projects = Project.objects.managed_by(request.user).select_related("serving")
    return cast("Project", get_object_or_404(projects, slug=slug))


def project_context(request: Request, project: Project, section: str) -> dict[str, object]:
    """What the heading of every page of a project needs."""
    manages = project.role_of(request.user) in Membership.MANAGING
    return {"project": project, "section": section, "manages": manages}
