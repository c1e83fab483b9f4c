"""The report page: what it says as text, and what a real browser makes of it."""

import json
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

import browser
import results
from trading_bot.backtest.page import page
from trading_bot.backtest.page_plots import BARS, TRADES, VALUES, parameters, trades_on_candles
from trading_bot.backtest.plan import Cell, Result
from trading_bot.backtest.validation import validate
from trading_bot.domain.orders import Side
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import Symbol

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> browser.Browser:
    """A real browser."""
    return browser.found(tmp_path_factory.mktemp("browser"))


def trades(count: int, sessions: int, seed: int = 1) -> list[RoundTrip]:
    """Round trips at random days, in order of their ends."""
    rng, days = np.random.default_rng(seed), results.days(sessions)
    begun = rng.integers(0, sessions - 8, count)
    made = [
        results.trade(days[int(at)], f"{profit:.2f}", held=int(held), side=Side.SELL if short else Side.BUY)
        for at, profit, held, short in zip(begun, rng.normal(5, 30, count), rng.integers(1, 9, count), rng.random(count) < 0.2, strict=True)
    ]
    return sorted(made, key=lambda trade: trade.closed_at)


def cell(sharpe: float | None, **values: float) -> Cell:
    """One combination of a sweep."""
    rest = {"total_return": 0.1, "max_drawdown": 0.1, "trades": 30, "win_rate": 0.5, "profit_factor": 1.2, "final_equity": "110"}
    return Cell.model_validate({"values": values, "sharpe": sharpe, **rest})


def cells() -> list[Cell]:
    """A grid of two parameters."""
    return [cell(fast / slow, fast=float(fast), slow=float(slow)) for fast in range(5, 30, 5) for slow in range(20, 100, 10)]


def full(sessions: int = 300, trips: int = 40) -> Result:
    """A run with everything that a page shows."""
    return results.result(
        results.walk(sessions, 3, 0.0008),
        benchmark=results.walk(sessions, 4),
        trades=trades(trips, sessions),
        notes=["AAPL: prices are not as traded", "3 signals were refused by the gate: max_position"],
    )


def full_page(made: Result) -> str:
    """With validation, grid and candles."""
    return page(made, validate(made, trials=40, seed=1), cells(), {results.AAPL: results.candles(len(made.sessions))})


def text_of(html: str) -> str:
    """What a person reads: no scripts, no styles, no markup."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare)))


def plots_of(html: str) -> list[dict[str, object]]:
    """What plotly.js is given."""
    return [json.loads(found) for found in re.findall(r'<script type="application/json" id="plot-\d+">(.*?)</script>', html, re.DOTALL)]


def test_a_page_asks_for_nothing_from_outside() -> None:
    """No element names another place, and the content policy forbids all but the page's own two scripts."""
    html = full_page(full())
    markup = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="([^"]*)"', markup) == ["data:,"]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert policy[1].count("'sha256-") == 2
    assert html.count("<script>") == 2


def test_what_a_reader_has_to_know_stands_above_all_figures() -> None:
    """Prices that are not as traded are marked before the title, and every note comes before the first figure."""
    read = text_of(full_page(full()))
    order = [read.index(words) for words in ("NOT AS TRADED", "sma_cross: AAPL", "3 signals were refused", "Total return", "Equity")]
    assert order[1:] == sorted(order[1:])
    assert read.index("NOT AS TRADED") < read.rindex("sma_cross: AAPL")


@pytest.mark.parametrize("note", ["AAPL: prices are NOT AS TRADED", "a.csv: prices are not as traded (adjusted, or nobody said)"])
def test_the_mark_does_not_hang_on_how_a_note_is_written(note: str) -> None:
    """Engines and sources write it differently."""
    assert '<strong class="mark">NOT AS TRADED</strong>' in page(full().model_copy(update={"notes": (note,)}))


def test_nothing_is_marked_where_there_is_nothing_to_say() -> None:
    """Prices as traded, trades, a card: no mark."""
    html = page(full().model_copy(update={"notes": ()}))
    assert 'class="mark"' not in html
    assert "Read this first" not in html


def test_months_are_reckoned_from_close_to_close() -> None:
    """100 at the start, 110 at January's end, 99 at February's: +10.0 %, -10.0 %, and -1.0 % in the year."""
    january = len([day for day in results.days(60) if day.month == 1])
    equity = [110.0] * january + [99.0] * 21
    table = re.search(r'<table class="months">.*?</table>', page(results.result(equity)), re.DOTALL)
    assert table is not None
    assert re.findall(r">(-?\d+\.\d)</td>", table[0]) == ["10.0", "-10.0", "-1.0"]


def test_figures_that_are_not_defined_say_so() -> None:
    """Two sessions without a trade have no rate of growth, no win rate, no interval and no verdict."""
    read = text_of(page(results.result([100.0, 101.0])))
    few = "Nothing can be said: 30 sessions or more are needed, and there are 2"
    for words in ("NO CLOSED TRADE", "Win rate not defined", few, "Nobody has validated this run"):
        assert words in read


def test_a_run_without_sessions_or_card_still_has_a_page() -> None:
    """It says what is missing instead of failing."""
    bare = results.result([100.0]).model_copy(update={"sessions": (), "equity": (), "exposure": (), "card": None})
    read = text_of(page(bare))
    assert "NO RUN CARD" in read
    assert "nobody can tell what it was made from" in read


def test_the_verdict_is_shown_with_each_reason_and_the_trials() -> None:
    """What validation found is what the page says."""
    made = full()
    judged = validate(made, trials=40, seed=1)
    read = text_of(full_page(made))
    assert not judged.passed
    assert "Judged as the best of 40 trials" in read
    assert all(reason in read for reason in judged.reasons)
    assert f"Risk score {judged.risk_score:.0f} of 100: {judged.risk_class}" in read


def test_the_card_is_shown_whole() -> None:
    """Command, digests and versions."""
    made = full()
    read = text_of(page(made))
    assert made.card is not None
    assert all(text in read for text in (made.card.command, made.card.code, made.card.config, *made.card.data.values(), "3.11.2"))


def test_text_from_outside_stays_text() -> None:
    """A strategy, a note or a symbol that is written as markup is shown as it is written, in tables and in plots."""
    symbol = Symbol(HOSTILE)
    made = results.result(
        results.walk(60, 1),
        strategy=HOSTILE,
        symbols=[symbol],
        notes=[HOSTILE],
        command=HOSTILE,
        trades=[results.trade(results.FIRST, "5", symbol)],
    )
    html = page(made, None, [cell(0.1, **{HOSTILE: 1.0}), cell(0.2, **{HOSTILE: 2.0})], {symbol: results.candles(60)})
    assert html.count("<script>") == 2
    assert "<img" not in re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    assert text_of(html).count(HOSTILE) >= 4
    assert all("<script" not in json.dumps(plot) for plot in plots_of(html))


def test_every_plot_is_one_that_plotly_knows() -> None:
    """Plotly's own schema takes traces and layouts of a full page: it raises for a property that it does not have."""
    kinds = [[trace.type for trace in go.Figure(plot).data] for plot in plots_of(full_page(full()))]
    flat = [kind for plot in kinds for kind in plot]
    assert len(kinds) == 6
    assert {"scatter", "candlestick", "heatmap", "bar"} == set(flat)


def test_thousands_of_trades_and_bars_are_thinned_and_the_page_says_so() -> None:
    """The newest bars and trades are drawn; how many of how many is written below."""
    many = trades(3_000, 2_000)
    plot = trades_on_candles(results.AAPL, results.candles(2_000), many)
    drawn = {trace["name"]: len(trace["x"]) for trace in plot.data}
    assert drawn["AAPL"] == BARS
    assert drawn["entry"] == drawn["exit"] == TRADES
    assert plot.caption.startswith(f"The {BARS} of 2,000 bars up to the last trade, {TRADES} of 3,000 trades")


def test_the_last_trade_is_drawn_where_it_is_long_ago() -> None:
    """One trade on the third of 2,000 days: the plot shows the first bars, and the trade on its own."""
    plot = trades_on_candles(results.AAPL, results.candles(2_000), [results.trade(results.days(3)[2], "10", held=1)])
    candles, entry = plot.data[0], next(trace for trace in plot.data if trace["name"] == "entry")
    assert (candles["x"][0], candles["x"][2]) == ("2024-01-02", "2024-01-04")
    assert entry["x"] == ["2024-01-04"]


def test_an_axis_with_hundreds_of_values_is_thinned_but_for_this_run_and_the_best() -> None:
    """300 values of fast, of which 60 are shown evenly; 7 is the run's, 8 the best, and the caption says so."""
    grid = [cell(5.0 if a == 8 else 1.0, fast=float(a), slow=float(b)) for a in range(300) for b in (1, 2)]
    plot = parameters(grid, {"fast": 7.0, "slow": 1.0})
    assert plot is not None
    heat = plot.data[0]
    assert {"0", "7", "8", "299"} <= set(heat["x"])
    assert VALUES <= len(heat["x"]) <= VALUES + 2
    assert f"more than {VALUES} values" in plot.caption


def test_a_trade_is_drawn_on_the_bar_that_it_happened_in() -> None:
    """Entered on 2024-01-03 at 15:00 UTC at 100, left two days later at 101."""
    plot = trades_on_candles(results.AAPL, results.candles(20), [results.trade(results.days(2)[1], "10", held=2)])
    entry, leaving = (next(trace for trace in plot.data if trace["name"] == name) for name in ("entry", "exit"))
    assert (entry["x"], entry["y"]) == (["2024-01-03"], [100.0])
    assert (leaving["x"], leaving["y"]) == (["2024-01-05"], [101.0])


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ([cell(1.0, fast=1.0)], None),
        ([cell(1.0, fast=float(n)) for n in range(3)], "Sharpe ratio of 3 values of fast"),
        ([cell(float(a), fast=float(a), slow=float(b)) for a in range(3) for b in range(4)], "Sharpe ratio of 12 of 12 combinations. "),
        (
            [cell(float(c), a=float(a), b=float(b), c=float(c)) for a in range(3) for b in range(4) for c in range(2)],
            "Sharpe ratio of 12 of 24 combinations; c held at 1, as in the best of all",
        ),
    ],
)
def test_a_heat_map_takes_the_two_parameters_with_the_most_values(grid: Sequence[Cell], words: str | None) -> None:
    """Nothing varied: none. One: a line. More than two: the rest are held, and the caption says at what."""
    plot = parameters(grid, {})
    assert (plot is None) == (words is None)
    assert plot is None or words is None or plot.caption.startswith(words)


def test_a_cell_that_was_not_run_or_has_no_ratio_is_empty() -> None:
    """The heat map has a gap there, not a 0."""
    plot = parameters(
        [cell(1.0, fast=1.0, slow=3.0), cell(None, fast=2.0, slow=3.0), cell(2.0, fast=1.0, slow=4.0)], {"fast": 1.0, "slow": 3.0}
    )
    assert plot is not None
    heat, ring = plot.data
    assert heat["z"] == [[1.0, None], [2.0, None]]
    assert (ring["x"], ring["y"]) == (["1"], ["3"])


def test_a_real_browser_draws_every_plot_and_says_nothing(chromium: browser.Browser, tmp_path: Path) -> None:
    """All plots are drawn as SVG with their traces, no script fails, and the content policy had nothing to forbid."""
    file = tmp_path / "page.html"
    file.write_text(full_page(full()), "utf-8")
    seen = chromium.look(file)
    assert seen.console == ()
    drawn = re.sub(r"<script\b.*?</script>", " ", seen.document, flags=re.DOTALL)
    assert len(re.findall(r'data-plot="plot-\d+"', drawn)) == 6
    assert len(re.findall(r'<div class="[^"]*svg-container', drawn)) == 6
    for trace in ('class="trace scatter', 'class="trace bars', 'class="trace boxes', 'class="hm"'):
        assert trace in drawn, trace
    assert drawn.count('class="box"') == 300


def test_a_real_browser_runs_no_script_from_a_name_and_tells_of_one_that_tries(chromium: browser.Browser, tmp_path: Path) -> None:
    """Markup in a name is text; a script that gets into the file all the same is stopped by the content policy, and that is seen."""
    html = page(results.result(results.walk(60, 1), strategy=HOSTILE))
    safe, broken = tmp_path / "safe.html", tmp_path / "broken.html"
    safe.write_text(html, "utf-8")
    broken.write_text(html.replace("<main>", "<main><script>document.title='owned'</script>"), "utf-8")
    seen, stopped = chromium.look(safe), chromium.look(broken)
    assert seen.console == ()
    assert "<title>owned</title>" not in seen.document + stopped.document
    assert any("Content Security Policy" in line for line in stopped.console)
