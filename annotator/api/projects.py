"""Projects: the list, a new one, and one with its labels and figures."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotator.asked import set_up
from annotator.figures import ProjectFigures, project_figures
from annotator.languages import LANGUAGES
from annotator.models import Label, Membership, Project
from annotator.models.projects import ProjectQuerySet
from annotator.projects import create_project
from mlworker import schema

from .access import find_project, own_projects, user_of
from .errors import HIDDEN, REFUSED, ProblemSerializer
from .incoming import Query, Strict, read_body, read_query


class LabelSerializer(serializers.ModelSerializer[Label]):
    class Meta:
        model = Label
        fields = ["name", "description"]


class FiguresSerializer(serializers.Serializer[ProjectFigures]):
    documents = serializers.IntegerField()
    gold = serializers.IntegerField(help_text="Documents that are gold.")
    to_review = serializers.IntegerField()
    needing_people = serializers.IntegerField(
        help_text="Documents in which a mention needs a person."
    )
    mentions_needing_people = serializers.IntegerField()
    mentions = serializers.IntegerField(help_text="Mentions of gold.")
    corrections = serializers.IntegerField(
        help_text="Not counting those undone or made by submitting."
    )
    asked = serializers.IntegerField(help_text="Spans that the LLM was asked about.")
    answered = serializers.IntegerField()
    unresolved = serializers.IntegerField()


class ProjectRowSerializer(serializers.ModelSerializer[Project]):
    role = serializers.ChoiceField(Membership.Role.choices, help_text="Yours in this project.")
    model_version = serializers.IntegerField(source="serving.number", allow_null=True)

    class Meta:
        model = Project
        fields = ["slug", "name", "role", "method", "provider", "model_version", "created_at"]
        read_only_fields = fields


class ProjectSerializer(ProjectRowSerializer):
    labels = LabelSerializer(many=True, read_only=True)
    tau = serializers.SerializerMethodField(
        help_text="Spans more uncertain than this are routed; null before the first training."
    )
    figures = serializers.SerializerMethodField()

    class Meta(ProjectRowSerializer.Meta):
        fields = [
            *ProjectRowSerializer.Meta.fields,
            "language",
            "guidelines",
            "labels",
            "overlap",
            "head",
            "candidates_per_100",
            "questions_per_100",
            "sweep_share",
            "fusion",
            "sure",
            "tau",
            "figures",
        ]
        read_only_fields = fields

    def get_tau(self, project: Project) -> float | None:
        threshold = project.threshold()
        return threshold.tau if threshold else None

    @extend_schema_field(FiguresSerializer)
    def get_figures(self, project: Project) -> dict[str, Any]:
        return dict(FiguresSerializer(project_figures(project)).data)


class NewLabelSerializer(Strict):
    name = serializers.CharField(max_length=64, trim_whitespace=False)
    description = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)


class NewProjectSerializer(Strict):
    name = serializers.CharField(max_length=100, trim_whitespace=False)
    labels = NewLabelSerializer(many=True, allow_empty=False)
    guidelines = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    language = serializers.ChoiceField(
        list(LANGUAGES),
        default=schema.DEFAULT_LANGUAGE,
        help_text="By whose rules documents are cut.",
    )
    llm = serializers.BooleanField(
        default=False,
        help_text="Whether this project may ask the LLM of this installation: its server, or where "
        "there is none the one on its own machine.",
    )
    provider = serializers.ChoiceField(
        Project.Provider.choices,
        required=False,
        help_text="Which LLM, where there are both: the server, or the one on its own machine, so "
        "that no text leaves the installation.",
    )

    def validate_llm(self, llm: bool) -> bool:
        if llm and not set_up():
            raise serializers.ValidationError("This installation has no LLM.")
        return llm

    def validate_provider(self, provider: str) -> str:
        if provider and provider not in set_up():
            raise serializers.ValidationError("This installation has no such LLM.")
        return provider


def _provider(given: dict[str, Any]) -> str:
    """Which LLM the project asks: the one that is named, or the first that is set up, or none."""
    first = set_up()[0] if given["llm"] else Project.Provider.NONE
    return str(given.get("provider", first))


class ProjectsView(ListAPIView[Project]):
    serializer_class = ProjectRowSerializer

    def get_queryset(self) -> ProjectQuerySet:
        return own_projects(self.request)

    @extend_schema(parameters=[Query], responses={200: ProjectRowSerializer(many=True), **REFUSED})
    def get(self, request: Request) -> Response:
        """The projects that you are a member of, by name."""
        read_query(request)
        return self.list(request)

    @extend_schema(
        request=NewProjectSerializer,
        responses={201: ProjectSerializer, **REFUSED, 403: ProblemSerializer},
    )
    def post(self, request: Request) -> Response:
        """A new project, with you as its owner. Only operators make projects."""
        user = user_of(request)
        if not user.is_superuser:
            raise PermissionDenied("Only operators create projects.")
        given = read_body(request, NewProjectSerializer)
        project = create_project(
            given["name"],
            [schema.Label(**label) for label in given["labels"]],
            owner=user,
            guidelines=given["guidelines"],
            language=given["language"],
            provider=_provider(given),
        )
        return Response(ProjectSerializer(find_project(request, project.slug)).data, 201)


class ProjectView(APIView):
    @extend_schema(responses={200: ProjectSerializer, **HIDDEN})
    def get(self, request: Request, slug: str) -> Response:
        """One project: its labels, the model version that serves it, τ, and how far it is."""
        return Response(ProjectSerializer(find_project(request, slug)).data)
