"""The broker port's promises, tried on the Alpaca adapter at its emulator: the real SDK over real sockets."""

from brokers.alpaca_bench import COIN, alpaca_bench
from trading_bot.sandbox.conformance import PROMISES, Standing, check

COIN_PROMISES = {"P07", "P21", "P24", "P26", "P29", "P46", "P49", "P62", "P71", "P80"}
"""What coins do in other ways than stocks: fees in coins, no legs, no sessions."""


def test_stocks_at_alpaca_keep_every_promise() -> None:
    """Only a second pair of legs cannot be tried there."""
    with alpaca_bench() as bench:
        report = check(bench)
    assert report.kept, report.text()
    assert {r.number for r in report.of(Standing.NOT_HERE)} == {"P95"}


def test_coins_at_alpaca_keep_the_promises_in_which_they_differ() -> None:
    """Fees come out of what was bought; the books know."""
    with alpaca_bench(COIN) as bench:
        report = check(bench, [p for p in PROMISES if p.number in COIN_PROMISES])
    assert report.kept, report.text()
    assert report.of(Standing.NOT_HERE) == ()
