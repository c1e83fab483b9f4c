"""Reports: what is in them, byte for byte the same for the same inputs, whole or not there."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from trading_bot.backtest.benchmark import Benchmark
from trading_bot.backtest.facts import Material, facts
from trading_bot.backtest.report import (
    Header,
    backtest_report,
    daily_name,
    daily_report,
    monthly_returns,
    plain,
    skipped,
    weekly_name,
    write,
)
from trading_bot.backtest.review import review
from trading_bot.backtest.statistics import Curve, performance
from trading_bot.domain.books import Books
from trading_bot.domain.errors import StorageError
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.mandate import Mode
from trading_bot.domain.market import Feed, PriceBasis, Timeframe
from trading_bot.domain.orders import Fill, Order, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.records import EquityPoint, TaskRun, TaskStatus
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ClientOrderId, Digest, Symbol, TaskRunId
from trading_bot.ports import BarSeries

Trade = Callable[..., RoundTrip]
NEW_YORK = ZoneInfo("America/New_York")
AAPL = Symbol("AAPL")
FRIDAY, MONDAY = date(2024, 3, 1), date(2024, 3, 4)
NOON = datetime(2024, 3, 4, 17, tzinfo=UTC)


def close(session: date, equity: str) -> EquityPoint:
    """A session's close, half in the market."""
    at, worth = datetime.combine(session, time(21), UTC), Decimal(equity)
    return EquityPoint(at=at, session=session, label="close", equity=worth, cash=worth / 2, exposure=worth / 2)


def bought(sequence: int, filled: str, state: OrderState) -> OrderUpdate:
    """An order for 10 AAPL at 100 of which 5 more were filled."""
    order = Order(
        client_order_id=ClientOrderId("desk-entry"),
        venue_order_id="1",
        symbol=AAPL,
        side=Side.BUY,
        type=OrderType.MARKET,
        role=OrderRole.ENTRY,
        quantity=Decimal(10),
        time_in_force=TimeInForce.DAY,
        state=state,
        filled_quantity=Decimal(filled),
        average_price=Decimal(100),
        submitted_at=NOON,
        updated_at=NOON,
    )
    fill = Fill(
        execution_id=f"x{sequence}",
        client_order_id=order.client_order_id,
        symbol=AAPL,
        side=Side.BUY,
        role=OrderRole.ENTRY,
        quantity=Decimal(5),
        price=Decimal(100),
        fee=Decimal("0.35"),
        at=NOON,
    )
    return OrderUpdate(sequence=sequence, at=NOON, order=order, fill=fill)


def header(basis: PriceBasis = PriceBasis.AS_TRADED) -> Header:
    """A backtest of AAPL on daily bars."""
    bars = BarSeries(AAPL, Timeframe.DAY, pd.DataFrame(), np.array([]), Feed.CONSOLIDATED, basis, "files")
    return Header("desk", Mode.BACKTEST, 7, [AAPL], Digest("c0ffee"), [bars], ["one bar was dropped"], (42, "abc"))


def material(trades: Sequence[RoundTrip] = ()) -> Material:
    """Friday and Monday: an order filled in two parts on Monday."""
    events = [bought(1, "5", OrderState.PARTIALLY_FILLED), bought(2, "10", OrderState.FILLED)]
    return Material(Decimal(100_000), [close(FRIDAY, "101000"), close(MONDAY, "103020")], trades, [], [], events, Books())


def task(name: str, status: TaskStatus, reason: str = "") -> TaskRun:
    """A task of Monday."""
    return TaskRun(at=NOON, id=TaskRunId(name), task=name, session=MONDAY, due=NOON, status=status, reason=reason)


def test_a_backtest_report_tells_of_the_whole_run(trade: Trade) -> None:
    """Every section, money as text, ratios as numbers."""
    whole = material([trade("30"), trade("-20")])
    theirs = Curve((FRIDAY, MONDAY), np.array([100.0, 110.0]), np.array([100.0, 110.0]), 100.0)
    benchmark = Benchmark({AAPL: 0.1}, theirs, performance(theirs), ("AAPL: a note",))
    made = backtest_report(header(), facts(whole, FRIDAY, MONDAY, NEW_YORK), whole.within(FRIDAY, MONDAY, NEW_YORK), [], benchmark)
    assert made["period"] == {"first": "2024-03-01", "last": "2024-03-04", "sessions": 2}
    assert (made["desk"], made["seed"], made["symbols"]) == ("desk", 7, ["AAPL"])
    assert made["data"] == [{"symbol": "AAPL", "timeframe": "1d", "source": "files", "feed": "consolidated", "prices": "as traded"}]
    assert made["data_notes"] == ["one bar was dropped"]
    assert made["audit"] == {"rows": 42, "hash": "abc"}
    assert made["performance"]["total_return"] == 0.0302
    assert (made["performance"]["profit"], made["performance"]["profit_factor"]) == ("3020", 1.5)
    assert made["costs"] == {"fees": "0.7", "income": "0"}
    assert (made["benchmark"]["returns"], made["benchmark"]["notes"]) == ({"AAPL": 0.1}, ["AAPL: a note"])
    assert made["monthly_returns"] == [{"month": "2024-03", "return": 0.0302, "benchmark": 0.1}]
    assert [(t["symbol"], t["profit"], t["closed_at"]) for t in made["trades"]] == [
        ("AAPL", "30", "2024-03-04T16:00:00Z"),
        ("AAPL", "-20", "2024-03-04T16:00:00Z"),
    ]
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_prices_that_are_not_as_traded_are_marked() -> None:
    """The mark stands beside the symbol in every report."""
    whole = material()
    made = backtest_report(header(PriceBasis.NOT_AS_TRADED), facts(whole, FRIDAY, MONDAY, NEW_YORK), whole, [])
    assert made["data"][0]["prices"] == "not as traded"
    assert made["benchmark"] is None


def test_a_daily_report_holds_the_session_alone() -> None:
    """Monday: from Friday's close, the order as it was last, both fills, the graded review."""
    whole = material()
    told = facts(whole, MONDAY, MONDAY, NEW_YORK)
    made = daily_report(header(), told, whole.within(MONDAY, MONDAY, NEW_YORK), [], review(told))
    assert (made["session"], made["profit"]) == ("2024-03-04", "2020")
    assert (made["equity"]["start"], made["equity"]["end"]) == ("101000", "103020")
    assert [p["session"] for p in made["equity"]["points"]] == ["2024-03-04"]
    assert [(o["state"], o["filled_quantity"]) for o in made["orders"]] == [("filled", "10")]
    assert [f["execution_id"] for f in made["fills"]] == ["x1", "x2"]
    assert made["review"]["grade"] == "ACCEPTABLE"
    assert daily_name(MONDAY) == "daily_20240304.json"


def test_a_week_is_reported_like_a_day_under_its_own_name() -> None:
    """From Friday on: both closes, and the kind says what it is."""
    whole = material()
    told = facts(whole, FRIDAY, MONDAY, NEW_YORK)
    made = daily_report(header(), told, whole.within(FRIDAY, MONDAY, NEW_YORK), [], review(told))
    assert (made["report"], made["profit"], len(made["equity"]["points"])) == ("weekly", "3020", 2)
    assert weekly_name(MONDAY) == "weekly_20240304.json"


def test_months_are_chained_from_close_to_close() -> None:
    """January +10 %, nothing recorded in February, March -50 % of the last close."""
    days = (date(2024, 1, 30), date(2024, 1, 31), date(2024, 3, 1))
    assert monthly_returns(Curve(days, np.array([105.0, 110.0, 55.0]), np.zeros(3), 100.0)) == {
        "2024-01": pytest.approx(0.10),
        "2024-03": -0.5,
    }


def test_tasks_that_did_not_do_their_work_are_counted_by_reason() -> None:
    """Two without a price, one missed; started and done tasks are not listed."""
    runs = [
        task("monitor-1000", TaskStatus.SKIPPED, "no price"),
        task("monitor-1100", TaskStatus.SKIPPED, "no price"),
        task("pre-market", TaskStatus.MISSED, "nobody was there"),
        task("market-open", TaskStatus.STARTED),
        task("market-open", TaskStatus.DONE),
    ]
    assert skipped(runs) == {"skipped": {"no price": 2}, "missed": {"nobody was there": 1}, "failed": {}}


def test_ratios_are_rounded_to_ten_digits_and_money_is_text() -> None:
    """Large and small alike; a Decimal is never written in powers of ten."""
    assert plain([1 / 3, 1e-7 / 3, Decimal("1E+3")]) == [0.3333333333, 3.333333333e-08, "1000"]


def test_equal_reports_are_equal_bytes_and_the_digest_is_theirs(tmp_path: Path) -> None:
    """Whatever the order of the keys; the file ends with a line feed and nothing else is left in the folder."""
    digest = write(tmp_path / "new" / "a.json", {"b": 1, "a": "Zürich"})
    assert write(tmp_path / "new" / "b.json", {"a": "Zürich", "b": 1}) == digest
    data = (tmp_path / "new" / "a.json").read_bytes()
    assert data == '{\n "a": "Zürich",\n "b": 1\n}\n'.encode()
    assert hashlib.sha256(data).hexdigest() == digest
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["a.json", "b.json"]


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """The error says what to do; neither a full disk nor a number that is none makes half a file."""
    path = tmp_path / "a.json"
    write(path, {"a": 1})
    (tmp_path / ".a.json.draft").mkdir()
    with pytest.raises(StorageError, match="make the folder writable"):
        write(path, {"a": 2})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(path, {"a": math.nan})
    assert path.read_text() == '{\n "a": 1\n}\n'
