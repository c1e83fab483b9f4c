"""The week's end backtests alternatives for what lost, once, whoever answers; and a week without losers says so.

The desk of seed 3 trades on Tuesday 2024-03-05 and is stopped out of one position; its weekly task is on Friday the 8th.
"""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from analysts.asking import Persona, twisted
from builders import NOW, trade
from orchestrator.test_interrupted_task import DAY, KilledError, die_at_append, what_happened
from orchestrator.test_interrupted_task import run as run_today
from trading_bot import config
from trading_bot.analysts.claude import ClaudeAnalyst
from trading_bot.analysts.rules import RulesAnalyst
from trading_bot.analysts.shadowed import ShadowedAnalyst
from trading_bot.backtest.lineup import assess
from trading_bot.bootstrap import desk as bootstrap
from trading_bot.bootstrap.replaying import replayed
from trading_bot.bootstrap.setting import Setting
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.mandate import Mode
from trading_bot.domain.proposals import Decision, Outcome, Proposal, Shadow
from trading_bot.domain.records import ReportMade, TaskRun, TaskStatus, Transition
from trading_bot.domain.research import Backtested, Trust
from trading_bot.domain.values import Symbol
from trading_bot.llm.cassette import Shelf
from trading_bot.orchestrator.alternatives import MOST, alternatives, losers
from trading_bot.orchestrator.dossier import dossier
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.orchestrator.workflow import WorkflowState
from trading_bot.plugins import PRICE_ONLY
from trading_bot.storage.home import Home

FRIDAY = date(2024, 3, 8)


def started(home: Path, **flags: Any) -> bootstrap.Assembly:  # noqa: ANN401 - values of settings
    """The next process on the simulated desk of `home`."""
    setting = Setting(Mode.PAPER, simulated=True, home=Home(home), operator=home / "nobody")
    assembly = bootstrap.build(config.load(flags={"seed": 3, **flags}), setting)
    bootstrap.announce(assembly, "test")
    assembly.desk.session.begin()
    return assembly


def end_the_week(assembly: bootstrap.Assembly) -> TaskRun:
    """Run Friday's weekly task; return how it ended."""
    slot = next(s for s in assembly.scheduler.slots_between(FRIDAY, FRIDAY) if s.task == "weekly")
    assembly.desk.session.wait(slot.due)
    TradingOrchestrator(assembly.desk, assembly.scheduler, assembly.stop).run_slot(slot)
    return assembly.journal.all(TaskRun)[-1]


def tried(assembly: bootstrap.Assembly) -> list[Decision]:
    """What was decided of backtests."""
    return [d for d in assembly.journal.all(Decision) if d.workflow == "backtest"]


def report_of(home: Path) -> Any:  # noqa: ANN401 - a report is plain JSON
    """The report of the week."""
    return json.loads((Home(home).reports / "weekly_20240308.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def tuesday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in the evening of Tuesday."""
    home = tmp_path_factory.mktemp("tuesday") / "home"
    assembly = started(home)
    for task in DAY:
        run_today(assembly, task)
    assembly.close()
    return home


@pytest.fixture
def home(tuesday: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(tuesday, tmp_path / "home"))


@pytest.fixture(scope="module")
def undisturbed(tuesday: Path, tmp_path_factory: pytest.TempPathFactory) -> bootstrap.Assembly:
    """A week that nobody disturbed."""
    assembly = started(Path(shutil.copytree(tuesday, tmp_path_factory.mktemp("undisturbed") / "home")))
    end_the_week(assembly)
    return assembly


def test_what_lost_in_the_week_is_tried_with_every_strategy_and_reported(undisturbed: bootstrap.Assembly) -> None:
    """Worst first; the rules answer from the desk's own validation; nothing is proposed."""
    lost = losers(undisturbed.desk.engine.ledger.trades.closed)
    assert 0 < len(lost) <= MOST
    decisions = tried(undisturbed)
    assert [(d.subject, d.outcome, d.analyst) for d in decisions] == [(symbol, Outcome.ANSWERED, "rules") for symbol, _ in lost]
    said = [Backtested.model_validate_json(d.output) for d in decisions]
    assert all({t.strategy for t in one.tried} == set(PRICE_ONLY) for one in said)
    assert all(one.last <= FRIDAY and (one.last - one.first).days in range(360, 367) for one in said)
    assert {one.verdict for one in said} <= {Trust.TOO_LITTLE, Trust.NOT_VALIDATED}
    section = report_of(undisturbed.home.path)["alternatives"]
    assert [(a["symbol"], a["backtested"]["summary"]) for a in section] == [
        (s, one.summary) for (s, _), one in zip(lost, said, strict=True)
    ]
    assert all(float(a["profit"]) < 0 for a in section)
    states = [t.after for t in undisturbed.journal.all(Transition) if t.task_run == decisions[0].task_run]
    assert states == [WorkflowState.WEEKLY_REVIEW, WorkflowState.BACKTESTING, WorkflowState.IDLE]
    ended = undisturbed.journal.all(TaskRun)[-1]
    assert ended.status is TaskStatus.DONE
    assert all(f"{symbol} {one.verdict}" in ended.reason for (symbol, _), one in zip(lost, said, strict=True))
    assert {p.strategy for p in undisturbed.journal.all(Proposal)} <= {"momentum"}


def test_the_desks_past_decides_and_not_its_future(undisturbed: bootstrap.Assembly) -> None:
    """The same line-up from a laboratory that is asked again, and another one of a week before."""
    (decision, *_) = tried(undisturbed)
    lab, symbol = undisturbed.bench.lab, Symbol(decision.subject)
    again = alternatives(lab, symbol, decision.at)
    assert assess(again) == Backtested.model_validate_json(decision.output)
    assert again.last == FRIDAY
    assert alternatives(lab, symbol, NOW).last == date(2024, 3, 4)


@pytest.mark.parametrize("number", [3, 5, 6])
def test_a_week_killed_at_a_write_and_run_again_asks_nothing_twice(number: int, home: Path, undisturbed: bootstrap.Assembly) -> None:
    """Review, backtests, report: each is there once, and says what an undisturbed week says."""
    dying = started(home)
    die_at_append(dying, number)
    with pytest.raises(KilledError):
        end_the_week(dying)
    following = started(home)
    end_the_week(following)
    assert what_happened(following) == what_happened(undisturbed)
    assert [(d.id, d.output) for d in tried(following)] == [(d.id, d.output) for d in tried(undisturbed)]
    assert [r.digest for r in following.journal.all(ReportMade)] == [r.digest for r in undisturbed.journal.all(ReportMade)]


def test_a_recorded_judgement_is_answered_again_to_the_byte(undisturbed: bootstrap.Assembly) -> None:
    """By the same laboratory as of the same moment."""
    (decision, *_) = tried(undisturbed)
    found = dossier(undisturbed.journal, decision, Shelf(undisturbed.home.cassettes), ())
    assert replayed(undisturbed.home, undisturbed.home.path / "nobody", found) == decision.output


def test_a_week_in_which_nothing_lost_says_so(tmp_path: Path) -> None:
    """Without a trade there is nothing to improve."""
    assembly = started(tmp_path / "home")
    assert end_the_week(assembly).reason.endswith("no symbol lost, so no alternatives were tried")
    assert (tried(assembly), report_of(tmp_path / "home")["alternatives"]) == ([], [])


def test_backtests_can_be_switched_off(home: Path) -> None:
    """By one setting, which decides no trade."""
    assembly = started(home, **{"research.weekly_backtests": "never"})
    assert end_the_week(assembly).reason.endswith("backtests of alternatives are switched off")
    assert tried(assembly) == []
    plain = config.load(flags={"seed": 3})
    assert assembly.config.trading_digest() == plain.trading_digest()


@pytest.mark.parametrize(("setting", "tries"), [("desk", False), ("always", True), ("never", False)])
def test_a_recorded_year_tries_alternatives_only_if_it_is_told_to(setting: str, tries: bool, tmp_path: Path) -> None:  # noqa: FBT001 - what is expected
    """Fifty-two weeks of them would be most of its time."""
    of = Setting(Mode.BACKTEST, simulated=True, home=Home(tmp_path), operator=tmp_path / "nobody", first=FRIDAY, last=FRIDAY)
    assembly = bootstrap.build(config.load(flags={"research.weekly_backtests": setting}), of)
    assert (assembly.desk.lab is not None) is tries


def test_the_worst_come_first_and_no_more_than_three() -> None:
    """A's two trades sum to -30, B lost 50, C won, D lost 1, E lost 30: by hand B, A, E; equals by name."""
    made = [("A", "-40"), ("A", "10"), ("B", "-50"), ("C", "5"), ("D", "-1"), ("E", "-30")]
    trades = [trade(profit, symbol=Symbol(symbol), closed=NOW) for symbol, profit in made]
    assert [(symbol, int(profit)) for symbol, profit in losers(trades)] == [("B", -50), ("A", -30), ("E", -30)]


class Empty:
    """A laboratory that has no data."""

    def run(self, *_: Any) -> Any:  # noqa: ANN401 - it never returns
        """Have none."""
        raise NoDataError("there are no bars of it any more")


def test_a_symbol_that_cannot_be_run_does_not_cost_the_week_its_end(home: Path) -> None:
    """An abstention with its reason, in the report too."""
    assembly = started(home)
    object.__setattr__(assembly.desk, "lab", Empty())
    ended = end_the_week(assembly)
    assert (ended.status, "unanswered" in ended.reason) == (TaskStatus.DONE, True)
    assert {(d.outcome, d.note) for d in tried(assembly)} == {(Outcome.ABSTAINED, "there are no bars of it any more")}
    assert [a["note"] for a in report_of(home)["alternatives"]] == ["there are no bars of it any more"] * len(tried(assembly))


def chaired(home: Path, persona: Persona) -> bootstrap.Assembly:
    """The desk with a scripted model in the chair and the rules beside it."""
    assembly = started(home)
    object.__setattr__(assembly.desk, "analyst", ShadowedAnalyst(ClaudeAnalyst(persona), RulesAnalyst()))
    return assembly


def test_a_model_judges_the_desks_own_figures(home: Path, undisturbed: bootstrap.Assembly) -> None:
    """Its words, the desk's numbers; what the rules said is kept beside it."""
    assembly = chaired(home, Persona())
    end_the_week(assembly)
    first, own = tried(assembly)[0], Backtested.model_validate_json(tried(undisturbed)[0].output)
    assert (first.analyst, first.outcome, len(first.evidence)) == ("claude", Outcome.ANSWERED, 1)
    said = Backtested.model_validate_json(first.output)
    assert said == own.model_copy(update={"summary": "as the figures say", "observations": ("none",), "recommendations": ()})
    (shadow, *_) = [s for s in assembly.journal.all(Shadow) if s.decision_id == first.id]
    assert Backtested.model_validate_json(shadow.output) == own


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda said: {**said, "verdict": "VALIDATED"}, "the desk's own validation says TOO_LITTLE, not VALIDATED"),
        (lambda said: {**said, "claims": []}, "claim the validated from a result"),
        (
            lambda said: {**said, "claims": [{**c, "value": 99} if c["field"] == "sharpe" else c for c in said["claims"]]},
            "that result says 1",
        ),
        (lambda said: {**said, "verdict": "GREAT"}, "verdict: Input should be"),
    ],
    ids=["more than validation says", "nothing claimed", "another figure", "no such verdict"],
)
def test_words_cannot_validate_what_validation_did_not(
    change: Callable[[dict[str, Any]], dict[str, Any]], why: str, undisturbed: bootstrap.Assembly
) -> None:
    """One repair, then a failure without an answer."""
    persona, decision = Persona(twisted("backtest", change)), tried(undisturbed)[0]
    lineup = alternatives(undisturbed.bench.lab, Symbol(decision.subject), decision.at)
    answer = ClaudeAnalyst(persona).backtest(undisturbed.desk.brief(decision.id), lineup)
    assert (answer.value, answer.outcome) == (None, Outcome.FAILED)
    assert why in answer.note
    names = ",".join(entrant.strategy for entrant in lineup.entrants)
    asked = f"backtest {names} {decision.subject} --start {lineup.first} --end {lineup.last}"
    assert persona.steps() == [asked, f"{asked} again"]


def test_what_is_no_line_up_is_not_judged(undisturbed: bootstrap.Assembly) -> None:
    """Neither by the rules nor by a model, which is not even asked."""
    persona, decision = Persona(), tried(undisturbed)[0]
    for analyst in (RulesAnalyst(), ClaudeAnalyst(persona)):
        answer = analyst.backtest(undisturbed.desk.brief(decision.id), decision)
        assert (answer.outcome, answer.note) == (Outcome.ABSTAINED, "these are no backtests")
    assert persona.asked == []
