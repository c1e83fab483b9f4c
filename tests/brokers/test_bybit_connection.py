"""One post for one order: what Bybit's SDK would send again, this desk does not; and each failure has one meaning."""

import inspect
import threading
import time
from collections.abc import Iterator

import pytest
from pybit import exceptions as sdk

from brokers.bybit_kit import KEYS, Call, Said, Scripted, nobody_listening, settings
from trading_bot.brokers.bybit import errors
from trading_bot.brokers.bybit.connection import Connection, session
from trading_bot.brokers.bybit.errors import CODES, SDK_ERRORS, Meaning, RefusedError, of_code
from trading_bot.domain.errors import (
    BrokerKeysError,
    BrokerUnavailableError,
    DeskError,
    OrderRejectedError,
    OutcomeUnknownError,
    RateLimitedError,
)
from trading_bot.network.budget import Purpose
from trading_bot.settings import BybitEnvironment

CREATE = "/v5/order/create"
ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01", "orderLinkId": "a-1"}


@pytest.fixture
def venue() -> Iterator[Scripted]:
    """A scripted Bybit."""
    with Scripted() as scripted:
        yield scripted


def place(url: str, timeout: float = 5.0) -> object:
    """Send one order."""
    line = Connection(settings(url), KEYS, time.monotonic, timeout=timeout)
    try:
        return line.act("place_order", Purpose.ORDER, **ORDER)
    finally:
        line.close()


ANSWERS = {
    "its retry list: timestamp": (Said(code=10002, message="time"), BrokerUnavailableError),
    "its retry list: rate": (Said(code=10006, message="slow down"), RateLimitedError),
    "its retry list: others": (Said(code=130035, message="what"), OrderRejectedError),
    "hung up": (None, OutcomeUnknownError),
    "cut in the middle": (Said({"orderId": "1"}, cut=True), OutcomeUnknownError),
    "no JSON": (Said(raw=b"<html>"), OutcomeUnknownError),
    "JSON of another kind": (Said(raw=b"[1]"), OutcomeUnknownError),
    "neither yes nor no": (Said(raw=b"{}"), OutcomeUnknownError),
    "server error": (Said(status=504), OutcomeUnknownError),
    "service error": (Said(code=10016, message="server"), OutcomeUnknownError),
    "an unlisted code": (Said(code=987654, message="new"), OutcomeUnknownError),
    "banned address": (Said(status=403), RateLimitedError),
    "too many": (Said(status=429), RateLimitedError),
    "redirected": (Said(status=307, headers={"Location": CREATE}), OutcomeUnknownError),
    "no money": (Said(code=110007, message="insufficient"), OrderRejectedError),
    "wrong sign": (Said(code=10004, message=f"sign {KEYS.key}"), BrokerKeysError),
    "expired keys": (Said(code=33004, message="expired"), BrokerKeysError),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_whatever_is_answered_an_order_is_posted_once(venue: Scripted, case: str) -> None:
    """The SDK would retry some of these three times; each is one post, with the meaning that the port promises, and without keys."""
    said, error = ANSWERS[case]
    venue.say(CREATE, said)
    with pytest.raises(error) as caught:
        place(venue.url)
    assert len(venue.sent(CREATE)) == 1
    assert not any(word in str(caught.value) for word in (KEYS.key, KEYS.secret))


def test_an_order_that_gets_no_answer_in_time_has_an_unknown_outcome(venue: Scripted) -> None:
    """The time-out is ours, it is kept, and the order is not sent again."""
    begun = time.monotonic()
    heard = threading.Event()

    def late(_: Call) -> None:
        heard.wait(5)

    venue.answers[CREATE] = late
    with pytest.raises(OutcomeUnknownError):
        place(venue.url, timeout=0.2)
    assert time.monotonic() - begun < 4
    heard.set()
    assert len(venue.sent(CREATE)) == 1


def test_a_refused_connection_sends_nothing() -> None:
    """Nobody listens: nothing can have been placed."""
    with nobody_listening() as url, pytest.raises(BrokerUnavailableError, match="nothing was sent"):
        place(url)


def test_a_question_never_has_an_unknown_outcome(venue: Scripted) -> None:
    """What is uncertain for an order is unavailable for a question, a refusal too."""
    line = Connection(settings(venue.url), KEYS, time.monotonic)
    for said in (None, Said(status=502), Said(code=10016), Said(code=10001)):
        venue.say("/v5/order/realtime", said)
        with pytest.raises(BrokerUnavailableError):
            line.read("get_open_orders", category="linear", symbol="BTCUSDT")
    line.close()


def test_the_venues_word_on_its_limits_is_believed(venue: Scripted) -> None:
    """After a refusal no order is sent until the reset that the headers name; the wait is in the message."""
    now = {"at": 0.0}
    headers = {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": "1700000004500", "Timenow": "1700000000000"}
    venue.say(CREATE, Said(code=10006, message="slow", headers=headers))
    line = Connection(settings(venue.url), KEYS, lambda: now["at"])
    with pytest.raises(RateLimitedError, match=r"4\.5 s"):
        line.act("place_order", Purpose.ORDER, **ORDER)
    venue.say(CREATE, Said({"orderId": "1"}))
    now["at"] = 3.0
    with pytest.raises(RateLimitedError, match="our own budget"):
        line.act("place_order", Purpose.ORDER, **ORDER)
    assert len(venue.sent(CREATE)) == 1
    now["at"] = 9.0
    assert line.act("place_order", Purpose.ORDER, **ORDER) == {"orderId": "1"}
    line.close()


def test_questions_cannot_use_up_what_is_kept_for_orders_cancels_and_the_guardian(venue: Scripted) -> None:
    """Each purpose digs deeper into the budget than the one before."""
    line = Connection(settings(venue.url, requests_per_second=10), KEYS, lambda: 0.0)
    rescue = Connection(settings(venue.url, requests_per_second=10), KEYS, lambda: 0.0, guardian=True)
    line._pause = rescue._pause = lambda _: None

    def calls(of: Connection, purpose: Purpose) -> int:
        for count in range(100):
            try:
                of.read("get_open_orders", purpose, category="linear", symbol="BTCUSDT")
            except RateLimitedError:
                return count
        return 100

    found = [calls(line, p) for p in (Purpose.READ, Purpose.ORDER, Purpose.CANCEL)]
    assert found == [6, 1, 2], "nobody waits here: the counter stands still"
    assert calls(rescue, Purpose.READ) == 10
    line.close()
    rescue.close()


def test_each_environment_is_another_address() -> None:
    """Live is reached only by the word live; an emulator's address takes the place of any."""
    found = {e: session(settings(None, environment=e), KEYS, 1.0).endpoint for e in BybitEnvironment}
    assert found == {
        BybitEnvironment.TESTNET: "https://api-testnet.bybit.com",
        BybitEnvironment.DEMO: "https://api-demo.bybit.com",
        BybitEnvironment.LIVE: "https://api.bybit.com",
    }
    assert session(settings("http://127.0.0.1:9"), KEYS, 1.0).endpoint == "http://127.0.0.1:9"


def test_the_map_knows_every_exception_of_the_sdk() -> None:
    """A class that a new version of pybit brings has to be given a meaning here."""
    theirs = {c for _, c in inspect.getmembers(sdk, inspect.isclass) if issubclass(c, Exception) and c.__module__ == sdk.__name__}
    assert theirs == set(SDK_ERRORS)


def test_a_code_without_a_meaning_is_uncertain() -> None:
    """The codes that have one are listed here, so that a change is seen."""
    assert {m: sorted(c for c, found in CODES.items() if found is m) for m in Meaning if m in CODES.values()} == {
        Meaning.REFUSED: [10001, 10017, 10024, 10027, 10029, 10404],
        Meaning.ABSENT: [110001, 110019, 170143, 170213],
        Meaning.ENDED: [110008, 110010, 170139, 170142, 170190],
        Meaning.KNOWN: [110030, 110072, 170141],
        Meaning.UNCHANGED: [34036, 34040, 110025, 110026, 110027, 110043],
        Meaning.LIMITED: [429, 10006, 10009, 10018, 10429, 20003, 170005, 170222],
        Meaning.KEYS: [-2015, 10003, 10004, 10005, 10007, 10008, 10010, 10028, 33004, 100028],
        Meaning.CLOCK: [-1, 10002],
        Meaning.UNCERTAIN: [10000, 10014, 10016, 10019, 40004, 110079, 170001, 170007, 170032, 170146, 170147, 170149],
    }
    assert of_code(555) is Meaning.UNCERTAIN
    assert of_code(110094) is Meaning.REFUSED


def test_every_meaning_raises_an_error_of_the_desk() -> None:
    """Whatever a call meant, its caller hears it in the desk's words."""
    for meaning in Meaning:
        for fail in (errors.raise_order, errors.raise_read):
            with pytest.raises(DeskError):
                fail(meaning, "words")
    with pytest.raises(RefusedError) as caught:
        errors.raise_order(Meaning.KNOWN, "duplicate")
    assert caught.value.meaning is Meaning.KNOWN
