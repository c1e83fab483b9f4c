"""A second judge beside the analyst: it may forbid, or allow as much as the mandate does with approval, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from builders import AAPL, NOW, mandate, proposal
from desks import small_desk
from trading_bot import config
from trading_bot.bootstrap import desk as bootstrap
from trading_bot.bootstrap.setting import Setting
from trading_bot.domain.mandate import Mode
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Decision, Outcome, Proposal, Verdict, VerdictOutcome
from trading_bot.domain.research import Judgement, Opinion
from trading_bot.domain.values import DecisionId, ProposalId
from trading_bot.execution.approvals import waiting
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.ports import Answer, Brief
from trading_bot.risk.gate import verdict_id
from trading_bot.storage.export import export
from trading_bot.storage.home import Home

FLAT = [(100.0, 100.2, 99.8, 100.0)] * 60
YES = Opinion(judgement=Judgement.APPROVE, reason="sound")
NO = Opinion(judgement=Judgement.VETO, reason="earnings tonight")
SILENT = Opinion(judgement=Judgement.NONE, reason="nothing to add")


def test_a_veto_rejects_what_the_gate_would_allow() -> None:
    """Its reason stands in the verdict."""
    desk = small_desk(FLAT)
    verdict = desk.engine.handle(proposal(), NO)
    assert verdict is not None
    assert (verdict.outcome, [(f.rule, f.actual) for f in verdict.findings]) == ("rejected", [("veto", "earnings tonight")])
    assert desk.journal.count(OrderIntent) == 0


def test_an_approval_lifts_the_threshold_and_no_other_cap() -> None:
    """149 shares by the position limit instead of 49; where risk binds sooner, that."""
    desk, careful = small_desk(FLAT), small_desk(FLAT, under=mandate(risk_per_trade="0.001"))
    for one, expected in ((desk, 149), (careful, 33)):
        verdict = one.engine.handle(proposal(), YES)
        assert verdict is not None
        assert (verdict.outcome, verdict.quantity) == ("approved", expected)
        assert one.engine.ledger.books.positions[AAPL].quantity == expected


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"universe": ("SPY",)}, "universe"),
        ({"expires_at": NOW, "issued_at": NOW - timedelta(days=1)}, "mandate_expiry"),
        ({"autonomy": "observe"}, "autonomy"),
        ({"orders_per_minute": 1}, "orders_per_minute"),
        ({"max_spread": "0.00001"}, "max_spread"),
    ],
)
def test_an_approval_is_none_against_a_rule(limits: dict[str, object], rule: str) -> None:
    """The gate says no, whoever says yes."""
    desk = small_desk(FLAT, under=mandate(**limits))
    verdict = desk.engine.handle(proposal(), YES)
    assert verdict is not None
    assert (verdict.outcome, [f.rule for f in verdict.findings]) == ("rejected", [rule])
    assert desk.journal.count(OrderIntent) == 0


@pytest.mark.parametrize("opinion", [YES, SILENT, None])
def test_a_second_judge_never_stands_in_for_the_person_who_has_to_be_asked(opinion: Opinion | None) -> None:
    """With autonomy `confirm` the proposal waits."""
    desk = small_desk(FLAT, under=mandate(autonomy="confirm"))
    verdict = desk.engine.handle(proposal(), opinion)
    assert verdict is not None
    assert (verdict.outcome, len(waiting(desk.journal)), desk.journal.count(OrderIntent)) == ("needs_approval", 1, 0)


def test_what_was_vetoed_is_put_before_no_person() -> None:
    """It is rejected, not waiting."""
    desk = small_desk(FLAT, under=mandate(autonomy="confirm"))
    verdict = desk.engine.handle(proposal(), NO)
    assert verdict is not None
    assert (verdict.outcome, waiting(desk.journal)) == ("rejected", ())


def test_no_opinion_changes_nothing() -> None:
    """The same verdict as without a second judge."""
    assert small_desk(FLAT).engine.handle(proposal(), SILENT) == small_desk(FLAT).engine.handle(proposal())


@dataclass
class Judge:
    """An approver that says what it is told to, and remembers what it was asked."""

    opinion: Opinion | None = None
    outcome: Outcome = Outcome.ANSWERED
    name: str = "judge"
    asked: list[tuple[ProposalId, DecisionId, str]] = field(default_factory=list)
    """Proposal, decision of the asking, and what the gate says without it."""

    def consider(self, brief: Brief, proposal: Proposal, preview: Verdict) -> Answer[Opinion]:
        """Say it."""
        self.asked.append((proposal.id, brief.decision_id, preview.outcome))
        return Answer(self.opinion, self.outcome, self.name)


@dataclass
class Morning:
    """Pre-market and open of a simulated day, with a second judge."""

    home: Path
    judge: Judge
    overrides: dict[str, object] = field(default_factory=dict)

    def start(self) -> bootstrap.Assembly:
        """The next process on this home."""
        setting = Setting(Mode.PAPER, simulated=True, home=Home(self.home), operator=self.home / "nobody")
        built = bootstrap.build(config.load(flags={"seed": 3, **self.overrides}), setting)
        bootstrap.announce(built, "test")
        built.desk.session.begin()
        return replace(built, desk=replace(built.desk, approver=self.judge))

    def trade(self, assembly: bootstrap.Assembly) -> bootstrap.Assembly:
        """Run both tasks, or what is left of them."""
        now = assembly.desk.clock.now()
        for slot in assembly.scheduler.slots_between(now.date(), now.date()):
            if slot.task in {"pre-market", "market-open"}:
                assembly.desk.session.wait(slot.due)
                TradingOrchestrator(assembly.desk, assembly.scheduler, assembly.stop).run_slot(slot)
        return assembly


def verdicts(assembly: bootstrap.Assembly) -> list[tuple[str, Decimal]]:
    """What the gate said to each proposal of the morning."""
    found = (assembly.journal.get(Verdict, verdict_id(p.id)) for p in assembly.journal.all(Proposal))
    return [(v.outcome, v.quantity) for v in found if v is not None]


def trading(tmp_path: Path, judge: Judge, **overrides: object) -> bootstrap.Assembly:
    """A morning that nothing disturbs."""
    morning = Morning(tmp_path, judge, {name.replace("__", "."): value for name, value in overrides.items()})
    return morning.trade(morning.start())


def test_each_proposal_is_put_before_the_judge_once_and_by_a_decision_of_its_own(tmp_path: Path) -> None:
    """Neither the proposer's decision nor one for all."""
    judge = Judge(YES)
    assembly = trading(tmp_path, judge)
    proposals = assembly.journal.all(Proposal)
    assert [identity for identity, _, _ in judge.asked] == [p.id for p in proposals]
    assert len(proposals) > 1
    own = {d.id: (d.workflow, d.analyst) for d in assembly.journal.all(Decision)}
    assert [own[decision] for _, decision, _ in judge.asked] == [("approve", "judge")] * len(proposals)
    assert not {decision for _, decision, _ in judge.asked} & {p.decision_id for p in proposals}


def test_the_days_entries_follow_the_judge(tmp_path: Path) -> None:
    """A veto lets none pass, an approval makes them larger, and who says nothing changes nothing."""
    without = verdicts(trading(tmp_path / "none", Judge(outcome=Outcome.ABSTAINED)))
    failed = verdicts(trading(tmp_path / "failed", Judge(outcome=Outcome.FAILED)))
    silent = verdicts(trading(tmp_path / "silent", Judge(SILENT)))
    larger = verdicts(trading(tmp_path / "yes", Judge(YES)))
    assert without == failed == silent
    assert all(outcome is VerdictOutcome.REDUCED for outcome, _ in without)
    assert all(more > less for (_, more), (_, less) in zip(larger, without, strict=True))
    vetoed = trading(tmp_path / "no", Judge(NO))
    assert {outcome for outcome, _ in verdicts(vetoed)} == {"rejected"}
    assert vetoed.journal.count(OrderIntent) == 0


def test_the_judge_is_not_asked_about_what_the_gate_refuses_anyway(tmp_path: Path) -> None:
    """A question costs money."""
    judge = Judge(YES)
    assembly = trading(tmp_path, judge, risk__autonomy="observe")
    assert judge.asked == []
    assert {outcome for outcome, _ in verdicts(assembly)} == {"rejected"}


class KilledError(BaseException):
    """Stands for SIGKILL: nobody in the desk catches it."""


def die_at(assembly: bootstrap.Assembly, number: int) -> None:
    """Let the journal's write with this number be the last thing that the process did."""
    append, seen = assembly.journal.append, [0]

    def counted(*records: object) -> None:
        append(*records)  # type: ignore[arg-type]
        seen[0] += 1
        if seen[0] == number:
            raise KilledError

    vars(assembly.journal)["append"] = counted


def until_killed(work: Callable[[], object]) -> bool:
    """Whether the process was killed."""
    try:
        work()
    except KilledError:
        return True
    return False


def test_a_morning_killed_at_any_write_asks_the_judge_nothing_twice(tmp_path: Path) -> None:
    """An opinion is durable before it is used; a resumed morning exports the same journal."""
    judge = Judge(YES)
    expected = list(export(trading(tmp_path / "quiet", judge).journal))
    number, killed = 0, True
    while killed:
        number += 4
        morning = Morning(tmp_path / str(number), Judge(YES))
        assembly = morning.start()
        die_at(assembly, number)
        killed = until_killed(lambda: morning.trade(assembly))  # noqa: B023 - called at once
        if killed:
            before = len(morning.judge.asked)
            resumed = morning.trade(morning.start())
            assert list(export(resumed.journal)) == expected, f"killed at write {number}"
            assert len(morning.judge.asked) == len(judge.asked) >= before
    assert number > 20
