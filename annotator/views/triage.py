"""The triage page: mentions that are alike, in groups, and the sentences of a group."""

from __future__ import annotations

from dataclasses import replace

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_htmx.http import reswap, retarget

from annotator import keys, triage
from annotator.models import Project
from annotator.triage import LEAST, LLM_SAID, Sieve

from . import address
from .access import Request, find_project, project_context
from .acts import Acts
from .cards import card_of, chosen
from .shown import choices

PER_PAGE = 20
SENTENCES = 50
LLM_CHOICES = [
    ("", "anything"),
    ("agrees", "the same"),
    ("differs", "another label"),
    ("none", "no entity"),
    ("silent", "nothing"),
]
"""What the LLM may have said, as keys of `LLM_SAID`."""
LEAST_CHOICES = (1, 2, 3, 5, 10, 25)
KEYS = (
    ("next", "Next group, or sentence of an open one"),
    ("previous", "Previous one"),
    ("accept", "Accept what is checked, the sentence in focus, or all of the group"),
    ("reject", "Reject them: no entity"),
    ("take_llm", "Give them the label that the LLM says most often"),
    ("undo", "Undo the last act, whole"),
    ("redo", "Do it again"),
    ("search", "Search"),
    ("help", "All keys"),
)
"""What keys do here, by the actions that they do on the review page."""


# --- What is asked for --------------------------------------------------------------------------
def sieve_of(request: Request) -> Sieve:
    asked = request.GET
    least = asked.get("least", "")
    return Sieve(
        label=address.words(asked.get("label")),
        least=int(least) if least in map(str, LEAST_CHOICES) else LEAST,
        llm=asked.get("llm", "") if asked.get("llm") in LLM_SAID else "",
        words=address.words(asked.get("words")),
    )


def named(request: Request) -> tuple[str, int]:
    """The form and the label's id of the group that is asked for."""
    return address.text(request.GET.get("form")), address.row(request.GET.get("of"))


# --- The page -----------------------------------------------------------------------------------
@require_safe
@never_cache
def groups(request: Request, slug: str) -> HttpResponse:
    return page_of(request, find_project(request, slug))


def page_of(
    request: Request, project: Project, said: str = "", focus: int | None = None
) -> HttpResponse:
    """The page, or for htmx its list. `said`: what was done just now; `focus`: the place on the
    page of the group that gets the keyboard's focus."""
    sieve = sieve_of(request)
    found = triage.groups(project, sieve)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    some = triage.described(project, sieve, list(page.object_list))
    context = _context(request, project, sieve, said) | {
        "page": page,
        "cards": [card_of(group, sieve) for group in some],
        "focus": None if focus is None else min(focus, len(some) - 1),
        "total": triage.waiting(project).count(),
        "grouped": sum(group.count for group in found),
        "settles": sum(group.settles for group in some),
        "llm_choices": LLM_CHOICES,
        "least_choices": LEAST_CHOICES,
        "keys": KEYS,
        "bindings": keys.bindings(request.user),
    }
    template = "triage.html#answer" if request.htmx else "triage.html"
    return TemplateResponse(request, template, context)


def _context(request: Request, project: Project, sieve: Sieve, said: str = "") -> dict[str, object]:
    page = request.GET.get("page", "")
    acts = Acts(request, project)
    return project_context(request, project, "triage") | {
        "sieve": sieve,
        "here": urlencode(chosen(sieve) | ({"page": page} if page else {})),
        "choices": choices(project),
        "acts": acts,
        "said": said or (acts.undoable.said if acts.undoable else ""),
    }


# --- One group ----------------------------------------------------------------------------------
@require_safe
@never_cache
def group(request: Request, slug: str) -> HttpResponse:
    """A group with its first sentences; without them for `open=no`; for `from` those behind."""
    return group_of(request, find_project(request, slug))


def group_of(
    request: Request, project: Project, said: str = "", row: int | None = None
) -> HttpResponse:
    """`said`: what was done just now; `row`: the place of the sentence that gets the keyboard's
    focus. The list, where all of the group is decided."""
    sieve = sieve_of(request)
    rows = triage.alike(project, sieve, *named(request))
    found = triage.groups(project, replace(sieve, least=1), rows)
    if not found:
        answer = page_of(request, project, said or "All of this group is decided.", focus=0)
        return reswap(retarget(answer, "#list"), "outerHTML")
    first = address.row(request.GET.get("from"))
    shown = triage.occurrences(rows, first, first + SENTENCES)
    is_open = request.GET.get("open") != "no"
    card = card_of(triage.described(project, sieve, found)[0], sieve, is_open=is_open)
    left = card.group.count - first - len(shown)
    context = _context(request, project, sieve, said) | {
        "card": card,
        "place": address.row(request.GET.get("place")),
        "rows": shown if is_open else [],
        "left": left,
        "following": first + SENTENCES,
        "row_focus": None if row is None else min(row, len(shown) - 1),
        "focused": row is None,
        "oob": bool(said),
    }
    if first:
        return TemplateResponse(request, "triage.html#rows", context)
    answer = TemplateResponse(request, "triage.html#changed", context)
    return reswap(retarget(answer, "closest .group"), "outerHTML")
