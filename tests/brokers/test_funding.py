"""A perpetual's longs pay its shorts at each funding, at the price of that moment, from the file of rates beside its bars."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from studying import Said, scripted, study_on
from trading_bot import config
from trading_bot.backtest.strategy import Strategy
from trading_bot.backtest.vector import run_vector
from trading_bot.bootstrap.research import EventRun, run_event
from trading_bot.bootstrap.sources import instrument_of
from trading_bot.bootstrap.studies import Study
from trading_bot.domain.errors import BadBarsError
from trading_bot.domain.events import BookedEvent, CashReason, CashUpdate
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource

COIN = {"BTCUSDT": {"asset_class": "crypto_perpetual", "lot_size": "0.001", "tick_size": "0.1"}}
RATES = "ts,funding_rate\n2024-01-01 08:00:00+00:00,0.0001\n2024-01-01 16:00:00+00:00,-0.0002\n"


def hours(folder: Path, rates: str = RATES) -> Path:
    """Two days of hourly bars at 100, 101, 102 ... with two fundings beside them."""
    folder.mkdir()
    times = pd.date_range("2024-01-01", periods=48, freq="h", tz="UTC", name="ts")
    price = [100.0 + n for n in range(48)]
    table = pd.DataFrame({"open": price, "high": [p + 1 for p in price], "low": [p - 1 for p in price], "close": price}, index=times)
    table.assign(volume=1e6).to_csv(folder / "BTCUSDT_1h.csv")
    (folder / "BTCUSDT_funding.csv").write_text(rates)
    return folder


def study(folder: Path, side: int, kind: str = "crypto_perpetual", out: int = 19) -> tuple[Study, Strategy]:
    """In at 02:00, out at 20:00, or after another row."""
    coin = {"BTCUSDT": {**COIN["BTCUSDT"], "asset_class": kind, "shortable": True}}
    strategy = scripted({1: Said(entry=side, stop=50 if side > 0 else 150), out: Said(exit=True)})
    settings = {"universe.instruments": coin, "broker.borrow_bps_per_year": "500"}
    return study_on(folder, ["BTCUSDT"], strategy, share=Decimal("0.5"), settings=settings), strategy


def run(folder: Path, side: int, kind: str = "crypto_perpetual", out: int = 19) -> EventRun:
    """The same, bar by bar."""
    asked, _ = study(folder, side, kind, out)
    return run_event(asked.config, asked.market, asked.plan, asked.wanted(asked.sheets()))


def funded(made: EventRun) -> list[tuple[int, Decimal]]:
    """Hour and amount of each funding."""
    told = (row.event for row in made.journal.all(BookedEvent))
    return [(e.at.hour, e.amount) for e in told if isinstance(e, CashUpdate) and e.reason is CashReason.FUNDING]


def test_a_long_pays_a_positive_rate_and_gets_a_negative_one(tmp_path: Path) -> None:
    """49.019 coins from 102 on: at 08:00 they are worth 108 each and pay 0.01 %, at 16:00 116 each and get 0.02 %."""
    made = run(hours(tmp_path / "data"), 1)
    held = Decimal("49.019")
    assert funded(made) == [(8, -held * 108 * Decimal("0.0001")), (16, held * 116 * Decimal("0.0002"))]
    gained = held * 18 + sum(amount for _, amount in funded(made))
    assert made.result.equity[-1] == pytest.approx(10_000 + float(gained))


def test_the_kernel_funds_alike(tmp_path: Path) -> None:
    """Both engines end with the same cash, to the last digit."""
    for name, side, kind in (("a", 1, "crypto_perpetual"), ("b", -1, "crypto_perpetual"), ("c", -1, "crypto_spot")):
        asked, strategy = study(hours(tmp_path / name), side, kind, out=30)
        made = run_event(asked.config, asked.market, asked.plan, asked.wanted(asked.sheets()))
        assert run_vector(asked.market, asked.plan, strategy).equity == made.result.equity


def test_a_short_is_on_the_other_side(tmp_path: Path) -> None:
    """The same amounts with the other sign."""
    long, short = (funded(run(hours(tmp_path / name), side)) for name, side in (("a", 1), ("b", -1)))
    assert [hour for hour, _ in short] == [8, 16]
    assert [amount > 0 for _, amount in short] == [True, False]
    assert [amount < 0 for _, amount in long] == [True, False]


def test_of_a_perpetual_nothing_is_borrowed(tmp_path: Path) -> None:
    """A short over midnight pays for borrowed coins, and not for a perpetual."""

    def borrowed(kind: str) -> list[Decimal]:
        told = (row.event for row in run(hours(tmp_path / kind), -1, kind, out=30).journal.all(BookedEvent))
        return [e.amount for e in told if isinstance(e, CashUpdate) and e.reason is CashReason.BORROW]

    assert len(borrowed("crypto_spot")) == 1
    assert borrowed("crypto_perpetual") == []


def test_a_coin_held_outright_is_not_funded(tmp_path: Path) -> None:
    """The same files, another asset class."""
    assert funded(run(hours(tmp_path / "data"), 1, "crypto_spot")) == []


def test_recorded_rates_are_read(shared: Path) -> None:
    """Bybit's own, three a day."""
    settings = config.load(flags={"universe.instruments": COIN, "universe.symbols": ["BTCUSDT"]})
    folder = FileSettings(path=shared / "data/crypto_bybit_linear_5m")
    source = FileSource([folder], lambda symbol: instrument_of(settings, symbol), open_calendar, Decimal(2))
    rates = source.fundings(Symbol("BTCUSDT"))
    assert (rates[0].at, rates[0].rate) == (datetime(2025, 9, 24, 8, tzinfo=UTC), Decimal("0.00001004"))
    assert rates[-1].at.date() >= date(2025, 12, 30)
    assert source.notes() == ()


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ("ts,price\n", "its first line has to name a time"),
        ("ts,funding_rate\nsoon,0.1\n", "BTCUSDT_funding.csv, line 2: 'soon,0.1' is no time and rate"),
        ("ts,funding_rate\n2024-01-01 08:00:00,often\n", "line 2"),
        ("ts,funding_rate\n2024-01-02 08:00:00,0.1\n2024-01-01 08:00:00,0.1\n", "line 3: 2024-01-01T08:00:00\\+00:00 does not come after"),
    ],
)
def test_a_file_of_rates_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, rates: str, said: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(BadBarsError, match=said):
        run(hours(tmp_path / "data", rates), 1)
