"""Alpaca's market data through its real SDK, over real sockets, against a server that says what a test wants."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from starlette.responses import JSONResponse, Response

from sources import alpaca_words as words
from sources.alpaca_words import NOW
from sources.vendor_server import Vendor
from trading_bot.domain.errors import DataError, NoDataError, SourceFailedError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Dividend, Feed, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.network.keys import Keys
from trading_bot.settings import AlpacaSettings
from trading_bot.sources.alpaca import AlpacaSource
from trading_bot.sources.live.pulse import Pulse

AAPL, SPY, BTC = Symbol("AAPL"), Symbol("SPY"), Symbol("BTC/USD")
KEYS = Keys("public-part", "secret-part")


@dataclass
class Time:
    """Trading time that a test moves."""

    now: datetime = NOW

    def pass_by(self, **amount: float) -> None:
        """Go on."""
        self.now += timedelta(**amount)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """An Alpaca of few words."""
    with Vendor(words.greet) as vendor:
        words.talk(vendor)
        yield vendor


@pytest.fixture
def time() -> Time:
    """Trading time."""
    return Time()


def build(vendor: Vendor, time: Time, instruments: Callable[[Symbol], Instrument] | None = None) -> AlpacaSource:
    """A source that asks `vendor`."""
    settings = AlpacaSettings.model_validate({"environment": "paper", "url": vendor.url, "feed": "iex", "requests_per_minute": 6000})
    seconds = count()
    pulse = Pulse(now=lambda: time.now, steady=lambda: float(next(seconds)), draw=lambda: 0.0)
    return AlpacaSource(settings, KEYS, instruments or ours, open_calendar, pulse)


def ours(symbol: Symbol) -> Instrument:
    """What a configuration might say; of coins nothing."""
    if "/" in symbol:
        least = Decimal("0.000000000001")
        return Instrument(symbol=symbol, asset_class=AssetClass.CRYPTO_SPOT, calendar="24/7", tick_size=least, lot_size=least)
    return Instrument(symbol=symbol, sector="technology", lot_size=Decimal("0.001"))


@pytest.fixture
def source(vendor: Vendor, time: Time) -> Iterator[AlpacaSource]:
    """A source whose streams are not open."""
    made = build(vendor, time)
    yield made
    made.close()


def test_the_venues_grid_holds_where_ours_is_finer(source: AlpacaSource) -> None:
    """Sector and parts of shares are ours, whole shares and shorts the venue's."""
    assert source.instrument(AAPL) == Instrument(symbol=AAPL, sector="technology", lot_size=Decimal("0.001"), shortable=True)
    assert source.instrument(Symbol("WHOLE")).lot_size == 1
    assert not source.instrument(SPY).shortable
    bitcoin = source.instrument(BTC)
    assert (bitcoin.tick_size, bitcoin.lot_size, bitcoin.currency) == (Decimal("0.5"), Decimal("0.000000001"), "USD")
    assert (bitcoin.asset_class, bitcoin.shortable) == (AssetClass.CRYPTO_SPOT, False)


def test_unknown_and_delisted_symbols_are_refused_by_name(source: AlpacaSource) -> None:
    """Before anything is streamed; the message says which and what to do."""
    with pytest.raises(NoDataError, match=r"NOPE: Alpaca knows no such symbol; take it out of universe\.symbols"):
        source.open([AAPL, Symbol("NOPE")])
    with pytest.raises(NoDataError, match=r"GONE is inactive \(delisted"):
        source.quote(Symbol("GONE"), NOW)
    with pytest.raises(NoDataError, match="DOGE/USD: Alpaca knows no such symbol"):
        source.timeframes(Symbol("DOGE/USD"))


def test_many_symbols_are_looked_up_in_one_call(source: AlpacaSource, vendor: Vendor) -> None:
    """A start with hundreds of symbols does not use up the budget."""
    source.expect([Symbol(f"S{n}") for n in range(11)])
    assert source.instrument(AAPL).shortable
    assert [path for path, _ in vendor.asked] == ["/v2/assets"]


def test_history_is_read_page_by_page_as_traded_and_without_the_day_that_has_not_closed(source: AlpacaSource, vendor: Vendor) -> None:
    """More than two years of sessions, each from its opening to its close, of all venues: a quarter of an hour late that is free."""
    series = source.bars(AAPL, Timeframe.DAY)
    assert (series.feed, series.basis, series.source) == (Feed.CONSOLIDATED, PriceBasis.AS_TRADED, "alpaca-iex")
    days = vendor.asked[-1][1]
    assert (days["feed"], days["end"]) == ("sip", "2024-03-12T14:44:00+00:00")
    with pytest.raises(NoDataError, match="no 15m bars"):
        source.bars(AAPL, Timeframe.MINUTE_15)
    assert vendor.asked[-1][1]["feed"] == "iex"
    assert len(series.frame) > 500
    assert str(series.frame.index[-1]) == "2024-03-11 13:30:00+00:00"
    assert str(series.ends[-1]) == "2024-03-11T20:00:00.000000000"


def test_history_is_the_same_object_until_a_bar_has_closed_and_then_grows(source: AlpacaSource, vendor: Vendor, time: Time) -> None:
    """Views know by the object that nothing changed; only what is new is asked for."""
    source.instrument(SPY)
    before = source.bars(AAPL, Timeframe.DAY)
    asked = vendor.count("/v2/stocks/bars")
    assert vendor.asked[-1][1]["symbols"] == "AAPL,SPY"
    assert vendor.asked[-1][1]["adjustment"] == "raw"
    time.pass_by(hours=5, minutes=17)
    assert source.bars(AAPL, Timeframe.DAY) is before
    assert source.bars(SPY, Timeframe.DAY).frame.equals(before.frame)
    assert vendor.count("/v2/stocks/bars") == asked
    time.pass_by(minutes=5)
    after = source.bars(AAPL, Timeframe.DAY)
    assert len(after.frame) == len(before.frame) + 1
    assert after.frame.iloc[:-1].equals(before.frame)
    assert datetime.fromisoformat(vendor.asked[-1][1]["start"]) == datetime(2024, 3, 11, 20, 0, tzinfo=UTC)


def test_a_bar_that_breaks_the_rules_is_left_out_and_noted(source: AlpacaSource, vendor: Vendor) -> None:
    """A high below the close, and a day that was no session."""
    bad = [{"t": "2024-03-07T05:00:00Z", "o": 5.0, "h": 5.0, "l": 4.0, "c": 6.0, "v": 1}, words.daily(NOW.date(), NOW.date())[0]]
    good = words.daily(datetime(2024, 3, 8, tzinfo=UTC).date(), datetime(2024, 3, 11, tzinfo=UTC).date())
    sunday = good[0] | {"t": "2024-03-10T05:00:00Z"}
    vendor.answers["/v2/stocks/bars"] = lambda _: {"bars": {"AAPL": [*bad, *good, sunday]}, "next_page_token": None}
    assert [str(day)[:10] for day in source.bars(AAPL, Timeframe.DAY).frame.index] == ["2024-03-08", "2024-03-11"]
    assert source.notes() == ("AAPL: 1 1d bars of alpaca-iex break the rules of bars and were left out",)


def test_a_symbol_without_bars_has_none(source: AlpacaSource) -> None:
    """Nothing was found, which is not a failure."""
    with pytest.raises(NoDataError, match="AAPL: alpaca-iex has no 15m bars"):
        source.bars(AAPL, Timeframe.MINUTE_15)
    with pytest.raises(NoDataError, match="no 4h bars are read from Alpaca, only 15m, 1d"):
        source.bars(AAPL, Timeframe.HOUR_4)


def test_splits_and_dividends_take_effect_at_the_opening_of_their_ex_date(source: AlpacaSource, vendor: Vendor) -> None:
    """Reverse and stock splits too; a merger moves no price and is noted. Booking days far ahead are asked for."""
    told = {
        "forward_splits": [{"symbol": "AAPL", "new_rate": 4, "old_rate": 1, "ex_date": "2024-03-08"}],
        "reverse_splits": [{"symbol": "AAPL", "new_rate": 1, "old_rate": 8, "ex_date": "2023-05-01"}],
        "stock_dividends": [{"symbol": "SPY", "rate": 0.05, "ex_date": "2023-05-20"}],
        "cash_dividends": [{"symbol": "AAPL", "rate": 0.24, "special": False, "ex_date": "2024-02-09"}],
        "stock_mergers": [{"acquirer_symbol": "AAPL", "acquiree_symbol": "OLD", "effective_date": "2024-01-02"}],
    }
    vendor.answers["/v1/corporate-actions"] = lambda _: {"corporate_actions": told, "next_page_token": None}
    assert source.actions(AAPL) == (
        Split(symbol=AAPL, ex=datetime(2023, 5, 1, 13, 30, tzinfo=UTC), ratio=Decimal("0.125")),
        Dividend(symbol=AAPL, ex=datetime(2024, 2, 9, 14, 30, tzinfo=UTC), amount=Decimal("0.24")),
        Split(symbol=AAPL, ex=datetime(2024, 3, 8, 14, 30, tzinfo=UTC), ratio=Decimal(4)),
    )
    assert source.actions(SPY) == (Split(symbol=SPY, ex=datetime(2023, 5, 22, 13, 30, tzinfo=UTC), ratio=Decimal("1.05")),)
    assert source.notes() == ("AAPL, OLD: Alpaca tells of a stock merger, which moves no price; look at it",)
    assert vendor.asked[-1][1]["end"] > "2024-06-01"
    assert source.actions(BTC) == ()


def test_actions_are_kept_for_a_while_and_read_again_after_the_opening(source: AlpacaSource, vendor: Vendor, time: Time) -> None:
    """A split overnight is known when the session opens; an outage keeps the last word for six hours."""
    path = "/v1/corporate-actions"
    time.now = datetime(2024, 3, 12, 13, 15, tzinfo=UTC)
    source.actions(AAPL)
    source.actions(AAPL)
    assert vendor.count(path) == 1
    time.pass_by(minutes=15)
    source.actions(AAPL)
    assert vendor.count(path) == 2
    vendor.answers[path] = lambda _: Response("no", status_code=502)
    time.pass_by(hours=5)
    assert source.actions(AAPL) == ()
    time.pass_by(hours=2)
    with pytest.raises(SourceFailedError, match="HTTP 502"):
        source.actions(AAPL)


def test_quotes_are_polled_while_there_is_no_stream(source: AlpacaSource, vendor: Vendor, time: Time) -> None:
    """One call for all symbols, no more often than every two seconds, with the venue's own time."""
    source.instrument(SPY)
    quote = source.quote(AAPL, NOW)
    assert quote is None  # 123 ns after now: not yet published
    time.pass_by(seconds=2)
    quote = source.quote(AAPL, time.now)
    assert quote is not None
    assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (Decimal("99.99"), Decimal("100.01"), Decimal(200), Decimal(300))
    assert (quote.time, quote.source, quote.feed) == (NOW, "alpaca-iex-poll", Feed.SINGLE_VENUE)
    assert source.quote(SPY, time.now) is not None
    polls = vendor.count("/v2/stocks/quotes/latest")
    assert vendor.asked[-1][1] == {"symbols": "SPY,AAPL", "feed": "iex"}
    time.pass_by(seconds=1)
    source.quote(AAPL, time.now)
    assert vendor.count("/v2/stocks/quotes/latest") == polls


def test_crossed_and_one_sided_quotes_are_dropped(source: AlpacaSource, vendor: Vendor, time: Time) -> None:
    """Nothing is better than that."""
    bad = {"AAPL": words.quote(NOW, 101.0, 100.0), "SPY": words.quote(NOW, 0, 100.0)}
    vendor.answers["/v2/stocks/quotes/latest"] = lambda _: {"quotes": bad}
    source.instrument(SPY)
    time.pass_by(seconds=1)
    assert source.quote(AAPL, time.now) is None
    assert source.quote(SPY, time.now) is None


def test_coins_come_from_their_own_market(source: AlpacaSource, time: Time) -> None:
    """Round the clock, one book."""
    time.pass_by(seconds=1)
    quote = source.quote(BTC, time.now)
    assert quote is not None
    assert (quote.bid, quote.ask, quote.source) == (Decimal(70_000), Decimal("70001.5"), "alpaca-crypto-poll")


FAILURES = [
    (Response("gateway", status_code=502), SourceFailedError, "HTTP 502"),
    (Response("<html>no json</html>", media_type="application/json"), SourceFailedError, "not in words that can be read"),
    (JSONResponse({"quotes": {"AAPL": {"bp": 1}}}), SourceFailedError, "not in words that can be read"),
    (JSONResponse({"message": "forbidden."}, status_code=403), SourceFailedError, "refused the keys, or what they may read"),
    (JSONResponse({"message": "too many requests."}, status_code=429), SourceFailedError, "HTTP 429"),
]


@pytest.mark.parametrize(("answer", "error", "said"), FAILURES)
def test_a_poll_that_fails_raises_if_there_is_no_quote(
    source: AlpacaSource, vendor: Vendor, answer: Response, error: type[DataError], said: str
) -> None:
    """Missing is not empty; and no message shows a key."""
    vendor.answers["/v2/stocks/quotes/latest"] = lambda _: answer
    with pytest.raises(error, match=said) as caught:
        source.quote(AAPL, NOW)
    assert "secret-part" not in str(caught.value)
    assert vendor.count("/v2/stocks/quotes/latest") == 1


def test_a_poll_that_fails_leaves_the_last_quote_with_its_own_time(source: AlpacaSource, vendor: Vendor, time: Time) -> None:
    """Stale is not fresh: who looks at its time sees it; and the vendor is not hammered."""
    time.pass_by(seconds=1)
    before = source.quote(AAPL, time.now)
    vendor.answers["/v2/stocks/quotes/latest"] = lambda _: Response("no", status_code=500)
    polls = vendor.count("/v2/stocks/quotes/latest")
    time.pass_by(seconds=30)
    assert before is not None
    assert source.quote(AAPL, time.now) is before
    assert source.quote(AAPL, time.now) is before
    assert vendor.count("/v2/stocks/quotes/latest") == polls + 1


def test_a_read_of_bars_is_tried_again_and_then_fails(source: AlpacaSource, vendor: Vendor) -> None:
    """A hiccup passes unseen; an outage does not pass for a market without bars."""
    answers = iter([Response("no", status_code=503), JSONResponse({"bars": {"AAPL": words.daily(NOW.date(), NOW.date())}})])
    vendor.answers["/v2/stocks/bars"] = lambda _: next(answers)
    with pytest.raises(NoDataError):
        source.bars(AAPL, Timeframe.DAY)
    assert vendor.count("/v2/stocks/bars") == 2
    vendor.answers["/v2/stocks/bars"] = lambda _: Response("no", status_code=503)
    with pytest.raises(SourceFailedError, match="HTTP 503"):
        source.bars(SPY, Timeframe.DAY)
    assert vendor.count("/v2/stocks/bars") == 5


def test_a_server_that_is_not_there_is_a_failed_source(time: Time) -> None:
    """Nothing listens; every kind of read says so."""
    with Vendor(words.greet) as gone:
        words.talk(gone)
        source = build(gone, time)
        source.instrument(AAPL)
    for read in (lambda: source.quote(AAPL, NOW), lambda: source.bars(AAPL, Timeframe.DAY), lambda: source.actions(AAPL)):
        with pytest.raises(SourceFailedError, match="Alpaca did not answer"):
            read()
    source.close()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait, without a clock of our own, for what another thread does."""
    tries = threading.Event()
    for _ in range(1000):
        if holds():
            return
        tries.wait(0.01)
    raise AssertionError


def test_streamed_quotes_are_seen_at_their_own_time_and_never_before(source: AlpacaSource, vendor: Vendor, time: Time) -> None:
    """The source says that they were streamed; a view never shows one that is newer than it looks."""
    source.open([AAPL, SPY])
    vendor.until_streams(1)
    assert vendor.told[0] == {"action": "subscribe", "quotes": ["AAPL", "SPY"]}
    source.quote(AAPL, NOW)
    later = NOW + timedelta(seconds=2)
    time.now = later + timedelta(milliseconds=1)
    vendor.push(words.tick("AAPL", later))
    eventually(lambda: source.watches()["stocks"].age is not None)
    view = AsOfView(source, lambda: time.now)
    quote = view.quote(AAPL)
    assert quote is not None
    assert (quote.bid, quote.ask, quote.time, quote.source) == (Decimal("50.01"), Decimal("50.02"), later, "alpaca-iex-stream")
    before = view.frozen(later - timedelta(milliseconds=1)).quote(AAPL)
    assert before is not None
    assert before.source == "alpaca-iex-poll"
    assert before.time <= later - timedelta(milliseconds=1)


def test_a_message_that_cannot_be_read_does_not_end_the_stream(source: AlpacaSource, vendor: Vendor, time: Time) -> None:
    """Garbled, replayed and absurd ones are skipped; the next good one counts."""
    source.open([AAPL])
    vendor.until_streams(1)
    time.pass_by(seconds=3)
    vendor.push(words.broken())
    vendor.push(words.tick("AAPL", NOW + timedelta(days=900)))
    vendor.push(words.tick("OTHER", NOW))
    eventually(lambda: source.watches()["stocks"].age is not None)
    assert source.quote(AAPL, time.now) is not None  # polled: what claims to come from the future was forgotten
    vendor.push(words.tick("AAPL", time.now - timedelta(seconds=1)))
    eventually(lambda: (quote := source.quote(AAPL, time.now)) is not None and quote.source == "alpaca-iex-stream")
    vendor.push(words.tick("AAPL", NOW, 1.0, 2.0))
    vendor.push(words.tick("AAPL", time.now, 60.0, 60.5))
    eventually(lambda: (quote := source.quote(AAPL, time.now)) is not None and quote.bid == 60)


def test_a_stream_that_was_cut_comes_back_with_its_subscription_and_the_gap_is_polled(
    source: AlpacaSource, vendor: Vendor, time: Time
) -> None:
    """Whatever was said meanwhile is read once, however young the last quote."""
    source.open([AAPL])
    vendor.until_streams(1)
    source.quote(AAPL, NOW)
    polls = vendor.count("/v2/stocks/quotes/latest")
    vendor.cut()
    vendor.until(lambda: len(vendor.told) == 2)
    vendor.until_streams(1)
    assert vendor.told == [{"action": "subscribe", "quotes": ["AAPL"]}] * 2
    watch = source.watches()["stocks"]
    eventually(lambda: watch.connections == 2)
    time.pass_by(seconds=2)
    vendor.push(words.tick("AAPL", time.now))
    eventually(lambda: watch.age is not None)
    source.quote(AAPL, time.now)
    assert vendor.count("/v2/stocks/quotes/latest") == polls + 1


def test_keys_that_the_stream_refuses_are_noted(time: Time) -> None:
    """It goes on trying, since a token may be renewed; the note shows no key."""
    with Vendor(words.unknown) as vendor:
        words.talk(vendor)
        source = build(vendor, time)
        source.open([AAPL])
        eventually(lambda: bool(source.notes()))
        assert source.notes() == ("Alpaca's stream refused: auth failed; quotes are polled",)
        source.close()


def test_a_stream_that_is_refused_is_noted_and_quotes_are_polled(time: Time) -> None:
    """A free account may stream thirty symbols."""
    with Vendor(words.refuse) as vendor:
        words.talk(vendor)
        source = build(vendor, time)
        source.open([AAPL, BTC])
        eventually(lambda: bool(source.notes()))
        assert source.notes() == ("Alpaca's stream refused: symbol limit exceeded (405); quotes are polled",)
        time.pass_by(seconds=1)
        assert source.quote(AAPL, time.now) is not None
        source.close()
