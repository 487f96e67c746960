"""The bench as tables in Markdown, in the layout of LinkNER's Tables 3 and 7."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlworker.bench import paper
from mlworker.bench.accuracy import Drawn, Measured, Trained
from mlworker.bench.linking import Linking
from mlworker.bench.paper import Cell
from mlworker.bench.prompts import Cost
from mlworker.bench.rows import NONE, markdown
from mlworker.bench.speed import SmallTraining, Tagging
from mlworker.evaluation import UncertaintyQuality
from mlworker.schema import Method

Rows = dict[str, dict[Cell, float | None]]
"""A value by setting, and by corpus and test set."""


def f1(measured: Sequence[Measured]) -> str:
    """Table 3: F1 of each local model on each test set, the published figures above.

    The methods of one model tell how sure it is of the same predictions, so they share its F1.
    """
    rows = _published(paper.F1)
    for found in measured:
        rows.setdefault(found.trained.variant.name, {})[found.cell] = found.scores.f1
    return _by_cell("F1 (%)", measured, rows, "{:.2f}")


def share_routed(measured: Sequence[Measured]) -> str:
    """Table 7: the share of predicted mentions that exceeds τ, which dev set."""
    ours = _by_method(measured, lambda q: None if q.share_routed is None else 100 * q.share_routed)
    return _by_cell("routed (%)", measured, _published(paper.SHARE_ROUTED) | ours, "{:.2f}")


def auroc(measured: Sequence[Measured]) -> str:
    """How well each method tells wrong predicted mentions from right ones."""
    return _by_cell("AUROC", measured, _by_method(measured, lambda q: q.auroc), "{:.3f}")


def ece(measured: Sequence[Measured]) -> str:
    """Expected calibration error, and what it is without the temperature that dev gave."""
    rows = _by_method(measured, lambda q: q.ece)
    before = _by_method(measured, lambda q: q.ece, lambda found: found.untempered)
    rows |= {f"{name}, untempered": row for name, row in before.items()}
    return _by_cell("ECE", measured, dict(sorted(rows.items())), "{:.3f}")


def training(trained: Sequence[Trained]) -> str:
    header = ("training", "dev F1 (%)", "sentences/s", "seconds")
    return markdown(
        header,
        [
            (
                f"{found.corpus} {found.variant.name}",
                f"{found.dev.f1:.2f}" if found.dev else NONE,
                _shown(found.sentences_per_second, "{:.0f}"),
                _shown(found.seconds, "{:.0f}"),
            )
            for found in trained
        ],
    )


def dropout(drawn: Mapping[str, Sequence[Drawn]]) -> str:
    """Monte-Carlo dropout by where it is drawn, for each corpus's dev texts."""
    header = ("MC dropout on dev", "AUROC", "ECE", "sentences/s")
    return markdown(
        header,
        [
            (
                f"{corpus}, {found.name}",
                _shown(found.quality.auroc, "{:.3f}"),
                _shown(found.quality.ece, "{:.3f}"),
                f"{found.sentences_per_second:.0f}",
            )
            for corpus, both in drawn.items()
            for found in both
        ],
    )


def tagging(found: Tagging) -> str:
    rows = [
        (f"{name}, dev F1 {_shown(found.dev_f1.get(name), '{:.2f}')}", f"{rate:.0f} sentences/s")
        for name, rate in found.rates.items()
    ]
    rows += [
        ("as served", f"{found.batching.batched:.0f} sentences/s"),
        ("as served, one sentence at a time", f"{found.batching.single:.0f} sentences/s"),
        ("ratio of these two", f"{found.batching.ratio:.1f}"),
        ("peak memory of a fresh process", f"{found.memory:.0f} MiB"),
    ]
    return markdown(("tagging", "value"), rows)


def growth(seconds: Mapping[int, float]) -> str:
    rows = [(f"{n:,}", f"{s:.1f}", f"{n / s:.0f}") for n, s in seconds.items()]
    return markdown(("sentences", "seconds", "sentences/s"), rows)


def small_training(found: SmallTraining) -> str:
    rows = [("from the encoder", f"{found.cold:.1f}"), ("warm start", _shown(found.warm, "{:.1f}"))]
    return markdown((f"training on {found.sentences} sentences", "seconds"), rows)


def linking(found: Linking) -> str:
    """Who brings what, and what it costs; LinkNER's Table 3 has the LLM alone, too."""
    rows: list[tuple[str, ...]] = [
        ("local model", f"{found.local.f1:.2f}", NONE, *_costs(None)),
        ("LLM alone", f"{found.llm_alone.f1:.2f}", NONE, *_costs(found.shares[-1].cost)),
        ("linked, replaced", f"{found.replaced:.2f}", NONE, *_costs(found.questions)),
    ]
    for fused in found.shares:
        cost = found.questions + fused.cost if fused.cost else found.questions
        name = f"linked, {fused.share} % read" if fused.share else "linked"
        pooled = f"{fused.pooled:.2f}", f"{fused.deviation:.2f}"
        rows.append((f"{name}, pooled", *pooled, *_costs(cost)))
    header = ("F1 (%)", f"{found.corpus} dev", "±", "requests", "prompt tokens", "answer tokens")
    return markdown(header, rows)


def _costs(cost: Cost | None) -> tuple[str, str, str]:
    if cost is None:
        return NONE, NONE, NONE
    return f"{cost.requests:,}", f"{cost.prompt_tokens:,}", f"{cost.completion_tokens:,}"


def prompts(found: Linking) -> str:
    """What asking takes beside the paper's one question a request: sent, and counted."""

    def row(name: str, ours: Cost, papers: Cost) -> tuple[str, ...]:
        share = ours.tokens_each / papers.tokens_each
        return (
            name,
            f"{ours.requests_per_1000:.0f}",
            f"{ours.tokens_each:.1f}",
            f"{papers.tokens_each:.1f}",
            f"{100 * share:.1f}",
        )

    rows = [row("as answered, no examples", found.questions, found.paper)]
    rows += [
        row(f"as written, {shots} examples a label", ours, papers)
        for shots, (ours, papers) in found.with_examples.items()
    ]
    header = ("prompt", "requests / 1,000 spans", "tokens / span", "the paper's", "share (%)")
    return markdown(header, rows)


def _published(rows: Mapping[str, Mapping[Cell, float]]) -> Rows:
    return {f"paper: {name}": {**row} for name, row in rows.items()}


def _by_method(
    measured: Sequence[Measured],
    value: Callable[[UncertaintyQuality], float | None],
    of: Callable[[Measured], Mapping[Method, UncertaintyQuality]] = lambda found: found.quality,
) -> Rows:
    rows: Rows = {}
    for found in measured:
        for method, quality in of(found).items():
            name = f"{found.trained.variant.name} ({method})"
            rows.setdefault(name, {})[found.cell] = value(quality)
    return rows


def _by_cell(
    title: str,
    measured: Sequence[Measured],
    rows: Rows,
    form: str,
) -> str:
    """A column for each test set, a row for each setting that says something about one of them."""
    cells = list(dict.fromkeys(found.cell for found in measured))
    header = (title, *(f"{corpus} {test}" for corpus, test in cells))
    return markdown(
        header,
        [
            (name, *(_shown(row.get(cell), form) for cell in cells))
            for name, row in rows.items()
            if any(row.get(cell) is not None for cell in cells)
        ],
    )


def _shown(value: float | None, form: str) -> str:
    return NONE if value is None else form.format(value)
