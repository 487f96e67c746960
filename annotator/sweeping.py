"""Letting the LLM read whole sentences, to find what the local model is sure is not there.

A share of the sentences is read (`Project.sweep_share`), those first in which the serving version
expects to have missed most; before there is a model, in the order of the documents. Held-out and
test gold is read by the same rule: what reading brings is estimated there, and never from what the
gold says. What is found is a proposal for people, or weighed with all else that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from mlworker import schema
from mlworker.llm.prompt import built_in

from . import asking, gold, ledger, suggestions
from .asked import options
from .models import Chunk, Document, Project, SweptSentence, Tagging
from .swept import swept_by, whom_sweeps
from .tagging import in_pieces
from .training import Impossible

LONGEST = 4000
"""Characters of a sentence; a longer one is none, and is not sent."""

Sentence = tuple[int, int, int]
"""Document, start and end."""


def prepare(project: Project) -> list[list[int]]:
    """Chunks of the sentences that the LLM is to read and has not; may be empty."""
    asking.check(project)
    if project.provider != Project.Provider.OPENAI:
        raise Impossible("Only an LLM server can read sentences: the others choose among options.")
    if not project.sweep_share:
        raise Impossible("No share of the sentences is to be read; set one first.")
    if lacks_sentences(project):
        raise Impossible("It is not known yet where the sentences are; find them first.")
    to = whom_sweeps(project)
    rows = [
        SweptSentence(
            document_id=document,
            start=start,
            end=end,
            provider=to.provider,
            model=to.model,
            prompt_version=to.prompt_version,
        )
        for document, start, end in to_read(project)
    ]
    SweptSentence.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    waiting = swept_by(project).filter(state=SweptSentence.State.OPEN)
    return in_pieces(list(waiting.values_list("pk", flat=True)), settings.CHUNK_SENTENCES)


def reopen(project: Project) -> int:
    """Lets sentences without an answer be read once more; returns how many."""
    unresolved = swept_by(project).filter(state=SweptSentence.State.UNRESOLVED)
    return unresolved.update(state=SweptSentence.State.OPEN, reason="")


def is_due(project: Project) -> bool:
    """Whether there are sentences that the LLM is to read and was not given yet."""
    may = project.provider == Project.Provider.OPENAI and project.sweep_share > 0
    return may and next(to_read(project), None) is not None


def to_read(project: Project) -> Iterator[Sentence]:
    """The riskiest share of the sentences, without those that were given to this LLM before."""
    ranked = in_order(project)
    most = round(len(ranked) * project.sweep_share / 100)
    known = set(swept_by(project).values_list("document", "start", "end"))
    return (sentence for sentence in ranked[:most] if sentence not in known)


def in_order(project: Project) -> list[Sentence]:
    """All sentences that may be read, the riskiest first."""
    if project.serving is None:
        cut = _readable(project).filter(sentences__isnull=False).order_by("pk")
        rows = cut.values_list("pk", "sentences")
        return [(pk, *at) for pk, found in rows for at in found or () if at[1] - at[0] <= LONGEST]
    taggings = Tagging.objects.filter(
        document__in=_readable(project), version=project.serving, method=project.method
    )
    ranked = [
        (-missed, document, start, end)
        for document, found in taggings.values_list("document", "sentences")
        for start, end, missed in found
        if end - start <= LONGEST
    ]
    return [(document, start, end) for _, document, start, end in sorted(ranked)]


def _readable(project: Project) -> QuerySet[Document]:
    """Documents under review, and gold that nothing was learned from."""
    kept = [Document.Split.DEV, Document.Split.TEST]
    return Document.objects.filter(project=project).filter(
        ~Q(status=Document.Status.GOLD) | Q(split__in=kept)
    )


# --- Where the sentences are, before there is a model ------------------------------------------
def lacks_sentences(project: Project) -> bool:
    """Whether, for want of a model, it is not known where the sentences of some documents are."""
    return project.serving is None and _uncut(project).exists()


def _uncut(project: Project) -> QuerySet[Document]:
    return _readable(project).filter(sentences=None)


def prepare_split(project: Project) -> list[list[int]]:
    uncut = _uncut(project).values_list("pk", flat=True)
    return in_pieces(list(uncut), settings.CHUNK_DOCUMENTS)


def request_split(chunk: Chunk) -> dict[str, Any]:
    documents = Document.objects.filter(pk__in=chunk.items).select_related("project")
    texts = [gold.as_text(document) for document in documents]
    return schema.SplitRequest(chunk.pk, chunk.attempts, texts).to_json()


def store_split(chunk: Chunk, answer: dict[str, Any]) -> int:
    result = schema.SplitResult.from_json(answer)
    for text in result.texts:
        sentences = [[sentence.start, sentence.end] for sentence in text.sentences]
        Document.objects.filter(pk=text.id).update(sentences=sentences)
    return len(chunk.items)


# --- Asking ------------------------------------------------------------------------------------
def request(chunk: Chunk) -> dict[str, Any]:
    """Raises `Impossible` where the project asks another LLM, or none, since the job started, and
    where its budget is spent."""
    project = chunk.job.project
    to = whom_sweeps(project)
    sentences = swept_by(project).filter(pk__in=chunk.items).select_related("document")
    if sentences.count() != len(chunk.items):
        raise Impossible("The project's LLM or labels changed; ask again.")
    request = schema.AskRequest(
        chunk=chunk.pk,
        attempt=chunk.attempts,
        provider=to.provider,
        model=to.model,
        prompt=built_in(schema.SWEEP_PROMPT),
        labels=options(project),
        passages=[schema.Passage(s.pk, s.document.text[s.start : s.end]) for s in sentences],
    )
    ledger.open_call(chunk, to, request)
    return request.to_json()


def store(chunk: Chunk, answer: dict[str, Any]) -> int | None:
    """As `linking.store`."""
    return asking.store(chunk, answer, _write_finds, leave_open)


def _write_finds(chunk: Chunk, result: schema.AskResult, *, again: bool) -> list[int]:
    """Writes what was found; returns the sentences that stay open, to be read `again`."""
    states = SweptSentence.State
    names = {label.name for label in chunk.job.project.labels.all()}
    finds = {found.id: found for found in result.finds}
    call = chunk.calls.filter(attempt=result.attempt).first()
    sentences = list(SweptSentence.objects.filter(pk__in=chunk.items))
    for sentence in sentences:
        found = finds.get(sentence.pk, schema.Finds(sentence.pk, None, reason="no answer"))
        sentence.call = call
        if found.mentions is not None:
            sentence.state, sentence.reason = states.ANSWERED, ""
            sentence.found = [
                [sentence.start + m.start, sentence.start + m.end, m.label]
                for m in found.mentions
                if m.label in names
            ]
            sentence.ungrounded = [[u.text, u.label] for u in found.ungrounded]
        elif sentence.state != states.ANSWERED:
            sentence.state = states.OPEN if again else states.UNRESOLVED
            sentence.reason = found.reason[:300]
    fields = ["state", "found", "ungrounded", "reason", "call"]
    SweptSentence.objects.bulk_update(sentences, fields)
    _refresh(chunk)
    return [sentence.pk for sentence in sentences if sentence.state == states.OPEN]


def leave_open(chunk: Chunk, reason: str) -> None:
    """The request failed: its sentences stay unread, and are read when the LLM is asked again."""
    waiting = SweptSentence.objects.filter(pk__in=chunk.items, state=SweptSentence.State.OPEN)
    waiting.update(reason=reason[:300])


def _refresh(chunk: Chunk) -> None:
    read = SweptSentence.objects.filter(pk__in=chunk.items)
    suggestions.refresh(chunk.job.project, set(read.values_list("document_id", flat=True)))
