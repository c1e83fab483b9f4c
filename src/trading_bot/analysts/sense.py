"""Whether an answer makes sense beside what the desk knows by itself. Pure: an answer, its grounds and the recorded tool calls.

Promises sentences that a model can act on; none means that the answer may be believed. Refuses to look at the market again: a replay
checks against the same grounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading_bot.analysts import claims
from trading_bot.analysts.answers import Claim, Graded, Judged, Leg, Picks, Plan, Ruling, Trusted
from trading_bot.analysts.trade_answers import Opening, Trade, Watched, WatchingAction
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import Side
from trading_bot.domain.perpetual import liquidation_price
from trading_bot.domain.proposals import NOISE_SPREADS
from trading_bot.domain.research import Judgement, Recommendation, Trust
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import ONE, ZERO, Amount, Finite, NonNegative, Positive, Record, Symbol, UtcTime

COLLAR = Decimal("0.05")
"""Share by which an entry may lie off our own quote and still be no invention; what may be traded is the mandate's collar."""
_NO_QUOTE = "there is no quote to hold prices against"
ENTERS = frozenset({Recommendation.STRONG_BUY, Recommendation.BUY})

Calls = Sequence[ToolCall]


class OwnQuote(Record):
    """The desk's own price of the symbol that was asked about."""

    bid: Positive
    ask: Positive
    tick: Positive


class Coin(Record):
    """A coin that may be opened, as the desk knows it."""

    instrument: Instrument
    quote: OwnQuote
    noise: NonNegative
    sides: tuple[Side, ...]
    """From which it passes the desk's own screen."""


class Resting(Record):
    """A running trade's side, and where its stop rests at the venue; None where it has none."""

    side: Side
    stop: Positive | None


class Grounds(Record):
    """What the desk knew when it asked."""

    as_of: UtcTime
    universe: tuple[Symbol, ...]
    held: tuple[Symbol, ...] = ()
    passed: tuple[Symbol, ...] = ()
    """Symbols that pass the desk's own screen."""
    symbol: Symbol | None = None
    """What was asked about."""
    quote: OwnQuote | None = None
    stop: Finite | None = None
    """The desk's own stop of its analysis, None if there is none."""
    entry: Amount | None = None
    """The desk's own plan's entry, which is right however far it lies from the quote."""
    noise: NonNegative = ZERO
    collar: Positive = COLLAR
    trust: Trust | None = None
    """What the desk's own validation says of the best of several backtests."""
    coins: tuple[Coin, ...] = ()
    """Those that pass the desk's own screen, where one of several is to be opened."""
    trade: Resting | None = None
    """The trade that was asked about."""


@dataclass(frozen=True)
class _Levels:
    """Prices of an entry, long or short."""

    side: Side
    entry: Decimal
    stop: Decimal
    targets: Sequence[Leg]

    def complaints(self, quote: OwnQuote, noise: Decimal, collar: Decimal, own_entry: Decimal | None = None) -> list[str]:
        """What is wrong with them. `own_entry`: right however far it lies from the quote."""
        sign, ahead, behind = self.side.sign, *(("above", "below") if self.side is Side.BUY else ("below", "above"))
        middle = (quote.bid + quote.ask) / 2
        least = max(noise, NOISE_SPREADS * (quote.ask - quote.bid), quote.tick)
        off = abs(self.entry - middle) > collar * middle and self.entry != own_entry
        near = (self.entry - self.stop) * sign < least
        prices = {"entry": self.entry, "stop": self.stop, **{f"target {n}": t.price for n, t in enumerate(self.targets, 1)}}
        wrong = [f"{name} {price} is not on the tick of {quote.tick}" for name, price in prices.items() if price % quote.tick]
        wrong += [f"entry {self.entry} lies too far from the quote of {middle}"] if off else []
        wrong += [f"stop {self.stop} has to lie at least {least} {behind} the entry {self.entry}"] if near else []
        wrong += [f"target {t.price} is not {ahead} the entry {self.entry}" for t in self.targets if (t.price - self.entry) * sign <= 0]
        total = sum((t.fraction for t in self.targets), ZERO)
        return wrong + ([f"the targets' fractions add up to {total}, not to 1"] if total != ONE else [])


def of_picks(said: Picks, grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about a screen."""
    names = [pick.symbol for pick in said.candidates]
    wrong = [f"{name} is named twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    for pick in said.candidates:
        wrong += [why] if (why := _why_not_a_candidate(pick.symbol, grounds)) else []
        wrong += _of_claims(pick.claims, pick.symbol, calls, ("score",))
    return wrong


def _why_not_a_candidate(symbol: Symbol, grounds: Grounds) -> str:
    if symbol not in grounds.universe:
        return f"{symbol} is not in the universe"
    if symbol in grounds.held:
        return f"{symbol} is held already"
    return "" if symbol in grounds.passed else f"{symbol} does not pass the desk's screen"


def of_judged(said: Judged, grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about an analysis."""
    buys = said.recommendation in ENTERS
    wrong = _of_symbol(said.symbol, grounds)
    wrong += [f"{said.recommendation} needs a stop, and the desk's analysis has none"] if buys and grounds.stop is None else []
    return wrong + _of_claims(said.claims, said.symbol, calls, ("score", "stop") if buys else ("score",))


def of_plan(said: Plan, grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about an entry plan."""
    wrong, levels = _of_symbol(said.symbol, grounds), _Levels(Side.BUY, said.entry, said.stop, said.targets)
    if grounds.quote is None:
        wrong.append(_NO_QUOTE)
    else:
        wrong += levels.complaints(grounds.quote, grounds.noise, grounds.collar, grounds.entry)
    return wrong + _of_claims(said.claims, said.symbol, calls, ()) + _unread(said.claims, levels)


def _unread(said: Sequence[Claim], levels: _Levels) -> list[str]:
    """Prices that no result is claimed to have told: nobody does arithmetic."""
    wanted = {"entry": levels.entry, "stop_loss": levels.stop}
    return [f"claim the {name} {price} from a result" for name, price in wanted.items() if price not in claims.amounts(said, name)]


def of_opening(said: Opening, grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about a trade to open, or about standing aside."""
    trade = said.trade
    if trade is None:
        return _looked(said.claims) + claims.complaints(said.claims, None, calls)
    why, coin = _why_not_a_candidate(trade.symbol, grounds), next((c for c in grounds.coins if c.instrument.symbol == trade.symbol), None)
    wrong = [why] if why or coin is None else _of_trade(trade, coin, grounds.collar)
    levels = _Levels(trade.side, trade.entry, trade.stop, trade.targets)
    return wrong + _of_claims(said.claims, trade.symbol, calls, ()) + _unread(said.claims, levels)


def _of_trade(trade: Trade, coin: Coin, collar: Decimal) -> list[str]:
    sign, end = trade.side.sign, liquidation_price(trade.side, trade.entry, coin.instrument)
    wrong = _Levels(trade.side, trade.entry, trade.stop, trade.targets).complaints(coin.quote, coin.noise, collar)
    wrong += [f"a {trade.side} of {trade.symbol} does not pass the desk's screen"] if trade.side not in coin.sides else []
    beyond = end is not None and (trade.stop - end) * sign <= 0
    return wrong + ([f"stop {trade.stop} lies beyond liquidation at {end:f}"] if beyond else [])


def of_watched(said: Watched, grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about a look at a running trade."""
    wrong = _of_symbol(said.symbol, grounds)
    if said.action is WatchingAction.MOVE_STOP and said.stop is not None:
        wrong += _of_stop(said.stop, said.claims, grounds)
    if said.action is WatchingAction.REDUCE and said.fraction == ONE:
        wrong.append("to give up all of it is to close")
    return wrong + _of_claims(said.claims, said.symbol, calls, ("stop",))


def _of_stop(stop: Decimal, said: Sequence[Claim], grounds: Grounds) -> list[str]:
    """A stop moves to less risk alone, to a price that a result told, and stays behind the quote."""
    quote, trade = grounds.quote, grounds.trade
    if quote is None or trade is None:
        return [_NO_QUOTE]
    sign, out = trade.side.sign, quote.bid if trade.side is Side.BUY else quote.ask
    wrong = [f"stop {stop} is not on the tick of {quote.tick}"] if stop % quote.tick else []
    if trade.stop is not None and (stop - trade.stop) * sign <= 0:
        wrong.append(f"stop {stop} is no less risk than {trade.stop}, where it rests")
    wrong += [f"stop {stop} has to lie {'below' if sign > 0 else 'above'} the quote of {out}"] if (out - stop) * sign <= 0 else []
    return wrong + ([f"claim the stop {stop} from a result"] if stop not in claims.amounts(said) else [])


def of_graded(said: Graded, _grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about a review."""
    return _of_claims(said.claims, None, calls, ())


def of_trusted(said: Trusted, grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about a judgement of backtests: what the desk's own validation did not pass is not validated by words."""
    unfounded = said.verdict is Trust.VALIDATED and grounds.trust is not Trust.VALIDATED
    wrong = [f"the desk's own validation says {grounds.trust}, not {said.verdict}"] if unfounded else []
    return wrong + _of_claims(said.claims, None, calls, ("validated", "sharpe"))


def _looked(said: Sequence[Claim]) -> list[str]:
    return [] if said else ["claim what it rests on from a result"]


def of_ruling(said: Ruling, grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about a second opinion."""
    unfounded = said.judgement is Judgement.APPROVE and not said.claims
    return (["an approval needs a claim from a result"] if unfounded else []) + _of_claims(said.claims, grounds.symbol, calls, ())


def _of_symbol(symbol: Symbol, grounds: Grounds) -> list[str]:
    return [] if symbol == grounds.symbol else [f"the question was about {grounds.symbol}, not {symbol}"]


def _of_claims(said: Sequence[Claim], symbol: Symbol | None, calls: Calls, needed: Sequence[str]) -> list[str]:
    lacking = [name for name in needed if not claims.claimed(said, name)]
    about = f" of {symbol}" if symbol else ""
    return [f"claim the {name}{about} from a result" for name in lacking] + claims.complaints(said, symbol, calls)
