"""What people say of a document: a flag for somebody else to look, and comments."""

from __future__ import annotations

import uuid

from django.db import IntegrityError, transaction
from django.http import JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from annotator import sheet
from annotator.models import Comment, Document

from .access import Request, find_document
from .incoming import Malformed, flag, identity, number, optional, read_json, text


@require_POST
@never_cache
def flag_document(request: Request, slug: str, pk: int) -> JsonResponse:
    """Flags it, or takes the flag away. Whoever flagged it first stays named."""
    document = find_document(request, slug, pk)
    try:
        wanted = read_json(request, {"flagged": flag})["flagged"]
    except Malformed as error:
        return error.answer
    row = Document.objects.for_user(request.user).filter(pk=document.pk)
    if wanted:
        row.filter(flagged_at=None).update(flagged_by=request.user, flagged_at=timezone.now())
    else:
        row.update(flagged_by=None, flagged_at=None)
    return JsonResponse({"flagged": wanted})


@require_POST
@never_cache
def comment(request: Request, slug: str, pk: int) -> JsonResponse:
    """Keeps a comment, once however often it is sent."""
    document = find_document(request, slug, pk)
    try:
        given = read_json(
            request,
            {"id": identity, "text": text, "start": optional(number), "end": optional(number)},
        )
        row = _comment(document, given["text"].strip(), given["start"], given["end"])
    except Malformed as error:
        return error.answer
    if not _keep(row, given["id"], request):
        return JsonResponse({"message": "Another comment has this id; send a new one."}, status=422)
    return JsonResponse({"comments": sheet.comments(document)})


def _comment(document: Document, said: str, start: int | None, end: int | None) -> Comment:
    if not 0 < len(said) <= Comment.LONGEST:
        raise Malformed(f"A comment has 1 to {Comment.LONGEST} characters.")
    if (start is None) != (end is None):
        raise Malformed("A comment has a start and an end, or neither.")
    if start is not None and end is not None and not start < end <= document.length:
        raise Malformed(f"Span {start}–{end} is not inside the text.")
    return Comment(document=document, text=said, start=start, end=end)


def _keep(row: Comment, id: uuid.UUID, request: Request) -> bool:
    """False where somebody else, or another document, has a comment of this id."""
    row.pk, row.author = id, request.user
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        same = Comment.objects.for_user(request.user).filter(
            pk=id, author=request.user, document=row.document_id
        )
        return same.exists()
    return True
