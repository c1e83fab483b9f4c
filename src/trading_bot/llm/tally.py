"""What calls of models came to, by tier, workflow, model, trade and token class, and what the day will come to. Pure; no clock, no file."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from statistics import median

from trading_bot.domain.news import Tier
from trading_bot.domain.values import ZERO, NonNegative, Record, divided
from trading_bot.llm.budget import HEALTHY, PAID, allowance
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


class TierShare(Share):
    """A tier's calls, free ones too."""

    median_seconds: float | None
    """From a call's beginning to its end; None before the first has ended."""


class Purse(Record):
    """How a paid tier stands today."""

    tier: Tier
    spent_today_usd: NonNegative
    """Settled and reserved."""
    forecast_usd: NonNegative
    """Of today."""
    limit_usd: NonNegative
    left_usd: NonNegative


class Costs(Record):
    """What the days from `first` to `last` (UTC) cost, and how today stands."""

    first: date
    last: date
    total: Share
    by_tier: tuple[TierShare, ...]
    """Cheapest first."""
    by_workflow: tuple[Share, ...]
    by_model: tuple[Share, ...]
    by_trade: tuple[Share, ...]
    """Of trades that were looked at after the question which opened them; a look that opened none is in `by_workflow` alone."""
    today: date
    purses: tuple[Purse, ...]
    """Of each paid tier; the four figures below are Claude's once more."""
    spent_today_usd: NonNegative
    forecast_usd: NonNegative
    limit_usd: NonNegative
    left_usd: NonNegative
    calls_left: int
    """Calls of Claude within this hour."""


class Together(Record):
    """What several desks cost in the same days, and how they stand today; each has a budget of its own."""

    total: Share
    purses: tuple[Purse, ...]
    """Of each paid tier."""


def together(desks: Sequence[Costs]) -> Together:
    """Sum the costs of `desks`, at least one."""
    totals = [d.total for d in desks]
    counts = {name: sum(getattr(t, name) for t in totals) for name in ("calls", "failures", "open")}
    money = {name: sum((getattr(t, name) for t in totals), ZERO) for name in ("settled_usd", "reserved_usd")}
    purses = zip(*(d.purses for d in desks), strict=True)
    return Together(
        total=Share(name="all desks", **counts, **money, tokens=Tokens.sum(t.tokens for t in totals)),
        purses=tuple(_pooled(same) for same in purses),
    )


def _pooled(purses: Sequence[Purse]) -> Purse:
    """Several desks' purses of one tier."""
    amounts = ("spent_today_usd", "forecast_usd", "limit_usd", "left_usd")
    return Purse(tier=purses[0].tier, **{name: sum((getattr(p, name) for p in purses), ZERO) for name in amounts})


def costs(  # noqa: PLR0913 - what it sums
    shown: Sequence[Spending], recent: Sequence[Spending], *, days: tuple[date, date], today: date, hour: int, limits: BudgetSettings
) -> Costs:
    """Sum the calls of the `shown` days.

    `recent`: paid calls of today and the days before; `hour`: calls of Claude made within the last hour.
    """
    purses = {tier: purse(tier, [c for c in recent if c.tier == tier], today, limits) for tier in PAID}
    own = purses[Tier.CLAUDE]
    watched = {c.trade for c in shown if c.trade and c.trade != c.decision_id}
    return Costs(
        first=days[0],
        last=days[1],
        total=share("all", shown),
        by_tier=tuple(_tier_share(tier, called) for tier in Tier if (called := [c for c in shown if c.tier == tier])),
        by_workflow=_shares(shown, lambda c: c.workflow),
        by_model=_shares(shown, lambda c: c.model),
        by_trade=_shares([c for c in shown if c.trade in watched], lambda c: c.trade),
        today=today,
        purses=tuple(purses.values()),
        spent_today_usd=own.spent_today_usd,
        forecast_usd=own.forecast_usd,
        limit_usd=own.limit_usd,
        left_usd=own.left_usd,
        calls_left=max(limits.calls_per_hour - hour, 0),
    )


def purse(tier: Tier, recent: Sequence[Spending], today: date, limits: BudgetSettings) -> Purse:
    """How `tier` stands, by its calls of today and the days before."""
    limit, spent = allowance(limits, tier).usd_per_day, sum((c.counted for c in recent if c.day == today), ZERO)
    return Purse(tier=tier, spent_today_usd=spent, forecast_usd=forecast(recent, today), limit_usd=limit, left_usd=max(limit - spent, ZERO))


def _tier_share(tier: Tier, calls: Sequence[Spending]) -> TierShare:
    seconds = [max((c.settlement.settled_at - c.reserved_at).total_seconds(), 0.0) for c in calls if c.settlement is not None]
    return TierShare(**dict(share(tier, calls)), median_seconds=round(median(seconds), 3) if seconds else None)


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
