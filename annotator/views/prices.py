"""What the tokens of LLMs cost: for operators, who pay."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotator import spending
from annotator.forms import PriceForm

from .access import Request


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def prices(request: Request) -> HttpResponse:
    """All prices, and a form for a new one."""
    _operators_only(request)
    start = {"model": settings.LLM_MODEL, "since": timezone.localdate()}
    form = PriceForm(request.POST or None, initial=start)
    if form.is_valid():
        messages.success(request, f"The price of {form.save()} is kept.")
        return redirect("annotator:prices")
    context = {"form": form, "prices": spending.prices(), "currency": settings.LLM_CURRENCY}
    return TemplateResponse(request, "prices.html", context, status=422 if form.is_bound else 200)


@require_POST
def remove_price(request: Request, pk: int) -> HttpResponse:
    """What was paid by it stays as it was entered."""
    _operators_only(request)
    price = get_object_or_404(spending.prices(), pk=pk)
    price.delete()
    messages.info(request, f"The price of {price} is gone.")
    return redirect("annotator:prices")


def _operators_only(request: Request) -> None:
    if not request.user.is_superuser:
        raise PermissionDenied("Only operators see and set prices.")
