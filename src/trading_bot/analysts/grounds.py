"""What the desk knows by itself when it asks a model: the grounds that an answer is held against.

Promises numbers of the desk's own code, as of the brief's time. Refuses to guess a quote: without one no price can be checked.
"""

from collections.abc import Sequence
from decimal import Decimal

from trading_bot.analysts.sense import Coin, Grounds, OwnQuote, Resting
from trading_bot.backtest.lineup import Lineup, trust_in
from trading_bot.domain.research import Analysis, EntryPlan, Screening
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import Symbol
from trading_bot.market.coins import Look, candidates
from trading_bot.market.screen import screen
from trading_bot.ports import Brief

_COLLAR = Decimal("0.01")
"""An entry at the market that lies further off the quote is none."""


def own_screening(brief: Brief) -> Screening:
    """Every symbol that passes the desk's own screen and is not held."""
    open_to = [symbol for symbol in brief.universe if symbol not in brief.books.positions]
    return screen(brief.view, open_to, top=len(open_to))


def of_screen(brief: Brief, own: Screening) -> Grounds:
    """To check a choice of candidates."""
    return Grounds(
        as_of=brief.view.now(),
        universe=tuple(brief.universe),
        held=tuple(sorted(brief.books.positions)),
        passed=tuple(candidate.symbol for candidate in own.candidates),
    )


def own_coins(brief: Brief) -> tuple[Coin, ...]:
    """Every coin that passes the desk's own screen and is not held, with what its prices will be held to."""
    seen = candidates(brief.view, [symbol for symbol in brief.universe if symbol not in brief.books.positions])
    return tuple(_coin(one) for one in seen)


def _coin(seen: Look) -> Coin:
    quote = OwnQuote(bid=seen.quote.bid, ask=seen.quote.ask, tick=seen.instrument.tick_size)
    sides = tuple(chance.side for chance in seen.chances if not chance.why_not)
    return Coin(instrument=seen.instrument, quote=quote, noise=seen.noise, sides=sides)


def of_opening(brief: Brief, coins: Sequence[Coin]) -> Grounds:
    """To check which coin is opened, and how."""
    return Grounds(
        as_of=brief.view.now(),
        universe=tuple(brief.universe),
        held=tuple(sorted(brief.books.positions)),
        passed=tuple(coin.instrument.symbol for coin in coins),
        collar=_COLLAR,
        coins=tuple(coins),
    )


def of_trade(brief: Brief, trade: RunningTrade) -> Grounds:
    """To check what is to be done about a running trade."""
    return of_symbol(brief, trade.symbol).model_copy(update={"trade": Resting(side=trade.side, stop=trade.stop)})


def of_analysis(brief: Brief, own: Analysis) -> Grounds:
    """To check a recommendation."""
    return of_symbol(brief, own.symbol).model_copy(update={"stop": own.stop})


def of_plan(brief: Brief, own: EntryPlan) -> Grounds:
    """To check prices."""
    return of_symbol(brief, own.symbol).model_copy(update={"entry": own.entry, "noise": own.noise})


def of_symbol(brief: Brief, symbol: Symbol) -> Grounds:
    """To check what is said of one symbol."""
    return Grounds(as_of=brief.view.now(), universe=(symbol,), symbol=symbol, quote=own_quote(brief, symbol))


def own_quote(brief: Brief, symbol: Symbol) -> OwnQuote | None:
    """The newest quote, with the grid that prices lie on."""
    quote, tick = brief.view.quote(symbol), brief.view.instrument(symbol).tick_size
    return None if quote is None else OwnQuote(bid=quote.bid, ask=quote.ask, tick=tick)


def of_backtests(brief: Brief, own: Lineup) -> Grounds:
    """To check what is said of backtests."""
    return Grounds(as_of=brief.view.now(), universe=own.symbols, trust=trust_in(own))


def of_period(brief: Brief) -> Grounds:
    """To check what is said of no symbol: its claims alone count."""
    return Grounds(as_of=brief.view.now(), universe=())
