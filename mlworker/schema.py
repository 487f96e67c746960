"""The wire contract between `annotator` and `mlworker`: plain dataclasses, JSON on the wire.

This is the only module of `mlworker` that `annotator` imports, so it holds nothing but the
standard library. Offsets are half-open `[start, end)` in Unicode code points of the stored text.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Self

NO_ENTITY = "O"
"""The name of "not an entity" among label names; no label may carry it."""

DEFAULT_LANGUAGE = "en"
"""The language of texts that say none, as of the default encoder."""

PROMPT = "choice.v2"
"""The built-in prompt that a project asks with where it has none of its own."""
SWEEP_PROMPT = "sweep.v1"
"""The built-in prompt with which sentences are read whole."""


NEAREST = 3
"""How many of the gold mentions most like a span a model version names."""


class Method(StrEnum):
    """How the uncertainty of a span is measured."""

    LEAST_CONFIDENCE = "least_confidence"
    ENTROPY = "entropy"
    MC_DROPOUT = "mc_dropout"
    EVIDENTIAL = "evidential"


class Head(StrEnum):
    """What the local model's logits mean, and so how it is trained."""

    SOFTMAX = "softmax"
    EVIDENTIAL = "evidential"

    @property
    def methods(self) -> tuple[Method, ...]:
        """The uncertainty methods that such a model offers."""
        if self is Head.EVIDENTIAL:
            return tuple(Method)
        return tuple(method for method in Method if method is not Method.EVIDENTIAL)


class Lane(StrEnum):
    """Why a span is looked at: predicted as a mention, "no entity" but not surely, or found by the
    LLM alone when it read the sentence."""

    MENTION = "mention"
    CANDIDATE = "candidate"
    PROPOSAL = "proposal"


class Routing(StrEnum):
    """Who decides a span: the local model alone, the LLM, or a person."""

    ACCEPT = "accept"
    LLM = "llm"
    HUMAN = "human"


class Message:
    """Base of all that travels: `to_json` and `from_json` are exact inverses."""

    def to_json(self) -> dict[str, Any]:
        return asdict(typing.cast("Any", self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises `ValueError` where a field is missing, unknown, or not of its type."""
        return typing.cast("Self", _decode(cls, data))


@dataclass(frozen=True)
class Label(Message):
    name: str
    description: str = ""


@dataclass(frozen=True, order=True)
class Mention(Message):
    """A span with a label."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Text(Message):
    """A document as the ML core sees it.

    `tokens` are the words' offsets where the corpus came tokenised (CoNLL); each line of such a
    text is one sentence; another text is cut by the rules of its `language`
    (ISO 639, or "xx" for any). `mentions` are gold and given for training and evaluation only.
    """

    id: int
    text: str
    tokens: list[tuple[int, int]] | None = None
    mentions: list[Mention] = field(default_factory=list)
    language: str = DEFAULT_LANGUAGE


@dataclass(frozen=True)
class Neighbour(Message):
    """A gold mention of the text `text` (its id), and how like a span the model finds it:
    a cosine, at most 1."""

    text: int
    start: int
    end: int
    label: str
    similarity: float


@dataclass(frozen=True)
class ScoredSpan(Message):
    """What a model version says about one span.

    `label` is the best label that is an entity, in both lanes; `probabilities` maps every label
    and `NO_ENTITY` to its probability; `sentence_start`/`sentence_end` bound the sentence that
    holds the span, which is all that an LLM is ever shown. `nearest` are the most similar gold
    mentions that the version was trained on: evidence for whoever decides, never a verdict.
    """

    start: int
    end: int
    label: str
    lane: Lane
    probabilities: dict[str, float]
    uncertainty: float
    sentence_start: int
    sentence_end: int
    nearest: list[Neighbour] = field(default_factory=list)


@dataclass(frozen=True)
class Faint(Message):
    """A span that is neither predicted nor a candidate: `probabilities` are of `NO_ENTITY` and then
    of the version's labels, in their order."""

    start: int
    end: int
    probabilities: list[float]


@dataclass(frozen=True)
class ReadSentence(Message):
    """A sentence of a text; `missed` is how many mentions the model expects it has overlooked."""

    start: int
    end: int
    missed: float


@dataclass(frozen=True)
class TaggedText(Message):
    id: int
    spans: list[ScoredSpan]
    sentences: list[ReadSentence] = field(default_factory=list)
    faint: list[Faint] = field(default_factory=list)


@dataclass(frozen=True)
class Work(Message):
    """What names a piece of work: its chunk, and which attempt at it this is."""

    chunk: int
    attempt: int


@dataclass(frozen=True)
class TagRequest(Work):
    """Candidates are routed within the budget of so many per 100 sentences, and only those whose
    entity mass 1 - p(O) reaches `candidate_floor`."""

    model: str
    method: Method
    texts: list[Text]
    candidates_per_100: float = 20.0
    candidate_floor: float = 0.0


@dataclass(frozen=True)
class TagResult(Work):
    texts: list[TaggedText]


@dataclass(frozen=True)
class SplitRequest(Work):
    texts: list[Text]


@dataclass(frozen=True)
class SplitResult(Work):
    """Where the sentences of each text are; nothing else is known of it yet."""

    texts: list[TaggedText]


@dataclass(frozen=True)
class TrainRequest(Work):
    """`dataset`, `model` and `start` are paths below the storage root; `dataset` is JSON lines of
    `Text` with a further key `split` (`train` or `dev`), `start` an earlier version that training
    goes on from where it is of the same kind, or "" to begin with the encoder."""

    dataset: str
    model: str
    labels: list[str]
    method: Method
    head: Head = Head.SOFTMAX
    start: str = ""


@dataclass(frozen=True)
class Scores(Message):
    """Exact-match micro scores over mentions, in percent."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def count(cls, predicted: Iterable[Any], gold: Iterable[Any]) -> Self:
        """Scores of a set of predicted mentions (any hashable) against a set of gold ones."""
        found, true = set(predicted), set(gold)
        return cls.of(len(found & true), len(found), len(true))

    @classmethod
    def of(cls, hits: int, found: int, gold: int) -> Self:
        """Scores where so many of the mentions `found` are among the `gold` ones."""
        precision = 100 * hits / found if found else 0.0
        recall = 100 * hits / gold if gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        return cls(round(precision, 2), round(recall, 2), round(f1, 2))


@dataclass(frozen=True)
class HeldOut(Message):
    """A held-out span: how unsure the local model was, and who was right about it.

    `llm_correct` is None where the LLM has not answered.
    """

    uncertainty: float
    local_correct: bool
    llm_correct: bool | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.uncertainty <= 1:
            raise ValueError(f"an uncertainty of {self.uncertainty} is not between 0 and 1")


@dataclass(frozen=True)
class CandidateOutcome(Message):
    """A candidate that was looked at: its entity mass 1 - p(O), and whether it is a mention."""

    mass: float
    is_mention: bool


@dataclass(frozen=True)
class Interval(Message):
    """Accuracy of local model and LLM over the spans with `low` < uncertainty ≤ `high`."""

    low: float
    high: float
    spans: int
    local_accuracy: float | None
    asked: int
    llm_accuracy: float | None


@dataclass(frozen=True)
class Calibration(Message):
    """A threshold and the evidence it rests on (LinkNER §5.3, Fig. 5).

    `low` and `high` bound τ in 95 % of bootstrap samples of the held-out spans (None where there
    are too few to say). Candidates below the entity mass `candidate_floor` are not worth asking.
    `from_answers` says whether enough of them had an answer of the LLM for τ to rest on these.
    """

    tau: float
    intervals: list[Interval]
    note: str
    low: float | None = None
    high: float | None = None
    candidate_floor: float = 0.0
    from_answers: bool = False


@dataclass(frozen=True)
class TrainResult(Work):
    """`dev` holds the held-out scores (None without dev texts) of the version that was saved;
    `warm` says whether it went on from the `start` that was given."""

    model: str
    encoder: str
    labels: list[str]
    train_texts: int
    dev_texts: int
    skipped_mentions: int
    dev: Scores | None
    seconds: float
    calibration: Calibration
    head: Head = Head.SOFTMAX
    warm: bool = False


@dataclass(frozen=True)
class Evidence(Message):
    """What is known of one span before it is decided.

    `label` is the local model's best one, of a proposal the sweep's, and `probabilities` are the
    local model's, empty where they are too small to be kept. `answer` is what the LLM said when it
    was asked about the span, with its probability where it gave one (`reason` says why it said
    nothing); `found` what it said of it when it read the sentence. Both are a label's name,
    `NO_ENTITY`, or None where it was not asked, or has not read the sentence.
    """

    start: int
    end: int
    lane: Lane
    label: str
    uncertainty: float
    probabilities: dict[str, float]
    answer: str | None = None
    answer_probability: float | None = None
    found: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Reading(Message):
    """A sentence that the LLM has read; `share` is how many percent of all sentences, the riskiest
    first, have to be read until its turn comes."""

    start: int
    end: int
    share: float


@dataclass(frozen=True)
class Audited(Message):
    """A document that people checked: what was known of its spans, its gold, and which of its
    sentences were read."""

    evidence: list[Evidence]
    gold: list[Mention]
    read: list[Reading] = field(default_factory=list)


@dataclass(frozen=True)
class Pool(Message):
    """Learned weights of what speaks for a label (see `fusion`), and the probability of being an
    entity from which on a span is taken for one; `spans` is how many it was learned from."""

    labels: list[str]
    weights: dict[str, float]
    cut: float
    spans: int


class Route(StrEnum):
    """A way of using the LLM, or of doing without it."""

    LOCAL = "local"
    """The local model alone."""
    REPLACE = "replace"
    """Routed spans asked about, fused by the paper's rule."""
    POOL = "pool"
    """Routed spans asked about, all that is known of them weighed."""
    SWEEP = "sweep"
    """The LLM alone, reading sentences."""
    BOTH = "both"
    """Routed spans asked about and sentences read, all that is known of a span weighed."""


@dataclass(frozen=True)
class Point(Message):
    """What a route finds in checked documents, reading `share` percent of the sentences.

    `questions` and `sentences` are how many of each it put to the LLM. `lead` is by how many points
    its F1 exceeds that of asking about routed spans, `low` and `high` where that lies in 95 % of
    resamples of the documents; 0 where nothing was asked.
    """

    route: Route
    share: float
    scores: Scores
    questions: int
    sentences: int
    lead: float = 0.0
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Frontier(Message):
    """What the LLM could find, by route; `gold` is how many mentions the documents hold."""

    documents: int
    gold: int
    points: list[Point]


@dataclass(frozen=True)
class CalibrateRequest(Work):
    """`audited` is what fusion is learned from, with these `labels`; without it, it is not.
    `shares` are the percentages of the sentences of `audited` that were read far enough to be
    judged."""

    outcomes: list[HeldOut]
    candidates: list[CandidateOutcome] = field(default_factory=list)
    audited: list[Audited] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class CalibrateResult(Work):
    calibration: Calibration
    pool: Pool | None = None
    frontier: Frontier | None = None


@dataclass(frozen=True)
class Example(Message):
    """A question that gold answers: `context[start:end]` has this label, or `NO_ENTITY`."""

    context: str
    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Question(Message):
    """One multiple-choice question: which label has `context[start:end]`?

    `examples` are shown beside this question alone.
    """

    id: int
    context: str
    start: int
    end: int
    examples: list[Example] = field(default_factory=list)


class Form(StrEnum):
    """How questions are put."""

    CHOICE = "choice"
    """Several a request, as JSON; the LLM answers with the codes of options."""
    QUESTION = "question"
    """One a request, in a sentence, as in the LinkNER paper; it answers with a label's name."""
    SWEEP = "sweep"
    """Whole sentences, several a request, as JSON; the LLM names the mentions it finds."""


@dataclass(frozen=True)
class Prompt(Message):
    """What an LLM is told before the questions: instructions with a slot for the options, and
    examples that stay the same for all questions."""

    text: str
    form: Form = Form.CHOICE
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class Passage(Message):
    """A sentence to be read for all its mentions."""

    id: int
    text: str


@dataclass(frozen=True)
class AskRequest(Work):
    """One request to an LLM: several questions with the same options, or passages to be read.

    `most_tokens` is how many the answer may have, where a budget pays for it.
    """

    provider: str
    model: str
    prompt: Prompt
    labels: list[Label]
    questions: list[Question] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    most_tokens: int | None = None

    @property
    def size(self) -> int:
        """How many questions or passages."""
        return len(self.questions) + len(self.passages)


@dataclass(frozen=True)
class Ungrounded(Message):
    """What an LLM named that does not stand in the passage so: `label` as it gave it."""

    text: str
    label: str


@dataclass(frozen=True)
class Finds(Message):
    """What was found in a passage, offsets in its text; `mentions` is None where it got no usable
    answer, and then `reason` says why."""

    id: int
    mentions: list[Mention] | None
    ungrounded: list[Ungrounded] = field(default_factory=list)
    reason: str = ""


@dataclass(frozen=True)
class Answer(Message):
    """`label` is a label's name, `NO_ENTITY`, or None where the question stays unresolved, and
    then `reason` says why. `probability` is the LLM's own, where the server gives it, and
    `probabilities` that of every option by name (they make 1), where it is known of all."""

    id: int
    label: str | None
    probability: float | None = None
    reason: str = ""
    probabilities: dict[str, float] | None = None


class Outcome(StrEnum):
    """How a request to an LLM ended, and so what becomes of its questions."""

    ANSWERED = "answered"
    """The server answered; each question has its `Answer` (some may be unresolved)."""
    RETRY = "retry"
    """Rate limit, time-out, server or connection error: try again later."""
    SPLIT = "split"
    """The server refused the request; one question may be at fault, so halve it."""
    REFUSED = "refused"
    """Asking again will not help: no key, wrong key, no server configured."""
    WAIT = "wait"
    """No request was made: the server is to be left alone for a while."""


@dataclass(frozen=True)
class AskResult(Work):
    """`billed` is false where the request surely costs nothing: it never reached a server, or
    the server answered with an error; `sent` where it surely never reached the server.
    `server_failed` says that the server is at fault: an error of its own, no reply in time, no
    connection. When several in a row are, it is left alone for a while. `trouble` is why the
    server is to be left alone, in words that may be told to all who ask it: none of the server's
    own, which may quote the request."""

    outcome: Outcome
    answers: list[Answer] = field(default_factory=list)
    reason: str = ""
    retry_after: float | None = None
    raw: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_ms: int = 0
    billed: bool = True
    sent: bool = True
    server_failed: bool = False
    trouble: str = ""
    finds: list[Finds] = field(default_factory=list)


@dataclass(frozen=True)
class Failure(Work):
    """What a task answers when it could not do its work; `error` is fit to be shown."""

    error: str


@dataclass(frozen=True)
class Progress(Work):
    done: int
    total: int
    note: str


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _decode(kind: Any, value: Any) -> Any:
    """`value` (parsed JSON) as an instance of the type `kind`."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        given = next(a for a in args if a is not types.NoneType)
        return None if value is None else _decode(given, value)
    if origin is not None:
        return _decode_container(origin, args, value)
    if is_dataclass(kind):
        return _decode_message(typing.cast("type", kind), value)
    if kind is float:
        return float(_of((int, float), value))
    if issubclass(kind, StrEnum):
        return kind(value)
    return _of(kind, value)


def _decode_container(origin: Any, args: tuple[Any, ...], value: Any) -> Any:
    if origin is list:
        return [_decode(args[0], item) for item in _of(list, value)]
    if origin is dict:
        return {str(key): _decode(args[1], item) for key, item in _of(dict, value).items()}
    items = _of((list, tuple), value)
    return tuple(_decode(kind, item) for kind, item in zip(args, items, strict=True))


def _of(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"expected {kind}, not {value!r:.80}")
    return value


def _decode_message(cls: type, data: Any) -> Any:
    hints = _hints(cls)
    unknown = _of(Mapping, data).keys() - hints.keys()
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
    given = {f.name: _decode(hints[f.name], data[f.name]) for f in fields(cls) if f.name in data}
    try:
        return cls(**given)
    except TypeError as error:
        raise ValueError(f"{cls.__name__}: {error}") from error
