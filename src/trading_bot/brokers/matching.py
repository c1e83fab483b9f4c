"""The fill rules, as pure functions on integers: prices in ticks, quantities in lots. Stated as a table in docs/venue.md.

Promises that no rule knows more than its arguments, that every rounding goes against the trader, and that inside a bar the
worst order of events is assumed. No clock, no state, no floats: emulators and vectorised backtests share these rules.
"""

from dataclasses import dataclass
from fractions import Fraction

BUY, SELL = 1, -1
_BPS = 10_000


@dataclass(frozen=True)
class TickQuote:
    """Bid and ask in ticks at `time` (ns)."""

    bid: int
    ask: int
    time: int

    @property
    def half_spread(self) -> int:
        """Half of ask less bid, rounded up."""
        return (self.ask - self.bid + 1) // 2


@dataclass(frozen=True)
class TickBar:
    """One bar: times in ns, prices in ticks, volume in lots."""

    start: int
    end: int
    open: int
    high: int
    low: int
    close: int
    volume: int


def slippage(price: int, bps: Fraction) -> int:
    """`bps` hundredths of a per cent of `price`, rounded up to whole ticks."""
    return -((-price * bps.numerator) // (_BPS * bps.denominator))


def at_market(side: int, quote: TickQuote, bps: Fraction) -> int:
    """Price of a market order: ask plus slippage, or bid less slippage, at least one tick."""
    price = quote.ask if side == BUY else quote.bid
    return max(price + side * slippage(price, bps), 1)


def marketable(side: int, limit: int, quote: TickQuote) -> int | None:
    """Price at which a limit order trades at once with `quote`, None if it does not."""
    price = quote.ask if side == BUY else quote.bid
    return price if side * (limit - price) >= 0 else None


def traded_through(side: int, limit: int, bar: TickBar) -> bool:
    """Whether `bar` traded at least one tick beyond a resting limit: touching it is not enough, others were first."""
    return bar.low < limit if side == BUY else bar.high > limit


def touched(side: int, stop: int, bar: TickBar) -> bool:
    """Whether `bar` reached a stop."""
    return bar.high >= stop if side == BUY else bar.low <= stop


def gapped(side: int, stop: int, quote: TickQuote) -> bool:
    """Whether the middle of `quote` lies at the stop or beyond."""
    return side * (quote.bid + quote.ask - 2 * stop) >= 0


def trailed(side: int, stop: int, level: int) -> int:
    """Where a trailing stop at `stop` stands once the price allows `level`: never back."""
    return min(stop, level) if side == BUY else max(stop, level)


def trail_start(side: int, quote: TickQuote, trail: int) -> int:
    """Where a trailing stop stands at first: `trail` ticks behind the middle of `quote`, a half tick rounded away from the price."""
    doubled = quote.bid + quote.ask
    return (-(-doubled // 2) if side == BUY else doubled // 2) + side * trail


def stopped_inside(side: int, stop: int, bar: TickBar, half_spread: int, bps: Fraction) -> int:
    """Price of a stop touched inside `bar`: worse than the stop by half spread and slippage, within the bar's range."""
    price = stop + side * (half_spread + slippage(stop, bps))
    return max(min(max(price, bar.low), bar.high), 1)


def allowance(volume: int, participation: Fraction) -> int:
    """Lots that one order may take of `volume`: its share rounded down, at least one lot, none of nothing."""
    return max(volume * participation.numerator // participation.denominator, 1) if volume > 0 else 0


def split_price(ticks: int, ratio: Fraction) -> int:
    """A price after a split of `ratio` new for one old: the nearest tick, at least one."""
    return max(round(ticks / ratio), 1)


def split_lots(lots: int, ratio: Fraction) -> tuple[int, Fraction]:
    """Whole lots after a split, and the fraction of a lot that is left over (both keep the sign)."""
    sign, exact = (1 if lots >= 0 else -1), abs(lots) * ratio
    whole = exact.numerator // exact.denominator
    return sign * whole, sign * (exact - whole)
