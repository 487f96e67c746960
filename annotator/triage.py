"""The mentions of a whole corpus that need a person, grouped: those with the same words and the
same suggestion are most likely decided alike, with one press.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from django.db.models import Avg, Count, F, Q, QuerySet, TextField, Value
from django.db.models.functions import Greatest, Substr

from mlworker.schema import NO_ENTITY

from .examples import on_its_line
from .models import Document, Label, Mention, Prediction, Project
from .models.documents import MentionQuerySet

LEAST = 2
"""How often, unless somebody asks for more or less: fewer are decided as quickly in their text."""
MARGIN = 160
"""About how many characters of a sentence are shown on either side of a mention."""


# --- Which mentions -----------------------------------------------------------------------------
LLM_SAID = {
    "agrees": Q(question__answer=F("label__name")),
    "differs": Q(question__state="answered")
    & ~Q(question__answer=F("label__name"))
    & ~Q(question__answer=NO_ENTITY),
    "none": Q(question__answer=NO_ENTITY),
    "silent": Q(question=None) | ~Q(question__state="answered"),
}
"""What the LLM may have said of a mention: the label that is suggested, another one, that it is no
entity, or nothing."""


@dataclass(frozen=True)
class Sieve:
    """Which groups are shown: of this label (its name), of at least so many mentions of which the
    LLM said this (a key of `LLM_SAID`), with these words in their own. Empty: whichever."""

    label: str = ""
    least: int = LEAST
    llm: str = ""
    words: str = ""


def waiting(project: Project, sieve: Sieve | None = None) -> MentionQuerySet:
    """The suggestions of `project` that need a person, those that go through `sieve`."""
    return _sifted(Mention.objects.filter(document__project=project), sieve or Sieve())


def alike(project: Project, sieve: Sieve, form: str, label: int) -> MentionQuerySet:
    """Those of one group: with this form, and this label (its id) suggested."""
    return _sifted(_called(project, [form], [label]), sieve)


def _called(project: Project, forms: Iterable[str], labels: Iterable[int]) -> MentionQuerySet:
    """Mentions of these forms and labels. Asked for by the project's labels rather than by its
    documents, the database finds them by the index of forms."""
    rows: MentionQuerySet = Mention.objects.filter(form__in=forms, label__in=labels)
    return rows.filter(label__project=project)


def _sifted(rows: MentionQuerySet, sieve: Sieve) -> MentionQuerySet:
    rows = rows.undecided().filter(needs_person=True)
    rows = rows.exclude(document__status=Document.Status.GOLD).order_by()
    if sieve.label:
        rows = rows.filter(label__name=sieve.label)
    if sieve.llm:
        rows = rows.filter(LLM_SAID[sieve.llm])
    return rows.filter(form__icontains=sieve.words) if sieve.words else rows


# --- Groups -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Said:
    """That so many of a group's mentions were called this; `label` None: no entity."""

    label: Label | None
    count: int


@dataclass(frozen=True)
class Group:
    """Mentions with the same words and the same suggested label. What the LLM and the local model
    said of them, the most frequent first; how unsure they are on average, where it is known."""

    form: str
    label: Label
    count: int
    llm: tuple[Said, ...]
    documents: int = 0
    local: tuple[Said, ...] = ()
    uncertainty: float | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.form, self.label.pk

    @property
    def silent(self) -> int:
        """Of how many the LLM said nothing."""
        return self.count - sum(said.count for said in self.llm)

    @property
    def settles(self) -> int:
        """About how many decisions one press settles: as many as are alike. That is the most
        frequent of the LLM's answers; what it was not asked about counts as suggested."""
        counts = defaultdict(int, {self.label.pk: self.silent})
        for said in self.llm:
            counts[said.label.pk if said.label else 0] += said.count
        return max(counts.values())

    @property
    def is_cut(self) -> bool:
        """Whether the form is not all of the words."""
        return len(self.form) == Mention.FORM_LENGTH


def groups(project: Project, sieve: Sieve, among: MentionQuerySet | None = None) -> list[Group]:
    """All groups, or those `among` some mentions, first those in which one press saves the most
    decisions; not `described` yet. One query, which counts the answers by label beside each other:
    a group is one row."""
    labels = {label.pk: label for label in project.labels.all()}
    options: list[Label | None] = [*labels.values(), None]
    names = [option.name if option else NO_ENTITY for option in options]
    answers = {
        f"said_{n}": Count("pk", filter=Q(question__answer=name)) for n, name in enumerate(names)
    }
    mentions = waiting(project, sieve) if among is None else among
    rows = mentions.values_list("form", "label_id").annotate(count=Count("pk"), **answers)
    rows = rows.filter(count__gte=sieve.least)
    found = [
        Group(form, labels[label], count, _ranked(zip(options, said, strict=True)))
        for form, label, count, *said in rows
    ]
    found.sort(key=lambda group: (-group.settles, -group.count, group.form, group.label.pk))
    return found


def _ranked(counts: Iterable[tuple[Label | None, int]]) -> tuple[Said, ...]:
    said = [Said(label, count) for label, count in counts if count]
    return tuple(sorted(said, key=lambda each: -each.count))


def described(project: Project, sieve: Sieve, some: Iterable[Group]) -> list[Group]:
    """`some` groups, of a page, with all that there is to know of them. Two queries."""
    some = list(some)
    called = _called(project, {g.form for g in some}, {g.label.pk for g in some})
    rows = _sifted(called, sieve)
    local = _local(project, rows)
    found = rows.values_list("form", "label_id").annotate(
        Count("document", distinct=True), Avg("prediction__uncertainty")
    )
    facts = {(form, label): known for form, label, *known in found}
    described = []
    for group in some:
        documents, uncertainty = facts.get(group.key, (0, None))
        said = _ranked(local[group.key].items())
        described.append(replace(group, documents=documents, uncertainty=uncertainty, local=said))
    return described


def _local(
    project: Project, rows: MentionQuerySet
) -> dict[tuple[str, int], dict[Label | None, int]]:
    """How often the local model called the mentions of each group what."""
    labels = {label.pk: label for label in project.labels.all()}
    said = rows.filter(prediction__isnull=False).values_list(
        "form", "label_id", "prediction__label", "prediction__lane"
    )
    counts: dict[tuple[str, int], dict[Label | None, int]] = defaultdict(lambda: defaultdict(int))
    for form, label, best, lane, count in said.annotate(Count("pk")):
        is_entity = lane == Prediction.Lane.MENTION
        counts[form, label][labels.get(best) if is_entity else None] += count
    return counts


# --- The mentions of a group --------------------------------------------------------------------
@dataclass(frozen=True)
class Occurrence:
    """A mention in its sentence: what stands before it, its own words, and what stands after.
    `version` is the number of the model version that scored it, if one did."""

    mention: Mention
    version: int | None
    before: str
    surface: str
    after: str


def occurrences(rows: MentionQuerySet, first: int, last: int) -> list[Occurrence]:
    """Those of a group from place `first` up to `last`: what the LLM called the same stands
    together, the least sure first."""
    answer, unsure = F("question__answer"), F("prediction__uncertainty")
    rows = rows.order_by(answer.asc(nulls_last=True), unsure.desc(nulls_last=True), "pk")
    return in_sentences(rows[first:last])


def in_sentences(rows: QuerySet[Mention]) -> list[Occurrence]:
    """A page of mentions; of their documents' texts, which may be long, no more is read than what
    is shown. Two queries."""
    ids = list(rows.values_list("pk", flat=True))
    rows = Mention.objects.filter(pk__in=ids)
    rows = rows.select_related("document", "label", "question", "prediction__label")
    rows = rows.defer(
        *(f"document__{name}" for name in ("text", "tokens", "sentences", "meta")),
        *("prediction__probabilities", "prediction__nearest", "question__probabilities"),
    )
    first = Greatest(F("start") - MARGIN - 1, Value(0))
    length = F("end") - F("start") + 2 * (MARGIN + 1)
    near = Substr("document__text", first + 1, length, output_field=TextField())
    version = F("prediction__tagging__version__number")
    rows = rows.annotate(near=near, version=version)
    by_id = {mention.pk: _occurrence(mention) for mention in rows}
    return [by_id[pk] for pk in ids if pk in by_id]


def _occurrence(mention: Mention) -> Occurrence:
    near: str = mention.near  # type: ignore[attr-defined]
    start = min(mention.start, MARGIN + 1)
    end = start + mention.end - mention.start
    # Where there was no room before it, what was read goes on further behind it.
    near = near[: end + MARGIN + 1]
    version: int | None = mention.version  # type: ignore[attr-defined]
    return Occurrence(mention, version, *on_its_line(near, start, end, MARGIN))


def by_document(rows: MentionQuerySet, most: int) -> Iterator[tuple[int, int]]:
    """Ids of the first `most` of `rows` by document, each with its document's version now."""
    ordered = rows.order_by("document_id", "start", "pk")
    yield from ordered.values_list("pk", "document__version")[:most]
