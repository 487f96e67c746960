"""Learning how to weigh local model, questions and sweep, from spans that people checked.

A conditional logit model: for each label, features say what speaks for it (`fusion.features`); the
softmax of their weighted sums, that of "no entity" being 0, is the probability of each. Weights are
penalised by their squares, so that what was seldom seen hardly counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlworker import fusion
from mlworker.fusion import Rules
from mlworker.schema import Audited, Evidence, Pool, Scores
from mlworker.uncertainty import Floats

FEWEST_SPANS = 150
"""With fewer checked spans the paper's rule is as good: on WNUT'17 dev, with questions alone, 120
spans cost 0.35 F1, 160 cost 0.14, and 250 nothing; with all sentences read, 160 gain 4.5."""
SELDOM = 5
"""A question or sweep that said such a thing less often is not learned from."""
PENALTY, LABEL_PENALTY = 0.1, 1.0
"""Of a weight's square; what is known of one label alone is trusted less."""
CUTS = [round(0.2 + 0.025 * step, 3) for step in range(17)]
NEIGHBOURS = np.array([1, 2, 3, 2, 1]) / 9
STEPS = 100
CLOSE = 1e-8


@dataclass(frozen=True)
class Rows:
    """The features of each routed span for each label, and its right class (the last: no entity).

    *Shapes:* features (n, C, F), classes (n,).
    """

    names: list[str]
    features: Floats
    classes: NDArray[np.integer]


def learn(documents: Sequence[Audited], labels: Sequence[str], tau: float) -> Pool | None:
    """Weights and the cut at which these documents' spans score best; None below `FEWEST_SPANS`."""
    weighed = [
        (span, document.right(span))
        for document in documents
        for span in document.evidence
        if fusion.is_weighed(span, tau)
    ]
    if len(weighed) < FEWEST_SPANS:
        return None
    rows = _rows([span for span, _ in weighed], [right for _, right in weighed], list(labels))
    penalties = np.array(
        [LABEL_PENALTY if name.startswith("label ") else PENALTY for name in rows.names]
    )
    weights = dict(zip(rows.names, fit(rows, penalties).tolist(), strict=True))
    pool = Pool(list(labels), weights, 0.5, len(weighed))
    return _with_best_cut(pool, documents, tau)


def _rows(spans: Sequence[Evidence], right: Sequence[str], labels: list[str]) -> Rows:
    found = [[fusion.features(span, label) for label in labels] for span in spans]
    seen: dict[str, int] = {}
    for row in found:
        for name in {name for features in row for name in features}:
            seen[name] = seen.get(name, 0) + 1
    names = sorted(name for name, times in seen.items() if times >= SELDOM)
    column = {name: number for number, name in enumerate(names)}
    features = np.zeros((len(spans), len(labels), len(names)))
    for i, row in enumerate(found):
        for j, of_label in enumerate(row):
            for name, value in of_label.items():
                if name in column:
                    features[i, j, column[name]] = value
    numbers = {label: number for number, label in enumerate(labels)}
    classes = np.array([numbers.get(label, len(labels)) for label in right])
    return Rows(names, features, classes)


def fit(rows: Rows, penalties: Floats) -> Floats:
    """The weights that make the right classes most probable, penalties weighed against it.

    Newton's method; each step is halved until it helps. *Shapes:* penalties and weights (F,).
    """
    weights: Floats = np.zeros(len(rows.names))
    lost = loss(rows, penalties, weights)
    for _ in range(STEPS):
        step = _newton(rows, penalties, weights)
        size = 1.0
        while (better := loss(rows, penalties, weights - size * step)) > lost and size > CLOSE:
            size /= 2
        if better >= lost - CLOSE:
            break
        weights, lost = weights - size * step, better
    return weights


def loss(rows: Rows, penalties: Floats, weights: Floats) -> float:
    """Negative log-likelihood and half the penalised squares."""
    sums = _sums(rows, weights)
    top = sums.max(axis=1)
    normal = top + np.log(np.exp(sums - top[:, None]).sum(axis=1))
    likely = sums[np.arange(len(sums)), rows.classes]
    return float((normal - likely).sum() + (penalties * weights**2).sum() / 2)


def _newton(rows: Rows, penalties: Floats, weights: Floats) -> Floats:
    """Gradient by inverse Hessian. *Shape:* (F,)."""
    sums = _sums(rows, weights)
    chances = np.exp(sums - sums.max(axis=1, keepdims=True))
    chances = (chances / chances.sum(axis=1, keepdims=True))[:, :-1]
    right = np.zeros_like(chances)
    entities = np.flatnonzero(rows.classes < chances.shape[1])
    right[entities, rows.classes[entities]] = 1
    gradient = np.einsum("nc,ncf->f", chances - right, rows.features) + penalties * weights
    expected = np.einsum("nc,ncf->nf", chances, rows.features)
    flat = rows.features.reshape(-1, len(weights))
    hessian = (flat * chances.reshape(-1, 1)).T @ flat - expected.T @ expected
    step: Floats = np.linalg.solve(hessian + np.diag(penalties), gradient)
    return step


def _sums(rows: Rows, weights: Floats) -> Floats:
    """The weighted sum of each class, that of "no entity" last. *Shape:* (n, C + 1)."""
    sums: Floats = np.pad(rows.features @ weights, ((0, 0), (0, 1)))
    return sums


def _with_best_cut(pool: Pool, documents: Sequence[Audited], tau: float) -> Pool:
    """The cut around which the documents score best: what one gains by chance does not count."""
    scores = [_f1(_at(pool, cut), documents, tau) for cut in CUTS]
    around = np.convolve(np.pad(scores, 2, mode="edge"), NEIGHBOURS, mode="valid")
    return _at(pool, CUTS[int(np.argmax(around))])


def _at(pool: Pool, cut: float) -> Pool:
    return Pool(pool.labels, pool.weights, cut, pool.spans)


def _f1(pool: Pool, documents: Sequence[Audited], tau: float) -> float:
    return score(documents, Rules(tau, asks=True, pool=pool)).f1


def score(documents: Sequence[Audited], rules: Rules) -> Scores:
    """Exact-match micro scores of the fused labels of `documents` against their gold."""
    numbered = list(enumerate(documents))
    fused = ((n, m) for n, document in numbered for m in fusion.mentions(document.evidence, rules))
    return Scores.count(fused, ((n, m) for n, document in numbered for m in document.gold))
