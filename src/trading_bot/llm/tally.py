"""What calls of models came to: sums by workflow, model and token class, and what the day will come to. Pure; no clock, no file."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal

from trading_bot.domain.values import ZERO, NonNegative, Record, divided
from trading_bot.llm.budget import HEALTHY
from trading_bot.llm.prices import Tokens
from trading_bot.settings import BudgetSettings
from trading_bot.storage.spending import Spending


class Share(Record):
    """Calls that belong together, summed."""

    name: str
    calls: int
    failures: int
    """Ended without a word of the model that could be used; refusals and limits are none."""
    open: int
    """Reserved and not settled: under way, or their process died."""
    settled_usd: NonNegative
    reserved_usd: NonNegative
    """Of the open ones; counts as spent."""
    tokens: Tokens


class Costs(Record):
    """What the days from `first` to `last` (UTC) cost, and how today stands."""

    first: date
    last: date
    total: Share
    by_workflow: tuple[Share, ...]
    by_model: tuple[Share, ...]
    today: date
    spent_today_usd: NonNegative
    """Settled and reserved."""
    forecast_usd: NonNegative
    """Of today."""
    limit_usd: NonNegative
    left_usd: NonNegative
    calls_left: int
    """Within this hour."""


def costs(  # noqa: PLR0913 - what it sums
    shown: Sequence[Spending], recent: Sequence[Spending], *, days: tuple[date, date], today: date, hour: int, limits: BudgetSettings
) -> Costs:
    """Sum the calls of the `shown` days. `recent`: calls of today and the days before; `hour`: calls made within the last hour."""
    spent = sum((c.counted for c in recent if c.day == today), ZERO)
    return Costs(
        first=days[0],
        last=days[1],
        total=share("all", shown),
        by_workflow=_shares(shown, lambda c: c.workflow),
        by_model=_shares(shown, lambda c: c.model),
        today=today,
        spent_today_usd=spent,
        forecast_usd=forecast(recent, today),
        limit_usd=limits.claude_usd_per_day,
        left_usd=max(limits.claude_usd_per_day - spent, ZERO),
        calls_left=max(limits.calls_per_hour - hour, 0),
    )


def share(name: str, calls: Sequence[Spending]) -> Share:
    """Sum `calls` under one name."""
    ended = [c.settlement for c in calls if c.settlement is not None]
    tokens = (Tokens(input=s.input, output=s.output, cache_read=s.cache_read, cache_write=s.cache_write) for s in ended)
    return Share(
        name=name,
        calls=len(calls),
        failures=sum(s.outcome not in HEALTHY for s in ended),
        open=len(calls) - len(ended),
        settled_usd=sum((s.cost_usd for s in ended), ZERO),
        reserved_usd=sum((c.reserved_usd for c in calls if c.settlement is None), ZERO),
        tokens=Tokens.sum(tokens),
    )


def forecast(recent: Iterable[Spending], today: date) -> Decimal:
    """Return what `today` will have cost at its end, in USD.

    A workflow that has not yet cost today what it costs on a day with calls, on the mean of the days before, is still due for the rest.
    """
    calls = list(recent)
    days = {c.day for c in calls if c.day < today}
    spent = sum((c.counted for c in calls if c.day == today), ZERO)
    due = (_mean(calls, name, days) - _of(calls, name, {today}) for name in {c.workflow for c in calls})
    return spent + sum((rest for rest in due if rest > 0), ZERO)


def _mean(calls: Iterable[Spending], workflow: str, days: set[date]) -> Decimal:
    return divided(_of(calls, workflow, days), Decimal(len(days))) if days else ZERO


def _of(calls: Iterable[Spending], workflow: str, days: set[date]) -> Decimal:
    return sum((c.counted for c in calls if c.workflow == workflow and c.day in days), ZERO)


def _shares(calls: Sequence[Spending], name: Callable[[Spending], str]) -> tuple[Share, ...]:
    return tuple(share(given, [c for c in calls if name(c) == given]) for given in sorted({name(c) for c in calls}))
