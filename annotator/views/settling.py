"""What people do on the triage page: see what a decision will do, do it, and undo it."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django_htmx.http import reswap, retarget

from annotator import settling, triage
from annotator.decisions import Refused
from annotator.models import Project
from annotator.settling import MOST, Seen, Wish

from . import address, told
from .access import Request, find_project
from .acts import Act, Acts
from .triage import group_of, named, page_of, sieve_of


@require_POST
@never_cache
def preview(request: Request, slug: str) -> HttpResponse:
    """Says what a decision for all of a group, or for the checked ones, will do; a single mention
    is decided at once."""
    project = find_project(request, slug)
    try:
        wish, seen = _asked(request)
        if len(seen) == 1:
            return _settle(request, project, uuid.uuid4(), wish, seen)
        return _preview(request, project, wish, seen)
    except Refused as refusal:
        return _refused(request, refusal)


def _preview(request: Request, project: Project, wish: Wish, checked: Seen) -> HttpResponse:
    rows = triage.alike(project, sieve_of(request), *named(request))
    seen = checked or dict(triage.by_document(rows, MOST))
    tally = settling.preview(project, request.user, wish, seen)
    context = {
        "project": project,
        "wish": wish,
        "sentences": told.would(tally, wish, _suggested(request, project)),
        "tally": tally,
        "taken": len(seen),
        "all": len(checked) or rows.count(),
        "everything": not checked,
        "step": uuid.uuid4(),
        "picked": " ".join(f"{pk}:{version}" for pk, version in seen.items()),
        "query": request.GET.urlencode(),
    }
    return TemplateResponse(request, "triage.html#preview", context)


@require_POST
@never_cache
def settle(request: Request, slug: str) -> HttpResponse:
    """Does what the preview said, to all that is still as it was then."""
    project = find_project(request, slug)
    try:
        wish = _wish(request.POST.get("wish", ""))
        seen = _seen(request.POST.get("picked", "").split())
        return _settle(request, project, _step(request), wish, seen)
    except Refused as refusal:
        # Where the form itself stands, which would else be put in the group's place.
        return reswap(retarget(_refused(request, refusal), "closest .preview"), "innerHTML")


def _settle(
    request: Request, project: Project, step: uuid.UUID, wish: Wish, seen: Seen
) -> HttpResponse:
    """The group, where some of it was to be decided and some is left; else the list."""
    tally = settling.settle(project, request.user, step, wish, seen)
    said = " ".join(told.did(tally, wish, _suggested(request, project)))
    if tally.mentions:
        Acts(request, project).did(step, said)
    rows = triage.alike(project, sieve_of(request), *named(request))
    if "everything" not in request.POST and rows.exists():
        return group_of(request, project, said, row=address.row(request.POST.get("row")))
    answer = page_of(request, project, said, focus=address.row(request.GET.get("place")))
    return reswap(retarget(answer, "#list"), "outerHTML")


@require_POST
@never_cache
def undo(request: Request, slug: str) -> HttpResponse:
    """Takes the last act of this person back; for `way=redo` does again what they took back."""
    project = find_project(request, slug)
    acts = Acts(request, project)
    again = request.POST.get("way") == "redo"
    act = acts.redoable if again else acts.undoable
    said = _take_back(request, project, act, again=again) if act else "There is nothing to undo."
    return page_of(request, project, said, focus=0)


def _take_back(request: Request, project: Project, act: Act, *, again: bool) -> str:
    acts, by = Acts(request, project), uuid.uuid4()
    try:
        tally = settling.take_back(project, request.user, act.step, by)
    except Refused as refusal:
        acts.forget(act.step)
        return " ".join(refusal.messages)
    if tally.mentions:
        acts.turn(act, by, again=again)
    else:
        acts.forget(act.step)
    return " ".join(told.undone(tally, "Done again" if again else "Undone"))


# --- What is asked for --------------------------------------------------------------------------
def _asked(request: Request) -> tuple[Wish, Seen]:
    """The decision, and the mentions that it is for: the one of the button that was pressed, else
    those checked, else none, which means all. Raises `Refused`."""
    if one := request.POST.get("one"):
        action, _, mention = one.partition(" ")
        return Wish(action), _seen([mention])
    return _wish(request.POST.get("decide", "")), _seen(request.POST.getlist("mention"))


def _wish(given: str) -> Wish:
    """`accept`, `reject`, or `relabel` and a label."""
    action, _, label = address.text(given).partition(" ")
    return Wish(action, label)


def _seen(given: list[str]) -> dict[int, int]:
    """Mentions with their documents' versions, each as `id:version`."""
    if len(given) > MOST:
        raise Refused(f"At most {MOST:,} mentions in one act. Check fewer.")
    pairs = [each.partition(":") for each in given]
    seen = {address.row(pk): address.row(version) for pk, _, version in pairs}
    if 0 in seen:
        raise Refused("This is no mention. Load the page again.")
    return seen


def _step(request: Request) -> uuid.UUID:
    try:
        return uuid.UUID(request.POST.get("step", ""))
    except ValueError:
        raise Refused("This is no step. Load the page again.") from None


def _suggested(request: Request, project: Project) -> str:
    label = project.labels.filter(pk=named(request)[1]).first()
    return label.name if label else ""


def _refused(request: Request, refusal: Refused) -> HttpResponse:
    context = {"error": " ".join(refusal.messages)}
    return TemplateResponse(request, "triage.html#preview", context, status=422)
