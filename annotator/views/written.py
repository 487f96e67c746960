"""Numbers and days as the reader's language writes them, for text that is made in Python."""

from __future__ import annotations

from datetime import date

from django.utils.dateformat import format as write
from django.utils.formats import get_format, number_format


def count(number: int) -> str:
    return str(number_format(number, decimal_pos=0, use_l10n=True, force_grouping=True))


def decimal(number: float, places: int = 1) -> str:
    return str(number_format(round(number, places), places, use_l10n=True, force_grouping=True))


def short(number: float) -> str:
    """As an axis has it: without decimals that say nothing, thousands as k."""
    if number >= 1_000_000:
        return f"{_bare(number / 1_000_000)} M"
    return f"{_bare(number / 1000)} k" if number >= 10_000 else _bare(number)


def _bare(number: float) -> str:
    places = len(f"{round(number, 6):.6f}".rstrip("0").partition(".")[2])
    return decimal(number, places)


def share(part: float) -> str:
    """A part of 1 in percent; what is little but not nothing is not called nothing."""
    if 0 < part < 0.005:
        return "< 1%"
    return f"{count(round(100 * part))}%"


def day(day: date) -> str:
    return write(day, get_format("DATE_FORMAT", use_l10n=True))


def short_day(day: date) -> str:
    """Day and month, the month cut: for axes."""
    return write(day, get_format("MONTH_DAY_FORMAT", use_l10n=True).replace("F", "M"))


def month(first: date) -> str:
    return write(first, get_format("YEAR_MONTH_FORMAT", use_l10n=True).replace("F", "M"))


def short_month(first: date) -> str:
    return write(first, "M")


def plural(number: int, one: str, many: str = "") -> str:
    """As "1 document" or "12 documents"."""
    return f"{count(number)} {one if number == 1 else many or f'{one}s'}"
