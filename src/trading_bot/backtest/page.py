"""One run as a page to look at: a single HTML file with everything in it.

Promises that nothing is fetched (a content policy forbids it, and lets only the page's own two scripts run), that text from outside is
escaped, and that what a reader has to know (prices that are not as traded, a run that nobody can repeat) stands above all figures.
Refuses to judge: the verdict is `validation`'s.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

import pandas as pd
from plotly.offline import get_plotlyjs

from trading_bot.backtest import page_plots as plots
from trading_bot.backtest import page_tables as tables
from trading_bot.backtest.figures import Write, named, number, percent
from trading_bot.backtest.inference import LEAST_RETURNS, bootstrap
from trading_bot.backtest.page_plots import Plot
from trading_bot.backtest.page_style import SCRIPT, STYLE
from trading_bot.backtest.plan import Cell, Engine, LimitsBy, Result
from trading_bot.backtest.validation import Validation
from trading_bot.domain.values import Symbol

CANDLES = 6
"""Symbols whose trades are drawn: those with the most."""
_NOTHING_ELSE = "base-uri 'none'; form-action 'none'"
NOT_AS_TRADED = "not as traded"
_ENGINES = {
    Engine.EVENT: "bar by bar, through the desk's own gate, engine and paper broker",
    Engine.VECTOR: "vectorised, by the same fill rules, without a desk",
    Engine.DESK: "the analyst's decisions, by the desk itself",
}
_LIMITS = {LimitsBy.RESEARCH: "its own limits of research", LimitsBy.DESK: "the desk's limits"}


def page(
    result: Result, validation: Validation | None = None, cells: Sequence[Cell] = (), bars: Mapping[Symbol, pd.DataFrame] | None = None
) -> str:
    """The page of `result`, about 5 MB, most of it plotly.js.

    `cells`: of the sweep or search that the run was picked from. `bars`: open, high, low, close over a UTC index, by symbol; prices as
    traded, like those of trades.
    """
    library = get_plotlyjs()
    body = "".join(_body(result, validation, cells, bars or {}))
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in (library, SCRIPT))
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; {_NOTHING_ELSE}"
    title = escape(f"{result.plan.strategy}: {named(result.plan.symbols)}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style></head>\n<body><main>{body}</main>\n<script>{library}</script>\n<script>{SCRIPT}</script></body></html>\n"
    )


def _hash(script: str) -> str:
    """As a content policy names a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _body(result: Result, validation: Validation | None, cells: Sequence[Cell], bars: Mapping[Symbol, pd.DataFrame]) -> Iterator[str]:
    yield from _head(result, validation)
    count = _Numbers()
    if result.sessions:
        yield _section("equity", "Equity and drawdown", count.figure(plots.equity(result)), count.figure(plots.drawdown(result)))
        yield _section("months", "Monthly returns", tables.months(result))
    yield _section("statistics", "Statistics", tables.statistics(result, validation))
    yield _section("verdict", "Does it deserve trust?", tables.verdict(validation))
    yield _section("luck", "How much of it may be luck", *_luck(result, validation, count))
    if (grid := plots.parameters(cells, result.plan.values)) is not None:
        yield _section("grid", "Parameters", count.figure(grid))
    yield _section("trades", "Trades", *_trades(result, bars, count))
    yield _section("card", "Run card", tables.card(result))


class _Numbers:
    """Counts the page's figures, so that each has a name of its own."""

    def __init__(self) -> None:
        self._count = 0

    def figure(self, plot: Plot) -> str:
        """A place to draw in, its data, and its words. In JSON no `<` is left that could end the script."""
        self._count += 1
        name = f"plot-{self._count}"
        content = json.dumps(plot.content(), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        title, caption = escape(plot.title), escape(plot.caption)
        place = f'data-plot="{name}" role="img" aria-label="{title}. {caption}" style="height:{plot.height}px"'
        return (
            f"<figure><h3>{title}</h3><div {place}></div>"
            f'<figcaption>{caption}</figcaption><script type="application/json" id="{name}">{content}</script></figure>'
        )


def _section(name: str, title: str, *parts: str) -> str:
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>{"".join(parts)}</section>\n'


def marks(result: Result) -> tuple[str, ...]:
    """What stands above everything, in capitals."""
    found = []
    if any(NOT_AS_TRADED in note.lower() for note in result.notes):
        found.append("NOT AS TRADED")
    if not result.trades:
        found.append("NO CLOSED TRADE")
    if result.card is None:
        found.append("NO RUN CARD")
    return tuple(found)


def _head(result: Result, validation: Validation | None) -> Iterator[str]:
    made, shown = result.plan, marks(result)
    yield "".join(f'<strong class="mark">{mark}</strong>' for mark in shown)
    yield f"<h1>{escape(made.strategy)}: {escape(named(made.symbols))}</h1>\n"
    values = ", ".join(f"{name} {value:g}" for name, value in made.values.items()) or "no parameters"  # noqa: PD011 - of a plan, not of a frame
    period = f"{made.first} to {made.last}, {len(result.sessions):,} sessions, {made.timeframe} bars"
    yield f'<p class="lead">{escape(values)} · {period} · {_ENGINES[result.engine]} · under {_LIMITS[made.limits]}</p>\n'
    if result.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
        yield f'<section class="warning" aria-labelledby="notes"><h2 id="notes">Read this first</h2><ul>{notes}</ul></section>\n'
    yield f'<dl class="tiles">{"".join(_tiles(result, validation))}</dl>\n'


def _tiles(result: Result, validation: Validation | None) -> Iterator[str]:
    figures, held = result.performance, result.held
    gained, ratio = (None, None) if held is None else (held.total_return, held.sharpe)
    yield _tile("Total return", figures.total_return, percent, "" if gained is None else f"buy and hold {percent(gained)}", signed=True)
    yield _tile("Sharpe ratio", figures.sharpe, number, "" if ratio is None else f"buy and hold {number(ratio)}")
    yield _tile("Maximum drawdown", figures.max_drawdown, percent, f"{figures.max_drawdown_sessions} sessions long")
    yield _tile("Win rate", figures.win_rate, percent, f"{figures.trades:,} closed trades")
    if validation is not None:
        word, color = ("passed", "good") if validation.passed else ("not passed", "bad")
        small = f"<small>risk {validation.risk_score:.0f} of 100, {validation.risk_class}</small>"
        yield f'<div><dt>Validation</dt><dd class="{color}">{word}{small}</dd></div>'


def _tile(name: str, value: float | None, write: Write, small: str, *, signed: bool = False) -> str:
    color = "" if not signed or value is None else ' class="good"' if value >= 0 else ' class="bad"'
    return f"<div><dt>{name}</dt><dd{color}>{'-' if value is None else write(value)}<small>{small}</small></dd></div>"


def _luck(result: Result, validation: Validation | None, count: _Numbers) -> Iterable[str]:
    seed = result.plan.seed if validation is None else validation.seed
    drawn = bootstrap(result.curve, result.periods_per_year, seed=seed)
    if drawn is None:
        return (f"<p>Nothing can be said: {LEAST_RETURNS} sessions or more are needed, and there are {len(result.sessions)}.</p>",)
    figures = "".join(count.figure(plot) for plot in plots.bootstrapped(drawn, result))
    return (f'<div class="pair">{figures}</div>',)


def _trades(result: Result, bars: Mapping[Symbol, pd.DataFrame], count: _Numbers) -> Iterator[str]:
    if not result.trades:
        yield "<p>No trade was closed, so that nothing can be said of trades.</p>"
    traded = {symbol: sum(t.symbol == symbol for t in result.trades) for symbol in bars if len(bars[symbol])}
    drawn = sorted(traded, key=lambda symbol: (-traded[symbol], symbol))[:CANDLES]
    if len(drawn) < len(traded):
        yield f'<p class="note">Drawn are the {len(drawn)} of {len(traded)} symbols with the most trades.</p>'
    if not drawn:
        yield '<p class="note">No bars were kept with this run, so that its trades cannot be drawn.</p>'
    yield from (count.figure(plots.trades_on_candles(symbol, bars[symbol], result.trades)) for symbol in drawn)
    yield tables.trades(result)
