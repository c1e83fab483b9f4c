"""Searches by Optuna: the same from the same seed, going on where they were stopped, shared by several processes."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from postgres import running
from trading_bot.backtest import search
from trading_bot.backtest.grid import Reach
from trading_bot.backtest.plan import Cell
from trading_bot.backtest.ranking import Objective, Ranking
from trading_bot.backtest.search import Place, Searched, Wanted, optimize
from trading_bot.backtest.strategy import Values
from trading_bot.domain.errors import ResearchError, StorageError, StrategyError

SPACE = (Reach("fast", 2, 60, 1), Reach("stop", 0.0, 4.0, None))
WANTED = Wanted(SPACE, {"slow": 100}, Ranking(Objective.SHARPE, days=365), trials=40, seed=7)


def hill(combos: Sequence[Values]) -> list[Cell]:
    """A hill whose top (Sharpe ratio 2) is at fast 20 and stop 1; below fast 5 nothing trades."""
    return [
        Cell(
            values=dict(values),
            total_return=0.1,
            sharpe=2 - abs(values["fast"] - 20) / 20 - abs(values["stop"] - 1),
            max_drawdown=0.1,
            trades=0 if values["fast"] < 5 else 50,
            win_rate=0.5,
            profit_factor=1.5,
            final_equity=Decimal(110_000),
        )
        for values in combos
    ]


def run(wanted: Wanted = WANTED, place: Place | None = None, stop: threading.Event | None = None) -> Searched:
    """A search on the hill."""
    return optimize(hill, wanted, place or Place("hill", "a hill"), lambda _: None, stop or threading.Event())


def at(path: Path) -> str:
    """A database in a file."""
    return f"sqlite:///{path / 'studies.db'}"


def test_the_same_seed_makes_the_same_trials_and_another_one_others() -> None:
    """40 trials, twice, cell by cell; values stay inside their ranges, whole ones whole."""
    first = run()
    assert len(first.cells) == 40
    assert run() == first
    assert run(replace(WANTED, seed=8)).cells != first.cells
    assert all(2 <= cell.values["fast"] <= 60 and 0 <= cell.values["stop"] <= 4 for cell in first.cells)
    assert all(cell.values["fast"] == int(cell.values["fast"]) and cell.values["slow"] == 100 for cell in first.cells)


def test_a_search_comes_closer_to_the_top_than_chance_does() -> None:
    """The best 10 of the last 20 trials are better than the best 10 of the first 10 random ones."""
    found = run()
    sharpes = [cell.sharpe or 0.0 for cell in found.cells]
    assert found.best is not None
    assert found.cells[found.best].sharpe == max(s for s, cell in zip(sharpes, found.cells, strict=True) if cell.trades)
    assert sum(sorted(sharpes[20:])[-10:]) > sum(sharpes[:10])


def test_a_trial_without_a_score_counts_and_is_never_the_best() -> None:
    """Only fast 2 to 4 may be tried, where nothing trades."""
    found = run(replace(WANTED, space=(Reach("fast", 2, 4, 1), SPACE[1]), trials=12))
    assert len(found.cells) == 12
    assert found.best is None


def test_combinations_that_were_tried_twice_are_one() -> None:
    """3 combinations and 12 trials."""
    found = run(replace(WANTED, space=(Reach("fast", 5, 7, 1),), fixed={"slow": 100, "stop": 1.0}, trials=12))
    assert len(found.cells) == 12
    assert {cell.values["fast"] for cell in found.distinct} == {5, 6, 7}
    assert len(found.distinct) == 3


def test_a_study_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """7 trials, then up to 14 (the first 10 are drawn by chance): the same as 14 at once; asking again makes none."""
    place, wanted = Place("hill", "a hill", at(tmp_path)), replace(WANTED, trials=14)
    run(replace(wanted, trials=7), place)
    found = run(wanted, place)
    assert (found.earlier, len(found.cells)) == (7, 14)
    assert found.cells == run(wanted).cells
    assert run(wanted, place).earlier == 14


def test_a_stop_keeps_what_was_done() -> None:
    """The fifth trial sets the stop: five are kept."""
    stop, told = threading.Event(), list[int]()

    def tell(count: int) -> None:
        told.append(count)
        if count == 5:
            stop.set()

    assert len(optimize(hill, WANTED, Place("hill", "a hill"), tell, stop).cells) == 5
    assert told == [0, 1, 2, 3, 4, 5]


def test_a_study_of_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    """Other data, another result: cells cannot be compared."""
    run(replace(WANTED, trials=2), Place("hill", "a hill", at(tmp_path)))
    with pytest.raises(ResearchError, match="study hill was made from other data, code, settings or ranges"):
        run(place=Place("hill", "a mountain", at(tmp_path)))


def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    """A folder that does not exist; a server that does not."""
    with pytest.raises(StorageError, match="study hill cannot be opened at sqlite:///"):
        run(place=Place("hill", "a hill", at(tmp_path / "nowhere")))
    with pytest.raises(StorageError, match=r"me:\*\*\*@127\.0\.0\.1:1/studies"):
        run(place=Place("hill", "a hill", "postgresql+psycopg://me:hunter2@127.0.0.1:1/studies"))


def test_nothing_to_search_is_told() -> None:
    """A strategy without parameters."""
    with pytest.raises(StrategyError, match="there is nothing to search"):
        run(replace(WANTED, space=()))


@pytest.fixture(params=["a file", "PostgreSQL"])
def shared_study(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table yet."""
    if request.param == "a file":
        yield at(tmp_path)
        return
    with running() as server:
        yield server.url("postgres")


def test_two_processes_make_one_study(shared_study: str) -> None:
    """14 trials in all, none of them twice by accident: both wrote down how many they made."""
    script = textwrap.dedent(f"""
        import sys; sys.path[:0] = {sys.path!r}
        import threading, test_search as t
        from dataclasses import replace
        made = []
        def reckon(combos):
            made.append(1); threading.Event().wait(0.02)
            return t.hill(combos)
        place = t.Place("hill", "a hill", {shared_study!r})
        print("ready", flush=True); sys.stdin.readline()
        t.optimize(reckon, replace(t.WANTED, trials=14), place, lambda _: None, threading.Event())
        print(len(made))
    """)
    both = [subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, text=True) for _ in range(2)]  # noqa: S603 - our own script
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    made = [int(one.communicate(timeout=120)[0]) for one in both]
    found = run(replace(WANTED, trials=14), Place("hill", "a hill", shared_study))
    assert [one.returncode for one in both] == [0, 0]
    assert (found.earlier, len(found.cells)) == (14, 14)
    assert min(made) >= 1
    assert 12 <= sum(made) <= 16  # a drawn combination may repeat, the last trial may be asked for twice
    assert len({cell.values["stop"] for cell in found.cells}) == 14


def test_a_trial_whose_process_died_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it reckons, it would be waited for for ever."""
    place = Place("hill", "a hill", at(tmp_path))

    def die(_: Sequence[Values]) -> list[Cell]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize(die, WANTED, place, lambda _: None, threading.Event())
    monkeypatch.setattr(search, "PATIENCE_SECONDS", 0.1)
    assert len(run(replace(WANTED, trials=3), place).cells) == 3


def test_each_objective_ranks_by_its_own_figure_and_never_what_traded_too_seldom() -> None:
    """Over a year: calmar is 10 % a year by a drawdown of 10 %, so 1; profit factor 1.5; too few trades, or no figure, have no rank."""
    cell = hill([{"fast": 20, "slow": 100, "stop": 1.0}])[0]
    scores = {objective: Ranking(objective, 365, 10).score(cell) for objective in Objective}
    assert scores[Objective.SHARPE] == 2
    assert scores[Objective.TOTAL_RETURN] == 0.1
    assert scores[Objective.PROFIT_FACTOR] == 1.5
    assert scores[Objective.CALMAR] == pytest.approx(1.0, rel=1e-3)
    seldom, unknown = cell.model_copy(update={"trades": 9, "sharpe": 9.0}), cell.model_copy(update={"sharpe": None})
    better = cell.model_copy(update={"sharpe": 3.0})
    assert Ranking(Objective.SHARPE, 365, 10).order([seldom, cell, unknown, better, cell]) == [3, 1, 4]
    assert Ranking(Objective.CALMAR, 20, 10).score(cell) is None
