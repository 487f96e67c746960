"""A mention as the API shows it: its span, who says so, and how sure they are."""

from __future__ import annotations

from rest_framework import serializers

from annotator.models import Mention, Prediction, Question
from mlworker.schema import Routing


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    """What the local model said of the span."""

    model_version = serializers.IntegerField(source="tagging.version.number")
    label = serializers.CharField(source="label.name")  # type: ignore[assignment]
    probabilities = serializers.DictField(
        child=serializers.FloatField(), help_text="Each label and “O” (no entity)."
    )

    class Meta:
        model = Prediction
        fields = ["model_version", "label", "lane", "uncertainty", "probabilities"]
        read_only_fields = fields


class AnswerSerializer(serializers.ModelSerializer[Question]):
    """What the LLM answered about the span; `reason` says why there is no answer."""

    class Meta:
        model = Question
        fields = ["state", "answer", "probability", "provider", "model", "reason"]
        read_only_fields = fields


class MentionSerializer(serializers.ModelSerializer[Mention]):
    start = serializers.IntegerField(help_text="In code points.")
    end = serializers.IntegerField(help_text="In code points; the first one after the mention.")
    surface = serializers.CharField(help_text="The text from start to end.")
    label = serializers.CharField(source="label.name")  # type: ignore[assignment]
    routing = serializers.ChoiceField([(r.value, r.value) for r in Routing])
    right = serializers.FloatField(
        allow_null=True,
        help_text="How probably the machine's last word is right, as spans that people checked "
        "tell; null where they do not. Of a maybe its last word is “no entity”.",
    )
    prediction = PredictionSerializer(read_only=True, allow_null=True)
    llm = AnswerSerializer(source="question", read_only=True, allow_null=True)

    class Meta:
        model = Mention
        fields = [
            "id",
            "start",
            "end",
            "surface",
            "label",
            "state",
            "source",
            "needs_person",
            "maybe",
            "reason",
            "routing",
            "right",
            "prediction",
            "llm",
        ]
        read_only_fields = fields
