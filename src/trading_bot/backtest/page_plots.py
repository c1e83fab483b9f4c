"""The plots of a report page, as plain data for plotly.js (`{"data": [...], "layout": {...}}`), each with what it shows in words.

Promises finite numbers only, and text from outside (symbols, parameters) escaped: plotly.js reads markup in its labels. Refuses to draw
more than a page can carry: what was left out is said in the caption.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from trading_bot.backtest.figures import number, percent
from trading_bot.backtest.inference import Bootstrap
from trading_bot.backtest.plan import Cell, Result
from trading_bot.backtest.statistics import Floats
from trading_bot.domain.orders import Side
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import Symbol

OWN, HELD, GOOD, BAD, MARK = "#3b82f6", "#94a3b8", "#16a34a", "#dc2626", "#f59e0b"
BARS = 400
"""Candles of one plot: more cannot be told apart."""
TRADES = 150
VALUES = 60
"""Values on one axis of a heat map."""
_AFTER = 20
"""Bars shown after the last trade."""
_BINS = 40
_DIGITS = 7
Trace = dict[str, Any]


@dataclass(frozen=True)
class Plot:
    """One plot: traces and layout of plotly.js, a title, and what it shows in words."""

    title: str
    caption: str
    data: Sequence[Trace]
    layout: Mapping[str, Any]
    height: int = 340

    def content(self) -> dict[str, Any]:
        """What plotly.js is given."""
        return {"data": list(self.data), "layout": {"height": self.height, **self.layout}}


def equity(result: Result) -> Plot:
    """The account, and buy and hold beside it."""
    days = [str(day) for day in result.sessions]
    traces = [_line(days, result.equity, result.plan.strategy, OWN, width=2)]
    caption = f"Worth of the account at each session's close, {number(result.start)} at the start"
    if result.benchmark:
        traces.append(_line(days, result.benchmark, "buy and hold", HELD))
        caption += "; grey: the same cash in the same symbols, bought on the first day and held"
    return Plot("Equity", f"{caption}.", traces, {"yaxis": {"tickformat": ",.6~g"}, "hovermode": "x unified", "showlegend": True}, 380)


def drawdown(result: Result) -> Plot:
    """How far below its highest close the account is."""
    days = [str(day) for day in result.sessions]
    own = {**_line(days, _falls(result.equity, float(result.start)), result.plan.strategy, BAD), "fill": "tozeroy"}
    traces = [own]
    if result.benchmark:
        traces.append(_line(days, _falls(result.benchmark, float(result.start)), "buy and hold", HELD))
    caption = "How far each close lies below the highest one before it"
    return Plot("Drawdown", f"{caption}.", traces, {"yaxis": {"tickformat": ".0%"}, "hovermode": "x unified", "showlegend": True}, 240)


def _falls(worth: Sequence[float], start: float) -> Floats:
    path = np.concatenate(([start], np.asarray(worth, dtype=np.float64)))
    return (path / np.maximum.accumulate(path) - 1)[1:]


def trades_on_candles(symbol: Symbol, bars: pd.DataFrame, trades: Sequence[RoundTrip]) -> Plot:
    """The newest bars of a symbol with where it was entered and left. `bars`: open, high, low, close over a UTC index."""
    own = [t for t in trades if t.symbol == symbol]
    shown = _window(bars, own)
    index = pd.DatetimeIndex(shown.index)
    # A trade at the end of the last bar is still in it.
    end = index[-1] + pd.Timedelta(days=1)
    inside = [t for t in own if t.closed_at >= index[0] and t.opened_at <= end]
    drawn = inside[-TRADES:]
    labels = _labels(index)
    candles = {
        "type": "candlestick",
        "name": escape(symbol),
        "x": labels,
        **{name: _rounded(shown[name].to_numpy()) for name in ("open", "high", "low", "close")},
        "increasing": {"line": {"color": GOOD, "width": 1}},
        "decreasing": {"line": {"color": BAD, "width": 1}},
    }
    axis = {"type": "category", "nticks": 8, "rangeslider": {"visible": False}, "showgrid": False}
    layout = {"xaxis": axis, "yaxis": {"tickformat": ",.6~g"}, "showlegend": True}
    caption = _cut(len(bars), len(shown), len(own), len(drawn))
    place = _places(index, labels)
    return Plot(f"{symbol}: trades", caption, [candles, *_ways(drawn, place), *_marks(drawn, place)], layout, 420)


def _window(bars: pd.DataFrame, trades: Sequence[RoundTrip]) -> pd.DataFrame:
    """The newest bars that have something to show: they end soon after the last trade, which may be long ago."""
    last = max((t.closed_at for t in trades), default=None)
    end = len(bars) if last is None else int(pd.DatetimeIndex(bars.index).searchsorted(pd.Timestamp(last))) + _AFTER
    end = max(min(end, len(bars)), min(BARS, len(bars)))
    return bars.iloc[max(0, end - BARS) : end]


def _cut(bars: int, shown: int, trades: int, drawn: int) -> str:
    """What is in a plot of candles, and what was left out."""
    newest = f"The {shown:,} of {bars:,} bars up to the last trade" if shown < bars else f"All {bars:,} bars"
    of = f"{drawn:,} of {trades:,} trades, the newest of this time" if drawn < trades else f"all {trades:,} trades"
    marks = "Triangles enter, circles leave; green won, red lost. A trade is told in shares as of its exit."
    return f"{newest}, {of}. {marks}"


def _labels(index: pd.DatetimeIndex) -> list[str]:
    """A bar's name on an axis without gaps."""
    daily = len(index) > 1 and min(index[1:] - index[:-1]) >= pd.Timedelta(hours=12)
    return [f"{moment:%Y-%m-%d}" if daily else f"{moment:%Y-%m-%d %H:%M}" for moment in index]


def _places(index: pd.DatetimeIndex, labels: Sequence[str]) -> Callable[[datetime], str]:
    """From a moment to the bar that it lies in."""
    return lambda at: labels[max(0, int(index.searchsorted(pd.Timestamp(at), side="right")) - 1)]


def _ways(trades: Sequence[RoundTrip], place: Callable[[datetime], str]) -> list[Trace]:
    """A dotted line from each entry to its exit."""
    traces = []
    for name, color, won in (("won", GOOD, True), ("lost", BAD, False)):
        chosen = [t for t in trades if (t.profit > 0) == won]
        x = [at for t in chosen for at in (place(t.opened_at), place(t.closed_at), None)]
        y = [price for t in chosen for price in (float(t.entry_price), float(t.exit_price), None)]
        line = {"color": color, "width": 1.5, "dash": "dot"}
        traces.append({"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": line, "hoverinfo": "skip"})
    return [trace for trace in traces if trace["x"]]


def _marks(trades: Sequence[RoundTrip], place: Callable[[datetime], str]) -> list[Trace]:
    """Entries and exits."""
    if not trades:
        return []
    shapes = ["triangle-up" if t.side is Side.BUY else "triangle-down" for t in trades]
    ends = [GOOD if t.profit > 0 else BAD for t in trades]
    entries = [f"{'long' if t.side is Side.BUY else 'short'} {t.quantity:f} at {t.entry_price:.2f}" for t in trades]
    exits = [f"left at {t.exit_price:.2f} by {t.exit_role}: {t.profit:+,.2f}" for t in trades]
    edge = {"color": "#ffffff", "width": 1}
    both = {"type": "scatter", "mode": "markers", "hoverinfo": "x+text"}
    return [
        {
            **both,
            "name": "entry",
            "x": [place(t.opened_at) for t in trades],
            "y": [float(t.entry_price) for t in trades],
            "text": entries,
            "marker": {"symbol": shapes, "size": 12, "color": OWN, "line": edge},
        },
        {
            **both,
            "name": "exit",
            "x": [place(t.closed_at) for t in trades],
            "y": [float(t.exit_price) for t in trades],
            "text": exits,
            "marker": {"symbol": "circle", "size": 9, "color": ends, "line": edge},
        },
    ]


def parameters(cells: Sequence[Cell], chosen: Mapping[str, float]) -> Plot | None:
    """The Sharpe ratio over the two parameters with the most values (over one: a line). None if nothing was varied.

    `chosen`: the run's own values, marked. Further parameters are held at those of the best cell.
    """
    values = {name: sorted({_at(cell, name) for cell in cells}) for name in (_names(cells[0]) if cells else ())}
    varied = sorted((name for name in values if len(values[name]) > 1), key=lambda name: -len(values[name]))
    if not varied:
        return None
    best = max(cells, key=lambda cell: -np.inf if cell.sharpe is None else cell.sharpe)
    held = {name: _at(best, name) for name in varied[2:]}
    shown = [cell for cell in cells if all(_at(cell, name) == value for name, value in held.items())]
    fixed = "".join(f"; {name} held at {value:g}, as in the best of all" for name, value in held.items())
    if len(varied) == 1:
        return _profile(varied[0], shown, chosen)
    which = f"Sharpe ratio of {len(shown):,} of {len(cells):,} combinations{fixed}"
    caption = f"{which}. The ring is this run. A plateau is worth more than a peak."
    across, up = sorted(varied[:2], key=list(values).index)
    axes = {name: _thinned(values[name], {_at(best, name), chosen.get(name, values[name][0])}) for name in (across, up)}
    if any(len(axes[name]) < len(values[name]) for name in axes):
        caption += f" Of an axis with more than {VALUES} values as many are shown, evenly spread, with this run's and the best."
    return _heat(across, up, shown, axes, chosen, caption)


def _thinned(values: Sequence[float], kept: set[float]) -> list[float]:
    """At most about `VALUES` of them, evenly spread, and those of `kept` that there are."""
    places = np.unique(np.linspace(0, len(values) - 1, VALUES).round().astype(int)) if len(values) > VALUES else range(len(values))
    return sorted({values[n] for n in places} | (kept & set(values)))


def _at(cell: Cell, name: str) -> float:
    return cell.values[name]  # noqa: PD011 - of a cell, not of a frame


def _names(cell: Cell) -> Sequence[str]:
    return list(cell.values)


def _heat(  # noqa: PLR0913, PLR0917 - the two axes and what is on them
    across: str, up: str, cells: Sequence[Cell], values: Mapping[str, Sequence[float]], chosen: Mapping[str, float], caption: str
) -> Plot:
    known = {(_at(cell, across), _at(cell, up)): cell.sharpe for cell in cells}
    heat = {
        "type": "heatmap",
        "x": [f"{x:g}" for x in values[across]],
        "y": [f"{y:g}" for y in values[up]],
        "z": [[known.get((x, y)) for x in values[across]] for y in values[up]],
        "colorscale": [[0, BAD], [0.5, "#f1f5f9"], [1, OWN]],
        "zmid": 0,
        "colorbar": {"title": {"text": "Sharpe"}, "thickness": 14},
        "hovertemplate": f"{escape(across)} %{{x}}, {escape(up)} %{{y}}: %{{z:.2f}}<extra></extra>",
    }
    traces = [heat]
    if (chosen.get(across), chosen.get(up)) in known:
        ring = {"symbol": "circle-open", "size": 16, "color": MARK, "line": {"width": 3}}
        at = {"x": [f"{chosen[across]:g}"], "y": [f"{chosen[up]:g}"]}
        traces.append({"type": "scatter", "mode": "markers", **at, "marker": ring, "name": "this run", "hoverinfo": "skip"})
    axes = {
        axis: {"type": "category", "title": {"text": escape(name)}, "showgrid": False} for axis, name in (("xaxis", across), ("yaxis", up))
    }
    return Plot("Parameters", caption, traces, {**axes, "showlegend": False}, 420)


def _profile(name: str, cells: Sequence[Cell], chosen: Mapping[str, float]) -> Plot:
    ordered = sorted(cells, key=lambda cell: _at(cell, name))
    line = _line([_at(cell, name) for cell in ordered], [cell.sharpe for cell in ordered], "Sharpe ratio", OWN)
    shapes = [_upright(chosen[name], MARK)] if name in chosen else []
    caption = f"Sharpe ratio of {len(cells):,} values of {name}. The upright line is this run."
    axes = {"xaxis": {"title": {"text": escape(name)}}, "yaxis": {"tickformat": ".2f"}}
    return Plot("Parameters", caption, [{**line, "mode": "lines+markers"}], {**axes, "shapes": shapes, "showlegend": False}, 300)


def bootstrapped(drawn: Bootstrap, result: Result) -> tuple[Plot, ...]:
    """Distributions of the total return and of the Sharpe ratio over histories drawn from this one's sessions."""
    intervals = drawn.intervals()
    wanted = (
        ("total_return", "Total return of drawn histories", drawn.total_return, percent, ".0%"),
        ("sharpe", "Sharpe ratio of drawn histories", drawn.sharpe, number, ".1f"),
    )
    plots = []
    for field, title, values, write, form in wanted:
        if field not in intervals:
            continue
        known, ends = values[np.isfinite(values)], intervals[field]
        heights, edges = np.histogram(known, bins=_BINS)
        bars = {"type": "bar", "x": _rounded((edges[1:] + edges[:-1]) / 2), "y": heights.tolist(), "marker": {"color": OWN}}
        actual = getattr(result.performance, field)
        shapes = [_upright(ends.low, HELD), _upright(ends.high, HELD), *([_upright(actual, MARK)] if actual is not None else [])]
        caption = (
            f"{len(known):,} histories drawn from this one's sessions in blocks. {ends.level:.0%} lie between {write(ends.low)} "
            f"and {write(ends.high)} (grey); {np.mean(known <= 0):.0%} are at or below 0. Amber: the run itself."
        )
        layout = {"bargap": 0.04, "xaxis": {"tickformat": form}, "shapes": shapes, "showlegend": False}
        plots.append(Plot(title, caption, [bars], layout, 260))
    return tuple(plots)


def _upright(at: float, color: str) -> Trace:
    line = {"color": color, "width": 2.5, "dash": "solid" if color == MARK else "dash"}
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _line(x: Sequence[Any], y: Sequence[float | None] | Floats, name: str, color: str, width: float = 1.5) -> Trace:
    line = {"color": color, "width": width}
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": _rounded(y), "name": escape(name), "line": line}


def _rounded(values: Sequence[float | None] | Floats) -> list[float | None]:
    """As many digits as a screen can show."""
    return [None if value is None or not np.isfinite(value) else float(f"{value:.{_DIGITS}g}") for value in values]
