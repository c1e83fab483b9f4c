"""Patience between tries, and keys that nobody sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.errors import BrokerKeysError
from trading_bot.network.backoff import Backoff
from trading_bot.network.keys import Keys, keys_from


def test_waits_double_up_to_the_ceiling_and_begin_anew_after_success() -> None:
    """At the upper end of the jitter."""
    backoff = Backoff(lambda: 1.0, first=0.5, ceiling=3.0)
    assert [backoff.wait() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.succeeded()
    assert backoff.wait() == 0.5


@given(st.floats(0, 1), st.integers(1, 2000))
def test_a_wait_lies_between_half_and_all_of_its_step(drawn: float, failures: int) -> None:
    """After any number of failures, a day's outage included."""
    backoff = Backoff(lambda: drawn, first=0.2, ceiling=30.0)
    waits = [backoff.wait() for _ in range(failures)]
    assert all(0.1 <= wait <= 30.0 for wait in waits)


def test_keys_are_never_printed() -> None:
    """Not by repr, not by str, not in what a library said."""
    keys = Keys("the-key", "the-secret")
    for text in (repr(keys), str(keys), f"{keys}", keys.hide("header the-key, sign the-secret")):
        assert "the-key" not in text
        assert "the-secret" not in text


def test_a_missing_key_is_named_and_blank_counts_as_missing() -> None:
    """The message names the variables, never their values."""
    assert keys_from({"A": " k ", "B": "s"}, "A", "B") == Keys("k", "s")
    with pytest.raises(BrokerKeysError, match=r"^A and B are not set: export them"):
        keys_from({"A": " "}, "A", "B")
