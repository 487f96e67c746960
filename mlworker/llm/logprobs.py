"""The probabilities of chosen options, and of others, from those of an answer's tokens.

Whatever a server sends here is optional: where it does not fit the answer, there simply is no
probability.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

LABEL = re.compile(r'"label"\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True)
class Token:
    """A piece of the answer; `alternatives` maps what might have stood there to a probability."""

    text: str
    probability: float
    alternatives: dict[str, float]


@dataclass(frozen=True)
class Weight:
    """How likely a chosen option was; `shares` are those of all options, where they are known."""

    probability: float | None = None
    shares: dict[str, float] | None = None


UNKNOWN = Weight()


def of_labels(
    content: str, labels: Sequence[Any], token_logprobs: Any, codes: Iterable[str]
) -> list[Weight]:
    """The weight of each of the `labels` that `content` gives in this order."""
    unknown = [UNKNOWN] * len(labels)
    places = list(LABEL.finditer(content))
    tokens, starts, offset = _find(content, token_logprobs)
    if offset < 0 or [place[1] for place in places] != labels:
        return unknown
    known = list(codes)
    return [_weight(tokens, starts, offset + place.start(1), place[1], known) for place in places]


def of_name(name: str, token_logprobs: Any, names: Iterable[str]) -> Weight:
    """The weight of an answer that is one of `names` and nothing else."""
    tokens, starts, at = _find(name, token_logprobs)
    return _weight(tokens, starts, at, name, list(names)) if at >= 0 else UNKNOWN


def _find(content: str, token_logprobs: Any) -> tuple[list[Token], list[int], int]:
    """The tokens, where each begins in their joined text, and where `content` does (-1: nowhere).

    An answer may follow tokens that are not part of it, such as a model's thinking.
    """
    try:
        tokens = [_token(entry) for entry in token_logprobs["content"]]
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return [], [0], -1
    starts = list(accumulate((len(token.text) for token in tokens), initial=0))
    return tokens, starts, "".join(token.text for token in tokens).rfind(content)


def _weight(
    tokens: Sequence[Token], starts: Sequence[int], at: int, code: str, codes: Sequence[str]
) -> Weight:
    """That of `code`, which stands at character `at` of the joined tokens.

    Where one token holds the whole code, its share among the options that might have stood
    there; else the product over its tokens, which says nothing of the other options.
    """
    if code not in codes:
        return UNKNOWN
    first, last = bisect_right(starts, at) - 1, bisect_left(starts, at + len(code))
    if last - first == 1:
        within = at - starts[first]
        return _share(tokens[first], within, code, codes)
    return Weight(math.prod(token.probability for token in tokens[first:last]))


def _share(token: Token, within: int, code: str, codes: Sequence[str]) -> Weight:
    """Shares are known where the server names another option; one that it does not has none."""
    head, tail = token.text[:within], token.text[within + len(code) :]
    found = {other: token.alternatives.get(head + other + tail, 0.0) for other in codes}
    found[code] = token.probability
    total = sum(found.values())
    if not total:
        return UNKNOWN
    shares = {other: probability / total for other, probability in found.items()}
    return Weight(shares[code], shares if total > token.probability else None)


def _token(entry: Mapping[str, Any]) -> Token:
    alternatives = entry.get("top_logprobs") or []
    return Token(
        str(entry["token"]),
        _exp(entry["logprob"]),
        {str(other["token"]): _exp(other["logprob"]) for other in alternatives},
    )


def _exp(logprob: Any) -> float:
    """Raises `ValueError` for what is not the logarithm of a probability."""
    if not isinstance(logprob, (int, float)) or math.isnan(logprob):
        raise ValueError("not a log-probability")
    return math.exp(min(logprob, 0.0))
