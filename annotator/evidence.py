"""What is known of the spans of documents: what the local model, questions and the sweep say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlworker import schema
from mlworker.fusion import Rules
from mlworker.schema import NO_ENTITY, Lane

from .asked import asked_by
from .models import Prediction, Project, Question, SweptSentence, Tagging
from .swept import swept_by

Span = tuple[int, int]


@dataclass(frozen=True)
class Known:
    """A span's evidence and the rows that it rests on; a proposal has no prediction."""

    span: schema.Evidence
    prediction: Prediction | None = None
    question: Question | None = None


def rules(project: Project) -> Rules:
    """By what the project decides; before a model serves, nothing but the sweep says anything."""
    threshold = project.threshold()
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
    by the project's method, or, before there is one, that the LLM has read; in a few queries.

    Nothing where a version serves, but no τ is known for the method yet: what it says cannot be
    told, and a document is not to lose that for what the LLM says alone.
    """
    ids = list(documents)
    if project.serving is not None and project.threshold() is None:
        return {}
    sentences: dict[int, list[SweptSentence]] = defaultdict(list)
    for sentence in swept_by(project).answered().filter(document__in=ids):
        sentences[sentence.document_id].append(sentence)
    if project.serving is None:
        return {pk: list(_proposals(found, {}, {})) for pk, found in sentences.items()}
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
        spans = {(k.span.start, k.span.end): k for k in known}
        faint = _faint(tagging) if sentences[pk] else {}
        out[pk] = [*known, *_proposals(sentences[pk], spans, faint)]
    return out


def _known(
    prediction: Prediction, questions: dict[Span, Question], swept: list[SweptSentence]
) -> Known:
    span = prediction.start, prediction.end
    question = questions.get(span) if _may_ask(prediction) else None
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


def _may_ask(prediction: Prediction) -> bool:
    return prediction.lane == Prediction.Lane.CANDIDATE or prediction.label.ask_llm


def _why_no_answer(prediction: Prediction, question: Question | None) -> str:
    if not _may_ask(prediction):
        return f"in this project it is not asked about {prediction.label}"
    return question.reason if question else ""


def said_of(span: Span, swept: Iterable[SweptSentence]) -> str | None:
    """What the LLM said of `span` when it read its sentence; None where it has not, and where it
    may have meant `span` by what could not be placed: that is no "no entity"."""
    for sentence in swept:
        if sentence.start <= span[0] and span[1] <= sentence.end:
            return sentence.labels().get(span, None if sentence.ungrounded else NO_ENTITY)
    return None


def _proposals(
    swept: list[SweptSentence], known: dict[Span, Known], faint: dict[Span, dict[str, float]]
) -> Iterator[Known]:
    """What the LLM found where the local model sees nothing, or not surely enough to say so."""
    for sentence in swept:
        for span, label in sentence.labels().items():
            if span not in known:
                yield Known(
                    schema.Evidence(
                        *span,
                        lane=Lane.PROPOSAL,
                        label=label,
                        uncertainty=1.0,
                        probabilities=faint.get(span, {}),
                        found=label,
                    )
                )


def _faint(tagging: Tagging) -> dict[Span, dict[str, float]]:
    names = [NO_ENTITY, *tagging.version.labels]
    return {
        (start, end): dict(zip(names, probabilities, strict=True))
        for start, end, probabilities in tagging.faint
    }
