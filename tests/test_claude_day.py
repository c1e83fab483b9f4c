"""A whole simulated day with the real binary in the chair, as a user starts it: honest, killed, lied to, broke, and replayed."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from claude_kit import binary
from llm.manager_kit import KEY, charged, conversations, holding, running
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Decision, Outcome
from trading_bot.domain.records import TaskRun, TaskStatus
from trading_bot.execution.clock import SystemWallClock
from trading_bot.sandbox.claude_api import ClaudeApi, Rule
from trading_bot.storage.export import export
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.spending import SpendingLedger

DEAD = "http://127.0.0.1:9"
CLAUDES = {"screen", "analyze", "optimize", "review"}


@dataclass(frozen=True)
class Day:
    """One home, on which the desk is started as often as a test likes."""

    home: Path
    url: str

    def start(self, *arguments: str, **claude: str) -> "subprocess.Popen[str]":
        """Start the desk of the README's command with these flags, and these settings of `claude`."""
        self.home.mkdir(exist_ok=True)
        ours = {f"TRADING_BOT__{name.upper()}": value for name, value in {"claude__binary": str(binary()), **claude}.items()}
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_BOT", "ANTHROPIC", "CLAUDE"))}
        env = {**clean, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": self.url, **ours}
        command = [sys.executable, "-m", "trading_bot", "--home", str(self.home), "orchestrator", "--fast", *arguments]
        with (self.home / "said.txt").open("a", encoding="utf-8") as said:
            return subprocess.Popen(command, cwd=self.home, env=env, stdout=said, stderr=said, text=True)  # noqa: S603 - our own program

    def run(self, *arguments: str, **claude: str) -> None:
        """Run it to its end."""
        assert self.start(*arguments, **claude).wait(timeout=120) == 0, (self.home / "said.txt").read_text("utf-8")

    def decisions(self) -> list[Decision]:
        """All decisions."""
        with self.journal() as journal:
            return list(journal.all(Decision))

    def journal(self) -> SqlJournal:
        """To look at."""
        return SqlJournal.look(Home(self.home).journal)

    def exported(self) -> list[str]:
        """The journal as canonical lines."""
        with self.journal() as journal:
            return list(export(journal))

    def is_over(self) -> bool:
        """Whether the day has had its last task."""
        if not Home(self.home).journal.exists():
            return False
        with self.journal() as journal:
            return any(r.task == "end-of-day" and r.status.is_end for r in journal.all(TaskRun))

    def has_traded(self) -> bool:
        """Whether any order was meant to be sent."""
        with self.journal() as journal:
            return bool(journal.all(OrderIntent))

    def went_on(self) -> bool:
        """Whether every task ended as it should."""
        with self.journal() as journal:
            ended = {r.task: r.status for r in journal.all(TaskRun) if r.status.is_end}
        return "end-of-day" in ended and set(ended.values()) <= {TaskStatus.DONE}

    def counted(self) -> Decimal:
        """USD that the ledger counts, of yesterday too: midnight may pass."""
        today = SystemWallClock().now().date()
        with SpendingLedger.open(Home(self.home).journal) as ledger, ledger.reading() as page:
            return sum((call.counted for call in page.of_days(today - timedelta(days=1), today)), Decimal(0))


def alike(days: Sequence[Day]) -> bool:
    """Whether all days have one journal."""
    return len({tuple(day.exported()) for day in days}) == 1


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Day, ClaudeApi]]:
    """A day that was left alone, and the API that it talked to."""
    with ClaudeApi() as api:
        day = Day(tmp_path_factory.mktemp("honest"), api.url)
        day.run("--analyst", "claude")
        yield day, api


def test_every_step_but_monitoring_is_claudes_and_the_ledger_says_what_the_api_charged(honest: tuple[Day, ClaudeApi]) -> None:
    """The day is traded, and nothing is left running."""
    day, api = honest
    who = {(d.workflow, d.analyst, d.outcome) for d in day.decisions()}
    assert who == {(name, "claude", Outcome.ANSWERED) for name in CLAUDES} | {("monitor", "rules", Outcome.ANSWERED)}
    assert (day.went_on(), day.has_traded(), running(day.home)) == (True, True, [])
    assert day.counted() == charged(api)


def test_no_key_is_in_anything_that_the_day_left(honest: tuple[Day, ClaudeApi]) -> None:
    """Journal, logs, reports, records, output, and the binary's own folder."""
    assert holding(honest[0].home, [KEY]) == []


def test_the_same_day_again_and_its_replay_export_the_same_journal(honest: tuple[Day, ClaudeApi], tmp_path: Path) -> None:
    """Another home, another API, other nonces; and no model at all."""
    day, _ = honest
    with ClaudeApi() as api:
        again = Day(tmp_path / "again", api.url)
        again.run("--analyst", "claude")
    replayed = Day(tmp_path / "replayed", DEAD)
    replayed.run("--analyst", "replay", "--cassettes", str(day.home / "cassettes"), claude__binary="/no-such-program")
    assert alike([day, again, replayed])


@pytest.mark.parametrize("heard", [4, 11])
def test_a_day_killed_while_claude_answers_and_resumed_exports_the_same_journal(
    heard: int, honest: tuple[Day, ClaudeApi], tmp_path: Path
) -> None:
    """SIGKILL as soon as the API has heard so many requests: the binary dies too, the ledger never says less, no answer is paid twice."""
    with ClaudeApi() as api:
        day = Day(tmp_path / "killed", api.url)
        child = day.start("--analyst", "claude")
        wait_until(lambda: len(api.heard) >= heard or child.poll() is not None)
        child.kill()
        child.wait()
        wait_until(lambda: running(day.home) == [])
        assert day.counted() >= charged(api)
        day.run("--analyst", "claude")
        assert day.counted() >= charged(api)
        assert conversations(api) <= conversations(honest[1]) + 1
    assert alike([honest[0], day])


def test_a_day_killed_at_random_moments_exports_the_same_journal(honest: tuple[Day, ClaudeApi], tmp_path: Path) -> None:
    """Several times in one day, wherever it happens to be."""
    drawn = random.Random(7)
    with ClaudeApi() as api:
        day = Day(tmp_path / "killed", api.url)
        for _ in range(3):
            child = day.start("--analyst", "claude")
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=drawn.uniform(1.0, 4.0))
            child.kill()
            child.wait()
            assert day.counted() >= charged(api)
        if not day.is_over():
            day.run("--analyst", "claude")
        assert day.counted() >= charged(api)
    assert alike([honest[0], day])


def wait_until(met: Callable[[], bool]) -> None:
    """Look again and again, for half a minute at most."""
    never = threading.Event()
    assert any(met() or never.wait(0.02) for _ in range(1500))


HARM = ("disobey", "invented_price", "wrong_symbol", "thousand", "outside_universe", "stop_wrong_side", "refusal")


@pytest.mark.parametrize("fault", HARM)
def test_a_model_that_does_harm_all_day_gets_no_order_and_the_day_goes_on(fault: str, tmp_path: Path) -> None:
    """Each lie is a decision that says what became of it."""
    with ClaudeApi(faults=[Rule(fault=fault)]) as api:
        day = Day(tmp_path / "home", api.url)
        day.run("--analyst", "claude")
        assert day.counted() >= charged(api)
    lied = [d for d in day.decisions() if d.analyst == "claude" and d.outcome is not Outcome.ANSWERED]
    assert (day.went_on(), day.has_traded(), running(day.home)) == (True, False, [])
    assert lied
    assert all(d.note for d in lied)
    assert {d.outcome for d in lied} == {Outcome.REFUSED if fault == "refusal" else Outcome.FAILED}


def test_a_model_that_repeats_old_answers_trades_nothing_else_than_an_honest_one(honest: tuple[Day, ClaudeApi], tmp_path: Path) -> None:
    """The first answer of each persona is true; every later one is told from it."""
    with ClaudeApi(faults=[Rule(fault="repeat_old")]) as api:
        day = Day(tmp_path / "home", api.url)
        day.run("--analyst", "claude")
    believed = {(d.workflow, d.subject) for d in day.decisions() if d.analyst == "claude" and d.outcome is Outcome.ANSWERED}
    true = {(d.workflow, d.subject) for d in honest[0].decisions()}
    assert day.went_on()
    assert believed <= true
    assert sum(workflow == "analyze" for workflow, _ in believed) == 1


def test_a_model_that_hangs_costs_its_reservations_and_the_day_goes_on(tmp_path: Path) -> None:
    """Cut off at its deadline; after some failures nobody is asked any more."""
    with ClaudeApi(faults=[Rule(fault="hang_first")]) as api:
        day = Day(tmp_path / "home", api.url)
        day.run("--analyst", "claude", claude__first_byte_seconds="2")
    outcomes = {(d.workflow, d.outcome) for d in day.decisions() if d.analyst == "claude"}
    assert outcomes == {("screen", Outcome.FAILED), ("review", Outcome.FAILED)}
    assert (day.went_on(), day.has_traded(), running(day.home)) == (True, False, [])
    assert day.counted() > 0


def test_auto_falls_back_to_the_rules_when_the_api_is_dead_and_says_so(tmp_path: Path) -> None:
    """Each decision says who was asked before, and what came of that."""
    day = Day(tmp_path / "home", DEAD)
    day.run("--analyst", "auto")
    told = {(d.analyst, d.outcome, d.note.partition(":")[0]) for d in day.decisions() if d.workflow != "monitor"}
    assert told == {("rules", Outcome.ANSWERED, "claude failed")}
    assert day.went_on()


def test_without_a_budget_claude_is_not_asked_and_auto_is_the_rules(tmp_path: Path) -> None:
    """No process is started, and no cent is spent."""
    with ClaudeApi() as api:
        alone, auto = Day(tmp_path / "alone", api.url), Day(tmp_path / "auto", api.url)
        alone.run("--analyst", "claude", budget__claude_usd_per_day="0")
        auto.run("--analyst", "auto", budget__claude_usd_per_day="0")
    assert api.heard == ()
    assert (alone.went_on(), alone.has_traded(), alone.counted()) == (True, False, Decimal(0))
    assert {d.outcome for d in alone.decisions() if d.analyst == "claude"} == {Outcome.FAILED}
    assert {d.analyst for d in auto.decisions()} == {"rules"}
    assert (auto.went_on(), auto.has_traded()) == (True, True)
