"""Signing in by name and password or by a one-time link, signing out, and the own account: its
password, its keys of the review page, and whether it has seen the tour."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from annotator import keys
from annotator.keys_form import KeysForm
from annotator.models import SignInLink, User

from .access import Request, Visit


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
        return HttpResponseRedirect(_after_sign_in(request))
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
    login(request, user)
    return redirect("annotator:projects")


@require_POST
def sign_out(request: Request) -> HttpResponse:
    logout(request)
    response = redirect("annotator:sign_in")
    # Not the storage: it holds decisions that are still to be sent (ids and offsets, no text).
    response["Clear-Site-Data"] = '"cache"'
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
    return _account_page(request, form, KeysForm(request.user))


@require_POST
@never_cache
def choose_keys(request: Request) -> HttpResponse:
    """Saves the keys that a person chose, or goes back to the defaults."""
    if "defaults" in request.POST:
        keys.reset(request.user)
        messages.success(request, "Your keys are the defaults again.")
        return redirect("annotator:account")
    form = KeysForm(request.user, request.POST)
    if form.is_valid():
        form.save()
        messages.success(request, "Your keys are saved.")
        return redirect("annotator:account")
    return _account_page(request, SetPasswordForm(request.user), form)


def _account_page(
    request: Request, form: SetPasswordForm[User], keys_form: KeysForm
) -> HttpResponse:
    context = {"form": form, "keys_form": keys_form}
    status = 422 if form.is_bound or keys_form.is_bound else 200
    return TemplateResponse(request, "account.html", context, status=status)


@require_POST
@never_cache
def dismiss_tour(request: Request) -> HttpResponse:
    """The tour is not shown to this person again."""
    request.user.tour_seen = True
    request.user.save(update_fields=["tour_seen"])
    return HttpResponse(status=204)
