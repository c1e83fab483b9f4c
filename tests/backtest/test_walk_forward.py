"""Walk-forward: chosen on the past, traded after it, joined; and nothing that came later."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from sweeping import bars_file, changed_after, market, own_strategy, study_of
from trading_bot.backtest.choosing import by_grid, by_search
from trading_bot.backtest.grid import parse_grid, parse_space
from trading_bot.backtest.lanes import Prepared
from trading_bot.backtest.plan import Cell
from trading_bot.backtest.ranking import Objective
from trading_bot.backtest.strategy import Strategy
from trading_bot.backtest.walk_forward import Choose, Ground, Lengths, WalkForward, Window, walk_forward, windows
from trading_bot.bootstrap.studies import Study
from trading_bot.domain.errors import ResearchError

GRID = "fast=3;5;10,slow=15;30"
LENGTHS = Lengths(train=200, test=100)


def days(count: int) -> list[date]:
    """So many days in a row."""
    return [date(2024, 1, 1) + timedelta(days=n) for n in range(count)]


def walk(study: Study, choose: Choose | None = None, lengths: Lengths = LENGTHS) -> WalkForward:
    """Over a study, by a grid unless told."""
    grid = parse_grid(study.loaded.strategy, GRID) if choose is None else None
    return walk_forward(
        Ground(study.market, study.plan, study.loaded.strategy),
        lengths,
        choose or by_grid(grid, Objective.SHARPE, 1),  # type: ignore[arg-type]
        lambda _done, _all: None,
    )


def test_rolling_windows_move_on_by_the_test_and_anchored_ones_grow() -> None:
    """20 sessions, 8 to learn from, 4 to trade: tests at 8-11, 12-15, 16-19."""
    all_ = days(20)
    rolling = [Window((all_[a], all_[b]), (all_[c], all_[d])) for a, b, c, d in ((0, 7, 8, 11), (4, 11, 12, 15), (8, 15, 16, 19))]
    anchored = [Window((all_[0], all_[b]), (all_[c], all_[d])) for b, c, d in ((7, 8, 11), (11, 12, 15), (15, 16, 19))]
    assert windows(all_, Lengths(8, 4)) == rolling
    assert windows(all_, Lengths(8, 4, anchored=True)) == anchored


def test_an_embargo_lies_between_what_is_learned_and_what_is_traded() -> None:
    """With 2 left out: train 0-7, test 10-13; train 4-11, test 14-17; the last two sessions fill no window."""
    all_ = days(20)
    found = windows(all_, Lengths(8, 4, embargo=2))
    assert [(w.train[1], w.test[0]) for w in found] == [(all_[7], all_[10]), (all_[11], all_[14])]


@pytest.mark.parametrize(("train", "test", "embargo", "says"), [(500, 125, 5, "need 630"), (0, 5, 0, "too short"), (5, 1, 0, "too short")])
def test_windows_that_do_not_fit_are_refused_with_the_numbers(train: int, test: int, embargo: int, says: str) -> None:
    """629 sessions are one too few for 500 + 5 + 125."""
    with pytest.raises(ResearchError, match=says):
        windows(days(629), Lengths(train, test, embargo))
    assert len(windows(days(630), Lengths(500, 125, 5))) == 1


def test_only_the_tests_are_joined_each_with_the_cash_of_the_one_before(tmp_path: Path) -> None:
    """700 sessions: 5 windows of 100 after 200; the account has no jump at a border, and its return is the product of theirs."""
    study = study_of(tmp_path)
    found = walk(study)
    result = found.result
    assert len(found.windows) == 5
    assert len(result.sessions) == len(result.equity) == len(result.benchmark) == 500
    assert (result.plan.first, result.plan.last) == (found.windows[0].test_first, found.windows[-1].test_last)
    product = 1.0
    for window in found.windows:
        product *= 1 + window.outside
    assert result.performance.total_return == pytest.approx(product - 1, rel=1e-9)
    assert result.performance.trades == sum(window.trades for window in found.windows) == len(result.trades) > 5
    assert result.performance.costs > 0
    assert any("walk-forward, rolling: 5 windows of 100 sessions" in note for note in result.notes)


def test_nothing_is_held_over_a_windows_border(tmp_path: Path) -> None:
    """At each test window's last close, exposure is 0; no trade spans two windows."""
    found = walk(study_of(tmp_path))
    exposure = dict(zip(found.result.sessions, found.result.exposure, strict=True))
    assert [exposure[window.test_last] for window in found.windows] == [0.0] * 5
    assert max(found.result.exposure) > 0
    for trade in found.result.trades:
        opened, closed = trade.opened_at.date(), trade.closed_at.date()
        assert sum(w.test_first <= opened and closed <= w.test_last for w in found.windows) == 1


def test_each_window_is_traded_with_what_was_best_before_it(tmp_path: Path) -> None:
    """Asked again of the train window alone, the same combination comes out; its return there is told."""
    study = study_of(tmp_path)
    grid = parse_grid(study.loaded.strategy, GRID)
    cut = windows([day.date() for day in market().index], LENGTHS)
    seen: list[Cell | None] = []

    def choose(ready: Prepared, strategy: Strategy, number: int) -> Cell | None:
        assert (ready.sessions[0], ready.sessions[-1]) == cut[number].train
        seen.append(by_grid(grid, Objective.TOTAL_RETURN, 1)(ready, strategy, number))
        return seen[-1]

    found = walk(study, choose)
    assert [w.values for w in found.windows] == [None if cell is None else cell.values for cell in seen]
    assert [w.inside for w in found.windows] == [None if cell is None else cell.total_return for cell in seen]
    assert len({tuple((w.values or {}).items()) for w in found.windows}) > 1


def test_a_window_without_a_score_is_not_traded_and_said(tmp_path: Path) -> None:
    """A million trades are wanted: nothing has a score, cash stays cash."""
    study = study_of(tmp_path)
    found = walk(study, by_grid(parse_grid(study.loaded.strategy, GRID), Objective.SHARPE, 1_000_000))
    assert {w.values for w in found.windows} == {None}
    assert set(found.result.equity) == {float(study.market.costs.cash)}
    assert found.efficiency is None
    assert any("5 windows were not traded" in note for note in found.result.notes)


def test_a_search_may_choose_and_chooses_the_same_again(tmp_path: Path) -> None:
    """12 trials in each window, from seeds."""
    study = study_of(tmp_path)
    strategy = study.loaded.strategy
    choose = by_search(parse_space(strategy, "fast=2:20,slow=21:60"), strategy.values({}), 12, 4, Objective.SHARPE, 1)
    lengths = Lengths(300, 200, anchored=True)
    first = walk(study, choose, lengths)
    assert len(first.windows) == 2
    assert walk(study, choose, lengths) == first
    assert all(w.train_first == study.plan.first for w in first.windows)


PEEKING = '''"""Reads the close of `ahead` bars later, and says so with a stop that nobody would guess."""

import numpy as np

from trading_bot.backtest.strategy import Parameter, Signals, Strategy


def _signals(frame, ahead, over):
    later = np.append(frame.close[ahead:], np.full(ahead, np.nan))
    rises = (later > frame.close) & (frame.close > frame.close.max() * over)
    return Signals.of(frame, entry=rises, exit=~rises)


STRATEGY = Strategy("peek", "Peek.", (Parameter("ahead", 1, 1, 60), Parameter("over", 0.5, 0.0, 1.0)), _signals)
'''


@pytest.mark.parametrize("strategy", ["sma_cross", "peek"])
def test_what_comes_after_a_window_changes_neither_its_choice_nor_its_result(tmp_path: Path, strategy: str) -> None:
    """Another market from session 500 on, where window 3 ends: windows 1 to 3 and the fourth's choice stay, though `peek` looks."""
    name = str(own_strategy(tmp_path, PEEKING)) if strategy == "peek" else strategy
    grid = "ahead=30;40,over=0;0.9" if strategy == "peek" else GRID
    bars = market()
    both: list[WalkForward] = []
    for told in (bars, changed_after(bars, 500)):
        study = study_of(tmp_path, name, told)
        both.append(walk(study, by_grid(parse_grid(study.loaded.strategy, grid), Objective.SHARPE, 1)))
    old, new = both
    assert old.windows[:3] == new.windows[:3]
    assert (old.windows[3].values, old.windows[3].inside) == (new.windows[3].values, new.windows[3].inside)
    assert old.result.equity[:300] == new.result.equity[:300]
    assert trades_before(old, 3) == trades_before(new, 3)
    assert old.result.equity[300:] != new.result.equity[300:]


def trades_before(found: WalkForward, count: int) -> Sequence[object]:
    """Trades of the first `count` windows."""
    return [t for t in found.result.trades if t.closed_at.date() <= found.windows[count - 1].test_last]


def test_a_symbol_that_comes_later_is_left_out_until_it_has_bars(tmp_path: Path) -> None:
    """ZZZ begins with session 450: the windows that end with sessions 199, 299 and 399 know AAPL alone."""
    bars = market()
    bars_file(tmp_path, bars.iloc[450:], "ZZZ")
    found = walk(study_of(tmp_path, bars=bars, others=("ZZZ",)))
    assert len(found.windows) == 5
    first = bars.index[450].date()
    assert {t.symbol for t in found.result.trades if t.opened_at.date() < first} == {"AAPL"}
    assert {t.symbol for t in found.result.trades if t.opened_at.date() >= first} == {"AAPL", "ZZZ"}
