"""Daily bars of an invented market, a pure function of (seed, symbol, sector, number of sessions).

Promises prefix-stability: every draw comes from a stream of its own, read in order of sessions, so that more sessions or
other symbols change nothing that was there. The model: regimes (Markov chain) and volatility clusters (AR(1) of its
logarithm) move a market factor with Student-t shocks; a sector factor and an own one are added; prices drift back
slowly towards their level. Refuses to be realistic beyond that: nothing here says what a strategy earns elsewhere.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from trading_bot.domain.values import Symbol

_TAIL = 5
"""Degrees of freedom of the shocks; their variance is made 1."""
_REGIMES = ((0.20, 0.8, 0.985), (-0.25, 1.2, 0.970), (-0.05, 1.9, 0.950))
"""Bull, bear, turbulent: drift a year, factor on volatility, chance to stay another session."""
_MARKET, _SECTOR, _OWN = 0.6, 0.4, 0.65
"""Loads of the factors, in units of a symbol's volatility."""
_PERSISTENCE, _UNREST = 0.96, 0.14
"""Volatility clusters: x' = 0.96 x + 0.14 e, volatility times exp(x)."""
_PULL = 0.6
"""Share of the distance to its level that a price loses in a year."""
_NIGHT, _NIGHT_NOISE, _REACH = 0.3, 0.3, 0.45
"""Share of the day's move that happens overnight; noise of the gap and reach of the wicks in units of the day's volatility."""
_QUARTER = 63
_RUSH = 8
"""A move of one per cent raises the day's volume by eight."""
_LEAST_VOLUME = 1_200_000


@dataclass(frozen=True)
class Subject:
    """A symbol to invent bars for, in the world of `seed`."""

    seed: int
    symbol: Symbol
    sector: str
    tick: float


@dataclass(frozen=True, eq=False)
class Market:
    """What all symbols of a calendar share: per session the drift (a year) and the shock (in units of volatility)."""

    drift: np.ndarray
    moves: np.ndarray
    volatility: float
    """Of the mean symbol, a year."""
    year: float
    """Sessions a year."""
    pays: bool
    """Whether its symbols split and pay dividends."""


@dataclass(frozen=True)
class Character:
    """What stays with a symbol: level (USD), mean volume (shares a day), load on the market, split, dividends."""

    level: float
    volume: float
    beta: float
    split_session: int
    """Number of the session at whose opening it splits; -1 for never."""
    split_ratio: int
    dividend_yield: float
    """A year; 0 for none."""
    dividend_session: int
    """Number of the first ex-date; others follow every 63 sessions."""


@dataclass(frozen=True, eq=False)
class Walk:
    """Daily bars on the tick, one entry per session, and the events at their openings (1 and 0 for none)."""

    opens: np.ndarray
    highs: np.ndarray
    lows: np.ndarray
    closes: np.ndarray
    volumes: np.ndarray
    ratios: np.ndarray
    dividends: np.ndarray


def generator(seed: int, *key: str) -> np.random.Generator:
    """A stream of random numbers that depends on `seed` and `key` alone."""
    digest = hashlib.sha256("\x1f".join((str(seed), *key)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def character(seed: int, symbol: Symbol, *, pays: bool) -> Character:
    """The character of `symbol`: if it `pays`, one in three splits within two years, two in three pay dividends."""
    draw = generator(seed, "character", symbol)
    level, volume, beta = 70 * 3 ** draw.random(), 4e6 * 12 ** draw.random(), draw.uniform(0.7, 1.4)
    splits, session, ratio = draw.random() < pays / 3, int(draw.integers(40, 400)), int(draw.integers(2, 5))
    generous, payout, first = draw.random() < 2 * pays / 3, draw.uniform(0.005, 0.025), int(draw.integers(1, _QUARTER))
    return Character(level, volume, beta, session if splits else -1, ratio, payout if generous else 0.0, first)


def on_tick(prices: np.ndarray, tick: float) -> np.ndarray:
    """`prices` on the grid of `tick`, at least one tick, as the floats nearest to the decimals."""
    decimals = max(0, -math.floor(math.log10(tick))) + 2
    return np.asarray(np.round(np.maximum(np.round(prices / tick), 1) * tick, decimals))


def market_moves(seed: int, calendar: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`drift` and `moves` of a `Market` in each of `count` sessions."""
    chances = generator(seed, "regime", calendar).random((count, 2))
    drift, stress, state = np.empty(count), np.empty(count), 0
    for number, (leave, where) in enumerate(chances):
        if leave > _REGIMES[state][2]:
            state = (state + (1 if where < 1 / 2 else 2)) % len(_REGIMES)
        drift[number], stress[number] = _REGIMES[state][:2]
    return drift, stress * _clusters(seed, count, "market", calendar) * _shocks(seed, count, "market", calendar)


def walk(subject: Subject, market: Market) -> Walk:
    """Daily bars of `subject`, one per session of `market`."""
    seed, symbol, tick, count = subject.seed, subject.symbol, subject.tick, len(market.drift)
    mine = character(seed, symbol, pays=market.pays)
    heat = _clusters(seed, count, "own", symbol)
    daily = heat * market.volatility / math.sqrt(market.year)
    returns, payout, ratios = _returns(subject, market, mine, heat)
    first = mine.level * (math.sqrt(mine.split_ratio) if mine.split_session >= 0 else 1)
    close = first * np.exp(np.cumsum(returns)) / np.cumprod(ratios)
    before = np.concatenate([[first], close[:-1]]) / ratios
    night = _NIGHT * returns - (1 - _NIGHT) * payout + _NIGHT_NOISE * daily * _normals(seed, count, "night", symbol)
    opens, closes = on_tick(before * np.exp(night), tick), on_tick(close, tick)
    up, down = np.exp(_REACH * daily * np.abs(_normals(seed, 2 * count, "reach", symbol).reshape(count, 2).T))
    volume = mine.volume * np.cumprod(ratios) * np.exp(0.3 * _normals(seed, count, "volume", symbol) + _RUSH * np.abs(returns))
    return Walk(
        opens=opens,
        highs=np.maximum(on_tick(np.maximum(opens, closes) * up, tick), np.maximum(opens, closes)),
        lows=np.minimum(on_tick(np.minimum(opens, closes) / down, tick), np.minimum(opens, closes)),
        closes=closes,
        volumes=np.round(np.maximum(volume, _LEAST_VOLUME)),
        ratios=ratios,
        dividends=np.round(payout * before, 2),
    )


def _returns(subject: Subject, market: Market, mine: Character, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log returns less the dividend, the dividend as a share of the price, and the split ratio of each session."""
    seed, sector, numbers = subject.seed, subject.sector, np.arange(len(heat))
    together = _clusters(seed, len(heat), "sector", sector) * _shocks(seed, len(heat), "sector", sector)
    alone = heat * _shocks(seed, len(heat), "own", subject.symbol)
    moves = _MARKET * mine.beta * market.moves + _SECTOR * together + _OWN * alone
    wanted = mine.beta * market.drift / market.year + moves * market.volatility / math.sqrt(market.year)
    ex = (numbers > 0) & ((numbers - mine.dividend_session) % _QUARTER == 0)
    payout = np.where(ex, mine.dividend_yield * _QUARTER / market.year, 0.0)
    ratios = np.where(numbers == mine.split_session, float(mine.split_ratio), 1.0)
    return _pulled(wanted, _PULL / market.year) - payout, payout, ratios


def _pulled(wanted: np.ndarray, pull: float) -> np.ndarray:
    """`wanted` log returns, each less `pull` times the distance that the price has gone by then."""
    returns, gone = np.empty(len(wanted)), 0.0
    for number, move in enumerate(wanted.tolist()):
        returns[number] = move - pull * gone
        gone += returns[number]
    return returns


def _clusters(seed: int, count: int, *key: str) -> np.ndarray:
    """Factor on volatility, 1 in the mean of its squares, slow to change."""
    level, levels = 0.0, np.empty(count)
    for number, shock in enumerate(_normals(seed, count, "clusters", *key).tolist()):
        level = _PERSISTENCE * level + _UNREST * shock
        levels[number] = level
    return np.asarray(np.exp(levels - _UNREST**2 / (1 - _PERSISTENCE**2)))


def _shocks(seed: int, count: int, *key: str) -> np.ndarray:
    draws = generator(seed, "shocks", *key).standard_t(_TAIL, count)
    return np.asarray(np.clip(draws * math.sqrt((_TAIL - 2) / _TAIL), -6, 6))


def _normals(seed: int, count: int, *key: str) -> np.ndarray:
    return np.asarray(generator(seed, "normals", *key).standard_normal(count))
