"""What questions bought, by label: how often the LLM put the local model right, or wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from .models import money

CHANCE = 0.05
"""A difference that is less probable than this, were there none, is taken for one."""
Z = 1.959964
"""Of a normal distribution 95 % lie within so many deviations."""


@dataclass(frozen=True)
class Checked:
    """So many questions alike whose spans people checked: what the local model and the LLM said
    and what is right, each a label's name or "O", and what they cost in millionths."""

    local: str
    llm: str
    right: str
    count: int = 1
    micros: float = 0.0


@dataclass(frozen=True)
class Share:
    """`right` of `n`, and where the true share lies with 95 % confidence (Wilson's interval)."""

    right: int
    n: int

    @property
    def value(self) -> float | None:
        return self.right / self.n if self.n else None

    @property
    def low(self) -> float:
        return self._bounds()[0]

    @property
    def high(self) -> float:
        return self._bounds()[1]

    def _bounds(self) -> tuple[float, float]:
        if not self.n:
            return 0.0, 1.0
        p, z2 = self.right / self.n, Z * Z / self.n
        middle = p + z2 / 2
        reach = Z * math.sqrt(p * (1 - p) / self.n + z2 / (4 * self.n))
        return max(0.0, (middle - reach) / (1 + z2)), min(1.0, (middle + reach) / (1 + z2))


@dataclass(frozen=True)
class Bought:
    """What questions bought. `gained`: the local model was wrong and the LLM right; `lost`: the
    other way round."""

    gained: int = 0
    lost: int = 0
    both_right: int = 0
    both_wrong: int = 0
    micros: float = 0.0

    @classmethod
    def by(cls, checked: Checked) -> Bought:
        local, llm = checked.local == checked.right, checked.llm == checked.right
        n = checked.count
        return cls(
            gained=n * (llm and not local),
            lost=n * (local and not llm),
            both_right=n * (local and llm),
            both_wrong=n * (not local and not llm),
            micros=checked.micros,
        )

    def __add__(self, other: Bought) -> Bought:
        return Bought(
            self.gained + other.gained,
            self.lost + other.lost,
            self.both_right + other.both_right,
            self.both_wrong + other.both_wrong,
            self.micros + other.micros,
        )

    @property
    def asked(self) -> int:
        return self.gained + self.lost + self.both_right + self.both_wrong

    @property
    def net(self) -> int:
        return self.gained - self.lost

    @property
    def size(self) -> int:
        """Of the net, without its sign."""
        return abs(self.net)

    @property
    def local(self) -> Share:
        return Share(self.both_right + self.lost, self.asked)

    @property
    def llm(self) -> Share:
        return Share(self.both_right + self.gained, self.asked)

    @property
    def decided(self) -> int:
        """Spans about which exactly one of the two was right: those that say who is better."""
        return self.gained + self.lost

    @property
    def chance(self) -> float:
        """How probable so uneven a split is, or a more uneven one, were both equally good."""
        return sign_test(self.gained, self.lost)

    @property
    def loses(self) -> bool:
        return self.net < 0 and self.chance < CHANCE

    @property
    def gains(self) -> bool:
        return self.net > 0 and self.chance < CHANCE

    @property
    def amount(self) -> Decimal:
        return money(self.micros)


def by_label(checked: Iterable[Checked]) -> dict[str, Bought]:
    """By what the local model said; of candidates that is "O"."""
    out: dict[str, Bought] = {}
    for row in checked:
        out[row.local] = out.get(row.local, Bought()) + Bought.by(row)
    return out


def sign_test(one: int, other: int) -> float:
    """The two-sided exact sign test: 1 where there is nothing to split."""
    n = one + other
    tail = sum(math.exp(_log_chance(k, n)) for k in range(min(one, other) + 1))
    return min(1.0, 2 * tail)


def _log_chance(k: int, n: int) -> float:
    """Of the logarithm of the probability of `k` heads in `n` throws."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways - n * math.log(2)
