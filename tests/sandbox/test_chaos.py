"""Chaos: twenty runs for each venue, and desks that were broken on purpose, since a runner that cannot fail proves nothing."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox import spoilers
from trading_bot.bootstrap.chaos_desk import Spoil
from trading_bot.bootstrap.chaos_run import run_all
from trading_bot.bootstrap.chaos_venues import VENUES
from trading_bot.sandbox.chaos.script import Plan, plan

pytestmark = pytest.mark.timeout(600)
RUNS = 20
SECONDS = 3.0
"""For which a run trades."""
TRIED_S = 7.0
"""The same, of a desk that is broken on purpose: longer than a position may be naked."""
AT_ONCE = 3


@pytest.mark.parametrize("venue", ["alpaca", "bybit"])
def test_a_desk_that_is_killed_starved_and_lied_to_loses_doubles_and_leaves_nothing(venue: str, tmp_path: Path) -> None:
    """By the venue's own log. `sandbox chaos --seconds 3 --runs 1 --venue V --seed S` plays a seed that failed again."""
    runs = list(run_all([(venue, seed, None) for seed in range(RUNS)], tmp_path, SECONDS, AT_ONCE))
    assert {run.plan.seed: run.violations for run in runs if run.violations} == {}
    assert sum(run.orders for run in runs) >= RUNS
    assert sum(run.fills for run in runs) >= RUNS
    assert sum(run.lives for run in runs) > RUNS, "a run in which nobody dies is none"


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
