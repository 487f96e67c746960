"""The steps of the loop: what does each, and which one follows.

The only module that names ML tasks, by string, so that no web process ever loads torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from . import chunks, ledger, linking, pace, recalibrating, sweeping, tagging, training, trying
from .models import Chunk, Job, Project


@dataclass(frozen=True)
class Step:
    """What a kind of job does: `prepare` cuts the work into chunks, `request` makes a chunk's
    message (`asking.Settled`: nothing is left to do of it), `task` (in `module`) answers it,
    `store` writes the answer and says how many items that settled (None: it did with the chunk
    itself what is to be done), `abandon` tells the items of a chunk that is given up, `lose` hears
    of an attempt that nothing came back from, `withdraw` of one that could not be sent, and `late`
    of an answer to a chunk that has ended."""

    queue: str
    task: str
    module: str
    prepare: Callable[[Project], list[list[int]]]
    request: Callable[[Chunk], dict[str, Any]]
    store: Callable[[Chunk, dict[str, Any]], int | None]
    abandon: Callable[[Chunk, str], object] = lambda *_: None
    lose: Callable[[Chunk, str], object] = lambda *_: None
    withdraw: Callable[[Chunk, str], object] = lambda *_: None
    late: Callable[[Chunk, dict[str, Any]], object] = lambda *_: None
    costs: bool = False
    """Whether doing a chunk costs money. A message that waited until its lease ran out was sent
    again, and such a one must not be acted on any more."""
    claim: Callable[[Job], Chunk | None] = chunks.claim
    window: Callable[[Job], int] = lambda _: 1
    """How many chunks of one job may be with workers at a time."""


GPU, LLM = "mlworker.tasks.gpu", "mlworker.tasks.llm"

STEPS = {
    Job.Kind.TRAIN: Step(
        "gpu", "mlworker.train", GPU, training.prepare, training.request, training.store
    ),
    Job.Kind.TAG: Step(
        "gpu",
        "mlworker.tag",
        GPU,
        tagging.prepare,
        tagging.request,
        tagging.store,
        window=lambda _: 3,
    ),
    Job.Kind.LINK: Step(
        "llm",
        "mlworker.ask",
        LLM,
        linking.prepare,
        linking.request,
        linking.store,
        abandon=linking.leave_open,
        lose=ledger.mark_unknown,
        withdraw=ledger.mark_unsent,
        late=linking.store_late,
        costs=True,
        claim=pace.claim,
        window=pace.share,
    ),
    Job.Kind.RECALIBRATE: Step(
        "gpu",
        "mlworker.calibrate",
        GPU,
        recalibrating.prepare,
        recalibrating.request,
        recalibrating.store,
    ),
}
STEPS |= {
    Job.Kind.TRIAL: replace(STEPS[Job.Kind.LINK], prepare=trying.prepare, request=trying.request),
    Job.Kind.SWEEP: replace(
        STEPS[Job.Kind.LINK],
        prepare=sweeping.prepare,
        request=sweeping.request,
        store=sweeping.store,
        abandon=sweeping.leave_open,
        late=sweeping.store_late,
    ),
    Job.Kind.SPLIT: Step(
        "gpu",
        "mlworker.split",
        GPU,
        sweeping.prepare_split,
        sweeping.request_split,
        sweeping.store_split,
    ),
}


# What this installation's own LLM is asked, its GPU worker does, and it costs nothing.
HERE: dict[str, Any] = {
    "queue": "gpu",
    "costs": False,
    "claim": chunks.claim,
    "window": lambda _: 3,
}


def step_for(project: Project, kind: str) -> Step:
    here = project.provider == Project.Provider.TRANSFORMERS
    step = STEPS[Job.Kind(kind)]
    return replace(step, **HERE) if here and kind in Job.ASKING else step


def step_of(job: Job) -> Step:
    return step_for(job.project, job.kind)


# --- Which one follows -------------------------------------------------------------------------
def first_step(project: Project, kind: str) -> str:
    """The step that leads to `kind`: what reads sentences has to know where they are."""
    lacking = kind == Job.Kind.SWEEP and sweeping.lacks_sentences(project)
    return Job.Kind.SPLIT if lacking else kind


def follow_up(job: Job) -> str | None:
    """The loop: train → tag → link held-out gold → recalibrate (once a version) → link the rest →
    sweep → recalibrate.

    What came up while a job ran (a new version, new documents) makes it run once more, and a
    method without τ, because it was chosen after the training, has it chosen after tagging.
    """
    if not job.follow or job.state != Job.State.DONE or job.kind == Job.Kind.TRIAL:
        return None
    project = Project.objects.select_related("serving").get(pk=job.project_id)
    if job.kind == Job.Kind.TRAIN or (job.kind == Job.Kind.TAG and tagging.missed(job, project)):
        return Job.Kind.TAG
    if job.kind == Job.Kind.SPLIT:
        return Job.Kind.SWEEP
    lacks_tau = job.kind == Job.Kind.TAG and recalibrating.lacks_tau(project)
    if lacks_tau or (job.kind in Job.ASKING and recalibrating.is_due(project)):
        return Job.Kind.RECALIBRATE
    return _to_ask(job, project)


def _to_ask(job: Job, project: Project) -> str | None:
    """Questions first; then what is to be read whole."""
    if not project.llm_allowed or job.kind == Job.Kind.SWEEP:
        return None
    if job.kind != Job.Kind.LINK or linking.is_due(project):
        return Job.Kind.LINK
    return Job.Kind.SWEEP if sweeping.is_due(project) else None
