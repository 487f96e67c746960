"""Light, dark, or as the system has it: kept in a cookie, so that no page flashes."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from .access import Visit

COOKIE = "theme"
NEXT = {"": "dark", "dark": "light", "light": ""}
YEAR = 365 * 24 * 3600


@require_POST
@login_not_required
def change_theme(request: Visit) -> HttpResponse:
    """On to the next of the three, and back to the page that was open."""
    theme = NEXT.get(request.COOKIES.get(COOKIE, ""), "")
    response = HttpResponseRedirect(_page_before(request))
    if theme:
        response.set_cookie(
            COOKIE, theme, max_age=YEAR, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(COOKIE, samesite="Lax")
    return response


def _page_before(request: Visit) -> str:
    before = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(before, {request.get_host()}):
        page = urlsplit(before)
        path = escape_leading_slashes(page.path or "/")
        return f"{path}?{page.query}" if page.query else path
    return reverse("annotator:projects")
