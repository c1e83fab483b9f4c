"""The broker port's promises, tried on every venue; and liars, so that each promise is known to be able to break."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

import pytest

from brokers import liars, storytellers, weather
from brokers.alpaca_bench import COIN, alpaca_bench
from brokers.bybit_bench import bybit_bench
from brokers.honest import Honest, bench_of
from brokers.weather import Stranger, Weathered, weathered_bench
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.conformance import PROMISES, Bench, Report, Standing, check
from trading_bot.sandbox.conformance.paper_bench import START, paper_bench

LIARS: dict[type[Honest], set[str]] = {
    liars.OtherAccount: {"P01"},
    liars.Again: {"P02", "P03"},
    liars.Blind: {"P04", "P06"},
    liars.Dreaming: {"P05"},
    liars.Misread: {"P06"},
    liars.NoCancel: {"P07"},
    liars.LaxCancel: {"P08"},
    liars.StrictCancel: {"P07", "P09"},
    liars.WideCancel: {"P13"},
    liars.Adds: {"P10"},
    liars.AddsAgain: {"P11"},
    liars.Eager: {"P12"},
    liars.Halving: {"P10"},
    liars.Rich: {"P21", "P26"},
    storytellers.Silent: {"P21"},
    storytellers.Skipping: {"P22"},
    storytellers.Moody: {"P23"},
    storytellers.Losing: {"P24", "P26"},
    storytellers.Doubling: {"P21"},
    storytellers.SameExecution: {"P25"},
    storytellers.Mistaken: {"P43"},
    storytellers.Repeating: {"P27", "P29"},
    storytellers.Forgetting: {"P28", "P30"},
    liars.Disorderly: {"P31"},
    liars.Prophet: {"P32"},
    liars.Bare: {"P41", "P42", "P44", "P95"},
    liars.Untargeted: {"P42", "P44"},
    liars.Wild: {"P45", "P46"},
    liars.Timid: {"P28", "P47", "P48"},
    liars.Impatient: {"P49"},
    liars.Shy: {"P50"},
    liars.Stiff: {"P51"},
    liars.Rounding: {"P61", "P62", "P63", "P64", "P65", "P66"},
    liars.Blunt: {"P61", "P62", "P63", "P64", "P65", "P66"},
    liars.LATE: {"P91"},
    liars.BESIDE: {"P92"},
    liars.RESERVED: {"P93"},
    liars.JUMPED: {"P94"},
    liars.OneStop: {"P95"},
}
STORMS: dict[type[Weathered], set[str]] = {
    weather.Hopeful: {"P71", "P72", "P74", "P75", "P78"},
    weather.Raw: {"P71", "P72", "P73", "P74", "P75", "P76", "P77", "P78"},
    weather.SendsAnyway: {"P73", "P76", "P77"},
    weather.Lossy: {"P71", "P72", "P78"},
    weather.Confused: {"P79", "P80", "P81"},
    weather.Printing: {"P68"},
}
STRANGERS: dict[type[Stranger], set[str]] = {weather.Chatty: {"P67"}, weather.Generous: {"P67"}}


VENUES: dict[str, Callable[[], AbstractContextManager[Bench]]] = {
    "alpaca-stocks": alpaca_bench,
    "alpaca-coins": partial(alpaca_bench, COIN),
    "bybit-linear": partial(bybit_bench, "linear"),
    "bybit-spot": partial(bybit_bench, "spot"),
}
NO_LEGS = {"P42", "P44", "P95"}
NOT_THERE = {
    "alpaca-stocks": {"P95"},
    "alpaca-coins": {"P41", "P50", "P51", "P91", *NO_LEGS},
    "bybit-linear": {"P63", "P66", *NO_LEGS},
    "bybit-spot": {"P41", "P50", "P51", "P91", *NO_LEGS},
}
"""What does not apply: coins are not sold short, their stops do not trail, entries carry no stop or no target; a lot is worth too much."""
CAUTIOUS = {"alpaca-coins": {"P92"}}
"""Traits that are worse than the emulator: whether Alpaca takes a coin's stop beside an entry is documented nowhere."""


SHARES = 6


def at_once(venue: Callable[[], AbstractContextManager[Bench]]) -> Report:
    """The suite in shares, each on an emulator of its own: most of its time it waits."""

    def share(number: int) -> Report:
        with venue() as bench:
            return check(bench, PROMISES[number::SHARES])

    # The library behind the calendar builds it at first use, and not for several threads at once.
    open_calendar("XNYS").session_at(START)
    with ThreadPoolExecutor(SHARES) as pool:
        reports = list(pool.map(share, range(SHARES)))
    results = sorted((r for report in reports for r in report.results), key=lambda r: r.number)
    return Report(reports[0].venue, tuple(results))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # an emulator that vanishes leaves sockets to the collector
@pytest.mark.parametrize("venue", VENUES)
def test_an_adapter_keeps_every_promise_on_its_emulator(venue: str) -> None:
    """Over real sockets, with every fault that the promises know."""
    report = at_once(VENUES[venue])
    assert {r.number for r in report.of(Standing.BROKEN)} == CAUTIOUS.get(venue, set()), report.text()
    assert {r.number for r in report.of(Standing.NOT_HERE)} == NOT_THERE[venue]


def test_the_paper_venue_keeps_every_promise_that_applies() -> None:
    """Only what needs keys, a network or a stream does not apply to it."""
    report = check(paper_bench())
    assert report.kept, report.text()
    assert {r.number for r in report.of(Standing.NOT_HERE)} == {"P67", "P68", *(f"P{n}" for n in range(71, 82))}


def test_an_honest_adapter_under_weather_keeps_every_promise() -> None:
    """Each trouble is made by hand, and each is answered rightly."""
    report = check(weathered_bench())
    assert report.kept, report.text()
    assert report.of(Standing.NOT_HERE) == ()


def test_promises_are_numbered_sentences() -> None:
    """Each number once, each with a sentence that ends."""
    assert len({p.number for p in PROMISES}) == len(PROMISES)
    assert all(p.sentence.endswith(".") for p in PROMISES)


def broken(bench: Bench, wanted: set[str]) -> set[str]:
    """Which of these promises break there."""
    report = check(bench, [p for p in PROMISES if p.number in wanted])
    return {r.number for r in report.of(Standing.BROKEN)}


@pytest.mark.parametrize("liar", LIARS, ids=lambda kind: kind.__name__)
def test_a_liar_is_found_out(liar: type[Honest]) -> None:
    """By the very promise that it breaks."""
    assert broken(bench_of(liar), LIARS[liar]) == LIARS[liar]


@pytest.mark.parametrize("liar", STORMS, ids=lambda kind: kind.__name__)
def test_who_says_the_wrong_thing_of_a_fault_is_found_out(liar: type[Weathered]) -> None:
    """By the very promise that it breaks."""
    assert broken(weathered_bench(liar), STORMS[liar]) == STORMS[liar]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda kind: kind.__name__)
def test_wrong_keys_that_open_are_found_out(stranger: type[Stranger]) -> None:
    """By the very promise that it breaks."""
    assert broken(weathered_bench(stranger=stranger), STRANGERS[stranger]) == STRANGERS[stranger]


def test_every_promise_has_a_liar() -> None:
    """A promise that nobody can break would prove nothing."""
    kinds: list[set[str]] = [*LIARS.values(), *STORMS.values(), *STRANGERS.values()]
    assert set().union(*kinds) == {p.number for p in PROMISES}
