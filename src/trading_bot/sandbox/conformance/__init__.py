"""One suite for every broker: the promises of `ports.Broker`, numbered, tried through an adapter on a bench.

`check(bench)` says of each promise whether it held, was broken, or does not apply, and why.
"""

from trading_bot.sandbox.conformance.bench import Bench, Trouble
from trading_bot.sandbox.conformance.report import Report, Result, Standing
from trading_bot.sandbox.conformance.suite import PROMISES, Promise, check

__all__ = ["PROMISES", "Bench", "Promise", "Report", "Result", "Standing", "Trouble", "check"]
