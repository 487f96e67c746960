"""Letting the LLM read whole sentences, to find what the local model is sure is not there.

A share of the sentences is read (`Project.sweep_share`), those first in which the serving version
expects to have missed most; before there is a model, in the order of the documents. Held-out and
test gold is read by the same rule: what reading brings is estimated there, and never from what the
gold says. What is found is a proposal for people, or weighed with all else that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from mlworker import schema
from mlworker.llm.prompt import built_in

from . import asking, gold, ledger, suggestions, twins
from .asked import Asked, request_to
from .models import Chunk, Document, Job, Project, SweptSentence, Tagging
from .refusals import Impossible
from .swept import swept_by, swept_of, whom_sweeps
from .tagging import in_pieces

LONGEST = 4000
"""Characters of a sentence; a longer one is none, and is not sent."""

Sentence = tuple[int, int, int]
"""Document, start and end."""


def check(project: Project) -> None:
    """Raises `Impossible` where the LLM is not to read sentences, or cannot."""
    asking.check(project)
    if refusal := _why_not(project):
        raise Impossible(refusal)


def _why_not(project: Project) -> str:
    """Why this project's LLM is not to read sentences; empty where it is."""
    if not project.asks_server:
        return (
            "Only an LLM server can read sentences: the others choose among options, and write "
            "nothing down."
        )
    return "" if project.sweep_share else "No share of the sentences is to be read; set one first."


def prepare(project: Project) -> list[list[int]]:
    """Chunks of the sentences that the LLM is to read and has not, the riskiest first; may be
    empty. Of those whose words are the same one is read."""
    check(project)
    wanted = list(to_read(project))
    if not wanted and lacks_sentences(project):
        raise Impossible(
            f"It is not known yet where the sentences are: start with “{Job.Kind.SPLIT.label}”."
        )
    _write_down(project, wanted)
    suggestions.refresh(project, twins.settle(swept_by(project)))
    rows = swept_by(project).waiting().values_list("document", "start", "end", "pk", "fingerprint")
    waiting = {(pk, start, end): row for pk, start, end, *row in rows}
    different = twins.one_of_each(waiting[at] for at in wanted if at in waiting)
    return in_pieces(different, settings.CHUNK_SENTENCES)


def _write_down(project: Project, wanted: list[Sentence]) -> None:
    """A row for each of these sentences that has none with this LLM."""
    to = whom_sweeps(project)
    asked = asdict(to)
    rows = (
        SweptSentence(
            document_id=pk,
            start=start,
            end=end,
            fingerprint=twins.fingerprint(project, to, text),
            **asked,
        )
        for (pk, start, end), text in with_text(wanted)
    )
    while some := list(islice(rows, twins.ROWS)):
        SweptSentence.objects.bulk_create(some, ignore_conflicts=True)


def with_text(sentences: list[Sentence]) -> Iterator[tuple[Sentence, str]]:
    """Each with its words; of documents that are gone, none."""
    for some in in_pieces(sentences, twins.ROWS):
        ids = {document for document, _, _ in some}
        texts = dict(Document.objects.filter(pk__in=ids).values_list("pk", "text"))
        for at in some:
            pk, start, end = at
            if pk in texts:
                yield at, texts[pk][start:end]


def reopen(project: Project) -> int:
    """Lets sentences without an answer be read once more; returns how many."""
    unresolved = swept_by(project).filter(state=SweptSentence.State.UNRESOLVED)
    return unresolved.update(state=SweptSentence.State.OPEN, reason="")


def is_due(project: Project) -> bool:
    """Whether there are sentences that the LLM is to read and has not."""
    return not _why_not(project) and next(to_read(project), None) is not None


def to_read(project: Project) -> Iterator[Sentence]:
    """The riskiest share of the sentences, without what this LLM has read."""
    return unread(project, share_of(in_order(project), project.sweep_share))


def unread(project: Project, sentences: list[Sentence]) -> Iterator[Sentence]:
    """Those of `sentences` that this LLM was not given, or that wait to be given again."""
    settled = swept_by(project).exclude(state=SweptSentence.State.OPEN)
    known = set(settled.values_list("document", "start", "end"))
    return (sentence for sentence in sentences if sentence not in known)


def share_of(ranked: list[Sentence], percent: float) -> list[Sentence]:
    """The first so many percent."""
    return ranked[: round(len(ranked) * percent / 100)]


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
        (-missed, (document, start, end))
        for document, found in taggings.values_list("document", "sentences")
        for start, end, missed in found
        if end - start <= LONGEST
    ]
    return [sentence for _, sentence in sorted(ranked)]


def _readable(project: Project) -> QuerySet[Document]:
    """Documents under review, and gold that nothing was learned from."""
    kept = [Document.Split.DEV, Document.Split.TEST]
    return Document.objects.filter(project=project).filter(
        ~Q(status=Document.Status.GOLD) | Q(split__in=kept)
    )


# --- Where the sentences are, before there is a model ------------------------------------------
def lacks_sentences(project: Project) -> bool:
    """Whether, for want of a model, it is not known where the sentences of some documents are."""
    return project.serving is None and uncut(project).exists()


def uncut(project: Project) -> QuerySet[Document]:
    """Documents whose sentences nobody has looked for."""
    return _readable(project).filter(sentences__isnull=True)


def prepare_split(project: Project) -> list[list[int]]:
    check(project)
    waiting = uncut(project).values_list("pk", flat=True)
    return in_pieces(list(waiting), settings.CHUNK_DOCUMENTS)


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
    still = twins.is_among(swept_of(project, to).filter(document__in=_readable(project)))
    request = replace(
        ask_to_read(project, to),
        passages=[
            schema.Passage(s.pk, s.document.text[s.start : s.end])
            for s in asking.to_send(chunk, swept_of(project, to), still)
        ],
    )
    return ledger.open_call(chunk, to, request).to_json()


def ask_to_read(project: Project, to: Asked) -> schema.AskRequest:
    """What the LLM is sent beside sentences."""
    return request_to(project, to, built_in(schema.SWEEP_PROMPT))


def store(chunk: Chunk, answer: dict[str, Any]) -> int | None:
    """As `linking.store`."""
    return asking.store(chunk, answer, _write_finds, leave_open)


def store_late(chunk: Chunk, answer: dict[str, Any]) -> None:
    """As `linking.store_late`."""
    asking.settle_late(chunk, answer, _write_finds)


def _write_finds(chunk: Chunk, result: schema.AskResult) -> list[int]:
    names = {label.name for label in chunk.job.project.labels.all()}
    finds = {found.id: found for found in result.finds}

    def take(sentence: SweptSentence) -> str:
        found = finds.get(sentence.pk, schema.Finds(sentence.pk, None))
        if found.mentions is None:
            return found.reason or "no answer"
        sentence.found = [
            [sentence.start + m.start, sentence.start + m.end, m.label]
            for m in found.mentions
            if m.label in names
        ]
        sentence.ungrounded = [[u.text, u.label] for u in found.ungrounded]
        return ""

    return asking.write_all(chunk, result, SweptSentence.objects.all(), take)


def leave_open(chunk: Chunk, reason: str) -> None:
    """The request failed: its sentences stay unread, and are read when the LLM is asked again."""
    twins.explain(SweptSentence.objects.filter(pk__in=chunk.items), reason)
