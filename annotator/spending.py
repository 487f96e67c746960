"""Budgets of what an LLM may cost: reserved before a request is sent, settled when it ends.

The reservation is one conditional UPDATE, so that however many jobs ask at once, what they may
cost together never exceeds the budget.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from mlworker import schema
from mlworker.llm.prompt import build

from .models import MICROS, LLMCall, Price, Project, Spending, money
from .refusals import Impossible

ANSWER, FRAME = 40, 100
"""Tokens of an answer for each question, and beside them; and of what a server adds to a prompt,
or an answer to a mention; at most."""


def reserve(call: LLMCall, request: schema.AskRequest) -> int:
    """Sets aside the most that `request`, which `call` is the row of, may cost, in millionths, and
    returns it.

    Raises `Impossible` where the month's budget has no room for it, or there is one but no price.
    """
    project, price = call.project, Price.on(call.model, _day(call))
    if price is None:
        if project.monthly_budget is not None:
            raise Impossible(
                f"There is a budget but no price for {call.model}: an operator can enter one under "
                "Projects, Prices."
            )
        return 0
    most = price.micros(*_most_tokens(request))
    Spending.objects.get_or_create(project=project, month=_month(call))
    spending = Spending.objects.filter(project=project, month=_month(call))
    if project.monthly_budget is not None:
        spending = spending.filter(micros__lte=int(project.monthly_budget * MICROS) - most)
    if not spending.update(micros=F("micros") + most):
        raise Impossible(
            f"This month's LLM budget of {project.monthly_budget:,.2f} {settings.LLM_CURRENCY} is "
            "spent. What is left goes to people; ask again with a larger budget or next month."
        )
    return most


def most_for(model: str, requests: Iterable[schema.AskRequest]) -> Decimal | None:
    """What these requests may cost together, at most; None where the model has no price."""
    price = Price.on(model, timezone.localdate())
    if price is None:
        return None
    return money(sum(price.micros(*_most_tokens(r)) for r in requests))


def settle(call: LLMCall, result: schema.AskResult) -> None:
    """Puts what `call` cost in the place of what was reserved; the caller saves `call`.

    What may have to be paid for, but came back without a count of its tokens, or not at all,
    counts as reserved.
    """
    price = Price.on(call.model, _day(call))
    if not result.billed:
        _enter(call, 0)
    elif result.prompt_tokens and result.completion_tokens and price is not None:
        _enter(call, price.micros(result.prompt_tokens, result.completion_tokens))


def release(call: LLMCall) -> None:
    """Gives back what was reserved for a request that was never sent; the caller saves `call`."""
    _enter(call, 0)


def _enter(call: LLMCall, micros: int) -> None:
    Spending.objects.filter(project=call.project_id, month=_month(call)).update(
        micros=F("micros") + (micros - call.micros)
    )
    call.micros = micros


def _day(call: LLMCall) -> date:
    """Whose price `call` is paid by, from its reservation to its settlement."""
    return timezone.localdate(call.created_at)


def _month(call: LLMCall) -> date:
    """Whose spending `call` is part of, from its reservation to its settlement."""
    return _day(call).replace(day=1)


def most_of_answer(request: schema.AskRequest) -> int:
    """Tokens: what is found in a passage repeats its words, with what surrounds a mention."""
    passages = sum(FRAME + len(passage.text.encode()) for passage in request.passages)
    return FRAME + ANSWER * len(request.questions) + 2 * passages


def _most_tokens(request: schema.AskRequest) -> tuple[int, int]:
    """Tokens of prompt and answer, at most: no token is less than a byte of what is sent.

    Raises `Impossible` where the prompt cannot put this request.
    """
    try:
        messages = build(request)
    except ValueError as error:
        raise Impossible(f"The prompt does not fit: {error}.") from error
    sent = len((messages.system + messages.user).encode())
    return FRAME + sent, most_of_answer(request)


def price_of(project: Project) -> Price | None:
    """What the LLM server that `project` asks takes today; None where it asks none, or nobody
    entered a price."""
    today = timezone.localdate()
    return Price.on(settings.LLM_MODEL, today) if project.asks_server else None


def prices() -> QuerySet[Price]:
    """All prices: they are the installation's, not a project's."""
    return Price.objects.all()


def this_month(project: Project) -> Spending:
    """What was spent or reserved since the first of the month (not saved where nothing was)."""
    month = timezone.localdate().replace(day=1)
    return project.spendings.filter(month=month).first() or Spending(project=project, month=month)
