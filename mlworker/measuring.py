"""What a model that was just trained is worth on held-out texts; its temperature and τ."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np

from mlworker import evaluation, inference, temperature
from mlworker.calibration import calibrate
from mlworker.schema import Calibration, Head, Method, Scores, Text
from mlworker.versions import LocalModel

TINY = 1e-12
DEV_CANDIDATES_PER_100 = 20.0
"""How many candidates are looked at on the dev texts to see where they stop to be mentions."""


def as_served(model: LocalModel) -> LocalModel:
    """A copy that computes as tagging will, which may be in less precision than training."""
    return inference.ready(replace(model, classifier=deepcopy(model.classifier)))


def measure(
    model: LocalModel, dev: Sequence[Text], methods: Sequence[Method] | None = None
) -> tuple[Scores | None, dict[Method, Calibration]]:
    """Scores on `dev` (None where it is empty), and a threshold for each of `methods`."""
    methods = model.config.head.methods if methods is None else methods
    reading = inference.read(model, dev, methods)
    found = {}
    for method in methods:
        tagged = reading.tagged(method, DEV_CANDIDATES_PER_100)
        found[method] = calibrate(
            evaluation.outcomes(tagged, dev), evaluation.candidate_outcomes(tagged, dev)
        )
    plain = reading.tagged(Method.LEAST_CONFIDENCE, 0)
    return (evaluation.scores(plain, dev) if dev else None), found


def fit_temperature(model: LocalModel, dev: Sequence[Text]) -> float:
    """The temperature at which the probabilities of what is predicted on `dev` fit its gold.

    1 for a head that is not a softmax, and where `dev` predicts too little to say.
    """
    if model.config.head is not Head.SOFTMAX:
        return 1.0
    reading = inference.read(model, dev, [])
    probabilities, classes = evaluation.predicted(reading)
    # A softmax of logarithms gives the probabilities back: they are logits as good as any.
    return temperature.fit(np.log(np.maximum(probabilities, TINY)), classes)
