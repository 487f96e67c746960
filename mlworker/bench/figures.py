"""What was measured as the rows of `bench.json`: `{"id", "value", "unit", "better"}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from mlworker.bench.accuracy import Drawn, Measured, Trained
from mlworker.bench.linking import Linking
from mlworker.bench.rows import Better, Figure
from mlworker.bench.speed import SmallTraining, Tagging
from mlworker.evaluation import UncertaintyQuality

PERCENT, SHARE, SECONDS, RATE, RATIO, MIB = "%", "0…1", "s", "sentences/s", "×", "MiB"


def of_training(found: Trained) -> Iterator[Figure]:
    name = f"{found.corpus}.{found.variant.id}"
    if found.dev:
        yield _higher(f"{name}.dev.f1", found.dev.f1, PERCENT)
    if found.seconds is not None:
        yield _lower(f"{name}.training.seconds", found.seconds, SECONDS)
    if found.sentences_per_second is not None:
        yield _higher(f"{name}.training.rate", found.sentences_per_second, RATE)


def of_dropout(corpus: str, drawn: Sequence[Drawn]) -> Iterator[Figure]:
    for found in drawn:
        name = f"{corpus}.dev.mc_dropout.{found.name}"
        yield from _of_quality(name, found.quality)
        yield _higher(f"{name}.rate", found.sentences_per_second, RATE)


def of_tagging(found: Tagging) -> Iterator[Figure]:
    for name, rate in found.rates.items():
        yield _higher(f"tagging.{name}.rate", rate, RATE)
    for name, f1 in found.dev_f1.items():
        yield _higher(f"tagging.{name}.dev.f1", f1, PERCENT)
    yield _higher("tagging.one_at_a_time.rate", found.batching.single, RATE)
    yield _higher("tagging.batching", found.batching.ratio, RATIO)
    yield _lower("tagging.memory", found.memory, MIB)


def of_growth(seconds: Mapping[int, float]) -> Iterator[Figure]:
    """Seconds for the most sentences, and how much longer each takes than of the fewest."""
    fewest, most = min(seconds), max(seconds)
    yield _lower("tagging.most.seconds", seconds[most], SECONDS)
    growth = seconds[most] / most / (seconds[fewest] / fewest)
    yield _lower("tagging.growth", growth, RATIO)


def of_small_training(found: SmallTraining) -> Iterator[Figure]:
    yield _lower("training.small.cold.seconds", found.cold, SECONDS)
    if found.warm is not None:
        yield _lower("training.small.warm.seconds", found.warm, SECONDS)


def of_linking(found: Linking) -> Iterator[Figure]:
    name = f"{found.corpus}.dev.linking"
    yield _higher(f"{name}.local.f1", found.local.f1, PERCENT)
    yield _higher(f"{name}.llm_alone.f1", found.llm_alone.f1, PERCENT)
    yield _lower(f"{name}.requests_per_1000", found.questions.requests_per_1000, "requests")
    yield _lower(f"{name}.tokens", found.questions.tokens_each, "tokens/span")
    share = found.questions.tokens_each / found.paper.tokens_each
    yield _lower(f"{name}.tokens.share_of_paper", share, SHARE)
    yield _higher(f"{name}.replaced.f1", found.replaced, PERCENT)
    for fused in found.shares:
        read = f"{name}.read_{fused.share}"
        yield _higher(f"{read}.pooled.f1", fused.pooled, PERCENT)
        if fused.cost:
            yield _lower(f"{read}.requests", fused.cost.requests, "requests")
            yield _lower(f"{read}.tokens", fused.cost.prompt_tokens, "tokens")


def of_test(found: Measured) -> Iterator[Figure]:
    name = f"{found.trained.corpus}.{found.test}.{found.trained.variant.id}"
    for score, value in asdict(found.scores).items():
        yield _higher(f"{name}.{score}", value, PERCENT)
    for method, quality in found.quality.items():
        yield from _of_quality(f"{name}.{method}", quality)
    for method, quality in found.untempered.items():
        if quality.ece is not None:
            yield _lower(f"{name}.{method}.untempered.ece", quality.ece, SHARE)


def _of_quality(name: str, quality: UncertaintyQuality) -> Iterator[Figure]:
    if quality.auroc is not None:
        yield _higher(f"{name}.auroc", quality.auroc, SHARE)
    if quality.ece is not None:
        yield _lower(f"{name}.ece", quality.ece, SHARE)
    if quality.share_routed is not None:
        yield _lower(f"{name}.share_routed", quality.share_routed, SHARE)


def _higher(id: str, value: float, unit: str) -> Figure:
    return Figure(id, round(value, 4), unit, Better.HIGHER)


def _lower(id: str, value: float, unit: str) -> Figure:
    return Figure(id, round(value, 4), unit, Better.LOWER)
