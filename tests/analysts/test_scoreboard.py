"""The scoreboard: every plan followed by one rule, confidence held against what came true, nothing seen before it happened."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from analysts import coins
from analysts.coins import UP, price
from builders import AAPL
from desks import ScriptedSource
from trading_bot.analysts.following import HORIZON, Bar, Course, State, follow
from trading_bot.analysts.scoreboard import Bin, Calibration, Followed, Score, Scoreboard, scoreboard
from trading_bot.domain.market import CorporateAction, Feed, PriceBasis, Split, Timeframe
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import Decision, EntryStyle, Outcome, Shadow, Target
from trading_bot.domain.research import Analysis, EntryPlan, Recommendation, TradeIdea
from trading_bot.domain.values import DecisionId, Digest, Record, Symbol, TaskRunId
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries

QUIET = Bar(100, 101, 99, 100)
RISEN = Bar(101, 105, 100, 104)
CALENDAR = open_calendar("XNYS")
DAYS = CALENDAR.sessions(date(2024, 3, 4), date(2024, 4, 12))
MORNING = CALENDAR.hours(DAYS[1])[0] - timedelta(hours=3)


def plan(entry: str = "100", stop: str = "96", *targets: tuple[str, str]) -> EntryPlan:
    """To buy at 100 with a stop at 96: half leaves at 104, half at 108."""
    legs = targets or (("104", "0.5"), ("108", "0.5"))
    return EntryPlan(
        symbol=AAPL,
        side=Side.BUY,
        style=EntryStyle.NOW,
        entry=Decimal(entry),
        stop_loss=Decimal(stop),
        targets=tuple(Target(price=Decimal(p), fraction=Decimal(f)) for p, f in legs),
        noise=Decimal(1),
        exposure=Decimal(1),
        reason="test",
    )


@pytest.mark.parametrize(
    ("bars", "course"),
    [
        ([], Course(State.WAITING)),
        ([Bar(103, 104, 101, 103)] * 3, Course(State.WAITING)),
        ([Bar(103, 104, 101, 103)] * HORIZON, Course(State.NOT_ENTERED)),
        ([QUIET, Bar(100, 102, 99, 102)], Course(State.OPEN, 0.5)),
        ([QUIET, RISEN], Course(State.OPEN, 1.0, hit=True)),
        ([QUIET, RISEN, Bar(104, 109, 103, 108)], Course(State.ENDED, 1.5, hit=True)),
        ([QUIET, RISEN, Bar(100, 100, 95, 96)], Course(State.ENDED, 0.0, hit=True)),
        ([QUIET, Bar(98, 110, 95, 109)], Course(State.ENDED, -1.0, hit=False)),
        ([QUIET, Bar(94, 95, 93, 94)], Course(State.ENDED, -1.5, hit=False)),
        ([Bar(98, 99, 97, 98)], Course(State.OPEN, 0.0)),
        ([Bar(102, 105, 99, 101)], Course(State.OPEN, 0.25)),
        ([Bar(100, 105, 99, 104)], Course(State.OPEN, 1.0, hit=True)),
        ([Bar(102, 110, 95, 109)], Course(State.ENDED, -1.0, hit=False)),
        ([QUIET] * (HORIZON + 5), Course(State.ENDED, 0.0, hit=False)),
        ([QUIET] * HORIZON + [RISEN], Course(State.ENDED, 0.0, hit=False)),
    ],
)
def test_a_plan_is_followed_with_every_doubt_against_it(bars: Sequence[Bar], course: Course) -> None:
    """Entry at 100 or better, stop first, targets at their price, the rest at the twentieth close. Risk is 4 a share."""
    assert follow(plan(), bars) == course


def test_a_short_is_followed_as_the_mirror_of_a_long() -> None:
    """To sell at 100 with a stop at 104: half leaves at 96, half at 92; a horizon of its own."""
    short = plan("100", "104", ("96", "0.5"), ("92", "0.5")).model_copy(update={"side": Side.SELL})
    fallen = [Bar(100, 101, 99, 100), Bar(99, 100, 95, 96), Bar(96, 97, 91, 92)]
    assert follow(short, fallen) == Course(State.ENDED, 1.5, hit=True)
    assert follow(short, [QUIET, Bar(102, 105, 101, 104)]) == Course(State.ENDED, -1.0, hit=False)
    assert follow(short, [QUIET, Bar(106, 107, 105, 106)]) == Course(State.ENDED, -1.5, hit=False)
    assert follow(short, [Bar(97, 99, 96, 98)] * 3, horizon=3) == Course(State.NOT_ENTERED)


class DailySource(ScriptedSource):
    """Daily bars of the sessions from 2024-03-04 on."""

    def __init__(self, bars: Sequence[tuple[float, float, float, float]], actions: Sequence[CorporateAction] = ()) -> None:
        super().__init__([(100.0, 100.0, 100.0, 100.0)], actions=actions)
        hours = [CALENDAR.hours(day) for day in DAYS[: len(bars)]]
        index = pd.DatetimeIndex([opening for opening, _ in hours]).as_unit("ns")
        frame = pd.DataFrame(bars, columns=["open", "high", "low", "close"], index=index, dtype="float64").assign(volume=1e6)
        ends = np.array([end.replace(tzinfo=None) for _, end in hours], dtype="datetime64[ns]")
        self.daily = BarSeries(AAPL, Timeframe.DAY, frame, ends, Feed.CONSOLIDATED, PriceBasis.AS_TRADED, self.name)

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:  # noqa: ARG002 - it has one symbol
        """Days."""
        return (Timeframe.DAY,)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:  # noqa: ARG002 - and one timeframe
        """The script."""
        return self.daily


ROWS = [(100.0, 101.0, 99.0, 100.0), (100.0, 101.0, 99.0, 100.0), (101.0, 105.0, 100.0, 104.0), (104.0, 109.0, 103.0, 108.0)]


def close_of(session: int) -> datetime:
    """When this session has closed."""
    return CALENDAR.hours(DAYS[session])[1].astimezone(UTC)


def analysis(recommendation: Recommendation = Recommendation.BUY, confidence: float = 0.7) -> Analysis:
    """At 100, with a stop at 96."""
    return Analysis(
        symbol=AAPL,
        recommendation=recommendation,
        score=70,
        confidence=confidence,
        signals=(),
        multipliers=(),
        price=100.0,
        stop=96.0,
        stop_basis="2 ATR",
        support=None,
        resistance=None,
        thesis="test",
    )


def decision(workflow: str, answer: Record, analyst: str = "claude") -> Decision:
    """What somebody answered before the second session."""
    return Decision(
        at=MORNING,
        id=DecisionId(f"d-{workflow}"),
        task_run=TaskRunId("run"),
        workflow=workflow,
        subject=AAPL,
        analyst=analyst,
        model="claude-test" if analyst == "claude" else None,
        outcome=Outcome.ANSWERED,
        inputs=Digest("0" * 64),
        output=answer.canonical(),
    )


def beside(decided: Decision, answer: Record) -> Shadow:
    """What the rules answered to the same question."""
    told = {"decision_id": decided.id, "workflow": decided.workflow, "subject": AAPL, "analyst": "rules"}
    return Shadow(at=MORNING, outcome=Outcome.ANSWERED, output=answer.canonical(), **told)


def board_at(session: int, decisions: Sequence[Decision], shadows: Sequence[Shadow], source: ScriptedSource) -> Scoreboard:
    """The scoreboard after this session's close, Claude having cost 12 cents."""
    return scoreboard(decisions, shadows, AsOfView(source, lambda: close_of(session)), {"claude": Decimal("0.12")})


BOTH = [decision("analyze", analysis(confidence=0.7)), decision("optimize", plan("100", "98", ("102", "1")))]
RULES = [beside(BOTH[0], analysis(confidence=0.4)), beside(BOTH[1], plan())]


def test_claude_and_the_rules_are_followed_with_one_stake_and_claude_pays_for_its_calls() -> None:
    """Claude risks 2 to win 2, the rules 4 to win 4 and 8: 100 and 150 USD on a stake of 100."""
    board = board_at(3, BOTH, RULES, DailySource(ROWS))
    at = {"decision_id": "d-analyze", "at": MORNING, "persona": "analyze", "symbol": AAPL, "state": State.ENDED, "hit": True}
    assert board == Scoreboard(
        as_of=close_of(3),
        stake_usd=Decimal(100),
        scores=(
            Score(analyst="claude", plans=1, entered=1, ended=1, r=1.0, usd="100", cost_usd="0.12", net_usd="99.88"),
            Score(analyst="rules", plans=1, entered=1, ended=1, r=1.5, usd="150", cost_usd="0", net_usd="150"),
        ),
        calibrations=(
            Calibration(
                analyst="claude",
                persona="analyze",
                model="claude-test",
                count=1,
                brier=0.09,
                bins=(Bin(least=0.6, most=0.8, count=1, stated=0.7, came_true=1.0),),
            ),
            Calibration(
                analyst="rules",
                persona="analyze",
                model=None,
                count=1,
                brier=0.36,
                bins=(Bin(least=0.4, most=0.6, count=1, stated=0.4, came_true=1.0),),
            ),
        ),
        followed=(
            Followed(analyst="claude", model="claude-test", confidence=0.7, r=1.0, usd="100", **at),
            Followed(analyst="rules", model=None, confidence=0.4, r=1.5, usd="150", **at),
        ),
    )


def test_only_what_has_closed_is_seen() -> None:
    """Whatever comes after changes nothing; before its first session a plan waits."""
    crash = [*ROWS[:2], (50.0, 50.0, 50.0, 50.0), (50.0, 50.0, 50.0, 50.0)]
    assert board_at(1, BOTH, RULES, DailySource(ROWS)) == board_at(1, BOTH, RULES, DailySource(crash))
    assert [f.state for f in board_at(0, BOTH, RULES, DailySource(ROWS)).followed] == [State.WAITING, State.WAITING]


def test_a_split_since_then_changes_no_result() -> None:
    """Two for one at the third session's opening: prices halve, the plan is as it was."""
    halved = [*ROWS[:2], *((o / 2, h / 2, low / 2, c / 2) for o, h, low, c in ROWS[2:])]
    split = Split(symbol=AAPL, ex=CALENDAR.hours(DAYS[2])[0], ratio=Decimal(2))
    assert board_at(3, BOTH, RULES, DailySource(halved, (split,))) == board_at(3, BOTH, RULES, DailySource(ROWS))


def test_what_claude_declined_and_the_rules_would_have_bought_is_followed_for_the_rules() -> None:
    """By their analysis: entry at its price, targets at 1.5 and 2.5 times the risk."""
    declined = decision("analyze", analysis(Recommendation.AVOID))
    board = board_at(3, [declined], [beside(declined, analysis())], DailySource(ROWS))
    assert [(s.analyst, s.plans, s.r) for s in board.scores] == [("claude", 0, 0.0), ("rules", 1, pytest.approx(1.75))]


def test_nothing_decided_is_an_empty_board() -> None:
    """No plan, no calibration; what was spent stays spent."""
    board = board_at(3, [], [], DailySource(ROWS))
    assert [(s.analyst, s.plans, s.net_usd) for s in board.scores] == [("claude", 0, Decimal("-0.12"))]
    assert (board.calibrations, board.followed) == ((), ())


def idea(side: Side, stop: str, target: str, confidence: float, at: datetime) -> TradeIdea:
    """A trade in a coin at the quote."""
    entry = price(coins.brief(at=at), UP)
    legs = (Target(price=entry * Decimal(target), fraction=Decimal(1)),)
    made = plan(str(entry), str(entry * Decimal(stop))).model_copy(update={"symbol": UP, "side": side, "targets": legs})
    return TradeIdea(plan=made, confidence=confidence, thesis="test")


def test_trades_in_coins_are_followed_by_quarters_of_an_hour_each_for_two_days() -> None:
    """Claude buys what rises, the rules would have sold it short; beside the stock's plans, with a calibration of its own persona."""
    at = coins.NOW
    asked = decision("open", idea(Side.BUY, "0.97", "1.002", 0.7, at)).model_copy(update={"at": at, "subject": "market"})
    short = beside(asked, idea(Side.SELL, "1.002", "0.97", 0.4, at))
    nothing = decision("open", TradeIdea(plan=None, confidence=0.0, thesis="flat")).model_copy(update={"id": DecisionId("flat")})
    source = coins.CoinSource()
    early, late = AsOfView(source, lambda: at), AsOfView(source, lambda: at + timedelta(hours=60))
    waiting = scoreboard([asked, nothing], [short], early, {})
    assert [(f.analyst, f.state) for f in waiting.followed] == [("claude", State.WAITING), ("rules", State.WAITING)]
    board = scoreboard([asked, nothing], [short], late, {"claude": Decimal("0.12")})
    assert [(f.analyst, f.persona, f.state, f.hit) for f in board.followed] == [
        ("claude", "open", State.ENDED, True),
        ("rules", "open", State.ENDED, False),
    ]
    assert [(s.analyst, s.plans, s.r < 0) for s in board.scores] == [("claude", 1, False), ("rules", 1, True)]
    assert [(c.analyst, c.persona, c.count) for c in board.calibrations] == [("claude", "open", 1), ("rules", "open", 1)]


def test_a_trade_in_a_coin_that_meets_neither_stop_nor_target_ends_after_two_days() -> None:
    """At the close of then; whatever comes later changes nothing."""
    at, source = coins.NOW, coins.CoinSource()
    asked = decision("open", idea(Side.BUY, "0.5", "2", 0.7, at)).model_copy(update={"at": at, "subject": "market"})
    early, due, late = (AsOfView(source, (at + timedelta(hours=hours)).astimezone) for hours in (20, 60, 80))
    (one,), (two,), (three,) = (scoreboard([asked], [], view, {}).followed for view in (early, due, late))
    assert (one.state, two.state) == (State.OPEN, State.ENDED)
    assert three == two
