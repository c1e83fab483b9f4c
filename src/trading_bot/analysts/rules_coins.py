"""The rules' one trade in a coin: what is opened, and what is done about it while it runs, long or short.

Promises that the first rule which speaks is followed, by published numbers (`docs/scoring.md`), and that a stop moves to less risk
alone, on the tick and behind the quote. Refuses to follow a stop that it does not know: what is not covered is the engine's to protect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property

from trading_bot.analysts.exits import Exit
from trading_bot.domain.instrument import Instrument, Rounding
from trading_bot.domain.market import Quote
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import NOISE_SPREADS, ProposalKind
from trading_bot.domain.records import AnomalyKind
from trading_bot.domain.research import TradeIdea
from trading_bot.domain.running import RunningTrade
from trading_bot.market import coins
from trading_bot.market.entry import TARGETS
from trading_bot.market.snapshot import Snapshot, take
from trading_bot.ports import Brief

HORIZON = timedelta(hours=48)
HARD_FUNDING = Decimal("0.001")
"""What one funding takes from the position, as a share of its value."""
SHAKEN = Decimal("0.5")
"""Share of a winning position that is given up when the price shakes."""
TRAIL_FROM = TARGETS[0][0]
"""Multiple of the first risk that the price has to reach before the stop follows it."""
TRAIL_ATR = 2.0
STEP_ATR = 0.25
"""A stop that would move by less stays where it is."""
_STRATEGY = "coins"


def open_trade(brief: Brief) -> TradeIdea:
    """The best trade in a coin that is not held, or none."""
    return coins.idea(brief.view, [symbol for symbol in brief.universe if symbol not in brief.books.positions])


def watch_trade(brief: Brief, trade: RunningTrade) -> Exit | None:
    """What to do about the trade now; None to hold it. DataError passes through."""
    sight = Sight(brief, trade)
    return next((wanted for rule in RULES if (wanted := rule(sight)) is not None), None)


@dataclass(frozen=True)
class Sight:
    """A running trade and what can be seen of its coin, each looked up when a rule asks for it."""

    brief: Brief
    trade: RunningTrade

    @property
    def sign(self) -> int:
        """1 of a long, -1 of a short."""
        return self.trade.side.sign

    @property
    def woken(self) -> str:
        """What kind of anomaly woke the desk; empty at a look of its own time."""
        return self.brief.woken_by.partition(":")[0]

    @cached_property
    def instrument(self) -> Instrument:
        """Its grid."""
        return self.brief.view.instrument(self.trade.symbol)

    @cached_property
    def quote(self) -> Quote | None:
        """The newest."""
        return self.brief.view.quote(self.trade.symbol)

    @property
    def out(self) -> Decimal | None:
        """Price at which it could be left now."""
        quote = self.quote
        return None if quote is None else quote.bid if self.trade.side is Side.BUY else quote.ask

    @cached_property
    def trend(self) -> Snapshot | None:
        """The hours, as the entry looked at them."""
        return take(self.brief.view, self.trade.symbol, coins.TREND)

    @cached_property
    def best(self) -> Decimal | None:
        """The best price since it was opened: of bars that began after it, and of now."""
        length = coins.TIMING.duration
        count = (self.brief.view.now() - self.trade.opened_at) // length
        bars = self.brief.view.bars(self.trade.symbol, coins.TIMING, min(count, HORIZON // length))
        reached = bars["high" if self.trade.side is Side.BUY else "low"][bars.index >= self.trade.opened_at]
        prices = [Decimal(repr(float(price))) for price in reached] + ([] if self.out is None else [self.out])
        return max(prices, key=lambda price: price * self.sign, default=None)

    def exit(self, action: ProposalKind, reason: str, stop: Decimal | None = None, fraction: Decimal | None = None) -> Exit:
        """What a rule wants of this trade."""
        return Exit(self.trade.symbol, self.trade.side, _STRATEGY, action, reason, stop, fraction)

    def close(self, reason: str) -> Exit:
        """All of it."""
        return self.exit(ProposalKind.CLOSE, reason)


def _horizon_over(sight: Sight) -> Exit | None:
    over = sight.brief.view.now() - sight.trade.opened_at >= HORIZON
    return sight.close("the horizon is over") if over else None


def _near_liquidation(sight: Sight) -> Exit | None:
    return sight.close("it came near liquidation") if sight.woken == AnomalyKind.LIQUIDATION else None


def _dear_to_hold(sight: Sight) -> Exit | None:
    contract = sight.brief.view.contract(sight.trade.symbol)
    dear = contract is not None and contract.funding_rate * sight.sign >= HARD_FUNDING
    return sight.close("funding has turned hard against it") if dear else None


def _trend_lost(sight: Sight) -> Exit | None:
    """By the last hour that began after the opening: what the entry saw cannot be lost by it."""
    trend = sight.trend
    average = None if trend is None or trend.bar < sight.trade.opened_at else trend.value("sma_50")
    lost = trend is not None and average is not None and (trend.price - average) * sight.sign < 0
    return sight.close("trend lost: the last hour closed behind its 50-hour average") if lost else None


def _shaken(sight: Sight) -> Exit | None:
    """A move beyond measure: a loss is closed, a gain reduced, as long as both parts can be traded."""
    if sight.woken != AnomalyKind.VOLATILITY:
        return None
    if sight.out is None or (sight.out - sight.trade.entry) * sight.sign <= 0:
        return sight.close("the price shakes, and it does not win")
    part = sight.instrument.round_quantity(sight.trade.quantity * SHAKEN)
    if part * sight.out < max(sight.instrument.minimum_notional, sight.instrument.tick_size):
        return sight.close("the price shakes, and it is too small to reduce")
    return sight.exit(ProposalKind.REDUCE, "the price shakes: a part of the gain is taken", fraction=SHAKEN)


def _follow(sight: Sight) -> Exit | None:
    """The stop to where it should stand by now, if that is less risk; out at once if the price has come back to there."""
    places = [place for place in (_at_entry(sight), _trailing(sight)) if place is not None]
    if sight.trade.stop is None or sight.out is None or sight.quote is None or not places:
        return None
    place, why = max(places, key=lambda one: one[0] * sight.sign)
    tick = sight.instrument.tick_size
    if (place - sight.trade.stop) * sight.sign < max(Decimal(repr(STEP_ATR * _atr(sight))), tick):
        return None
    if (sight.out - place) * sight.sign < max(NOISE_SPREADS * sight.quote.spread, tick):
        return sight.close(f"{why}, and the price has come back to there")
    return sight.exit(ProposalKind.MOVE_STOP, why, stop=place)


def _at_entry(sight: Sight) -> tuple[Decimal, str] | None:
    if sight.trade.symbol not in sight.brief.books.paid:
        return None
    return sight.instrument.round_price(sight.trade.entry), "the first target has paid: stop to the entry price"


def _trailing(sight: Sight) -> tuple[Decimal, str] | None:
    risk, best = sight.trade.first_risk, sight.best
    if risk is None or best is None or not _atr(sight) or (best - sight.trade.entry) * sight.sign < TRAIL_FROM * risk:
        return None
    place = best - sight.sign * Decimal(repr(TRAIL_ATR * _atr(sight)))
    if place < sight.instrument.tick_size:
        return None
    away = Rounding.DOWN if sight.trade.side is Side.BUY else Rounding.UP
    return sight.instrument.round_price(place, away), f"{TRAIL_FROM} R were reached: stop {TRAIL_ATR:g} ATR behind the best price"


def _atr(sight: Sight) -> float:
    """Of an hour; 0 where it is unknown."""
    return 0.0 if sight.trend is None else sight.trend.atr or 0.0


RULES: tuple[Callable[[Sight], Exit | None], ...] = (_horizon_over, _near_liquidation, _dear_to_hold, _trend_lost, _shaken, _follow)
