"""The budget of model calls: reserve the whole possible cost before a call, settle what was reported after it.

Each paid tier has money, a breaker and a usage limit of its own. Promises that settled costs and reservations of a tier's day never grow
beyond its limit by a reservation, whatever processes do side by side or die at; that each refusal says what to do and when it ends; and
that a ledger which cannot be read or written lets no paid call pass. Time is wall time in every mode and never goes back: a clock that
was set back frees no money. Refuses to forget a call whose process died: it counts at its reservation for ever.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from pydantic import Field, field_validator

from trading_bot.domain.errors import BreakerOpenError, BudgetSpentError, CallRateError, UsageLimitError
from trading_bot.domain.news import Tier
from trading_bot.domain.values import ZERO, NonNegative, Record
from trading_bot.llm.calls import Ending
from trading_bot.llm.prices import Tokens
from trading_bot.ports import WallClock
from trading_bot.settings import BudgetSettings
from trading_bot.storage.home import Home
from trading_bot.storage.spending import Settlement, Spending, SpendingLedger, SpendingPage

HEALTHY = frozenset({Ending.ANSWERED, Ending.REFUSED, Ending.OVER_BUDGET, Ending.USAGE_LIMIT, Ending.STOPPED, Ending.LOST})
"""Endings that say nothing against the model's health; every other one counts for the breaker."""
READING = "judge-news"
"""The workflow that reads strangers' texts."""
PROVOKED = frozenset({Ending.UNPARSEABLE, Ending.NO_PROOF, Ending.NO_WORK, Ending.FORBIDDEN, Ending.TURN_LIMIT, Ending.TOO_LONG})
"""Endings that the text itself may bring about: of a reading they open no breaker, or three headlines could shut up the whole desk."""
FINEST = Decimal("1e-10")
HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Usage(Record):
    """What a call is settled at."""

    cost_usd: NonNegative = ZERO
    tokens: Tokens = Tokens()
    turns: int = Field(default=0, ge=0)

    @field_validator("cost_usd", mode="before")
    @classmethod
    def _round(cls, value: object) -> object:
        """What the binary reports is a sum of floats, with more places than an amount may have."""
        return value.quantize(FINEST) if isinstance(value, Decimal) and value.is_finite() else value


@dataclass(frozen=True)
class Allowance:
    """What one tier may be asked."""

    tier: Tier
    usd_per_day: Decimal
    setting: str
    """What its money is called."""
    calls_per_hour: int | None
    """None: as many as the money pays for."""
    failures: int
    pause: timedelta
    """After so many failures in a row."""
    instead: str
    """Who goes on where this tier may not be asked."""
    per_trade: tuple[Decimal, str] | None = None
    """USD of these that one trade may use up, and what that is called."""
    reading: tuple[Decimal, str] | None = None
    """USD of these that reading news may use up, and what that is called: the rest is kept for the desk's own questions."""


def allowance(limits: BudgetSettings, tier: Tier) -> Allowance:
    """What `limits` grant a paid tier. KeyError for one that costs nothing."""
    usd, setting, calls, instead = _PAID[tier](limits)
    pause = timedelta(minutes=limits.breaker_minutes)
    if tier is not Tier.CLAUDE:
        return Allowance(tier, usd, setting, calls, limits.breaker_failures, pause, instead)
    per_trade = (limits.claude_usd_per_trade, "budget.claude_usd_per_trade")
    reading = (limits.claude_news_usd_per_day, "budget.claude_news_usd_per_day")
    return Allowance(tier, usd, setting, calls, limits.breaker_failures, pause, instead, per_trade, reading)


_PAID: Mapping[Tier, Callable[[BudgetSettings], tuple[Decimal, str, int | None, str]]] = {
    Tier.CLAUDE: lambda limits: (
        limits.claude_usd_per_day,
        "budget.claude_usd_per_day",
        limits.calls_per_hour,
        "let `--analyst rules` or `auto` go on",
    ),
    Tier.DEEPSEEK: lambda limits: (limits.deepseek_usd_per_day, "budget.deepseek_usd_per_day", None, "let the tier below answer"),
}
PAID = tuple(_PAID)
"""Tiers that cost money."""


class Budget:
    """The limits of one paid tier in one home, kept by its ledger. Any number of processes may hold one at a time."""

    def __init__(self, ledger: SpendingLedger, limits: BudgetSettings, wall: WallClock, tier: Tier = Tier.CLAUDE) -> None:
        self._ledger = ledger
        self._allowance = allowance(limits, tier)
        self._wall = wall

    def reserve(self, call_id: str, *, decision_id: str, workflow: str, model: str, amount: Decimal, trade: str = "") -> None:  # noqa: PLR0913 - a row's own parts
        """Set `amount` USD aside for a call, or say why it may not be made. `trade`: the decision that opened it, if the call is about one.

        BudgetSpentError, CallRateError, BreakerOpenError or UsageLimitError: nothing was written, and no call may be made. StorageError
        or HomeError if the ledger cannot be read or written: the same.
        """
        with self._ledger.writing() as page:
            now = self._now(page)
            call = Spending(
                call_id=call_id,
                decision_id=decision_id,
                workflow=workflow,
                tier=self._allowance.tier,
                model=model,
                reserved_at=now,
                day=now.date(),
                reserved_usd=amount,
                trade=trade,
            )
            own = page.only(self._allowance.tier)
            for check in _CHECKS:
                check(own, self._allowance, call)
            page.reserve(call)

    def settle(self, call_id: str, usage: Usage, outcome: str, resets_at: datetime | None = None) -> None:
        """Record how a call ended and what it cost, be that more than was reserved. `resets_at`: when the vendor's usage limit ends.

        The same again changes nothing. JournalConflictError for another settlement, StorageError for a call that was never reserved.
        """
        with self._ledger.writing() as page:
            page.settle(call_id, self._settlement(page, usage, outcome, resets_at))

    def forfeit(self, call_id: str, outcome: str) -> Decimal:
        """Settle a killed call at its reservation, which is returned: nobody knows what it used. Errors as for `settle`."""
        with self._ledger.writing() as page:
            reserved = page.get(call_id).reserved_usd
            page.settle(call_id, self._settlement(page, Usage(cost_usd=reserved), outcome, None))
        return reserved

    def spent(self) -> Decimal:
        """USD that the tier's today has to answer for: settled costs and reservations."""
        with self._ledger.reading() as page:
            return _today(page, self._wall, self._allowance.tier)

    def left(self) -> Decimal:
        """USD that may still be reserved today."""
        return max(self._allowance.usd_per_day - self.spent(), ZERO)

    def calls_left(self) -> int | None:
        """Calls that may still be made now, as far as the hour's limit goes; None where there is none."""
        most = self._allowance.calls_per_hour
        if most is None:
            return None
        with self._ledger.reading() as page:
            return max(most - len(page.only(self._allowance.tier).since(self._now(page) - HOUR)), 0)

    def _settlement(self, page: SpendingPage, usage: Usage, outcome: str, resets_at: datetime | None) -> Settlement:
        now, tokens = self._now(page), usage.tokens.model_dump()
        return Settlement(settled_at=now, outcome=str(outcome), cost_usd=usage.cost_usd, turns=usage.turns, resets_at=resets_at, **tokens)

    def _now(self, page: SpendingPage) -> datetime:
        """Wall time, held at the newest that the ledger has seen."""
        return ledger_time(page, self._wall)


def spent_today(home: Home, wall: WallClock, tier: Tier = Tier.CLAUDE) -> Decimal:
    """USD that the tier's today has to answer for in `home`; 0 if it has no journal. StorageError or HomeError."""
    if not home.has_journal:
        return ZERO
    with SpendingLedger.open(home.database) as ledger, ledger.reading() as page:
        return _today(page, wall, tier)


def _today(page: SpendingPage, wall: WallClock, tier: Tier) -> Decimal:
    day = ledger_time(page, wall).date()
    return _counted(page.only(tier).of_days(day, day))


def ledger_time(page: SpendingPage, wall: WallClock) -> datetime:
    """Return wall time, but never a time before the newest in the ledger."""
    now = wall.now()
    return max(now, page.newest() or now)


def _counted(calls: tuple[Spending, ...]) -> Decimal:
    return sum((c.counted for c in calls), ZERO)


def _check_usage_limit(page: SpendingPage, limits: Allowance, call: Spending) -> None:
    resets = page.resets_at()
    if resets is not None and resets > call.reserved_at:
        msg = f"the vendor's usage limit is reached until {_utc(resets)}; wait until then, or {limits.instead}"
        raise UsageLimitError(msg)


def _check_breaker(page: SpendingPage, limits: Allowance, call: Spending) -> None:
    """After too many failures in a row nothing is asked for a while, and then one trial at a time."""
    failed = [ended for c in page.last_settled(limits.failures) if (ended := _failure(c)) is not None]
    if len(failed) < limits.failures:
        return
    newest = failed[0].settled_at
    trials = [c.reserved_at for c in page.since(call.reserved_at - limits.pause) if c.settlement is None and c.reserved_at >= newest]
    until = max((newest, *trials)) + limits.pause
    if until > call.reserved_at:
        what = "one trial call is under way" if trials else f"the last {len(failed)} calls failed (the last: {failed[0].outcome})"
        msg = f"{what}; no further call until {_utc(until)}. `costs` and the log of calls say what went wrong; `doctor` looks for the cause"
        raise BreakerOpenError(msg)


def _failure(call: Spending) -> Settlement | None:
    """How it failed, if that says something against the model's health."""
    ended = call.settlement
    return None if ended is None or ended.outcome in HEALTHY or (call.workflow == READING and ended.outcome in PROVOKED) else ended


def _check_rate(page: SpendingPage, limits: Allowance, call: Spending) -> None:
    most = limits.calls_per_hour
    if most is None or len(made := page.since(call.reserved_at - HOUR)) < most:
        return
    when = f"the next is free at {_utc(made[len(made) - most].reserved_at + HOUR)}" if most else "none is allowed"
    msg = f"{len(made)} calls were made within an hour, {most} are allowed: {when}; budget.calls_per_hour is the limit"
    raise CallRateError(msg)


def _check_money(page: SpendingPage, limits: Allowance, call: Spending) -> None:
    _check_purse(call, limits.usd_per_day, limits.setting, page.of_days(call.day, call.day))


def _check_reading(page: SpendingPage, limits: Allowance, call: Spending) -> None:
    """News may not use up what the desk's own questions need."""
    if limits.reading is not None and call.workflow == READING:
        _check_purse(call, *limits.reading, tuple(c for c in page.of_days(call.day, call.day) if c.workflow == READING))


def _check_trade(page: SpendingPage, limits: Allowance, call: Spending) -> None:
    """What one trade has cost is not spent again on it, on whatever day."""
    if limits.per_trade is None or not call.trade:
        return
    (limit, setting), counted = limits.per_trade, _counted(page.of_trade(call.trade))
    if limit > 0 and counted + call.reserved_usd <= limit:
        return
    msg = (
        f"this call may cost {call.reserved_usd:.4f} USD, and {counted:.4f} of the {limit:.2f} USD for the trade {call.trade} are spent or "
        f"reserved; its stop stays where it is; raise {setting}, close the trade, or {limits.instead}; `costs` shows what was spent"
    )
    raise BudgetSpentError(msg)


def _check_purse(call: Spending, limit: Decimal, setting: str, calls: tuple[Spending, ...]) -> None:
    counted = _counted(calls)
    if limit > 0 and counted + call.reserved_usd <= limit:
        return
    tomorrow = datetime.combine(call.day, time(), UTC) + _DAY
    free = f"the next day begins at {_utc(tomorrow)}" if call.reserved_usd <= limit else "one call alone is more than a day may cost"
    msg = (
        f"this call may cost {call.reserved_usd:.4f} USD, and {counted:.4f} of the {limit:.2f} USD of {call.day} are spent or reserved; "
        f"{free}; {setting} is the limit, `costs` shows what was spent"
    )
    raise BudgetSpentError(msg)


_CHECKS: tuple[Callable[[SpendingPage, Allowance, Spending], None], ...] = (
    _check_usage_limit,
    _check_breaker,
    _check_rate,
    _check_reading,
    _check_trade,
    _check_money,
)
"""What every call has to pass, in the order in which a refusal is told."""


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
