"""How a decision is written down."""

from __future__ import annotations

import uuid

from .models import Correction, Mention, User


def correction_of(
    mention: Mention, author: User, action: Correction.Action, id: uuid.UUID | None = None
) -> Correction:
    """An unsaved correction of `mention` that changes nothing but its state."""
    return Correction(
        id=id or uuid.uuid4(),
        document=mention.document,
        author=author,
        action=action,
        start_before=mention.start,
        end_before=mention.end,
        label_before_id=mention.label_id,
        start=mention.start,
        end=mention.end,
        label_id=mention.label_id,
        prediction_id=mention.prediction_id,
        question_id=mention.question_id,
    )
