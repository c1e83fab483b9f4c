"""The backtest tools: what they say of a run, what they refuse, what they keep, and that they stand at the desk's time.

The written market rises by formula: RISE closes each session 0.1 % higher on average, around a wave of 8 sessions.
"""

import threading
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import NOW
from tools.scopes import BROKEN, DEAD, FLAT, OUTSIDE, RISE, XNYS, Later, WrittenSource, scope
from trading_bot import config
from trading_bot.backtest.lab import Experiment, first_day
from trading_bot.backtest.lineup import line_up
from trading_bot.bootstrap.laboratory import Laboratory
from trading_bot.domain.errors import ResearchError
from trading_bot.domain.market import Funding, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.sources.clipped import ClippedSource
from trading_bot.tools.backtest import kept_points
from trading_bot.tools.calling import answer, payload
from trading_bot.tools.desk_socket import DeskSocket, ask_desk
from trading_bot.tools.registry import tool_named
from trading_bot.tools.runs import MOST
from trading_bot.tools.scope import Scope

CROSS: dict[str, Any] = {"strategy": "sma_cross", "symbols": [RISE], "values": {"fast": 5, "slow": 10}}


def told(of: Scope, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a tool answers."""
    call = answer(tool_named(name), of, arguments)
    assert not call.failed, call.result
    return payload(call)


def refused(of: Scope, name: str, arguments: dict[str, Any]) -> str:
    """Why a tool does not answer."""
    call = answer(tool_named(name), of, arguments)
    assert call.failed, call.result
    return call.result


def test_a_run_is_told_after_costs_with_buy_and_hold_beside_it() -> None:
    """One year up to the last closed session, by hand: held from the first opening to the last close, without costs."""
    run = told(scope(), "run_backtest", {"strategy": "buy_and_hold", "symbols": [RISE]})
    assert (run["as_of"], run["first"], run["last"]) == ("2024-03-05T14:30:00Z", "2023-03-06", "2024-03-04")
    bars = WrittenSource().bars(RISE, Timeframe.DAY).frame.loc["2023-03-06":"2024-03-04"]
    held = 100 * (bars["close"].iloc[-1] / bars["open"].iloc[0] - 1)
    assert run["held_return_percent"] == pytest.approx(held, abs=0.01)
    assert run["held_return_percent"] - 1 < run["total_return_percent"] < run["held_return_percent"]
    assert (run["sessions"], run["trades"], run["trust"]["validated"]) == (len(XNYS.sessions(date(2023, 3, 6), date(2024, 3, 4))), 0, False)
    assert run["trust"]["reasons"] == ["0 closed trades are too few; 30 or more are needed: test a longer period or more symbols"]


def test_a_grid_that_the_kernel_does_not_know_is_run_by_the_desks_own_loop() -> None:
    """Slippage of too many decimals: the same trades, and the same figures but for the last digits of the costs."""
    experiment, cells = Experiment("sma_cross", (RISE,), {"fast": 5}), [{"slow": 10}, {"slow": 20}]
    heard: list[tuple[int, int]] = []
    fast, slow = (
        Laboratory(config.load(flags={"broker.slippage_bps": bps}), WrittenSource(), open_calendar).sweep(
            experiment, cells, NOW, lambda done, total: heard.append((done, total))
        )
        for bps in ("1.5", "1.500000000000001")
    )
    assert heard == [(2, 2), (1, 2), (2, 2)]
    assert [cell.trades for cell in slow] == [cell.trades for cell in fast] != [0, 0]
    assert [cell.total_return for cell in slow] == pytest.approx([cell.total_return for cell in fast], abs=1e-5)


def test_a_run_can_be_looked_at_again_by_its_id_or_as_the_last_one() -> None:
    """All figures are the run's own; the newest few runs are kept."""
    of = scope()
    first, second = told(of, "run_backtest", CROSS), told(of, "run_backtest", {**CROSS, "values": {"fast": 3, "slow": 10}})
    assert first["run"] != second["run"]
    assert told(of, "calculate_metrics", {})["run"] == second["run"]
    again = told(of, "calculate_metrics", {"run": first["run"]})
    assert (again["figures"]["sharpe"], again["figures"]["total_return_percent"]) == (
        first["sharpe"],
        pytest.approx(first["total_return_percent"], abs=0.01),
    )
    assert {check["check"] for check in again["checks"] if not check["passed"]} >= {"closed trades"}
    assert sum(risk["points"] for risk in again["risks"]) == pytest.approx(first["trust"]["risk_score"], abs=0.1)
    for fast in range(2, 2 + MOST):
        told(of, "run_backtest", {**CROSS, "symbols": [FLAT, RISE], "values": {"fast": fast, "slow": 30}})
    assert "there is no such run here; there are" in refused(of, "calculate_metrics", {"run": first["run"]})


def test_nobody_finds_a_run_that_was_made_elsewhere() -> None:
    """Another run of a model, or a session before: its last run would be of another moment."""
    made = told(scope(), "run_backtest", CROSS)["run"]
    assert refused(scope(), "calculate_metrics", {"run": made}) == "there is no run yet: call run_backtest first"


def test_the_best_of_several_is_judged_as_the_best_of_so_many() -> None:
    """Ranked by Sharpe ratio; trust counts all; each can be looked at by its id."""
    of = scope()
    asked = {"strategies": ["sma_cross", "buy_and_hold", "momentum", "mean_reversion"], "symbols": [RISE], "period": "6m"}
    compared = told(of, "compare_strategies", asked)
    ratios = [-9.0 if row["sharpe"] is None else row["sharpe"] for row in compared["ranking"]]
    assert ratios == sorted(ratios, reverse=True)
    assert [row["rank"] for row in compared["ranking"]] == [1, 2, 3, 4]
    assert (compared["best"], compared["trust"]["trials"], compared["first"]) == (compared["ranking"][0]["strategy"], 4, "2023-09-05")
    alone = told(of, "run_backtest", {"strategy": compared["best"], "symbols": [RISE], "period": "6m"})
    assert alone["run"] == compared["ranking"][0]["run"]
    assert alone["trust"]["deflated_sharpe"] >= compared["trust"]["deflated_sharpe"]


def test_a_grid_says_whether_its_best_cell_stands_alone() -> None:
    """Each cell is the run of its values; by hand: the neighbours of a corner of a 2 x 3 grid are 3 cells."""
    of = scope()
    asked = {"strategy": "sma_cross", "symbols": [RISE], "vary": {"slow": [30, 10, 20], "fast": [5, 3]}}
    grid = told(of, "test_parameter_sensitivity", asked)
    assert (grid["parameters"], grid["axes"], grid["values"]) == (["slow", "fast"], [[10, 20, 30], [3, 5]], {"stop": 0})
    cells = {(slow, fast): grid["sharpe"][i][j] for i, slow in enumerate((10, 20, 30)) for j, fast in enumerate((3, 5))}
    for (slow, fast), ratio in cells.items():
        assert told(of, "run_backtest", {**CROSS, "values": {"fast": fast, "slow": slow}})["sharpe"] == pytest.approx(ratio, rel=1e-3)
    best = max(cells, key=cells.__getitem__)
    assert best == (10, 3)
    assert (grid["best_values"], grid["best_sharpe"]) == ({"slow": 10, "fast": 3}, cells[best])
    around = [cells[10, 5], cells[20, 3], cells[20, 5]]
    assert grid["neighbours_sharpe"] == pytest.approx(sum(around) / 3, rel=1e-3)
    assert grid["stable"] == (sum(around) / 3 >= cells[best] / 2)
    assert grid["trust"]["trials"] == 6
    assert grid["profitable_percent"] == pytest.approx(
        100 * sum(gain > 0 for row in grid["total_return_percent"] for gain in row) / 6, abs=0.01
    )


def test_a_thinned_curve_keeps_its_ends_its_extremes_and_its_deepest_fall() -> None:
    """A year in at most thirty points, and any curve in at most as many as asked."""
    of = scope()
    run = told(of, "run_backtest", CROSS)
    curve = told(of, "generate_equity_curve", {"points": 30})
    assert curve["columns"] == ["date", "equity_usd", "drawdown_percent", "held_usd"]
    assert len(curve["rows"]) <= 30
    assert (curve["rows"][0][0], curve["rows"][-1][0]) == (run["first"], run["last"])
    assert max(row[2] for row in curve["rows"]) == run["max_drawdown_percent"]
    whole = np.cumsum(np.random.default_rng(7).normal(size=1000)) + 100
    for points in (10, 11, 37, 100):
        kept = kept_points(whole, np.maximum.accumulate(whole), points)
        assert len(kept) <= points
        assert {0, 999, int(whole.argmax()), int(whole.argmin())} <= set(kept)
        assert kept == sorted(set(kept))
    assert kept_points(whole[:8], np.maximum.accumulate(whole[:8]), 10) == list(range(8))


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        (
            "run_backtest",
            {"strategy": "./mine.py"},
            "strategy: must be one of buy_and_hold, mean_reversion, momentum, sma_cross: only shipped",
        ),
        (
            "run_backtest",
            {"strategy": "sentiment"},
            "strategy: must be one of buy_and_hold, mean_reversion, momentum, sma_cross: only shipped",
        ),
        ("run_backtest", {"strategy": ["sma_cross"]}, "strategy: must be one of"),
        ("run_backtest", {"symbols": [f"A{n}" for n in range(11)]}, "symbols: Tuple should have at most 10 items"),
        ("run_backtest", {"symbols": []}, "symbols: Tuple should have at least 1 item"),
        ("run_backtest", {"symbols": ["../x"]}, "symbols: must be a symbol such as AAPL"),
        ("run_backtest", {"symbols": ["NOSUCH"]}, "NOSUCH is not in the written market"),
        ("run_backtest", {"symbols": [DEAD]}, "the source did not answer: could not open [path]"),
        ("run_backtest", {"symbols": [BROKEN]}, "BROKEN: the bar of 2023-01-03 14:30:00+00:00 is not finite"),
        ("run_backtest", {"period": "a year"}, "period: must be 90d, 8w, 6m, 1y or the like"),
        ("run_backtest", {"period": "0y"}, "period: must be 90d, 8w, 6m, 1y or the like"),
        ("run_backtest", {"end": "2024-03-06"}, "2024-03-06 has not come: it is 2024-03-05"),
        (
            "run_backtest",
            {"start": "2024-03-01", "end": "2023-06-01"},
            "there are no closed bars in that period; the data have RISE from 2023-01-03 to",
        ),
        ("run_backtest", {"values": {"quick": 5}}, "strategy sma_cross has no parameter quick; it has fast, slow, stop"),
        ("run_backtest", {"values": {"fast": 2.5}}, "sma_cross: fast is 2.5; it has to be a whole number from 2 to 500"),
        ("run_backtest", {"values": {f"p{n}": 1 for n in range(13)}}, "values: Dictionary should have at most 12 items"),
        ("compare_strategies", {"strategies": ["momentum"]}, "strategies: Tuple should have at least 2 items"),
        ("test_parameter_sensitivity", {"vary": {}}, "vary: Dictionary should have at least 1 item"),
        (
            "test_parameter_sensitivity",
            {"vary": {"fast": list(range(2, 103)), "slow": [9, 10]}},
            "vary: the grid has 202 cells and may have 200",
        ),
        ("test_parameter_sensitivity", {"vary": {"fast": [2], "slow": [9], "stop": [1]}}, "vary: Dictionary should have at most 2 items"),
        ("generate_equity_curve", {"points": 101}, "points: Input should be less than or equal to 100"),
    ],
)
def test_what_cannot_be_run_is_told_with_the_cap_or_with_what_there_is(name: str, arguments: dict[str, Any], why: str) -> None:
    """Paths are never opened, and nothing runs for longer than somebody waits."""
    plain: dict[str, Any] = {"compare_strategies": {"symbols": [RISE]}, "generate_equity_curve": {}}.get(
        name, {"strategy": "sma_cross", "symbols": [RISE]}
    )
    assert refused(scope(), name, {**plain, **arguments}).startswith(why)


def test_a_symbol_outside_the_universe_is_marked_and_a_desk_without_a_laboratory_says_so() -> None:
    """A source that has it is enough to try it."""
    assert told(scope(), "run_backtest", {**CROSS, "symbols": [OUTSIDE, RISE]})["outside_universe"] == [OUTSIDE]
    assert refused(scope(lab=None), "run_backtest", CROSS).startswith("no backtests run here")


def test_a_year_that_begins_before_the_data_begins_with_them() -> None:
    """The period is what was run, not what was asked for."""
    assert told(scope(), "run_backtest", {**CROSS, "period": "30y"})["first"] == "2023-01-03"


def test_periods_are_counted_back_from_the_last_day() -> None:
    """A year of 365.25 days, both ends included."""
    assert first_day(date(2024, 3, 4), "1y") == date(2023, 3, 6)
    assert first_day(date(2024, 3, 4), "7d") == first_day(date(2024, 3, 4), "1w") == date(2024, 2, 27)
    with pytest.raises(ResearchError, match="write 90d, 8w, 6m or 1y"):
        first_day(date(2024, 3, 4), "1q")


def test_a_clipped_source_shows_what_has_closed_and_no_note() -> None:
    """At the opening of March 5 the newest bar is of March 4; its quote is that moment's, however late one asks."""
    behind = WrittenSource()
    source = ClippedSource(behind, NOW)
    assert source.bars(RISE, Timeframe.DAY).frame.index[-1].date() == date(2024, 3, 4)
    assert source.quote(RISE, NOW + timedelta(days=3)) == behind.quote(RISE, NOW)
    assert ClippedSource(behind, NOW.replace(year=2022)).timeframes(RISE) == ()
    assert "had closed by 2022" in refused(scope(now=NOW.replace(year=2022)), "run_backtest", CROSS)


def test_a_clipped_source_knows_no_split_and_no_funding_before_its_moment() -> None:
    """Of two splits and two fundings around the moment, the earlier ones."""
    splits = tuple(Split(symbol=RISE, ex=NOW + timedelta(days=n), ratio=Decimal(2)) for n in (-1, 1))
    fundings = tuple(Funding(symbol=RISE, at=NOW + timedelta(days=n), rate=Decimal("0.0001")) for n in (-1, 1))

    class Perpetual(WrittenSource):
        def fundings(self, symbol: Symbol) -> tuple[Funding, ...]:
            return tuple(f for f in fundings if f.symbol == symbol)

    source = ClippedSource(Perpetual(Later(actions=splits)), NOW)
    assert source.actions(RISE) == splits[:1]
    assert source.fundings(RISE) == fundings[:1]


def test_a_line_up_of_nobody_is_refused() -> None:
    """There is no best of none."""
    with pytest.raises(ResearchError, match="name at least one"):
        line_up(Laboratory(config.load(), WrittenSource(), open_calendar), (), Experiment("", (RISE,)), NOW)


@dataclass
class Turned:
    """A laboratory that knows whether the desk's loop could go on while it worked."""

    inner: Any
    turn: threading.Lock
    was_free: bool = False

    def run(self, *asked: Any) -> Any:  # noqa: ANN401 - as the laboratory has it
        """Run, and see whether the loop's turn is free."""
        self.was_free = not self.turn.locked()
        return self.inner.run(*asked)

    def sweep(self, *asked: Any) -> Any:  # noqa: ANN401 - the same
        """Not asked for here."""
        return self.inner.sweep(*asked)


def test_a_running_desk_goes_on_while_its_laboratory_works(tmp_path: Path) -> None:
    """Research reads no books, so that it does not hold the loop."""
    turn = threading.Lock()
    lab = Turned(scope().lab, turn)
    with DeskSocket(tmp_path, lambda: replace(scope(), lab=lab), lambda _item: None, turn):
        call = ask_desk(tmp_path, "run_backtest", CROSS)
    assert call is not None
    assert (call.failed, lab.was_free) == (False, True)


def test_a_long_call_says_how_far_it_is() -> None:
    """Every twenty-five cells, and each strategy of a comparison."""
    heard: list[tuple[int, int]] = []
    of = scope(tell=lambda done, total: heard.append((done, total)))
    told(
        of,
        "test_parameter_sensitivity",
        {"strategy": "sma_cross", "symbols": [RISE], "vary": {"fast": list(range(2, 32)), "slow": [40, 50]}},
    )
    assert heard == [(25, 60), (50, 60), (60, 60)]
    heard.clear()
    told(of, "compare_strategies", {"strategies": ["sma_cross", "momentum"], "symbols": [RISE]})
    assert heard == [(1, 2), (2, 2)]
