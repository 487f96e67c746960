"""The next document for a person, claimed so that nobody else gets it."""

from __future__ import annotations

from typing import Any

from django.http import JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from annotator import leases
from annotator.models import Project
from annotator.queue import Order, Wish, claim_next

from . import address
from .access import Request, find_document, find_project, find_whole, sheet_of
from .incoming import Malformed, flag, number, optional, read_json, text

CHECKING = "checking_sure_documents"
SKIPPED = "skipped_documents"
MOST_SKIPPED = 500
"""How many a session keeps in mind; the oldest are forgotten."""


@require_POST
@never_cache
def next_document(request: Request, slug: str) -> JsonResponse:
    project = find_project(request, slug)
    try:
        wish = _wish(request, project)
    except Malformed as error:
        return error.answer
    found = claim_next(project, request.user, wish)
    was_skipped = found is not None and found.pk in wish.skipped
    put_off = [pk for pk in wish.skipped if found is None or pk != found.pk]
    _keep_in_mind(request, project, put_off)
    return JsonResponse(
        {
            "sheet": sheet_of(request, find_whole(project, found.pk)) if found else None,
            "skipped": was_skipped,
            "url": reverse("annotator:review_next", args=[slug]),
        }
    )


@require_POST
@never_cache
def renew_lease(request: Request, slug: str, pk: int) -> JsonResponse:
    """200 where the document is with this person for another while, 409 where with another."""
    document = find_document(request, slug, pk)
    if leases.claim(document.pk, request.user):
        return JsonResponse({"by": request.user.username})
    lease = leases.live(document)
    return JsonResponse({"by": lease.user.username if lease else None}, status=409)


def words_of(request: Request) -> str:
    """The words to search, of the address."""
    return address.words(request.GET.get("q"))


def is_checking(request: Request, project: Project) -> bool:
    """Whether this person chose to go on with documents in which nothing is in doubt."""
    return bool(request.session.get(CHECKING) == project.pk)


def skipped_before(request: Request, project: Project) -> list[int]:
    """The documents (ids) that this person skipped since they signed in, the latest last."""
    kept: dict[str, list[int]] = request.session.get(SKIPPED, {})
    return kept.get(str(project.pk), [])


def _keep_in_mind(request: Request, project: Project, skipped: list[int]) -> None:
    if skipped != skipped_before(request, project):
        kept = request.session.get(SKIPPED, {})
        request.session[SKIPPED] = kept | {str(project.pk): skipped[-MOST_SKIPPED:]}


def _wish(request: Request, project: Project) -> Wish:
    given = read_json(
        request,
        {
            "after": optional(number),
            "order": optional(_order),
            "q": optional(text),
            "skipped": optional(flag),
        },
    )
    words = tuple(address.words(given["q"]).split())
    leaving = given["after"]
    skipped = [pk for pk in skipped_before(request, project) if pk != leaving]
    if given["skipped"] and leaving is not None:
        skipped.append(leaving)
    return Wish(
        order=given["order"] or Order.EXPECTED,
        words=words,
        all=is_checking(request, project),
        leaving=leaving,
        skipped=tuple(skipped),
    )


def _order(given: Any, where: str) -> Order:
    try:
        return Order(text(given, where))
    except ValueError as error:
        raise Malformed(f"{where} must be one of {', '.join(Order)}.") from error
