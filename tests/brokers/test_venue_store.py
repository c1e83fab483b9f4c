"""The venue's file: whose it is, what is refused, how two processes share it."""

import sqlite3
from pathlib import Path

import pytest

from brokers.venue_kit import A, Market, at, open_desk, spec
from trading_bot.brokers.venue_store import SqliteVenueStore
from trading_bot.domain.errors import HomeMismatchError, SchemaTooNewError, StorageError
from trading_bot.domain.instrument import Instrument

FLAT = (100, 100, 100, 100, 1_000)


@pytest.fixture
def market() -> Market:
    """Four flat bars, then one that falls to 94."""
    return Market().minutes([FLAT] * 4 + [(100, 100, 94, 94, 1_000)])


def test_a_resting_stop_triggers_while_nobody_watches(tmp_path: Path, market: Market) -> None:
    """The desk dies after its entry; the venue is asked again an hour later."""
    first = SqliteVenueStore(tmp_path / "venue.db")
    open_desk(market, store=first).send(spec("e", legs=(95, 105)))
    first.close()
    second = SqliteVenueStore(tmp_path / "venue.db")
    desk = open_desk(market, store=second, start=at("16:00"))
    assert [(i, when) for i, _, _, when in desk.fills] == [("e", at("14:30")), ("e-sl", at("14:55"))]
    second.close()


def test_two_processes_see_each_other_s_orders_at_once(tmp_path: Path, market: Market) -> None:
    """Two connections take turns; each reads what the other wrote, and an id is placed once."""
    stores = [SqliteVenueStore(tmp_path / "venue.db") for _ in range(2)]
    here, there = (open_desk(market, store=store) for store in stores)
    here.send(spec("a", limit=90))
    there.send(spec("b", limit=90))
    assert here.resting() == there.resting()
    assert here.send(spec("b", limit=90)) == there.send(spec("b", limit=90))
    assert [e.sequence for e in there.broker.events(0)] == [1, 2, 3]
    for store in stores:
        store.close()


def test_the_file_of_another_account_is_refused(tmp_path: Path, market: Market) -> None:
    """The message names both."""
    store = SqliteVenueStore(tmp_path / "venue.db")
    open_desk(market, store=store).broker.account()
    with pytest.raises(HomeMismatchError, match="is the paper account paper-1, not other"):
        open_desk(market, store=store, account="other").broker.account()
    store.close()


def test_a_grid_that_changed_under_resting_orders_is_refused(tmp_path: Path, market: Market) -> None:
    """Prices were written on a cent; now the instrument has a tick of 0.05."""
    store = SqliteVenueStore(tmp_path / "venue.db")
    open_desk(market, store=store).send(spec("a", limit=90))
    market.instruments[A] = Instrument.model_validate({"symbol": A, "tick_size": "0.05"})
    with pytest.raises(StorageError, match="set tick_size and lot_size back"):
        open_desk(market, store=store).broker.open_orders()
    store.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """It says which version to start."""
    SqliteVenueStore(tmp_path / "venue.db").close()
    connection = sqlite3.connect(tmp_path / "venue.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(SchemaTooNewError, match="has schema 99"):
        SqliteVenueStore(tmp_path / "venue.db")


@pytest.mark.parametrize("name", ["damaged.db", "missing/venue.db"])
def test_a_file_that_cannot_be_used_says_so(tmp_path: Path, name: str) -> None:
    """Text instead of a database; a folder that is not there."""
    (tmp_path / "damaged.db").write_text("this is no database, and long enough to be looked at " * 20)
    with pytest.raises(StorageError, match="the paper venue's file"):
        SqliteVenueStore(tmp_path / name)


def test_prices_after_now_change_no_answer(market: Market) -> None:
    """Two markets that differ after 14:40, volumes included: the same account, orders and events at 14:40."""
    other = Market().minutes([FLAT, FLAT, (100, 120, 80, 90, 7), (90, 90, 90, 90, 9)])
    answers = []
    for one in (market, other):
        desk = open_desk(one, participation="0.1")
        desk.send(spec("e", quantity=250, legs=(95, 105)))
        desk.go("14:40")
        answers.append((desk.broker.events(0), desk.broker.account(), desk.broker.open_orders()))
    assert answers[0] == answers[1]
