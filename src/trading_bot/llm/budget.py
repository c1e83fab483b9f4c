"""The budget of model calls: reserve the whole possible cost before a call, settle what was reported after it.

Promises that settled costs and reservations of a day never grow beyond the day's limit by a reservation, whatever processes do side
by side or die at; that each refusal says what to do and when it ends; and that a ledger which cannot be read or written lets no call
pass. Time is wall time in every mode and never goes back: a clock that was set back frees no money. Refuses to forget a call
whose process died: it counts at its reservation for ever.
"""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from pydantic import Field, field_validator

from trading_bot.domain.errors import BreakerOpenError, BudgetSpentError, CallRateError, UsageLimitError
from trading_bot.domain.values import ZERO, NonNegative, Record
from trading_bot.llm.calls import Ending
from trading_bot.llm.prices import Tokens
from trading_bot.ports import WallClock
from trading_bot.settings import BudgetSettings
from trading_bot.storage.home import Home
from trading_bot.storage.spending import Settlement, Spending, SpendingLedger, SpendingPage

HEALTHY = frozenset({Ending.ANSWERED, Ending.REFUSED, Ending.OVER_BUDGET, Ending.USAGE_LIMIT, Ending.STOPPED})
"""Endings that say nothing against the model's health; every other one counts for the breaker."""
CLAUDE = "claude"
_FINEST = Decimal("1e-10")
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
        return value.quantize(_FINEST) if isinstance(value, Decimal) and value.is_finite() else value


class Budget:
    """The limits of one home, kept by its ledger. Any number of processes may hold one at a time."""

    def __init__(self, ledger: SpendingLedger, limits: BudgetSettings, wall: WallClock) -> None:
        self._ledger = ledger
        self._limits = limits
        self._wall = wall

    def reserve(self, call_id: str, *, decision_id: str, workflow: str, model: str, amount: Decimal) -> None:
        """Set `amount` USD aside for a call, or say why it may not be made.

        BudgetSpentError, CallRateError, BreakerOpenError or UsageLimitError: nothing was written, and no call may be made. StorageError
        or HomeError if the ledger cannot be read or written: the same.
        """
        with self._ledger.writing() as page:
            now = self._now(page)
            call = Spending(
                call_id=call_id,
                decision_id=decision_id,
                workflow=workflow,
                tier=CLAUDE,
                model=model,
                reserved_at=now,
                day=now.date(),
                reserved_usd=amount,
            )
            for check in _CHECKS:
                check(page, self._limits, call)
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
        """USD that today has to answer for: settled costs and reservations."""
        with self._ledger.reading() as page:
            return _today(page, self._wall)

    def left(self) -> Decimal:
        """USD that may still be reserved today."""
        return max(self._limits.claude_usd_per_day - self.spent(), ZERO)

    def calls_left(self) -> int:
        """Calls that may still be made now, as far as the hour's limit goes."""
        with self._ledger.reading() as page:
            return max(self._limits.calls_per_hour - len(page.since(self._now(page) - HOUR)), 0)

    def _settlement(self, page: SpendingPage, usage: Usage, outcome: str, resets_at: datetime | None) -> Settlement:
        now, tokens = self._now(page), usage.tokens.model_dump()
        return Settlement(settled_at=now, outcome=str(outcome), cost_usd=usage.cost_usd, turns=usage.turns, resets_at=resets_at, **tokens)

    def _now(self, page: SpendingPage) -> datetime:
        """Wall time, held at the newest that the ledger has seen."""
        return ledger_time(page, self._wall)


def spent_today(home: Home, wall: WallClock) -> Decimal:
    """USD that today has to answer for in `home`; 0 if it has no journal. StorageError or HomeError."""
    if not home.has_journal:
        return ZERO
    with SpendingLedger.open(home.database) as ledger, ledger.reading() as page:
        return _today(page, wall)


def _today(page: SpendingPage, wall: WallClock) -> Decimal:
    day = ledger_time(page, wall).date()
    return _counted(page.of_days(day, day))


def ledger_time(page: SpendingPage, wall: WallClock) -> datetime:
    """Return wall time, but never a time before the newest in the ledger."""
    now = wall.now()
    return max(now, page.newest() or now)


def _counted(calls: tuple[Spending, ...]) -> Decimal:
    return sum((c.counted for c in calls), ZERO)


def _check_usage_limit(page: SpendingPage, _limits: BudgetSettings, call: Spending) -> None:
    resets = page.resets_at()
    if resets is not None and resets > call.reserved_at:
        msg = f"the vendor's usage limit is reached until {_utc(resets)}; wait until then, or let `--analyst rules` or `auto` go on"
        raise UsageLimitError(msg)


def _check_breaker(page: SpendingPage, limits: BudgetSettings, call: Spending) -> None:
    """After too many failures in a row nothing is asked for a while, and then one trial at a time."""
    last = page.last_settled(limits.breaker_failures)
    failed = [ended for c in last if (ended := c.settlement) is not None and ended.outcome not in HEALTHY]
    if len(failed) < limits.breaker_failures:
        return
    pause = timedelta(minutes=limits.breaker_minutes)
    newest = failed[0].settled_at
    trials = [c.reserved_at for c in page.since(call.reserved_at - pause) if c.settlement is None and c.reserved_at >= newest]
    until = max((newest, *trials)) + pause
    if until > call.reserved_at:
        what = "one trial call is under way" if trials else f"the last {len(failed)} calls failed (the last: {failed[0].outcome})"
        msg = f"{what}; no further call until {_utc(until)}. `costs` and the log of calls say what went wrong; `doctor` looks for the cause"
        raise BreakerOpenError(msg)


def _check_rate(page: SpendingPage, limits: BudgetSettings, call: Spending) -> None:
    made, most = page.since(call.reserved_at - HOUR), limits.calls_per_hour
    if len(made) < most:
        return
    when = f"the next is free at {_utc(made[len(made) - most].reserved_at + HOUR)}" if most else "none is allowed"
    msg = f"{len(made)} calls were made within an hour, {most} are allowed: {when}; budget.calls_per_hour is the limit"
    raise CallRateError(msg)


def _check_money(page: SpendingPage, limits: BudgetSettings, call: Spending) -> None:
    limit, counted = limits.claude_usd_per_day, _counted(page.of_days(call.day, call.day))
    if limit > 0 and counted + call.reserved_usd <= limit:
        return
    tomorrow = datetime.combine(call.day, time(), UTC) + _DAY
    free = f"the next day begins at {_utc(tomorrow)}" if call.reserved_usd <= limit else "one call alone is more than a day may cost"
    msg = (
        f"this call may cost {call.reserved_usd:.4f} USD, and {counted:.4f} of the {limit:.2f} USD of {call.day} are spent or reserved; "
        f"{free}; budget.claude_usd_per_day is the limit, `costs` shows what was spent"
    )
    raise BudgetSpentError(msg)


_CHECKS: tuple[Callable[[SpendingPage, BudgetSettings, Spending], None], ...] = (
    _check_usage_limit,
    _check_breaker,
    _check_rate,
    _check_money,
)
"""What every call has to pass, in the order in which a refusal is told."""


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
