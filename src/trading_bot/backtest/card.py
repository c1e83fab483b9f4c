"""The run card: what a result was made from, in digests and versions, and whether that is still there.

Covered of each symbol, for each timeframe that a run may read (the plan's own, or all where the source makes it from finer ones; the
finest, which fills are made from; the coarsest, which buy and hold is marked at): every bar that begins before the close of the plan's
last session, history from the source's first bar on included, with its close, feed and price basis; every split, dividend and funding;
the instrument's grid. Not covered: what comes after, which no run may see.

Promises that equal inputs give equal cards on every machine, and that a difference is told by the name of what changed. Refuses
nothing itself: `expect_card` does.
"""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from trading_bot.backtest.plan import Card, Market, Plan
from trading_bot.domain.errors import CardMismatchError, NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Funding, Timeframe
from trading_bot.domain.values import Digest, Symbol, canonical_json, derive_digest
from trading_bot.ports import BarSeries, Funded

LIBRARIES = ("trading-bot", "numpy", "pandas", "numba", "TA-Lib", "exchange-calendars", "optuna")
_COLUMNS = ["open", "high", "low", "close", "volume"]
_PACKAGE = Path(__file__).resolve().parents[1]
_LOOKBACK = timedelta(days=14)
"""Longer than any exchange stays closed."""


@dataclass(frozen=True)
class Inputs:
    """What a run is made from besides its plan and its market. `strategy`: digest of the strategy's file."""

    strategy: Digest
    config: Digest
    prompts: Digest | None = None
    models: tuple[str, ...] = ()
    files: Mapping[str, Digest] = field(default_factory=dict)
    """Further data by name, such as a file of sentiment."""


def make_card(plan: Plan, market: Market, inputs: Inputs, command: str) -> Card:
    """The card of a run of `plan` on `market` by `command`. NoDataError if the source does not have a symbol."""
    costs = canonical_json({**market.costs.model_dump(mode="json"), "spread_bps": str(market.spread_bps)})
    return Card(
        plan=plan,
        data={**data_digests(plan, market), **inputs.files},
        code=derive_digest(package_digest(_PACKAGE), inputs.strategy),
        config=derive_digest(inputs.config, costs),
        prompts=inputs.prompts,
        models=inputs.models,
        versions={"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        command=command,
    )


def check_card(card: Card, market: Market, inputs: Inputs) -> tuple[str, ...]:
    """What has changed since `card` was made, a phrase each; empty if a run of its plan has to give the same result."""
    gone = tuple(symbol for symbol in card.plan.symbols if not _has(market, symbol))
    if gone:
        return tuple(f"data of {symbol} is gone" for symbol in gone)
    return differences(card, make_card(card.plan, market, inputs, card.command))


def expect_card(card: Card, market: Market, inputs: Inputs) -> None:
    """CardMismatchError, naming all that changed, unless everything is as `card` says."""
    if changed := check_card(card, market, inputs):
        msg = f"this is not what the run card was made from: {'; '.join(changed)}. Bring that back, or make a new run"
        raise CardMismatchError(msg)


def differences(old: Card, new: Card) -> tuple[str, ...]:
    """How `new` differs from `old`, a phrase each; the command does not count."""
    return tuple(_differences(old, new))


def _differences(old: Card, new: Card) -> Iterable[str]:
    yield from _turned("plan's ", _told(old), _told(new))
    for name in sorted(old.data.keys() | new.data.keys()):
        before, after = old.data.get(name), new.data.get(name)
        if before != after:
            yield f"data of {name} {'changed' if before and after else 'is gone' if before else 'is new'}"
    digests = (
        ("code changed (the package or the strategy's file)", old.code, new.code),
        ("configuration changed", old.config, new.config),
        ("prompts changed", old.prompts, new.prompts),
    )
    yield from (words for words, before, after in digests if before != after)
    yield from _turned("", {"models": ", ".join(old.models) or "none"}, {"models": ", ".join(new.models) or "none"})
    yield from _turned("version of ", old.versions, new.versions)


def _told(card: Card) -> dict[str, str]:
    """The plan's fields and parameters in words."""
    told = card.plan.model_dump(mode="json")
    values: dict[str, float] = told.pop("values")
    return {**{key: str(value) for key, value in told.items()}, **{f"parameter {name}": f"{value:g}" for name, value in values.items()}}


def _turned(of: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterable[str]:
    """What has another text, or is in one alone."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, "none"), new.get(name, "none")
        if before != after:
            yield f"{of}{name} changed from {before} to {after}"


def data_digests(plan: Plan, market: Market) -> dict[str, Digest]:
    """Digest of the bars, actions and grid of each symbol, by `symbol timeframe`; the module's docstring says what is covered."""
    found = {}
    for symbol in plan.symbols:
        instrument = market.source.instrument(symbol)
        until = _until(plan, market, instrument)
        actions = [a.model_dump(mode="json") for a in market.source.actions(symbol) if a.ex < until]
        actions += [f.model_dump(mode="json") for f in _fundings(market, symbol) if f.at < until]
        grid = canonical_json([instrument.model_dump(mode="json"), actions])
        for timeframe in _read_timeframes(market.source.timeframes(symbol), plan.timeframe):
            found[f"{symbol} {timeframe}"] = derive_digest(bars_digest(market.source.bars(symbol, timeframe), until), grid)
    return found


def _fundings(market: Market, symbol: Symbol) -> tuple[Funding, ...]:
    return market.source.fundings(symbol) if isinstance(market.source, Funded) else ()


def bars_digest(series: BarSeries, until: datetime) -> Digest:
    """SHA-256 of the bars of `series` that begin before `until`, of when they close, and of what prices they are."""
    starts = pd.DatetimeIndex(series.frame.index).as_unit("ns").asi8
    count = int(np.searchsorted(starts, pd.Timestamp(until).as_unit("ns").value))
    told = [series.symbol, series.timeframe, series.feed, series.basis, str(count)]
    found = hashlib.sha256(canonical_json(told).encode())
    found.update(starts[:count].astype("<i8").tobytes())
    found.update(series.ends[:count].astype("datetime64[ns]").astype("<i8").tobytes())
    found.update(series.frame[_COLUMNS].to_numpy(dtype="<f8")[:count].tobytes())
    return Digest(found.hexdigest())


@cache
def package_digest(folder: Path) -> Digest:
    """SHA-256 of all Python files under `folder` by their paths; read once in a process, whose code does not change either."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
        found.update(canonical_json([path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()]).encode())
    return Digest(found.hexdigest())


def _read_timeframes(has: tuple[Timeframe, ...], wanted: Timeframe) -> tuple[Timeframe, ...]:
    """Those of `has` (finest first) that a run may read."""
    read = {has[0], has[-1], *({wanted} if wanted in has else has)} if has else set()
    return tuple(timeframe for timeframe in has if timeframe in read)


def _until(plan: Plan, market: Market, instrument: Instrument) -> datetime:
    """Close of the last session of `plan`; NoDataError if there is no session up to its end."""
    calendar = market.calendars(instrument.calendar)
    sessions = calendar.sessions(plan.last - _LOOKBACK, plan.last)
    if not sessions:
        raise NoDataError(f"{instrument.calendar} has no session up to {plan.last}; ask for dates that the calendar knows")
    return calendar.hours(sessions[-1])[1]


def _has(market: Market, symbol: Symbol) -> bool:
    try:
        return bool(market.source.timeframes(symbol))
    except NoDataError:
        return False
