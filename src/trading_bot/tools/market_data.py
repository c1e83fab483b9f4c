"""The market-data tools: quotes, bars, hours, indicators, the screen, regimes.

Promises what the rules see, as of the scope's time, with time, source and feed of every price. Refuses days that have not come.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from trading_bot.domain.errors import BadBarsError, NoDataError, ToolFailedError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Timeframe
from trading_bot.domain.research import Candidate, Elimination
from trading_bot.domain.values import Symbol
from trading_bot.market.analysis import analyze
from trading_bot.market.regime import BENCHMARKS, classify, market_regime
from trading_bot.market.screen import TERMS, screen
from trading_bot.market.snapshot import Snapshot, take
from trading_bot.tools import queries
from trading_bot.tools import results_market as results
from trading_bot.tools.looking import BARS, age_seconds, level, mark_of, on_tick, quote_of, snapshot_of
from trading_bot.tools.scope import Scope

_COLUMNS = ("open", "high", "low", "close", "volume")
_PAGE_OUT = 100
_REASONS = 3


def get_quote(scope: Scope, query: queries.OfSymbol) -> results.QuoteTold:
    """The newest quote, however old: its age stands beside it."""
    instrument, quote = scope.view.instrument(query.symbol), quote_of(scope, query.symbol)
    return results.QuoteTold(
        as_of=scope.view.now(),
        symbol=query.symbol,
        in_universe=query.symbol in scope.universe,
        bid=quote.bid,
        ask=quote.ask,
        mid=mark_of(quote, instrument).price,
        spread_percent=float(100 * quote.spread / quote.mid),
        bid_size=quote.bid_size,
        ask_size=quote.ask_size,
        time=quote.time,
        age_seconds=age_seconds(quote.time, scope.view.now()),
        source=quote.source,
        feed=quote.feed,
        currency=instrument.currency,
        **_contract(scope, instrument),
    )


def _contract(scope: Scope, instrument: Instrument) -> dict[str, Any]:
    """What the venue of a perpetual says of it besides; nothing of anything else."""
    found = scope.view.contract(instrument.symbol)
    if found is None:
        return {}
    return {
        "mark_price": level(instrument, found.mark),
        "funding_rate_percent": float(100 * found.funding_rate),
        "next_funding_at": found.next_funding_at,
    }


def get_historical(scope: Scope, query: queries.Historical) -> results.HistoricalTold:
    """A page of the last closed bars, oldest first."""
    timeframe, now = Timeframe(query.timeframe), scope.view.now()
    if query.last is not None and query.last > now.date():
        msg = f"{query.last} has not come: it is {now.date()}; leave `last` out for the newest bars"
        raise ToolFailedError(msg)
    instrument, bars = scope.view.instrument(query.symbol), _bars(scope, query, timeframe)
    page = bars.iloc[query.offset : query.offset + queries.PAGE_BARS]
    after = query.offset + len(page)
    return results.HistoricalTold(
        as_of=now,
        symbol=query.symbol,
        in_universe=query.symbol in scope.universe,
        timeframe=timeframe,
        source=BARS,
        feed=scope.view.feed(query.symbol, timeframe),
        total=len(bars),
        columns=("start", *_COLUMNS),
        rows=tuple(_row(instrument, timeframe, row) for row in page[list(_COLUMNS)].itertuples()),
        next_offset=after if after < len(bars) else None,
    )


def _bars(scope: Scope, query: queries.Historical, timeframe: Timeframe) -> pd.DataFrame:
    """The last `lookback` bars up to the day wanted. ToolFailedError if there are none."""
    count = query.lookback if query.last is None else queries.MOST_BARS
    bars = scope.view.bars(query.symbol, timeframe, count)
    if query.last is not None:
        bars = bars[bars.index < pd.Timestamp(query.last, tz="UTC") + pd.Timedelta(days=1)].tail(query.lookback)
    if bars.empty:
        until = f" up to {query.last}" if query.last is not None else ""
        msg = (
            f"{query.symbol} has no closed bar of {timeframe}{until} within the last {queries.MOST_BARS}: ask for another timeframe or day"
        )
        raise ToolFailedError(msg)
    return bars


def _row(
    instrument: Instrument, timeframe: Timeframe, row: tuple[pd.Timestamp, float, float, float, float, float]
) -> tuple[results.Cell, ...]:
    start, *prices, volume = row
    shown = f"{start:%Y-%m-%d}" if timeframe is Timeframe.DAY else f"{start:%Y-%m-%dT%H:%MZ}"
    known = (on_tick(instrument, price) for price in prices)
    return (shown, *(None if price is None else float(price) for price in known), None if pd.isna(volume) else round(volume, 4))


def get_market_status(scope: Scope, query: queries.Nothing) -> results.StatusTold:  # noqa: ARG001 - every tool is asked something
    """The session that is open, and the next one."""
    now, calendar = scope.view.now(), scope.calendar
    session = calendar.session_at(now)
    following = _next_session(scope, now.date(), session)
    opens = calendar.hours(following)[0]
    closes = None if session is None else calendar.hours(session)[1]
    return results.StatusTold(
        as_of=now,
        calendar=calendar.name,
        open=session is not None,
        session=session,
        closes_at=closes,
        next_session=following,
        next_opens_at=opens,
        minutes_to_change=-age_seconds(closes or opens, now) // 60,
    )


def _next_session(scope: Scope, today: date, session: date | None) -> date:
    """Today's session while it is still to come, else the one after."""
    calendar = scope.calendar
    if session is None and calendar.is_session(today) and calendar.hours(today)[0] > scope.view.now():
        return today
    return calendar.next_session(session or today)


def calculate_indicators(scope: Scope, query: queries.Indicators) -> results.IndicatorsTold:
    """Indicators, levels, and for daily bars what the desk's rules make of them."""
    timeframe = Timeframe(query.timeframe)
    instrument, snapshot = scope.view.instrument(query.symbol), snapshot_of(scope, query.symbol, timeframe)
    return results.IndicatorsTold(
        as_of=scope.view.now(),
        symbol=query.symbol,
        in_universe=query.symbol in scope.universe,
        timeframe=timeframe,
        price=level(instrument, snapshot.price),
        bar=snapshot.bar,
        source=BARS,
        feed=snapshot.feed,
        atr_percent=snapshot.atr_percent,
        relative_volume=snapshot.relative_volume,
        support=on_tick(instrument, snapshot.support),
        resistance=on_tick(instrument, snapshot.resistance),
        market_regime=market_regime(scope.view, scope.universe),
        analysis=_analysis(scope, instrument, snapshot) if timeframe is Timeframe.DAY else None,
        **{name: snapshot.value(name) for name in ("rsi_14", "macd_histogram", "atr_14", "adx_14")},
        **{name: on_tick(instrument, snapshot.value(name)) for name in ("sma_20", "sma_50", "bb_upper", "bb_lower")},
    )


def _analysis(scope: Scope, instrument: Instrument, snapshot: Snapshot) -> results.DeskAnalysis | None:
    """The rules' analysis; None before the first quote, without which nobody knows the spread."""
    quote = scope.view.quote(snapshot.symbol)
    if quote is None:
        return None
    found = analyze(snapshot, market_regime(scope.view, scope.universe), float(quote.spread))
    return results.DeskAnalysis(
        score=found.score,
        recommendation=found.recommendation,
        signals_held=tuple(check.name for check in found.signals if check.passed),
        signals_missed=tuple(check.name for check in found.signals if not check.passed),
        stop=on_tick(instrument, found.stop),
        stop_basis=found.stop_basis,
    )


def scan_momentum(scope: Scope, query: queries.Scan) -> results.ScanTold:
    """The screen of what is not held yet."""
    symbols = [s for s in scope.universe if s not in scope.material.books.positions]
    found = screen(scope.view, symbols, top=query.top)
    listed = [results.Out(symbol=out.symbol, reason=_shown(out)) for out in found.eliminated]
    page = listed[query.offset : query.offset + _PAGE_OUT]
    after = query.offset + len(page)
    return results.ScanTold(
        as_of=scope.view.now(),
        regime=found.regime,
        source=BARS,
        candidates=tuple(_candidate(scope, candidate) for candidate in found.candidates),
        screened=len(symbols),
        eliminated=dict(Counter(map(_kind, found.eliminated)).most_common()),
        eliminated_symbols=tuple(page) if query.detail else None,
        next_offset=after if query.detail and after < len(listed) else None,
    )


def _candidate(scope: Scope, candidate: Candidate) -> results.CandidateTold:
    fields = {name: getattr(candidate, name) for name in ("symbol", "score", "volume", "technical", "trend", "liquidity")}
    price = level(scope.view.instrument(candidate.symbol), candidate.price)
    return results.CandidateTold(**fields, price=price, reasons=_reasons(take(scope.view, candidate.symbol)))


def _reasons(snapshot: Snapshot | None) -> tuple[str, ...]:
    """The terms that earned the most points, with what was measured."""
    if snapshot is None:
        return ()
    measured = [(term, term.measure(snapshot)) for term in TERMS]
    best = sorted(measured, key=lambda pair: -pair[0].earn(pair[1]))[:_REASONS]
    return tuple(f"{term.name} {actual:.2f}" for term, actual in best if actual is not None)


def _kind(out: Elimination) -> str:
    """The reason without its numbers, so that equal ones can be counted."""
    return "score too low" if out.reason.startswith("score ") else out.reason.partition(":")[0]


def _shown(out: Elimination) -> str:
    """The reason; what a source says of missing or bad data is not for the caller."""
    kind = _kind(out)
    return kind if kind in {"no data", "bad data"} else out.reason


def detect_regime(scope: Scope, query: queries.OfSymbolOrMarket) -> results.RegimeTold:
    """The market's regime by its benchmark or its breadth, and one symbol's."""
    benchmark = next((s for s in BENCHMARKS if s in scope.universe), None)
    return results.RegimeTold(
        as_of=scope.view.now(),
        market_regime=market_regime(scope.view, scope.universe),
        basis=benchmark or "breadth of the universe",
        above_sma_50_percent=_breadth(scope, scope.universe),
        of_symbol=None if query.symbol is None else _symbol_regime(scope, query.symbol),
    )


def _breadth(scope: Scope, symbols: Sequence[Symbol]) -> float | None:
    taken = [s for s in (_taken(scope, symbol) for symbol in symbols) if s is not None]
    above = [s.price > average for s in taken if (average := s.value("sma_50")) is not None]
    return 100 * sum(above) / len(above) if above else None


def _taken(scope: Scope, symbol: Symbol) -> Snapshot | None:
    try:
        return take(scope.view, symbol)
    except (NoDataError, BadBarsError):
        return None


def _symbol_regime(scope: Scope, symbol: Symbol) -> results.SymbolRegime:
    snapshot = snapshot_of(scope, symbol)
    slope, volatility = snapshot.value("sma_50_slope"), snapshot.value("volatility_20")
    return results.SymbolRegime(
        symbol=symbol,
        in_universe=symbol in scope.universe,
        regime=classify(snapshot),
        price=level(scope.view.instrument(symbol), snapshot.price),
        bar=snapshot.bar,
        adx_14=snapshot.value("adx_14"),
        sma_50_slope_percent=None if slope is None else 100 * slope,
        volatility_percent=None if volatility is None else 100 * volatility,
        volatility_rank=snapshot.value("volatility_rank"),
    )
