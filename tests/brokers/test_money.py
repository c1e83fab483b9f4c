"""Cash, fees, shorts, dividends and splits, by hand-computed numbers; and a real year."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.venue_kit import A, Desk, Market, at, open_desk, settings, spec
from trading_bot.brokers.fees import Trade, fee
from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.units import stamp
from trading_bot.brokers.venue_store import MemoryVenueStore
from trading_bot.domain.errors import OrderRejectedError
from trading_bot.domain.events import CashUpdate, SplitUpdate
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Dividend, Split
from trading_bot.domain.orders import Side
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SimulatedClock
from trading_bot.market.calendar import open_calendar
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource

D = Decimal
FLAT = (100, 100, 100, 100, 1_000)


def _cash(desk: Desk) -> list[tuple[str, Decimal, datetime]]:
    return [(e.reason, e.amount, e.at) for e in desk.broker.events(0) if isinstance(e, CashUpdate)]


def test_the_first_event_is_the_deposit() -> None:
    """100,000 at the time of the first call."""
    desk = open_desk(Market().days([FLAT]))
    assert _cash(desk) == [("deposit", D(100_000), at("14:30"))]


def test_a_sale_pays_the_fees_of_its_day() -> None:
    """100 at 99.99 = 9,999: SEC 8.00 per million 0.08, FINRA 0.000166 a share 0.0166, each rounded up to the cent: 0.08 + 0.02."""
    desk = open_desk(Market().minutes([FLAT, FLAT]), fees="us_equity")
    desk.send(spec("e"))
    desk.send(spec("c", "sell", role="close"))
    assert desk.broker.account().cash == 100_000 - D("10001.00") + D("9999.00") - D("0.10")


@pytest.mark.parametrize(
    ("day", "cents"),
    [("2024-05-21", "80.01"), ("2024-05-22", "278.01"), ("2025-05-14", "0.01"), ("2026-04-04", "206.01")],
)
def test_fees_follow_their_dates(day: str, cents: str) -> None:
    """One share sold for ten million."""
    trade = Trade(Side.SELL, D(1), D(10_000_000), maker=False, at=stamp(datetime.fromisoformat(day).replace(tzinfo=UTC)))
    assert fee("us_equity", AssetClass.EQUITY, trade) == int(D(cents) * 10**8)


def test_the_fee_on_shares_is_capped() -> None:
    """100,000 shares in 2024 would be 16.60; 8.30 is the most, and 0.08 for a value of 10,000."""
    trade = Trade(Side.SELL, D(100_000), D(10_000), maker=False, at=stamp(datetime(2024, 3, 4, tzinfo=UTC)))
    assert fee("us_equity", AssetClass.EQUITY, trade) == 838_000_000


def test_a_coin_pays_for_taking_and_making() -> None:
    """0.1 % of 50,000 spot; 0.055 % and 0.02 % of a perpetual."""
    trade = Trade(Side.BUY, D(1), D(50_000), maker=False, at=stamp(datetime(2024, 3, 4, tzinfo=UTC)))
    made = Trade(Side.BUY, D(1), D(50_000), maker=True, at=trade.at)
    assert fee("us_equity", AssetClass.CRYPTO_SPOT, trade) == 50 * 10**8
    assert fee("us_equity", AssetClass.CRYPTO_PERPETUAL, trade) == int(D("27.5") * 10**8)
    assert fee("us_equity", AssetClass.CRYPTO_PERPETUAL, made) == 10 * 10**8


def test_a_short_needs_half_its_value_beside_its_proceeds() -> None:
    """1,000 sold at 100: proceeds 100,000, 150,000 held back of 200,000; 50,000 are left, maintenance is 30,000."""
    market = Market(spread=D(0)).minutes([FLAT, FLAT])
    desk = open_desk(market)
    desk.send(spec("s", "sell", quantity=1_000, legs=(110, 90)))
    account = desk.broker.account()
    assert (account.cash, account.equity) == (D(200_000), D(100_000))
    assert (account.buying_power, account.maintenance_margin) == (D(50_000), D(30_000))
    with pytest.raises(OrderRejectedError, match="buying power"):
        desk.send(spec("t", "sell", quantity=1_001))


def test_a_short_s_stop_lies_above_and_its_target_below() -> None:
    """Out at 110.01."""
    desk = open_desk(Market().minutes([FLAT, (100, 111, 89, 100, 1_000)]))
    desk.send(spec("s", "sell", legs=(110, 90)))
    assert desk.go("14:40").fills[1:] == [("s-sl", D(100), D("110.01"), at("14:40"))]


def test_borrowed_shares_cost_for_every_calendar_day() -> None:
    """100 at 100 for a year at 3.65 % are 365: 1 a day, the weekend included."""
    desk = open_desk(Market(spread=D(0)).days([FLAT] * 10), borrow_bps_per_year="365", start=at("14:30", 8))
    desk.send(spec("s", "sell"))
    desk.go("14:30", 11)
    assert _cash(desk)[1:] == [("borrow", D(-1), at("00:00", day)) for day in (9, 10, 11)]


def test_a_dividend_pays_who_held_before_the_opening_and_charges_shorts() -> None:
    """0.25 a share on Tuesday: bought on Monday yes, bought at Tuesday's opening no."""
    pays = Dividend(symbol=A, ex=at("14:30", 5), amount=D("0.25"))
    market = Market(events=(pays,)).days([FLAT, FLAT])
    late = open_desk(market, start=at("22:00"))
    late.send(spec("e"))
    assert _cash(late.go("21:00", 5))[1:] == []
    for side, amount in (("buy", D(25)), ("sell", D(-25))):
        desk = open_desk(market)
        desk.send(spec("e", side))
        assert _cash(desk.go("21:00", 5))[1:] == [("dividend", amount, at("14:30", 5))]


def test_a_split_changes_position_resting_orders_and_sleeping_legs() -> None:
    """Two for one: 100 at 100.01 become 200 at 50.005; stops of 95 and 70 become 47.50 and 35, the limit of 80 one of 40."""
    split = Split(symbol=A, ex=at("14:30", 5), ratio=D(2))
    market = Market(events=(split,)).days([FLAT, (50, 51, 49, 50, 1_000), (50, 50, 34, 34, 1_000)])
    desk = open_desk(market)
    desk.send(spec("e", legs=(95, 120)))
    desk.send(spec("f", quantity=10, limit=80, legs=(70,)))
    desk.go("21:00", 5)
    assert desk.resting() == {"e-sl": D(200), "e-tp": D(200), "f": D(20)}
    assert desk.broker.positions()[0].average_price == D("50.005")
    desk.go("21:00", 6)
    assert [(i, p) for i, _, p, _ in desk.fills[1:]] == [("e-sl", D("47.49")), ("f", D(40)), ("f-sl", D("34.99"))]


def test_fractions_after_a_reverse_split_are_paid_in_cash_at_the_open() -> None:
    """105 for 10: 10 shares and half a share at 1,000."""
    split = Split(symbol=A, ex=at("14:30", 5), ratio=D("0.1"))
    market = Market(spread=D(0), events=(split,)).days([FLAT, (1_000, 1_000, 1_000, 1_000, 1_000)])
    desk = open_desk(market)
    desk.send(spec("e", quantity=105, legs=(90,)))
    desk.go("21:00", 5)
    told = next(e for e in desk.broker.events(0) if isinstance(e, SplitUpdate))
    assert (told.ratio, told.quantity_after, told.at) == (D("0.1"), D(10), at("14:30", 5))
    assert _cash(desk)[1:] == [("cash_in_lieu", D(500), at("14:30", 5))]
    assert desk.resting() == {"e-sl": D(10)}
    assert desk.broker.account().equity == 100_000


def _files(shared: Path, symbol: str, start: datetime) -> Desk:
    def instrument(name: Symbol) -> Instrument:
        return Instrument(symbol=name)

    source = FileSource([FileSettings(path=shared / "data/us_daily_core" / f"{symbol}.csv")], instrument, open_calendar, D(0))
    clock = SimulatedClock(start)
    return Desk(PaperBroker(MemoryVenueStore(), source, open_calendar, clock, settings()), clock)


def test_buying_and_holding_a_real_year_makes_its_known_total_return(shared: Path) -> None:
    """AAPL from the open of 2024-01-02 to the last close of 2024, dividends as cash and no costs: +34.34 %."""
    desk = _files(shared, "AAPL", datetime(2024, 1, 2, 14, 30, tzinfo=UTC))
    desk.send(spec("e", symbol="AAPL", quantity=500))
    (paid,) = [price for _, _, price, _ in desk.fills]
    desk.clock.sleep_until(datetime(2024, 12, 31, 21, 0, tzinfo=UTC))
    gain = desk.broker.account().equity - 100_000
    assert paid == D("187.15")
    assert round(gain / 500 / paid * 100, 2) == D("34.34")


def test_a_real_ten_for_one_split_carries_a_resting_stop(shared: Path) -> None:
    """NVDA closed at 1208.88 on 2024-06-07 and opened at 120.37 on 2024-06-10: a stop of 1000 becomes one of 100 and does not fire."""
    desk = _files(shared, "NVDA", datetime(2024, 6, 7, 13, 30, tzinfo=UTC))
    desk.send(spec("e", symbol="NVDA", quantity=10, legs=(1_000,)))
    desk.clock.sleep_until(datetime(2024, 6, 10, 20, 0, tzinfo=UTC))
    (stop,) = desk.broker.open_orders()
    assert (stop.quantity, stop.stop_price) == (D(100), D(100))
    assert desk.broker.positions()[0].quantity == 100
