"""Jobs: the steps of the loop, started, watched and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotator import pipeline, steps
from annotator.models import Job, Project
from annotator.models.jobs import JobQuerySet

from .access import find_managed, find_project, user_of
from .errors import HIDDEN, REFUSED, BusySerializer, ProblemSerializer
from .incoming import Query, Strict, read_body, read_query


class JobSerializer(serializers.ModelSerializer[Job]):
    percent = serializers.IntegerField()
    model_version = serializers.IntegerField(
        source="version.number", allow_null=True, help_text="None for training, which makes one."
    )
    created_by = serializers.CharField(source="created_by.username", allow_null=True)

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "state",
            "total",
            "done",
            "failed",
            "percent",
            "note",
            "model_version",
            "created_by",
            "created_at",
            "updated_at",
            "finished_at",
        ]
        read_only_fields = fields


class JobQuerySerializer(Query):
    kind = serializers.ChoiceField(Job.Kind.choices, required=False)
    state = serializers.ChoiceField(Job.State.choices, required=False)


class NewJobSerializer(Strict):
    kind = serializers.ChoiceField(Job.Kind.choices)


def _jobs(request: Request, project: Project) -> JobQuerySet:
    mine = Job.objects.for_user(user_of(request)).filter(project=project)
    return mine.select_related("project", "version", "created_by")


def _find(request: Request, project: Project, pk: int) -> Job:
    return cast("Job", get_object_or_404(_jobs(request, project), pk=pk))


class JobsView(ListAPIView[Job]):
    serializer_class = JobSerializer

    def get_queryset(self) -> JobQuerySet:
        project = find_project(self.request, self.kwargs["slug"])
        asked = read_query(self.request, JobQuerySerializer)
        rows = _jobs(self.request, project)
        if "kind" in asked:
            rows = rows.filter(kind=asked["kind"])
        return rows.filter(state=asked["state"]) if "state" in asked else rows

    @extend_schema(
        parameters=[JobQuerySerializer],
        responses={200: JobSerializer(many=True), **REFUSED, **HIDDEN},
    )
    def get(self, request: Request, slug: str) -> Response:
        """The jobs of a project, the newest first."""
        return self.list(request)

    @extend_schema(
        request=NewJobSerializer,
        responses={201: JobSerializer, **REFUSED, **HIDDEN, 409: BusySerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Starts a step of the loop; 409 where one of its kind is running. To have sentences read
        (`sweep`) before there is a model, where they are is found first (`split`)."""
        project = find_managed(request, slug)
        kind = steps.first_step(project, read_body(request, NewJobSerializer)["kind"])
        job = pipeline.start(project, kind, user_of(request))
        return Response(JobSerializer(_find(request, project, job.pk)).data, 201)


class JobView(APIView):
    @extend_schema(responses={200: JobSerializer, **HIDDEN})
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One job."""
        return Response(JobSerializer(_find(request, find_project(request, slug), pk)).data)


class CancelView(APIView):
    @extend_schema(request=None, responses={200: JobSerializer, **HIDDEN, 409: ProblemSerializer})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """Stops a job: what it has done stays. 409 where it has ended already."""
        return _act(request, slug, pk, pipeline.cancel, "This job has ended.")


class PauseView(APIView):
    @extend_schema(request=None, responses={200: JobSerializer, **HIDDEN, 409: ProblemSerializer})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """Sends nothing more of a job; what is under way is stored. 409 where it does not run."""
        return _act(request, slug, pk, pipeline.pause, "This job is not running.")


class ResumeView(APIView):
    @extend_schema(request=None, responses={200: JobSerializer, **HIDDEN, 409: ProblemSerializer})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """Goes on with a paused job. 409 where it is not paused."""
        return _act(request, slug, pk, pipeline.resume, "This job is not paused.")


def _act(
    request: Request, slug: str, pk: int, act: Callable[[Job], bool], too_late: str
) -> Response:
    project = find_managed(request, slug)
    if not act(_find(request, project, pk)):
        return Response({"detail": too_late}, 409)
    return Response(JobSerializer(_find(request, project, pk)).data)
