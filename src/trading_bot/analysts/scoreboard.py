"""Who judged better: every plan of each analyst followed with one stake, and stated confidence held against what came true.

Promises that the rules' shadow is measured as whom it stands beside, also where that one declined what the rules would have bought; and
that only bars that have closed by now are looked at. Refuses to follow a symbol that was not analysed: nobody named a price for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pandas as pd

from trading_bot.analysts import rules_coins
from trading_bot.analysts.following import HORIZON, Bar, Course, State, follow
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.market import Timeframe
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import Decision, EntryStyle, Outcome, Shadow, Target
from trading_bot.domain.research import Analysis, EntryPlan, Recommendation, TradeIdea
from trading_bot.domain.values import ONE, ZERO, Amount, DecisionId, Finite, Positive, Ratio, Record, Symbol, UtcTime
from trading_bot.market.entry import TARGETS
from trading_bot.ports import View

STAKE = Decimal(100)
"""USD risked on each plan."""
BINS = 5
_CENT = Decimal("0.01")
_ENTERS = frozenset({Recommendation.STRONG_BUY, Recommendation.BUY})
_SPARE_DAYS = 7


class Followed(Record):
    """One plan and what came of it."""

    decision_id: DecisionId
    at: UtcTime
    analyst: str
    model: str | None
    persona: str
    """Whose confidence it is, by workflow."""
    symbol: Symbol
    confidence: Ratio
    state: State
    r: Finite | None
    usd: Amount
    hit: bool | None


class Score(Record):
    """An analyst's plans together. `net_usd`: after what asking cost."""

    analyst: str
    plans: int
    entered: int
    ended: int
    r: Finite
    usd: Amount
    cost_usd: Amount
    net_usd: Amount


class Bin(Record):
    """Plans whose stated confidence lay from `least` to below `most` (the last bin takes 1 in)."""

    least: Ratio
    most: Ratio
    count: int
    stated: Ratio
    """Mean confidence."""
    came_true: Ratio
    """Share whose first target came before the stop."""


class Calibration(Record):
    """How far stated confidences can be trusted. `brier`: mean squared error, 0 is perfect, 0.25 is what always saying 0.5 earns."""

    analyst: str
    persona: str
    model: str | None
    count: int
    brier: Ratio
    bins: tuple[Bin, ...]


class Scoreboard(Record):
    """Everything as of `as_of`."""

    as_of: UtcTime
    stake_usd: Positive
    scores: tuple[Score, ...]
    calibrations: tuple[Calibration, ...]
    followed: tuple[Followed, ...]


@dataclass(frozen=True)
class _Voice:
    """What one analyst wanted to do in one task run, and how sure it was."""

    decision_id: DecisionId
    at: datetime
    analyst: str
    model: str | None
    persona: str
    confidence: float
    plan: EntryPlan
    price: float | None
    """Of the day, where the plan's prices may have been split since."""


def scoreboard(
    decisions: Sequence[Decision], shadows: Sequence[Shadow], view: View, costs: Mapping[str, Decimal], stake: Decimal = STAKE
) -> Scoreboard:
    """Return the scoreboard as of `view.now()`. `costs`: USD by analyst; who cost and planned nothing is listed too."""
    voices = sorted((*_voices(decisions, shadows), *_ideas(decisions, shadows)), key=lambda voice: voice.at)
    followed = tuple(_followed(voice, view, stake) for voice in voices)
    names = sorted({*costs, *(f.analyst for f in followed)})
    return Scoreboard(
        as_of=view.now(),
        stake_usd=stake,
        scores=tuple(_score(name, [f for f in followed if f.analyst == name], costs.get(name, ZERO)) for name in names),
        calibrations=_calibrations(followed),
        followed=followed,
    )


def _voices(decisions: Sequence[Decision], shadows: Sequence[Shadow]) -> list[_Voice]:
    """Everybody's purchases of stocks, in order of their decisions: those who were believed, then the shadows."""
    analyses = [d for d in decisions if d.workflow == "analyze"]
    plans = {(d.task_run, d.subject): d for d in decisions if d.workflow == "optimize"}
    beside = {s.decision_id: s for s in shadows}
    voices = []
    for analysis in analyses:
        planned = plans.get((analysis.task_run, analysis.subject))
        voices.append(_voice(analysis, analysis, planned))
        shadow = beside.get(analysis.id)
        if shadow is not None:
            voices.append(_voice(analysis, shadow, None if planned is None else beside.get(planned.id), or_by_analysis=True))
    return [voice for voice in voices if voice is not None]


def _voice(asked: Decision, judged: Decision | Shadow, planned: Decision | Shadow | None, *, or_by_analysis: bool = False) -> _Voice | None:
    """A purchase, None if it was none. `or_by_analysis`: nobody asked for its plan, so its analysis stands for one."""
    if judged.outcome is not Outcome.ANSWERED:
        return None
    analysis = Analysis.model_validate_json(judged.output)
    plan = EntryPlan.model_validate_json(planned.output) if planned is not None and planned.outcome is Outcome.ANSWERED else None
    if plan is None and planned is None and or_by_analysis:
        plan = _plan_of(analysis)
    model = judged.model if isinstance(judged, Decision) else None
    if plan is None:
        return None
    return _Voice(asked.id, asked.at, judged.analyst, model, "analyze", analysis.confidence, plan, analysis.price)


def _ideas(decisions: Sequence[Decision], shadows: Sequence[Shadow]) -> list[_Voice]:
    """Everybody's trades in coins: those who were believed, then the shadows."""
    beside = {s.decision_id: s for s in shadows}
    asked = [d for d in decisions if d.workflow == "open"]
    said = [(d, one) for d in asked for one in (d, beside.get(d.id)) if one is not None and one.outcome is Outcome.ANSWERED]
    return [voice for decision, one in said if (voice := _idea(decision, one)) is not None]


def _idea(asked: Decision, said: Decision | Shadow) -> _Voice | None:
    idea = TradeIdea.model_validate_json(said.output)
    model = said.model if isinstance(said, Decision) else None
    if idea.plan is None:
        return None
    return _Voice(asked.id, asked.at, said.analyst, model, asked.workflow, idea.confidence, idea.plan, None)


def _plan_of(analysis: Analysis) -> EntryPlan | None:
    """The rules' plan for a purchase now, from the analysis alone: off the tick, and without waiting for a pullback."""
    if analysis.recommendation not in _ENTERS or analysis.stop is None:
        return None
    entry, stop = (Decimal(str(round(price, 8))) for price in (analysis.price, analysis.stop))
    targets = tuple(Target(price=entry + multiple * (entry - stop), fraction=share) for multiple, share in TARGETS)
    return EntryPlan(
        symbol=analysis.symbol,
        side=Side.BUY,
        style=EntryStyle.NOW,
        entry=entry,
        stop_loss=stop,
        targets=targets,
        noise=ZERO,
        exposure=ONE,
        reason="by its analysis",
    )


def _followed(voice: _Voice, view: View, stake: Decimal) -> Followed:
    course = follow(voice.plan, *(_sessions_after(voice, view, voice.price) if voice.price else _bars_after(voice, view)))
    return Followed(
        decision_id=voice.decision_id,
        at=voice.at,
        analyst=voice.analyst,
        model=voice.model,
        persona=voice.persona,
        symbol=voice.plan.symbol,
        confidence=voice.confidence,
        state=course.state,
        r=None if course.r is None else round(course.r, 4),
        usd=_usd(course, stake),
        hit=course.hit,
    )


def _usd(course: Course, stake: Decimal) -> Decimal:
    return ZERO if course.r is None else (Decimal(str(round(course.r, 4))) * stake).quantize(_CENT)


def _sessions_after(voice: _Voice, view: View, price: float) -> tuple[list[Bar], int]:
    """Closed sessions that opened after the decision, in its own prices: splits and dividends since then are taken back."""
    days = (view.now() - voice.at).days + _SPARE_DAYS
    frame = view.bars(voice.plan.symbol, Timeframe.DAY, days)
    before, after = frame[frame.index < voice.at], frame[frame.index >= voice.at]
    scale = price / float(before["close"].iloc[-1]) if len(before) else 1.0
    return _bars(after, scale), HORIZON


def _bars_after(voice: _Voice, view: View) -> tuple[list[Bar], int]:
    """Closed bars that began after the decision, of the finest timeframe that reaches back to it, and how many of them its life has."""
    for timeframe in Timeframe:
        try:
            frame = view.bars(voice.plan.symbol, timeframe, (view.now() - voice.at) // timeframe.duration + 2)
        except NoDataError:
            continue
        if len(frame) and frame.index[0] <= voice.at:
            return _bars(frame[frame.index >= voice.at], 1.0), rules_coins.HORIZON // timeframe.duration
    return [], 1


def _bars(frame: pd.DataFrame, scale: float) -> list[Bar]:
    rows = frame[["open", "high", "low", "close"]].to_numpy() * scale
    return [Bar(*(float(price) for price in row)) for row in rows]


def _score(analyst: str, followed: Sequence[Followed], cost: Decimal) -> Score:
    usd = sum((f.usd for f in followed), ZERO)
    return Score(
        analyst=analyst,
        plans=len(followed),
        entered=sum(1 for f in followed if f.r is not None),
        ended=sum(1 for f in followed if f.state is State.ENDED),
        r=round(sum(f.r for f in followed if f.r is not None), 4),
        usd=usd,
        cost_usd=cost,
        net_usd=usd - cost,
    )


def _calibrations(followed: Sequence[Followed]) -> tuple[Calibration, ...]:
    """By analyst, persona and model, of plans whose event is known."""
    known = [f for f in followed if f.hit is not None]
    voices = sorted({_voice_of(f) for f in known})
    return tuple(_calibration(voice, [f for f in known if _voice_of(f) == voice]) for voice in voices)


def _voice_of(followed: Followed) -> tuple[str, str, str]:
    return followed.analyst, followed.persona, followed.model or ""


def _calibration(voice: tuple[str, str, str], known: Sequence[Followed]) -> Calibration:
    analyst, persona, model = voice
    return Calibration(
        analyst=analyst,
        persona=persona,
        model=model or None,
        count=len(known),
        brier=round(sum((f.confidence - bool(f.hit)) ** 2 for f in known) / len(known), 4),
        bins=tuple(b for n in range(BINS) if (b := _bin(n, known)) is not None),
    )


def _bin(number: int, known: Sequence[Followed]) -> Bin | None:
    inside = [f for f in known if min(int(f.confidence * BINS), BINS - 1) == number]
    if not inside:
        return None
    return Bin(
        least=number / BINS,
        most=(number + 1) / BINS,
        count=len(inside),
        stated=round(sum(f.confidence for f in inside) / len(inside), 4),
        came_true=round(sum(1 for f in inside if f.hit) / len(inside), 4),
    )
