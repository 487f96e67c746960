"""The wire contract between `annotator` and `mlworker`: plain dataclasses, JSON on the wire.

It holds nothing but the standard library, because `annotator` imports it. Offsets are half-open
`[start, end)` in Unicode code points of the stored text.
"""

from __future__ import annotations

from mlworker.schema.asking import (
    PROMPT,
    SWEEP_PROMPT,
    Answer,
    AskRequest,
    AskResult,
    Example,
    Finds,
    Form,
    Outcome,
    Passage,
    Prompt,
    Question,
    Ungrounded,
)
from mlworker.schema.calibration import (
    CalibrateRequest,
    CalibrateResult,
    Calibration,
    CandidateOutcome,
    HeldOut,
    Interval,
)
from mlworker.schema.evidence import Audited, Evidence, Frontier, Point, Pool, Route, Turn
from mlworker.schema.message import Failure, Message, Progress, Work
from mlworker.schema.scores import Scores
from mlworker.schema.tagging import (
    NEAREST,
    Faint,
    Lane,
    Method,
    Neighbour,
    ReadSentence,
    Routing,
    ScoredSpan,
    SplitRequest,
    SplitResult,
    TaggedText,
    TagRequest,
    TagResult,
)
from mlworker.schema.texts import DEFAULT_LANGUAGE, NO_ENTITY, Label, Mention, Text
from mlworker.schema.training import Head, TrainRequest, TrainResult

__all__ = [
    "DEFAULT_LANGUAGE",
    "NEAREST",
    "NO_ENTITY",
    "PROMPT",
    "SWEEP_PROMPT",
    "Answer",
    "AskRequest",
    "AskResult",
    "Audited",
    "CalibrateRequest",
    "CalibrateResult",
    "Calibration",
    "CandidateOutcome",
    "Evidence",
    "Example",
    "Failure",
    "Faint",
    "Finds",
    "Form",
    "Frontier",
    "Head",
    "HeldOut",
    "Interval",
    "Label",
    "Lane",
    "Mention",
    "Message",
    "Method",
    "Neighbour",
    "Outcome",
    "Passage",
    "Point",
    "Pool",
    "Progress",
    "Prompt",
    "Question",
    "ReadSentence",
    "Route",
    "Routing",
    "ScoredSpan",
    "Scores",
    "SplitRequest",
    "SplitResult",
    "TagRequest",
    "TagResult",
    "TaggedText",
    "Text",
    "TrainRequest",
    "TrainResult",
    "Turn",
    "Ungrounded",
    "Work",
]
