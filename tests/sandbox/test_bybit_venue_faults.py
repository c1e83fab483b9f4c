"""Faults of the emulated Bybit, each seen from the client's side: what was lost, cut, late, doubled, turned round or done by others."""

from typing import Any

import pytest
import requests
from pybit.exceptions import FailedRequestError

from sandbox.bybit_house import BTC, ETH, House, house, refused

CUT = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)


def links(venue: House) -> list[str]:
    """Client ids of open orders."""
    return [o["orderLinkId"] for o in venue.working()]


def rest(venue: House, link: str) -> Any:  # noqa: ANN401 - pybit has no types
    """Send an order that rests."""
    return venue.order(price="50000", orderLinkId=link)


def test_a_lost_answer_hides_an_order_that_was_taken() -> None:
    """The second one, as the rule says."""
    with house({"fault": "lost_answer", "on": "order", "nth": 2}) as venue:
        rest(venue, "a")
        with pytest.raises(CUT):
            rest(venue, "b")
        rest(venue, "c")
        venue.go()
        assert links(venue) == ["c", "b", "a"]
        struck = venue.api.evidence.of("fault")
        assert [(note["rule"], note["hit"]) for note in struck] == [("lost_answer", "order")]


def test_a_rate_limit_is_told_with_and_without_its_end() -> None:
    """And nothing is carried out."""
    rules = ({"fault": "rate_limited", "on": "order"}, {"fault": "rate_limited", "on": "cancel", "reset": False})
    with house(*rules) as venue:
        with pytest.raises(Exception, match="Too many visits") as caught:
            rest(venue, "a")
        assert int(caught.value.resp_headers["X-Bapi-Limit-Status"]) == 0  # type: ignore[attr-defined]  # pybit's error
        rest(venue, "b")
        venue.go()
        with pytest.raises(Exception, match="Too many visits") as caught:
            venue.http.cancel_order(category="linear", symbol=BTC, orderLinkId="b")
        assert "X-Bapi-Limit-Status" not in caught.value.resp_headers  # type: ignore[attr-defined]  # pybit's error
        assert links(venue) == ["b"]


def test_an_address_may_be_banned() -> None:
    """HTTP 403, as the venue's gate does."""
    with house({"fault": "rate_limited", "on": "read", "status": 403}) as venue, pytest.raises(FailedRequestError) as caught:
        venue.http.get_account_info()
    assert caught.value.status_code == 403


@pytest.mark.parametrize("accepted", [True, False])
def test_a_server_error_says_nothing_of_what_was_done(accepted: bool) -> None:  # noqa: FBT001 - a parameter of a test
    """HTTP 504, before or after the order was taken."""
    with house({"fault": "server_error", "on": "order", "status": 504, "accepted": accepted}) as venue:
        with pytest.raises(FailedRequestError) as caught:
            rest(venue, "a")
        venue.go()
        assert (caught.value.status_code, links(venue)) == (504, ["a"] if accepted else [])


def test_a_slow_answer_comes_after_the_client_has_given_up() -> None:
    """The order was taken."""
    with house({"fault": "slow", "on": "order", "seconds": 0.5}) as venue:
        hasty = venue.client(timeout=0.1)
        with pytest.raises(requests.exceptions.ReadTimeout):
            hasty.place_order(category="linear", symbol=BTC, side="Buy", orderType="Limit", qty="0.01", price="50000", orderLinkId="a")
        hasty.client.close()
        venue.go()
        assert links(venue) == ["a"]


def test_a_body_may_be_cut_in_the_middle() -> None:
    """Of a read, and of an order that was taken."""
    with house({"fault": "cut_body", "on": "read"}, {"fault": "cut_body", "on": "order", "accepted": True}) as venue:
        with pytest.raises(CUT):
            venue.http.get_account_info()
        with pytest.raises(CUT):
            rest(venue, "a")
        venue.go()
        assert links(venue) == ["a"]


def test_an_unreachable_venue_cuts_everybody_off() -> None:
    """For as long as the rule says, streams too."""
    with house() as venue:
        with venue.listening() as (_, stream):
            venue.fault(fault="unreachable", seconds=10, after=0)
            venue.go()
            with pytest.raises(CUT):
                venue.http.get_server_time()
            venue.until(lambda: not stream.is_connected())
        venue.go(11)
        assert venue.http.get_server_time()["retCode"] == 0


def test_maintenance_refuses_everything() -> None:
    """With the venue's own code, until it is over."""
    with house() as venue:
        venue.fault(fault="maintenance", seconds=10, after=0)
        venue.go()
        assert [refused(venue.order), refused(venue.http.get_account_info)] == [10016, 10016]
        venue.go(11)
        assert venue.http.get_account_info()["retCode"] == 0


def test_a_key_may_run_out_and_be_renewed() -> None:
    """Meanwhile nothing private answers, and the private stream is gone."""
    with house() as venue:
        venue.fault(fault="expired_token", seconds=10, after=0)
        venue.go()
        assert refused(venue.order) == 33004
        venue.go(11)
        assert rest(venue, "a")["orderLinkId"] == "a"


def test_a_skewed_clock_refuses_honest_times() -> None:
    """10002, whatever the window."""
    with house() as venue:
        venue.fault(fault="clock_skew", seconds=40, after=0)
        venue.go()
        assert refused(venue.http.get_account_info) == 10002


def test_a_rejection_comes_after_the_acknowledgement() -> None:
    """By the stream, and in the lists."""
    with house({"fault": "reject", "reason": "EC_ReachRiskPriceLimit"}) as venue, venue.listening() as (ears, _):
        sent = venue.order(orderLinkId="a")
        venue.go()
        rows = ears.wait("order")
        assert [(row["orderStatus"], row["rejectReason"]) for row in rows] == [("Rejected", "EC_ReachRiskPriceLimit")]
        assert (venue.find(sent["orderId"])["orderStatus"], venue.position()["size"]) == ("Rejected", "0")


def test_an_execution_may_be_told_before_its_acceptance() -> None:
    """And one message twice, and two messages turned round: the ids tell."""
    with house({"fault": "fill_before_acceptance"}) as venue, venue.listening() as (ears, _):
        venue.order(orderLinkId="a")
        venue.go()
        ears.wait("wallet")
        topics = [m["topic"] for m in ears.heard]
        assert (topics.index("execution") < topics.index("order"), ears.statuses("a")) == (True, ["New", "Filled"])
        assert ears.rows("order")[0]["cumExecQty"] == "0"


def test_messages_may_come_twice_or_turned_round() -> None:
    """As often as the rule says."""
    rules = ({"fault": "duplicate_event", "nth": 2}, {"fault": "out_of_order", "nth": 3})
    with house(*rules) as venue, venue.listening() as (ears, _):
        venue.order(orderLinkId="a")
        venue.go()
        ears.wait("wallet")
        assert [m["topic"] for m in ears.heard] == ["order", "execution", "execution", "position", "order", "wallet"]
        assert len({row["execId"] for row in ears.rows("execution")}) == 1


def test_an_order_may_be_filled_in_part_for_a_while() -> None:
    """Then the rest follows."""
    with house({"fault": "partial_fill", "fraction": 0.25, "seconds": 30}) as venue:
        order = venue.trade(qty="0.04", price="60100")
        assert (order["orderStatus"], order["cumExecQty"]) == ("PartiallyFilled", "0.01")
        venue.go(20)
        assert venue.find(order["orderId"])["cumExecQty"] == "0.01"
        venue.go(20)
        assert venue.find(order["orderId"])["orderStatus"] == "Filled"


def test_a_cancel_may_come_too_late() -> None:
    """It was acknowledged, and the order was filled all the same."""
    with house({"fault": "late_fill_after_cancel"}) as venue:
        sent = rest(venue, "a")
        venue.go()
        assert venue.http.cancel_order(category="linear", symbol=BTC, orderLinkId="a")["retCode"] == 0
        venue.go()
        assert (venue.find(sent["orderId"])["orderStatus"], venue.position()["size"]) == ("Filled", "0.01")


def test_a_stream_may_be_connected_and_mute() -> None:
    """It answers pings and tells nothing; the lists still do."""
    with house() as venue, venue.listening() as (ears, stream):
        venue.fault(fault="mute_stream", seconds=10, after=0)
        venue.trade(orderLinkId="a")
        venue.go(11)
        venue.trade(orderLinkId="b")
        ears.wait("wallet")
        assert (ears.statuses("a"), ears.statuses("b"), stream.is_connected()) == ([], ["New", "Filled"], True)
        assert len(venue.executions()) == 2


def test_a_stream_may_be_dropped() -> None:
    """By time, or by hand."""
    with house() as venue, venue.listening() as (_, stream):
        venue.fault(fault="drop_stream", after=0)
        venue.go()
        venue.until(lambda: not stream.is_connected())


def test_a_session_may_be_closed() -> None:
    """No order is taken, and one that rests may go."""
    with house() as venue:
        rest(venue, "a")
        venue.go()
        venue.fault(fault="session_closed", seconds=10, after=0)
        venue.go()
        assert refused(venue.order) == 110066
        venue.http.cancel_order(category="linear", symbol=BTC, orderLinkId="a")
        assert links(venue) == []


def test_others_may_act_on_the_account() -> None:
    """A position and an order by hand, a liquidation, a flipped funding rate, a halt; each at its time, once."""
    rules = (
        {"fault": "position_by_hand", "symbol": BTC, "quantity": "0.02", "after": 60},
        {"fault": "order_by_hand", "symbol": BTC, "side": "buy", "quantity": "0.01", "limit": "50000", "after": 120},
        {"fault": "funding_flip", "symbol": BTC, "after": 150},
        {"fault": "halt", "symbol": ETH, "seconds": 60, "after": 180},
        {"fault": "liquidation", "symbol": BTC, "after": 300},
    )
    with house(*rules) as venue:
        venue.go(61)
        assert venue.position()["size"] == "0.02"
        venue.go(60)
        assert links(venue) == [""]
        venue.go(70)
        assert refused(venue.order, symbol=ETH, qty="0.1") == 110066
        venue.go(120)
        assert (venue.position()["size"], venue.executions()[-1]["execType"]) == ("0", "BustTrade")
        ticker = venue.http.get_tickers(category="linear", symbol=BTC)["result"]["list"][0]
        assert ticker["fundingRate"] == "-0.0001"
        assert venue.http.get_tickers(category="linear", symbol=ETH)["retCode"] == 0
