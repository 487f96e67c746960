"""The API's routes. Nothing that they answer is kept by a browser or a proxy."""

from __future__ import annotations

from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.views import APIView

from .decisions import DecisionsView, SubmitView
from .documents import DocumentsView, DocumentView, NextView
from .exports import ExportView
from .jobs import CancelView, JobsView, JobView, PauseView, ResumeView
from .projects import ProjectsView, ProjectView


def _route(pattern: str, view: type[APIView], name: str) -> URLPattern:
    return path(pattern, never_cache(view.as_view()), name=name)


PROJECT = "projects/<slug:slug>/"
DOCUMENT = f"{PROJECT}documents/<int:pk>/"
JOB = f"{PROJECT}jobs/<int:pk>/"

app_name = "api"
urlpatterns = [
    _route("schema/", SpectacularJSONAPIView, "schema"),
    _route("projects/", ProjectsView, "projects"),
    _route(PROJECT, ProjectView, "project"),
    _route(f"{PROJECT}documents/", DocumentsView, "documents"),
    _route(DOCUMENT, DocumentView, "document"),
    _route(f"{DOCUMENT}decisions/", DecisionsView, "decisions"),
    _route(f"{DOCUMENT}submit/", SubmitView, "submit"),
    _route(f"{PROJECT}next/", NextView, "next"),
    _route(f"{PROJECT}export/<slug:name>/", ExportView, "export"),
    _route(f"{PROJECT}jobs/", JobsView, "jobs"),
    _route(JOB, JobView, "job"),
    _route(f"{JOB}cancel/", CancelView, "cancel"),
    _route(f"{JOB}pause/", PauseView, "pause"),
    _route(f"{JOB}resume/", ResumeView, "resume"),
]
