"""`sandbox chaos`: trades through emulators with random faults while the desk is killed, and audits by the emulator's own log."""

import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trading_bot.bootstrap.chaos_run import Outcome

_VENUES = ("alpaca", "bybit")


@click.command()
@click.option("--runs", default=20, show_default=True, type=click.IntRange(min=1), help="For each venue.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Of the first run; the next ones count on.")
@click.option("--venue", "venues", multiple=True, type=click.Choice(_VENUES), help="May be given again; left out: all.")
@click.option("--seconds", default=8.0, show_default=True, type=click.FloatRange(1, 600), help="For which a run trades.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Runs at the same time.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the homes of failed runs in this folder.")
def chaos(runs: int, seed: int, venues: tuple[str, ...], seconds: float, jobs: int, keep: Path | None) -> None:  # noqa: PLR0913, PLR0917 - its options
    """Kill, stop, starve and deceive a desk RUNS times at each venue, then check that nothing was lost, doubled or left unguarded.

    Each run is its seed's: `--runs 1 --seed N` plays N again. Exit code 1 if any run shows a violation.
    """
    from trading_bot.bootstrap import chaos_run

    scratch = Path(tempfile.mkdtemp(prefix="chaos-"))
    began = time.monotonic()
    try:
        wanted = [(venue, number, None) for number in range(seed, seed + runs) for venue in venues or _VENUES]
        outcomes = [_told(outcome, scratch, keep) for outcome in chaos_run.run_all(wanted, scratch, seconds, jobs)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    click.echo(_sum(outcomes, time.monotonic() - began))
    if any(outcome.violations for outcome in outcomes):
        raise SystemExit(1)


def _told(outcome: "Outcome", scratch: Path, keep: Path | None) -> "Outcome":
    """Print what a run came to, and let go of its home, or keep it."""
    plan = outcome.plan
    home = scratch / f"{plan.venue}-{plan.seed}"
    for violation in outcome.violations:
        click.echo(f"{plan.venue} seed {plan.seed}: {violation.rule} {violation.subject}: {violation.text}")
    if outcome.violations:
        faults, blows = _names(r.fault for r in plan.faults), _names(s.blow for s in plan.strikes)
        click.echo(f"  again: sandbox chaos --venue {plan.venue} --runs 1 --seed {plan.seed}   faults: {faults}   blows: {blows}")
        if keep is not None:
            shutil.copytree(home, keep / home.name, dirs_exist_ok=True)
    shutil.rmtree(home, ignore_errors=True)
    return outcome


def _names(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def _sum(outcomes: list["Outcome"], seconds: float) -> str:
    failed = sum(1 for o in outcomes if o.violations)
    lives, orders, fills = (sum(getattr(o, name) for o in outcomes) for name in ("lives", "orders", "fills"))
    what = f"{lives} lives of the desk, {orders} orders meant, {fills} fills"
    excused = sum(o.excused for o in outcomes) / max(sum(o.seconds for o in outcomes), 1)
    unguarded = f"{excused:.0%} of their time is not judged for naked positions: venue out of reach, or desk stopped"
    return f"{len(outcomes)} runs in {seconds:.0f} s: {what}; {unguarded}; {failed} with violations"
