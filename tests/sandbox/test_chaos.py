"""Chaos: runs with every fault and blow at each venue, and desks broken on purpose, since a runner that cannot fail proves nothing.

`sandbox chaos --runs N` plays as many more as one likes.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox import spoilers
from trading_bot.bootstrap.chaos_desk import Spoil
from trading_bot.bootstrap.chaos_run import run_all
from trading_bot.bootstrap.chaos_venues import VENUES
from trading_bot.sandbox.chaos.script import FAULTS_OF, Blow, Plan, plan

pytestmark = pytest.mark.timeout(600)
RUNS = 8
"""For each venue, at least."""
DRAWN = 200
"""Seeds that the runs are chosen from."""
SECONDS = 3.0
"""For which a run trades."""
TRIED_S = 7.0
"""The same, of a desk that is broken on purpose: longer than a position may be naked."""
AT_ONCE = 3
HALT = "HALT"


def covering(venue: str) -> list[int]:
    """Few seeds that meet, together, every fault of the venue, every blow and HALT; then the first ones, until there are `RUNS`."""
    met = {seed: _met(plan(venue, seed, SECONDS, VENUES[venue].symbols)) for seed in range(DRAWN)}
    missing, chosen = {*FAULTS_OF[venue], *Blow, HALT}, list[int]()
    while missing:
        chosen.append(max(met, key=lambda seed: len(met[seed] & missing)))
        assert met[chosen[-1]] & missing, f"no seed meets {missing}"
        missing -= met[chosen[-1]]
    return [*chosen, *(seed for seed in met if seed not in chosen)][: max(RUNS, len(chosen))]


def _met(drawn: Plan) -> set[str]:
    ends_under_halt = {HALT} if drawn.seed % 4 == 0 else set()
    return {rule.fault for rule in drawn.faults} | {strike.blow for strike in drawn.strikes} | ends_under_halt


@pytest.mark.parametrize("venue", ["alpaca", "bybit"])
def test_a_desk_that_is_killed_starved_and_lied_to_loses_doubles_and_leaves_nothing(venue: str, tmp_path: Path) -> None:
    """By the venue's own log. `sandbox chaos --seconds 3 --runs 1 --venue V --seed S` plays a seed that failed again."""
    seeds = covering(venue)
    runs = list(run_all([(venue, seed, None) for seed in seeds], tmp_path, SECONDS, AT_ONCE))
    assert {run.plan.seed: run.violations for run in runs if run.violations} == {}
    assert sum(run.orders for run in runs) >= len(seeds)
    assert sum(run.fills for run in runs) >= len(seeds)
    assert sum(run.lives for run in runs) > len(seeds), "a run in which nobody dies is none"


BROKEN: Mapping[Spoil, tuple[str, set[str]]] = {
    spoilers.writes_no_intents: ("alpaca", {"not_intended"}),
    spoilers.sends_again_under_another_id: ("bybit", {"not_intended"}),
    spoilers.loses_fills: ("bybit", {"fill_lost", "books_differ"}),
    spoilers.guards_nothing: ("alpaca", {"naked"}),
}
"""Ways to break a desk, where that is tried, and the rules that have to find it."""


def test_a_desk_that_is_broken_on_purpose_is_found_out(tmp_path: Path) -> None:
    """Within two seeds in which little else goes wrong, and by the rules that are about it."""
    quiet = {name: (s for s in range(500) if _is_quiet(plan(name, s, TRIED_S, VENUES[name].symbols))) for name in VENUES}
    seeds = {spoil: [next(quiet[venue]), next(quiet[venue])] for spoil, (venue, _) in BROKEN.items()}
    wanted = [(BROKEN[spoil][0], seed, spoil) for spoil, drawn in seeds.items() for seed in drawn]
    found = {(run.plan.venue, run.plan.seed): {v.rule for v in run.violations} for run in run_all(wanted, tmp_path, TRIED_S, AT_ONCE)}
    for spoil, (venue, rules) in BROKEN.items():
        assert rules <= set().union(*(found[venue, seed] for seed in seeds[spoil])), spoil.__name__


def _is_quiet(drawn: Plan) -> bool:
    return len(drawn.strikes) == 1 and {rule.fault for rule in drawn.faults} <= {"duplicate_event", "out_of_order", "partial_fill"}
