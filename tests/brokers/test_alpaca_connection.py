"""The wire to Alpaca: one post per order, no call without an end, and the right error for whatever goes wrong."""

import inspect
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import alpaca.common.exceptions as sdk_errors
import pytest
import requests.exceptions as transport_errors
from urllib3 import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, SSLError

from brokers.alpaca_stub import Answer, Stub, stub
from trading_bot.brokers.alpaca.connection import Connection, rows
from trading_bot.brokers.alpaca.errors import FATES, Fate, fate_of
from trading_bot.domain.errors import (
    BrokerKeysError,
    BrokerUnavailableError,
    DeskError,
    OrderNotFoundError,
    OrderRejectedError,
    OutcomeUnknownError,
    RateLimitedError,
)
from trading_bot.network.budget import Purpose
from trading_bot.network.keys import Keys
from trading_bot.settings import AlpacaEnvironment, AlpacaSettings

KEYS = Keys("PKTHEKEYITSELF", "the-secret-itself")
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
REFUSAL = {"code": 42210000, "message": "qty must be > 0"}
CASES: dict[str, tuple[Answer, type[DeskError]]] = {
    "a refusal in Alpaca's words": (Answer(422, REFUSAL), OrderRejectedError),
    "too little buying power": (Answer(403, {"code": 40310000, "message": "insufficient buying power"}), OrderRejectedError),
    "a refusal that is not Alpaca's": (Answer(403, "<html>blocked by a proxy</html>"), OutcomeUnknownError),
    "a refusal with half a body": (Answer(422, '{"code": 4221', cut=True), OutcomeUnknownError),
    "unknown keys": (Answer(401, {"message": "unauthorized"}), BrokerKeysError),
    "keys without an account": (Answer(403, {"code": 40110000, "message": "request is not authorized"}), BrokerKeysError),
    "keys that the gateway does not know": (Answer(403, {"message": "forbidden."}), BrokerKeysError),
    "an order that is not there": (Answer(404, {"code": 40410000, "message": "order not found"}), OrderNotFoundError),
    "too many requests": (Answer(429, {"message": "too many requests."}), RateLimitedError),
    "a gateway's time-out": (Answer(504, "<html>504</html>"), OutcomeUnknownError),
    "an error of the server": (Answer(500, {"code": 50010000, "message": "internal server error occurred"}), OutcomeUnknownError),
    "a request that took too long": (Answer(408, {"message": "timeout"}), OutcomeUnknownError),
    "a redirect": (Answer(302, "", (("Location", "http://127.0.0.1:9/"),)), OutcomeUnknownError),
    "a cut answer": (Answer(200, '{"id": "4', cut=True), OutcomeUnknownError),
    "an answer that is no JSON": (Answer(200, "ok"), OutcomeUnknownError),
    "an answer that is no order": (Answer(200, ["order"]), OutcomeUnknownError),
    "an empty answer": (Answer(200, ""), OutcomeUnknownError),
    "silence": (Answer(silent=True), OutcomeUnknownError),
}


def settings(url: str, **changed: Any) -> AlpacaSettings:  # noqa: ANN401 - fields
    """Of an emulator."""
    plain = {"environment": AlpacaEnvironment.PAPER, "url": url, "feed": "iex", "requests_per_minute": 200}
    return AlpacaSettings.model_validate({**plain, **changed})


@contextmanager
def connected(answer: Answer, *, guardian: bool = False, **changed: Any) -> Iterator[tuple[Connection, Stub]]:  # noqa: ANN401 - fields
    """A connection to a stub."""
    with stub(answer) as server:
        used = settings(server.url, **changed)
        connection = Connection(used, KEYS, lambda: NOW, time.monotonic, guardian=guardian, read_seconds=0.3)
        yield connection, server
        connection.close()


def order(connection: Connection) -> None:
    """Post an order."""
    connection.post("/orders", {"symbol": "AAPL", "qty": "1"}, "order desk-1", Purpose.ORDER)


@pytest.mark.parametrize("case", CASES)
def test_an_order_is_posted_once_and_its_failure_says_what_may_have_happened(case: str) -> None:
    """The SDK alone would post it four times on 429 and 504, and would wait for ever for silence."""
    answer, wanted = CASES[case]
    with connected(answer) as (connection, server):
        with pytest.raises(DeskError) as caught:
            order(connection)
        assert type(caught.value) is wanted
        assert server.seen == ["POST /v2/orders"]
        assert ("MAY have been" in str(caught.value)) == (wanted is OutcomeUnknownError)


@pytest.mark.parametrize("case", [c for c, (_, error) in CASES.items() if error in {OutcomeUnknownError, OrderRejectedError}])
def test_a_question_without_an_answer_changes_nothing(case: str) -> None:
    """Asking is always safe, so its failure is never an unknown outcome."""
    with connected(CASES[case][0]) as (connection, _), pytest.raises(BrokerUnavailableError):
        rows(connection.get("/orders", "reading"), "reading")


def test_nothing_was_sent_where_nobody_listens() -> None:
    """A refused connection is no unknown outcome."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        connection = Connection(settings(f"http://127.0.0.1:{held.getsockname()[1]}"), KEYS, lambda: NOW, time.monotonic)
        with pytest.raises(BrokerUnavailableError, match="nothing was sent"):
            order(connection)
        connection.close()


def test_a_certificate_that_is_not_the_vendor_s_is_sent_nothing() -> None:
    """Somebody between us and the vendor sees no order and no key."""
    wrong = MaxRetryError(HTTPSConnectionPool("paper-api"), "/", SSLError(ssl.SSLCertVerificationError("self-signed")))
    assert fate_of(transport_errors.SSLError(wrong)) is Fate.NOT_SENT
    assert fate_of(transport_errors.SSLError("broken in the middle")) is Fate.MAYBE


def test_a_connection_cut_before_any_answer_leaves_the_outcome_open() -> None:
    """The bytes had left."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = Connection(settings(f"http://127.0.0.1:{listening.getsockname()[1]}"), KEYS, lambda: NOW, time.monotonic)
        listening.settimeout(5)

        def cut() -> None:
            taken, _ = listening.accept()
            taken.recv(65536)
            taken.close()

        cutter = threading.Thread(target=cut)
        cutter.start()
        with pytest.raises(OutcomeUnknownError):
            order(connection)
        cutter.join()
        connection.close()


def test_after_a_429_nothing_is_sent_for_as_long_as_the_vendor_s_reset_is_believed() -> None:
    """By the vendor's clock, where it tells it; an hour of clock skew changes nothing. What guards is tried again after a second."""
    reset = (("X-RateLimit-Reset", str(int(datetime(2026, 3, 2, 16, 0, 20, tzinfo=UTC).timestamp()))),)
    date = (("Date", "Mon, 02 Mar 2026 16:00:00 GMT"),)
    with connected(Answer(429, {"message": "too many requests."}, (*reset, *date))) as (connection, server):
        for _ in range(2):
            with pytest.raises(RateLimitedError):
                order(connection)
        assert len(server.seen) == 1
        assert 4 < connection.budget.take(Purpose.ORDER) <= 5
        assert 0 < connection.budget.take(Purpose.GUARDIAN) <= 1


def read_until_refused(connection: Connection) -> None:
    """Read until our own budget says no."""
    with pytest.raises(RateLimitedError, match="Nothing was sent"):
        [connection.get("/account", "reading") for _ in range(20)]


def test_reads_leave_a_share_of_the_budget_to_cancels_and_the_guardian() -> None:
    """What is beyond the budget is not sent, and says so."""
    with connected(Answer(200, {}), requests_per_minute=40) as (connection, server):
        read_until_refused(connection)
        assert 0 < len(server.seen) < 10
        connection.delete("/orders/1", "canceling")
    with connected(Answer(200, {}), guardian=True, requests_per_minute=40) as (connection, server):
        for _ in range(10):
            connection.get("/account", "reading")


def test_what_the_vendor_says_is_left_is_believed() -> None:
    """Somebody else may use the same keys."""
    with connected(Answer(200, {}, (("X-RateLimit-Remaining", "1"),))) as (connection, _):
        connection.get("/account", "reading")
        with pytest.raises(RateLimitedError):
            connection.get("/account", "reading")


def test_keys_are_in_no_message() -> None:
    """Not even where the vendor repeats them."""
    with connected(Answer(422, {"message": f"key {KEYS.key} and {KEYS.secret} are odd"})) as (connection, _):
        with pytest.raises(OrderRejectedError) as caught:
            order(connection)
        told = f"{caught.value!r} {caught.value.__cause__} {KEYS!r}"
        assert KEYS.key not in told
        assert KEYS.secret not in told


def test_every_error_of_the_sdk_and_of_its_transport_has_a_fate() -> None:
    """A new one in a new version has to be thought about."""
    known = {
        kind
        for module in (sdk_errors, transport_errors)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and not issubclass(kind, Warning) and kind.__module__ == module.__name__
    }
    assert known <= set(FATES)
    assert {Fate.NOT_SENT, Fate.MAYBE, Fate.ANSWERED} == set(FATES.values())
