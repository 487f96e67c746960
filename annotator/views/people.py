"""Signing in by name and password or by a one-time link, signing out, and the own account."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from annotator.models import SignInLink

from .access import Request, Visit

BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: Visit) -> HttpResponse:
    if request.htmx:
        # A fragment was asked for by somebody whose session has ended: the whole page must say so.
        return HttpResponseClientRefresh()
    if request.user.is_authenticated:
        return redirect("annotator:projects")
    form = AuthenticationForm(request, request.POST or None)
    if form.is_valid():
        login(request, form.get_user())
        return redirect(_after_sign_in(request))
    status = 422 if form.is_bound else 200
    context = {"form": form, "next": request.GET.get("next", "")}
    return TemplateResponse(request, "sign_in.html", context, status=status)


def _after_sign_in(request: Visit) -> str:
    wanted = request.POST.get("next", "")
    secure = request.is_secure()
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=secure):
        return wanted
    return reverse("annotator:projects")


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
def sign_in_link(request: Visit, token: str) -> HttpResponse:
    """GET only shows a button, so that a link preview does not use the link up."""
    if request.method != "POST":
        return TemplateResponse(request, "sign_in_link.html", {"spent": False})
    user = SignInLink.redeem(token)
    if user is None:
        return TemplateResponse(request, "sign_in_link.html", {"spent": True}, status=410)
    login(request, user, backend=BACKEND)
    return redirect("annotator:projects")


@require_POST
def sign_out(request: Request) -> HttpResponse:
    logout(request)
    response = redirect("annotator:sign_in")
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters()
def account(request: Request) -> HttpResponse:
    form = SetPasswordForm(request.user, request.POST or None)
    if form.is_valid():
        form.save()
        update_session_auth_hash(request, request.user)
        messages.success(request, "Your password is set.")
        return redirect("annotator:account")
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "account.html", {"form": form}, status=status)
