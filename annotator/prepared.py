"""Reads that nearly every request makes: Django writes their SQL once instead of every time.

To make a statement from a query set takes Django several times as long as SQLite takes to carry it
out, and a page that opens documents makes the same ten again and again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db.models import Expression, Model, QuerySet
from django.db.models.query import RawQuerySet

Row = TypeVar("Row", bound=Model)


class Given(Expression):
    """The place in a statement of what is only known when it is carried out."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, *_: object) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


class Prepared(Generic[Row]):
    """A function that makes a query set of its arguments, called as that function is.

    Arguments are numbers or words, by name. The rows come without `select_related`; what
    is annotated becomes an attribute of each, as the database says it.
    """

    def __init__(self, make: Callable[..., QuerySet[Row, Any]]) -> None:
        self._make = make
        self._names = list(inspect.signature(make).parameters)
        self._made: tuple[type[Row], str, tuple[object, ...]] | None = None

    def __call__(self, **given: float | str) -> RawQuerySet[Row]:
        if self._made is None:
            rows = self._make(**{name: Given(name) for name in self._names})
            self._made = (rows.model, *rows.query.sql_with_params())
        model, statement, places = self._made
        values = [given[p.name] if isinstance(p, Given) else p for p in places]
        return QuerySet(model).raw(statement, values)

    def first(self, **given: float | str) -> Row | None:
        """The first row, None where there is none."""
        return next(iter(self(**given)), None)
