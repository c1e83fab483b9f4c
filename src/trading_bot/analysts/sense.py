"""Whether an answer makes sense beside what the desk knows by itself. Pure: an answer, its grounds and the recorded tool calls.

Promises sentences that a model can act on; none means that the answer may be believed. Refuses to look at the market again: a replay
checks against the same grounds.
"""

from collections.abc import Sequence
from decimal import Decimal

from trading_bot.analysts import claims
from trading_bot.analysts.answers import Claim, Graded, Judged, Picks, Plan, Ruling, Trusted
from trading_bot.domain.proposals import NOISE_SPREADS
from trading_bot.domain.research import Judgement, Recommendation, Trust
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import ONE, ZERO, Amount, Finite, NonNegative, Positive, Record, Symbol, UtcTime

COLLAR = Decimal("0.05")
"""Share by which an entry may lie off our own quote and still be no invention; what may be traded is the mandate's collar."""
ENTERS = frozenset({Recommendation.STRONG_BUY, Recommendation.BUY})

Calls = Sequence[ToolCall]


class OwnQuote(Record):
    """The desk's own price of the symbol that was asked about."""

    bid: Positive
    ask: Positive
    tick: Positive


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
    wrong = _of_symbol(said.symbol, grounds)
    wrong += ["there is no quote to hold prices against"] if grounds.quote is None else _of_prices(said, grounds, grounds.quote)
    wrong += _of_claims(said.claims, said.symbol, calls, ())
    for name, price in (("entry", said.entry), ("stop_loss", said.stop)):
        if price not in claims.amounts(said.claims, name):
            wrong.append(f"claim the {name} {price} from a result")
    return wrong


def _of_prices(said: Plan, grounds: Grounds, quote: OwnQuote) -> list[str]:
    middle, distance = (quote.bid + quote.ask) / 2, said.entry - said.stop
    least = max(grounds.noise, NOISE_SPREADS * (quote.ask - quote.bid), quote.tick)
    off = abs(said.entry - middle) > grounds.collar * middle and said.entry != grounds.entry
    prices = {"entry": said.entry, "stop": said.stop, **{f"target {n}": t.price for n, t in enumerate(said.targets, 1)}}
    wrong = [f"{name} {price} is not on the tick of {quote.tick}" for name, price in prices.items() if price % quote.tick]
    wrong += [f"entry {said.entry} lies too far from the quote of {middle}"] if off else []
    wrong += [f"stop {said.stop} has to lie at least {least} below the entry {said.entry}"] if distance < least else []
    wrong += [f"target {t.price} is not above the entry {said.entry}" for t in said.targets if t.price <= said.entry]
    total = sum((t.fraction for t in said.targets), ZERO)
    return wrong + ([f"the targets' fractions add up to {total}, not to 1"] if total != ONE else [])


def of_graded(said: Graded, _grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about a review."""
    return _of_claims(said.claims, None, calls, ())


def of_trusted(said: Trusted, grounds: Grounds, calls: Calls) -> list[str]:
    """Complaints about a judgement of backtests: what the desk's own validation did not pass is not validated by words."""
    unfounded = said.verdict is Trust.VALIDATED and grounds.trust is not Trust.VALIDATED
    wrong = [f"the desk's own validation says {grounds.trust}, not {said.verdict}"] if unfounded else []
    return wrong + _of_claims(said.claims, None, calls, ("validated", "sharpe"))


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
