"""What happens to a trade between two looks, seen without a model: moves, spreads, funding, news and liquidation beyond their thresholds.

Promises that each anomaly is journaled before anybody is woken by it, that the same kind wakes nobody again for a while, across restarts
too, and that looking costs nothing but a look. Refuses to do anything about it: the engine guards, the analyst is asked, the gate decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite

from trading_bot.domain.errors import DataError, StorageError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Contract, Quote, Timeframe
from trading_bot.domain.perpetual import is_leveraged, liquidation_price
from trading_bot.domain.records import Anomaly, AnomalyKind
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import Symbol, TaskRunId
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.scheduler import Scheduler
from trading_bot.ports import View
from trading_bot.settings import AnomalySettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BACK = timedelta(days=1)
"""How far back a start reads whom it has woken: no pause is longer."""


@dataclass(frozen=True)
class Sight:
    """What is seen of a running trade at one moment; a part is None where it cannot be known."""

    trade: RunningTrade
    instrument: Instrument
    quote: Quote | None
    contract: Contract | None
    move: float | None
    """Of the price within the newest bar, in average true ranges."""
    funding_before: Decimal | None
    """The rate at the last look."""
    news: float | None
    """Deviations of what several feeds tell from its mean."""


Found = tuple[str, str]
"""Actual value and limit, as a person would write them."""


def _volatility(sight: Sight, limits: AnomalySettings) -> Found | None:
    if sight.move is None or abs(sight.move) < limits.volatility:
        return None
    return f"a move of {sight.move:+.1f} ATR", f"{limits.volatility:g} ATR"


def _spread(sight: Sight, limits: AnomalySettings) -> Found | None:
    if sight.quote is None or limits.spread == "none" or sight.quote.spread < limits.spread * sight.quote.mid:
        return None
    return f"a spread of {_percent(sight.quote.spread / sight.quote.mid)}", _percent(limits.spread)


def _funding(sight: Sight, limits: AnomalySettings) -> Found | None:
    if sight.contract is None or limits.funding == "none":
        return None
    paid = sight.contract.funding_rate * sight.trade.side.sign
    if paid >= limits.funding:
        return f"funding of {_percent(paid)} against the position", _percent(limits.funding)
    before = sight.funding_before
    if before is not None and before * sight.trade.side.sign <= 0 < paid:
        return f"funding turned against the position: {_percent(paid)}", "not against it"
    return None


def _news(sight: Sight, limits: AnomalySettings) -> Found | None:
    if sight.news is None or abs(sight.news) < limits.news:
        return None
    return f"news {sight.news:+.1f} deviations from their mean", f"{limits.news:g} deviations"


def _liquidation(sight: Sight, limits: AnomalySettings) -> Found | None:
    if sight.contract is None or limits.liquidation == "none" or not is_leveraged(sight.instrument):
        return None
    end = liquidation_price(sight.trade.side, sight.trade.entry, sight.instrument)
    if end is None:
        return None
    distance = (sight.contract.mark - end) * sight.trade.side.sign / sight.contract.mark
    return (f"liquidation {_percent(distance)} away", _percent(limits.liquidation)) if distance <= limits.liquidation else None


WATCHED: Mapping[AnomalyKind, Callable[[Sight, AnomalySettings], Found | None]] = {
    AnomalyKind.LIQUIDATION: _liquidation,
    AnomalyKind.VOLATILITY: _volatility,
    AnomalyKind.SPREAD: _spread,
    AnomalyKind.FUNDING: _funding,
    AnomalyKind.NEWS: _news,
}
"""In the order in which one is told if several are there at once: the gravest first."""


class Lookout:
    """Looks at the running trade of one desk, every so often while there is one. `finest`: the finest bars that its source has."""

    def __init__(self, desk: Desk, scheduler: Scheduler, finest: Timeframe) -> None:
        self._desk = desk
        self._scheduler = scheduler
        self._finest = finest
        self._limits = desk.round_the_clock.settings.anomalies
        self._step = timedelta(seconds=desk.round_the_clock.settings.lookout_seconds)
        self._told = {(a.symbol, a.what): a.at for a in desk.journal.since(Anomaly, desk.clock.now() - _BACK)}

    def next_due(self) -> datetime | None:
        """When to look next, on whole multiples of the step; None while nothing is held."""
        if not self._desk.engine.ledger.books.positions:
            return None
        step = self._step if not self._desk.clock.simulated else max(self._step, self._finest.duration)
        return _EPOCH + ((self._desk.clock.now() - _EPOCH) // step + 1) * step

    def look(self) -> None:
        """Journal what is unusual now, and wake the analyst for it."""
        trade = self._desk.round_the_clock.log.trade()
        if trade is None:
            return
        try:
            found = self._unusual(self._sight(trade))
        except DataError:
            return  # a source that does not answer is the look's to tell
        if found is not None:
            self._wake(trade.symbol, *found)

    def _unusual(self, sight: Sight) -> tuple[AnomalyKind, Found] | None:
        """The gravest anomaly that was not told of a moment ago."""
        now, pause = self._desk.clock.now(), timedelta(minutes=self._limits.pause_minutes)
        for kind, judge in WATCHED.items():
            told = self._told.get((sight.trade.symbol, kind))
            found = judge(sight, self._limits) if told is None or now - told >= pause else None
            if found is not None:
                return kind, found
        return None

    def _wake(self, symbol: Symbol, kind: AnomalyKind, found: Found) -> None:
        now = self._desk.clock.now()
        session = now.astimezone(self._desk.calendar.zone).date()
        identity = TaskRunId(f"{session.isoformat()}:wake-{now:%H%M%S}")
        anomaly = Anomaly(at=now, id=identity, session=session, what=kind, symbol=symbol, actual=found[0], limit=found[1])
        self._desk.journal.append(anomaly)
        self._told[symbol, kind] = now
        self._scheduler.wake(anomaly)

    def _sight(self, trade: RunningTrade) -> Sight:
        view, symbol = self._desk.view, trade.symbol
        return Sight(
            trade=trade,
            instrument=view.instrument(symbol),
            quote=view.quote(symbol),
            contract=view.contract(symbol),
            move=_move(view, symbol, self._finest),
            funding_before=self._desk.round_the_clock.log.rate(symbol),
            news=self._news(symbol),
        )

    def _news(self, symbol: Symbol) -> float | None:
        """Of stories that several independent feeds tell: one feed alone wakes nobody."""
        news = self._desk.news()
        if news is None:
            return None
        try:
            return news.backed().reading(symbol).deviations
        except StorageError:
            return None


def _move(view: View, symbol: Symbol, timeframe: Timeframe) -> float | None:
    """The greater of the newest bar's move and that of the price since, in average true ranges; None where it cannot be known."""
    bars, ranges, quote = view.bars(symbol, timeframe, 2), view.indicators(symbol, timeframe).tail(1), view.quote(symbol)
    if len(bars) < 2 or ranges.empty or quote is None:  # noqa: PLR2004 - a move has two ends
        return None
    before, last, atr = (float(x) for x in (*bars["close"], ranges["atr_14"].iloc[0]))
    if not (isfinite(atr) and atr > 0):
        return None
    return max(last - before, float(quote.mid) - last, key=abs) / atr


def _percent(share: Decimal) -> str:
    return f"{share * 100:.3f} %"
