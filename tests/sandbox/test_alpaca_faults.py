"""Each fault of the script, seen from the client's side of the emulated Alpaca."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.alpaca_kit import TUESDAY, Bench, bench
from trading_bot.domain.errors import ConfigError
from trading_bot.execution.clock import SystemWallClock
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.venue_faults import FAULTS, FaultScript, Rule, load

PATIENCE = 5.0


def fault(name: str, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - fields of a rule
    """A script of one rule."""
    return [{"fault": name} | more]


def until(meets: Callable[[], object]) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + PATIENCE
    while not meets():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def outcome(b: Bench, **body: object) -> int | str:
    """What a client sees of an order: a status, or `cut`."""
    try:
        return b.post(**body).status_code
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return "cut"


def test_an_answer_is_lost_though_the_order_was_accepted() -> None:
    """The second order's; it is there when it is asked for."""
    with bench(fault("lost_answer", on="order", nth=2)) as b:
        assert [outcome(b, client_order_id=name) for name in ("a", "b", "c")] == [200, "cut", 200]
        assert [b.status(name) for name in ("a", "b", "c")] == ["filled"] * 3


@pytest.mark.parametrize("reset", [True, False])
def test_too_many_requests_with_and_without_a_reset_header(reset: bool) -> None:  # noqa: FBT001 - a parameter
    """Nothing was placed."""
    with bench(fault("rate_limited", on="order", reset=reset)) as b:
        answer = b.post(client_order_id="a")
        assert (answer.status_code, "X-RateLimit-Reset" in answer.headers) == (429, reset)
        assert b.call("GET", "/v2/orders", status="all").json() == []
        assert b.post().status_code == 200


def test_more_requests_than_the_account_has_are_refused() -> None:
    """Headers count down before."""
    with bench(requests_per_minute=3) as b:
        left = [b.call("GET", "/v2/clock").headers["X-RateLimit-Remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        assert b.call("GET", "/v2/clock").status_code == 429


@pytest.mark.parametrize(("accepted", "placed"), [(True, 1), (False, 0)])
def test_a_server_error_before_or_after_the_order_was_accepted(accepted: bool, placed: int) -> None:  # noqa: FBT001 - a parameter
    """The client cannot tell which."""
    with bench(fault("server_error", on="order", status=504, accepted=accepted)) as b:
        assert outcome(b) == 504
        assert len(b.call("GET", "/v2/orders", status="all").json()) == placed


def test_a_slow_answer_comes_after_the_deed() -> None:
    """A client that gave up finds its order."""
    with bench(fault("slow", on="order", seconds="0.5")) as b:
        with pytest.raises(requests.ReadTimeout):
            b.plain.post(
                f"{b.emulator.url}/v2/orders",
                json={"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", "client_order_id": "a"},
                timeout=0.1,
            )
        assert b.status("a") == "filled"


def test_a_body_is_cut_in_the_middle() -> None:
    """Headers came, and half of the JSON."""
    with bench(fault("cut_body", on="read")) as b:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            b.call("GET", "/v2/account")
        assert b.call("GET", "/v2/account").status_code == 200


def test_the_venue_is_unreachable_for_a_while() -> None:
    """Connections are refused, and then taken again on the same port: where time runs by itself, for only there the port is closed."""
    with bench(clock=EmulatedClock.running(SystemWallClock(), TUESDAY)) as b:
        b.emulator.do("unreachable", seconds=0.4)
        until(lambda: refused(b))
        until(lambda: not refused(b))
        assert b.call("GET", "/v2/clock").status_code == 200


def refused(b: Bench) -> bool:
    """Whether the port refuses a connection."""
    try:
        requests.get(f"{b.emulator.url}/v2/clock", timeout=1)
    except requests.ConnectionError:
        return True
    return False


def test_a_venue_in_maintenance_answers_with_a_page() -> None:
    """Which is no JSON, for as long as it lasts."""
    with bench(fault("maintenance", seconds=60)) as b:
        b.emulator.advance()
        answer = b.call("GET", "/v2/account")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (503, "text/html")
        b.wait(seconds=61)
        assert b.call("GET", "/v2/account").status_code == 200


def test_keys_expire_or_are_wrong() -> None:
    """401 for trading, 403 for market data, and the secret is in no answer."""
    with bench(fault("expired_token", seconds=60, after=10), key="key", secret="secret") as b:  # noqa: S106 - invented
        assert b.call("GET", "/v2/account").status_code == 200
        b.wait(seconds=11)
        assert b.call("GET", "/v2/account").json()["code"] == 40110000
        b.wait(seconds=61)
        b.plain.headers["APCA-API-SECRET-KEY"] = "other"
        trading, data = b.call("GET", "/v2/account"), b.call("GET", "/v2/stocks/quotes/latest", symbols="AAPL")
        assert (trading.status_code, data.status_code) == (401, 403)
        assert "secret" not in repr(b.emulator.setup)


def test_the_venues_clock_is_ahead() -> None:
    """By what the rule says; its times are wrong with it."""
    with bench(fault("clock_skew", seconds=90)) as b:
        b.emulator.advance()
        assert b.call("GET", "/v2/clock").json()["timestamp"].startswith("2024-03-05T10:01:30")


def test_a_rejection_at_once_or_later() -> None:
    """At once it is an answer, later a state."""
    rules = [{"fault": "reject", "nth": 1, "reason": "no"}, {"fault": "reject", "nth": 2, "accepted": True}]
    with bench(rules) as b:
        assert (b.post().status_code, b.post(client_order_id="b").status_code) == (403, 200)
        assert b.status("b") == "rejected"


def test_a_late_fill_comes_after_a_cancel() -> None:
    """Half of it; the order ends canceled with what was filled."""
    with bench(fault("late_fill_after_cancel")) as b:
        told = b.post(client_order_id="a", type="limit", limit_price="90").json()
        b.call("DELETE", f"/v2/orders/{told['id']}")
        b.wait(seconds=1)
        after = b.order(told["id"])
        assert (after.status.value, after.filled_qty) == ("canceled", "5")


def test_a_halt_stops_trading_for_a_while() -> None:
    """Orders are taken and rest."""
    with bench(fault("halt", symbol="AAPL", after=5, seconds=30)) as b:
        b.wait(seconds=6)
        b.post(client_order_id="a")
        assert b.status("a") == "new"
        b.wait(seconds=31)
        assert b.status("a") == "filled"


def test_a_session_closes_early() -> None:
    """The clock says so, and nothing trades but coins."""
    with bench(fault("session_closed", seconds=60)) as b:
        b.emulator.advance()
        assert not b.call("GET", "/v2/clock").json()["is_open"]
        b.post(client_order_id="a")
        assert b.status("a") != "filled"


def test_what_others_do_happens_by_itself() -> None:
    """A split over night, a position changed by hand, an order placed by hand, a position closed by the venue."""
    rules = [
        {"fault": "order_by_hand", "symbol": "AAPL", "side": "buy", "quantity": "3", "limit": "50", "after": 1},
        {"fault": "position_by_hand", "symbol": "MSFT", "quantity": "7", "after": 2},
        {"fault": "split", "symbol": "MSFT", "ratio": "2", "after": 3},
        {"fault": "liquidation", "symbol": "MSFT", "after": 4},
    ]
    with bench(rules) as b:
        b.wait(seconds=1)
        assert [(o["symbol"], o["qty"]) for o in b.call("GET", "/v2/orders").json()] == [("AAPL", "3")]
        for expected in ("7", "14"):
            b.wait(seconds=1)
            assert b.held("MSFT")["qty"] == expected
        b.wait(seconds=2)
        assert b.call("GET", "/v2/positions").json() == []
        assert [s.rule.fault for s in b.emulator.script.struck] == [rule["fault"] for rule in rules]


def test_the_script_is_read_with_its_lines(tmp_path: Path) -> None:
    """An unknown fault, an unknown key and a missing symbol are refused where they stand."""
    file = tmp_path / "faults.yaml"
    file.write_text("- {fault: slow, seconds: 0.5, probability: 0.25}\n- {fault: halt, symbol: AAPL, after: 1.5}\n")
    assert [(r.fault, r.probability, r.after) for r in load(file)] == [("slow", 0.25, None), ("halt", None, 1.5)]
    for text, told in (("fault: nope", "not known"), ("fault: slow, sconds: 1", "sconds"), ("fault: halt", "needs symbol")):
        file.write_text(f"- {{fault: slow}}\n- {{{text}}}\n")
        with pytest.raises(ConfigError, match="line 2") as caught:
            load(file)
        assert told in str(caught.value)


def test_the_same_seed_strikes_the_same_calls() -> None:
    """By chance, but the same chance."""
    with bench() as b:
        at = b.clock.now()

    def run(seed: int) -> list[int]:
        script = FaultScript([Rule(fault="slow", probability=0.3)], seed)
        return [len(script.strikes("read", None, at)) for _ in range(50)]

    assert run(1) == run(1) != run(2)
    assert 5 < sum(run(1)) < 25
    assert len(FAULTS) == len(set(FAULTS))
