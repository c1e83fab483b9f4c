"""A strategy's signals are carried out by the desk's own loop, at the next opening, by the venue's rules, and by nothing else."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from studying import Said, daily_file, scripted, study_on
from trading_bot.backtest.plan import LimitsBy, Result
from trading_bot.backtest.strategy import Strategy
from trading_bot.bootstrap.research import run_event
from trading_bot.bootstrap.studies import Study
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.orders import OrderRole
from trading_bot.domain.proposals import Proposal, Verdict

RISING = [(100.0 + n, 101.0 + n, 99.0 + n, 100.5 + n) for n in range(10)]
"""Opens at 100, 101, 102 ..."""


def run(asked: Study) -> Result:
    """What came of it, tried for nothing."""
    return run_event(asked.config, asked.market, asked.plan, asked.wanted(asked.sheets())).result


def on(tmp_path: Path, strategy: Strategy, bars: list[tuple[float, float, float, float]]) -> Result:
    """Run on one symbol's bars."""
    return run(study_on(daily_file(tmp_path / "data", "AAA", bars), ["AAA"], strategy))


def test_a_signal_is_carried_out_at_the_next_opening(tmp_path: Path) -> None:
    """Wanted at the close of row 2: bought at row 3's opening of 103, 97 whole shares of 10,000; left at row 6's opening of 106."""
    result = on(tmp_path, scripted({2: Said(entry=1), 5: Said(exit=True)}), RISING)
    (trade,) = result.trades
    assert (trade.entry_price, trade.exit_price, trade.quantity, trade.profit) == (103, 106, 97, 291)
    assert trade.opened_at.date() == date(2024, 1, 5)
    assert result.equity == (10_000, 10_000, 10_000, 10_048.5, 10_145.5, 10_242.5, 10_291, 10_291, 10_291, 10_291)
    assert result.exposure[3] == 97 * 103.5


def test_a_stop_inside_a_bar_and_a_target_that_is_traded_through_end_a_trade(tmp_path: Path) -> None:
    """The stop of 98 is touched in row 4 and pays its price; the target of 110 is passed in row 8 and pays its own."""
    bars = [*RISING[:4], (103.0, 104.0, 97.0, 99.0), *[(100.0, 101.0, 99.5, 100.0)] * 3, (105.0, 111.0, 104.0, 108.0)]
    said = {1: Said(entry=1, stop=98), 5: Said(entry=1, stop=90, target=110)}
    result = on(tmp_path, scripted(said), bars)
    assert [(t.exit_role, t.exit_price) for t in result.trades] == [(OrderRole.STOP_LOSS, 98), (OrderRole.TAKE_PROFIT, 110)]


def test_a_gap_through_the_stop_pays_the_opening(tmp_path: Path) -> None:
    """Row 4 opens at 90, below the stop of 98: nobody gets 98."""
    bars = [*RISING[:4], (90.0, 92.0, 88.0, 91.0), (91.0, 92.0, 90.0, 91.0)]
    (trade,) = on(tmp_path, scripted({1: Said(entry=1, stop=98)}), bars).trades
    assert (trade.exit_price, trade.profit) == (90, (90 - 102) * 98)


def test_where_exit_and_entry_meet_the_exit_goes_first(tmp_path: Path) -> None:
    """Both in row 4: sold and bought again at row 5's opening."""
    result = on(tmp_path, scripted({1: Said(entry=1), 4: Said(entry=1, exit=True), 7: Said(exit=True)}), RISING)
    assert [(t.entry_price, t.exit_price) for t in result.trades] == [(102, 105), (105, 108)]


def test_a_short_is_sold_first_and_bought_back(tmp_path: Path) -> None:
    """Half of equity at a stop above; a rising market costs it money."""
    asked = study_on(
        daily_file(tmp_path / "data", "AAA", RISING),
        ["AAA"],
        scripted({1: Said(entry=-1, stop=130), 4: Said(exit=True)}),
        share=Decimal("0.5"),
        settings={"broker.borrow_bps_per_year": "0"},
    )
    (trade,) = run(asked).trades
    assert (trade.side, trade.quantity, trade.profit) == ("sell", 49, -3 * 49)


def test_risk_at_the_stop_sizes_a_position(tmp_path: Path) -> None:
    """1 % of 10,000 at 102 with a stop at 97: 20 shares lose 100."""
    asked = study_on(
        daily_file(tmp_path / "data", "AAA", RISING),
        ["AAA"],
        scripted({1: Said(entry=1, stop=97), 4: Said(exit=True)}),
        risk=Decimal("0.01"),
    )
    assert run(asked).trades[0].quantity == 20


def test_the_desks_own_limits_hold_if_they_are_asked_for(tmp_path: Path) -> None:
    """Without an approver a position is cut to 5 % of equity: 4 shares at 102."""
    settings = {"source.spread_bps": "2"}
    strategy = scripted({1: Said(entry=1, stop=97), 4: Said(exit=True)})
    asked = study_on(daily_file(tmp_path / "data", "AAA", RISING), ["AAA"], strategy, limits=LimitsBy.DESK, settings=settings)
    assert run(asked).trades[0].quantity == 4


def test_every_order_has_a_proposal_and_a_verdict_and_every_refusal_is_told(tmp_path: Path) -> None:
    """An entry whose stop lies within the noise is refused by the gate, by name."""
    asked = study_on(
        daily_file(tmp_path / "data", "AAA", RISING),
        ["AAA"],
        scripted({1: Said(entry=1, stop=101), 4: Said(entry=1, stop=90), 6: Said(exit=True)}),
        settings={"source.spread_bps": "100"},
    )
    made = run_event(asked.config, asked.market, asked.plan, asked.wanted(asked.sheets()))
    assert [len(made.journal.all(kind)) for kind in (Proposal, Verdict)] == [3, 3]
    assert len(made.result.trades) == 1
    assert "the gate refused: stop_side 1" in made.result.notes


def test_several_symbols_share_one_account(tmp_path: Path) -> None:
    """Each may take half: 49 shares at 102 of the one, 49 of the other."""
    folder = daily_file(tmp_path / "data", "AAA", RISING)
    daily_file(folder, "BBB", RISING)
    result = run(study_on(folder, ["BBB", "AAA"], scripted({1: Said(entry=1), 4: Said(exit=True)})))
    assert [(t.symbol, t.quantity) for t in result.trades] == [("AAA", 49), ("BBB", 49)]


def test_a_symbol_that_ends_inside_the_period_is_marked_at_its_last_price_and_told(tmp_path: Path) -> None:
    """Delisted after row 9, while the other goes on."""
    folder = daily_file(tmp_path / "data", "OLD", RISING)
    daily_file(folder, "NEW", [(10.0, 11.0, 9.0, 10.0)] * 30)
    result = run(study_on(folder, ["OLD", "NEW"], scripted({1: Said(entry=1)})))
    assert result.equity[-1] == 5002 - 49 * 102 + 49 * 109.5 + 4998
    assert any(note.startswith("OLD: no bars after 2024-01-16") for note in result.notes)


def test_the_same_plan_gives_the_same_result(tmp_path: Path) -> None:
    """To the last digit."""
    asked = study_on(daily_file(tmp_path / "data", "AAA", RISING), ["AAA"], scripted({1: Said(entry=1), 4: Said(exit=True)}))
    assert run(asked) == run(asked)


def test_a_period_without_bars_names_what_there_is(tmp_path: Path) -> None:
    """Asked for a year later."""
    folder = daily_file(tmp_path / "data", "AAA", RISING)
    with pytest.raises(NoDataError, match="AAA from 2024-01-02 to 2024-01-16"):
        study_on(folder, ["AAA"], scripted({}), first=date(2025, 1, 1), last=date(2025, 2, 1))
