"""What is known of the spans of documents: what the local model, questions and the sweep say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from mlworker import schema
from mlworker.evidence import Span, proposals, said_of
from mlworker.fusion import Rules
from mlworker.schema import NO_ENTITY, Lane

from .asked import asked_by
from .models import Prediction, Project, Question, SweptSentence, Tagging, Threshold
from .swept import swept_by


@dataclass(frozen=True)
class Known:
    """A span's evidence and the rows that it rests on; a proposal has no prediction."""

    span: schema.Evidence
    prediction: Prediction | None = None
    question: Question | None = None


def rules(project: Project, threshold: Threshold | None) -> Rules:
    """By what the project decides; before a model serves, nothing but the sweep says anything."""
    if threshold is None:
        return Rules(tau=1.0, asks=project.llm_allowed)
    pooled = threshold.pool if project.fusion == Project.Fusion.POOL else None
    return Rules(
        tau=threshold.tau,
        asks=project.llm_allowed,
        pool=schema.Pool.from_json(pooled) if pooled else None,
        sure=project.sure,
    )


def gather(project: Project, documents: Iterable[int]) -> dict[int, list[Known]]:
    """What is known of the spans of each of `documents` (ids) that the serving version has read
    by the project's method, or, before there is one, that the LLM has read; in a few queries."""
    ids = list(documents)
    sentences: dict[int, list[SweptSentence]] = defaultdict(list)
    for sentence in swept_by(project).answered().filter(document__in=ids):
        sentences[sentence.document_id].append(sentence)
    if project.serving is None:
        return {pk: [*map(Known, proposals(found, (), {}))] for pk, found in sentences.items()}
    questions: dict[int, dict[Span, Question]] = defaultdict(dict)
    for question in asked_by(project).filter(document__in=ids):
        questions[question.document_id][question.start, question.end] = question
    taggings = Tagging.objects.filter(
        document__in=ids, version=project.serving, method=project.method
    )
    unneeded = ["sentences"] if sentences else ["sentences", "faint"]
    taggings = taggings.defer(*unneeded).select_related("version")
    out = {}
    for tagging in taggings.prefetch_related("predictions__label"):
        pk = tagging.document_id
        known = [_known(p, questions[pk], sentences[pk]) for p in tagging.predictions.all()]
        spans = {(k.span.start, k.span.end) for k in known}
        faint = _faint(tagging) if sentences[pk] else {}
        out[pk] = [*known, *map(Known, proposals(sentences[pk], spans, faint))]
    return out


def _known(
    prediction: Prediction, questions: dict[Span, Question], swept: list[SweptSentence]
) -> Known:
    span = prediction.start, prediction.end
    question = None if prediction.is_left_out else questions.get(span)
    evidence = schema.Evidence(
        *span,
        lane=Lane(prediction.lane),
        label=prediction.label.name,
        uncertainty=prediction.uncertainty,
        probabilities=prediction.probabilities,
        answer=(question.answer or None) if question else None,
        answer_probability=question.probability if question else None,
        found=said_of(span, swept),
        reason=_why_no_answer(prediction, question),
    )
    return Known(evidence, prediction, question)


def _why_no_answer(prediction: Prediction, question: Question | None) -> str:
    if prediction.is_left_out:
        return f"in this project it is not asked about {prediction.label}"
    return question.reason if question else ""


def _faint(tagging: Tagging) -> dict[Span, dict[str, float]]:
    names = [NO_ENTITY, *tagging.version.labels]
    return {
        (start, end): dict(zip(names, probabilities, strict=True))
        for start, end, probabilities in tagging.faint
    }
