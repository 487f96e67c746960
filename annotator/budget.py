"""τ by a budget: for a project that says how much may be asked, not how good the answers are."""

from __future__ import annotations

from .models import Document, Prediction, Project, Tagging, Threshold


def keep(project: Project) -> bool:
    """Records the smallest τ at which at most `questions_per_100` spans per 100 documents are
    routed, candidates included, among all that the serving version has read.

    False where the project has no such budget, nothing was read, or τ is that already. Spans of the
    same uncertainty are routed all or none. Candidates beyond the budget are still routed: fewer of
    them is what `candidates_per_100` is for.
    """
    if project.questions_per_100 is None or project.serving is None:
        return False
    read = Tagging.objects.filter(version=project.serving, method=project.method)
    documents = Document.objects.filter(project=project, taggings__in=read).count()
    if not documents:
        return False
    predictions = Prediction.objects.serving(project)
    candidates = predictions.filter(lane=Prediction.Lane.CANDIDATE).count()
    room = max(int(project.questions_per_100 * documents / 100) - candidates, 0)
    mentions = predictions.filter(lane=Prediction.Lane.MENTION).order_by("-uncertainty")
    last = project.threshold()
    first_left_out = mentions.values_list("uncertainty", flat=True)[room : room + 1]
    found = Threshold(
        version=project.serving,
        method=project.method,
        tau=next(iter(first_left_out), 0.0),
        candidate_floor=project.serving.candidate_floor(),
        pool=last.pool if last else None,
        swept=last.swept if last else 0,
        frontier=last.frontier if last else None,
        origin=Threshold.Origin.BUDGET,
        note=f"At most {project.questions_per_100:g} questions per 100 documents.",
    )
    if last and (last.tau, last.origin, last.note) == (found.tau, found.origin, found.note):
        return False
    found.save()
    return True
