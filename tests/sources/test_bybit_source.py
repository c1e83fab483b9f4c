"""Bybit's market data through the real pybit, over real sockets, against a server that says what a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from sources import bybit_words as words
from sources.bybit_words import NOW
from sources.vendor_server import Vendor
from trading_bot.domain.errors import NoDataError, SourceFailedError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Contract, Feed, PriceBasis, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.settings import BybitSettings
from trading_bot.sources import bybit_wire
from trading_bot.sources.bybit import BybitSource
from trading_bot.sources.live.pulse import Pulse

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
LEAST = Decimal("0.000000000001")


@dataclass
class Time:
    """Trading time that a test moves."""

    now: datetime = NOW

    def pass_by(self, **amount: float) -> None:
        """Go on."""
        self.now += timedelta(**amount)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A Bybit of few words."""
    with Vendor(words.greet) as vendor:
        words.talk(vendor)
        yield vendor


@pytest.fixture
def time() -> Time:
    """Trading time."""
    return Time()


def build(vendor: Vendor, time: Time, category: str = "linear") -> BybitSource:
    """A source that asks `vendor`."""
    asked = {"environment": "demo", "url": vendor.url, "category": category, "leverage": "1"}
    settings = BybitSettings.model_validate(asked | {"receive_window_ms": 5000, "requests_per_second": 100})
    seconds = count()
    return BybitSource(settings, ours, open_calendar, Pulse(now=lambda: time.now, steady=lambda: float(next(seconds)), draw=lambda: 0.0))


def ours(symbol: Symbol) -> Instrument:
    """What a configuration that says nothing makes of a coin."""
    return Instrument(symbol=symbol, asset_class=AssetClass.CRYPTO_PERPETUAL, calendar="24/7", tick_size=LEAST, lot_size=LEAST)


@pytest.fixture
def source(vendor: Vendor, time: Time) -> Iterator[BybitSource]:
    """A source whose stream is not open."""
    made = build(vendor, time)
    yield made
    made.close()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    tries = threading.Event()
    for _ in range(1000):
        if holds():
            return
        tries.wait(0.01)
    raise AssertionError


def test_the_grid_is_bybits(source: BybitSource, vendor: Vendor, time: Time) -> None:
    """Perpetuals can be sold short; coins of the spot market cannot."""
    assert source.instrument(BTC) == ours(BTC).model_copy(
        update={
            "venue": "bybit",
            "currency": "USDT",
            "tick_size": Decimal("0.1"),
            "lot_size": Decimal("0.001"),
            "minimum_notional": Decimal(5),
        }
    )
    spot = build(vendor, time, "spot")
    coin = spot.instrument(BTC)
    assert (coin.asset_class, coin.lot_size, coin.shortable) == (AssetClass.CRYPTO_SPOT, Decimal("0.000001"), False)
    spot.close()


def test_unknown_and_closed_contracts_are_refused_by_name(source: BybitSource) -> None:
    """The message says which and what to do."""
    with pytest.raises(NoDataError, match="NOPEUSDT: Bybit knows no such linear contract; take it out"):
        source.open([Symbol("NOPEUSDT")])
    with pytest.raises(NoDataError, match=r"OLDUSDT does not trade at Bybit \(its status is Closed\)"):
        source.bars(Symbol("OLDUSDT"), Timeframe.DAY)


def test_history_is_read_in_pages_without_the_bar_that_has_not_closed(source: BybitSource, vendor: Vendor) -> None:
    """Oldest first, no bar missing between two pages, midnight to midnight."""
    days = source.bars(BTC, Timeframe.DAY)
    assert (days.feed, days.basis, days.source) == (Feed.CONSOLIDATED, PriceBasis.AS_TRADED, "bybit-linear")
    assert (str(days.frame.index[-1]), str(days.ends[-1])[:19]) == ("2024-03-11 00:00:00+00:00", "2024-03-12T00:00:00")
    assert len(days.frame) == 799
    quarters = source.bars(BTC, Timeframe.MINUTE_15)
    assert vendor.count("/v5/market/kline") == 4
    assert len(quarters.frame) == 30 * 24 * 4 - 1
    assert set(quarters.frame.index.to_series().diff().dropna()) == {timedelta(minutes=15)}


def test_history_grows_when_a_bar_has_closed_and_is_the_same_object_until_then(source: BybitSource, vendor: Vendor, time: Time) -> None:
    """One short call for the new bar."""
    before = source.bars(BTC, Timeframe.MINUTE_15)
    calls = vendor.count("/v5/market/kline")
    time.pass_by(seconds=4)
    grown = source.bars(BTC, Timeframe.MINUTE_15)
    time.pass_by(minutes=15)
    later = source.bars(BTC, Timeframe.MINUTE_15)
    assert grown is before
    assert str(later.frame.index[-1]) == "2024-03-12 14:45:00+00:00"
    assert vendor.count("/v5/market/kline") == calls + 1
    assert source.bars(BTC, Timeframe.MINUTE_15) is later


def test_quotes_are_polled_while_there_is_no_stream(source: BybitSource, vendor: Vendor, time: Time) -> None:
    """One call for the whole market, at the answer's own time; a contract without a bid has no quote."""
    time.pass_by(seconds=1)
    assert source.quote(BTC, time.now) == Quote(
        symbol=BTC,
        bid=Decimal("70000.1"),
        ask=Decimal("70000.2"),
        bid_size=Decimal("1.5"),
        ask_size=Decimal("0.003"),
        time=NOW,
        source="bybit-linear-poll",
        feed=Feed.CONSOLIDATED,
    )
    assert source.quote(ETH, time.now) is None
    time.pass_by(seconds=2)
    assert source.quote(ETH, time.now) is not None
    assert vendor.count("/v5/market/tickers") == 2


FAILURES = [
    (Response("gateway", status_code=502), "502"),
    (Response("no json"), "409"),
    (JSONResponse(words.answer({}, code=10016, said="maintenance")), "10016"),
    (JSONResponse(words.answer({}, code=10006, said="Too many visits!")), "10006"),
    (JSONResponse(words.answer({"list": [{"bid1Price": "1", "ask1Price": "2"}]})), "not in words that can be read"),
]


@pytest.mark.parametrize(("answer", "said"), FAILURES)
def test_a_poll_that_fails_raises_if_there_is_no_quote(source: BybitSource, vendor: Vendor, answer: Response, said: str) -> None:
    """Missing is not empty, and nobody tries again and again meanwhile."""
    vendor.answers["/v5/market/tickers"] = lambda _: answer
    for _ in range(3):
        with pytest.raises(SourceFailedError, match=said):
            source.quote(BTC, NOW)
    assert vendor.count("/v5/market/tickers") == 1


def test_a_server_that_is_not_there_is_a_failed_source(time: Time) -> None:
    """Nothing listens."""
    with Vendor(words.greet) as gone:
        words.talk(gone)
        source = build(gone, time)
        source.instrument(BTC)
    for read in (lambda: source.quote(BTC, NOW), lambda: source.bars(BTC, Timeframe.DAY)):
        with pytest.raises(SourceFailedError, match="Bybit did not answer"):
            read()
    source.close()


def test_streamed_quotes_follow_the_best_bid_and_ask(source: BybitSource, vendor: Vendor, time: Time) -> None:
    """A snapshot says all, a delta what changed; a side that is empty leaves the last quote; rubbish is skipped."""
    source.open([BTC, ETH])
    vendor.until(lambda: len(vendor.told) == 1)
    topics = ["orderbook.1.BTCUSDT", "orderbook.1.ETHUSDT", "tickers.BTCUSDT", "tickers.ETHUSDT"]
    assert vendor.told[0]["args"] == topics
    moment = NOW + timedelta(seconds=1)
    time.now = moment

    def shows(bid: str, ask: str) -> bool:
        quote = source.quote(BTC, time.now)
        return quote is not None and quote.source == "bybit-linear-stream" and (quote.bid, quote.ask) == (Decimal(bid), Decimal(ask))

    vendor.push(words.book("BTCUSDT", moment, [["70000.10", "1"]], [["70000.20", "2"]]))
    eventually(lambda: shows("70000.1", "70000.2"))
    torn = '{"topic": "orderbook.1.BTCUSDT", "type": "snapshot", "data": {"s": "BTCUSDT"}}'
    for rubbish in ("[]", "{}", "no json", '{"topic": "orderbook.1.BTCUSDT"}', torn):
        vendor.push(rubbish)
    vendor.push(words.book("BTCUSDT", moment, [["70000.10", "0"]], [], "delta"))
    vendor.push(words.book("BTCUSDT", moment, [["69999.9", "3"]], [["70000.2", "0"], ["70000.5", "1"]], "delta"))
    eventually(lambda: shows("69999.9", "70000.5"))
    assert source.notes() == ()
    assert source.watches()["linear"].connections == 1


def test_a_stream_that_was_cut_comes_back_with_its_subscription_and_the_gap_is_polled(
    source: BybitSource, vendor: Vendor, time: Time
) -> None:
    """The library's own reconnecting stays off; ours subscribes again."""
    source.open([BTC])
    vendor.until(lambda: len(vendor.told) == 1)
    watch = source.watches()["linear"]
    eventually(lambda: watch.connections == 1)
    source.quote(BTC, time.now)
    polls = vendor.count("/v5/market/tickers")
    vendor.cut()
    vendor.until(lambda: len(vendor.told) == 2)
    eventually(lambda: watch.connections == 2)
    assert vendor.told[0]["args"] == vendor.told[1]["args"]
    time.pass_by(seconds=2)
    vendor.push(words.book("BTCUSDT", time.now, [["70000.1", "1"]], [["70000.2", "2"]]))
    eventually(lambda: watch.age is not None)
    quote = source.quote(BTC, time.now)
    assert quote is not None
    assert vendor.count("/v5/market/tickers") == polls + 1


def test_a_stream_that_finds_nobody_keeps_trying_until_it_is_closed(time: Time) -> None:
    """No thread is left behind, and closing does not wait for the vendor."""
    with Vendor(words.greet) as gone:
        words.talk(gone)
        source = build(gone, time)
        source.instrument(BTC)
    source.open([BTC])
    assert not source.watches()["linear"].connected
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "bybit-quotes"]


SAID = Contract(
    symbol=BTC, mark=Decimal("70010.5"), funding_rate=Decimal("-0.00012"), next_funding_at=NOW + timedelta(hours=1), time=NOW
)  # fmt: skip


def test_mark_and_funding_come_with_the_poll_of_quotes(source: BybitSource, vendor: Vendor, time: Time) -> None:
    """One call tells of both; a coin that does not say has none, and the spot market has no contracts."""
    time.pass_by(seconds=1)
    source.quote(BTC, time.now)
    assert source.contract(BTC, time.now) == SAID
    assert source.contract(ETH, time.now) is None
    assert vendor.count("/v5/market/tickers") == 1
    spot = build(vendor, time, "spot")
    assert spot.contract(BTC, time.now) is None
    spot.close()


def test_an_old_word_on_a_contract_is_asked_for_anew_and_never_called_new(source: BybitSource, vendor: Vendor, time: Time) -> None:
    """After ten seconds; where nobody answers, the old one with its own time, and a failure where there is none."""
    assert source.contract(BTC, time.now) == SAID
    time.pass_by(seconds=9)
    source.contract(BTC, time.now)
    assert vendor.count("/v5/market/tickers") == 1
    vendor.answers["/v5/market/tickers"] = lambda _: Response("gateway", status_code=502)
    time.pass_by(minutes=5)
    assert source.contract(BTC, time.now) == SAID
    assert vendor.count("/v5/market/tickers") == 2
    assert source.contract(BTC, NOW - timedelta(minutes=1)) is None
    stranger = build(vendor, time)
    with pytest.raises(SourceFailedError, match="502"):
        stranger.contract(BTC, time.now)
    stranger.close()


def test_streamed_tickers_follow_mark_and_funding(source: BybitSource, vendor: Vendor, time: Time) -> None:
    """A delta says what changed; what is no number, or from the future, is no word; an earlier moment has its own."""
    source.open([BTC])
    vendor.until(lambda: len(vendor.told) == 1)

    def says(at: datetime, mark: str, rate: str) -> bool:
        said = source.contract(BTC, at)
        return said is not None and (said.mark, said.funding_rate) == (Decimal(mark), Decimal(rate))

    def pushed() -> bool:
        vendor.push(words.tickers("BTCUSDT", NOW, words.contracted("70011")))  # again: the first may come before anybody listens
        return says(NOW, "70011", "-0.00012")

    eventually(pushed)
    time.pass_by(seconds=20)
    for nonsense in ({"markPrice": "often"}, {"markPrice": "-1"}, {"nextFundingTime": "soon"}):
        vendor.push(words.tickers("BTCUSDT", time.now, nonsense, "delta"))
    vendor.push(words.tickers("BTCUSDT", time.now + timedelta(hours=1), {"markPrice": "1"}, "snapshot"))
    vendor.push(words.tickers("BTCUSDT", time.now, words.contracted("70011")))
    vendor.push(words.tickers("BTCUSDT", time.now, {"fundingRate": "0.0003"}, "delta"))
    eventually(lambda: says(time.now, "70011", "0.0003"))
    assert says(time.now - timedelta(seconds=5), "70011", "-0.00012")


def test_a_subscription_that_is_refused_is_noted(source: BybitSource, vendor: Vendor) -> None:
    """Quotes are polled then."""
    source.open([BTC])
    vendor.until(lambda: len(vendor.told) == 1)
    vendor.push(json.dumps({"success": False, "ret_msg": "error:handler not found", "op": "subscribe"}))
    eventually(lambda: bool(source.notes()))
    assert source.notes() == ("Bybit's stream refused: error:handler not found; quotes are polled",)


def test_recorded_answers_are_understood(shared: Path) -> None:
    """Bybit's documentation and another client's recordings."""
    recorded = shared / "fixtures" / "bybit"
    for name in ("linear", "spot"):
        for entry in json.loads((recorded / "nautilus_lgpl" / f"http_get_instruments_{name}.json").read_text())["result"]["list"]:
            assert bybit_wire.grid_of(entry).tick_size is not None
    for row in json.loads((recorded / "docs_v5" / "market_kline_0_Response_Example.json").read_text())["result"]["list"]:
        assert bybit_wire.bar(row)[1] > 0
    told = list(bybit_wire.tickers(json.loads((recorded / "docs_v5" / "market_tickers_0_Response_Example.json").read_text())))
    assert [symbol for symbol, _ in told] == ["BTCUSD"]
    (mark,) = bybit_wire.contracts(json.loads((recorded / "docs_v5" / "market_tickers_0_Response_Example.json").read_text()))
    assert mark == ("BTCUSD", (1760352369814 * 10**6, "114898.43", "0.0001", "1760371200000"))
    assert list(bybit_wire.contracts(json.loads((recorded / "docs_v5" / "market_tickers_1_Response_Example.json").read_text()))) == []
    book = json.loads((recorded / "nautilus_lgpl" / "ws_orderbook_snapshot.json").read_text())
    assert bybit_wire.streamed(bybit_wire.top((None, None), book | {"type": "snapshot"}), book) is not None
