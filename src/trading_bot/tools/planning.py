"""Trades in numbers: the desk's own plan for a symbol, given prices held to the same measures, and how much the mandate allows.

Promises the rules' own arithmetic (`market.entry`, `risk.sizing`), never a second one. Refuses nothing: what is wrong is told.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property

from pydantic import ValidationError

from trading_bot.domain.books import Account
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.instrument import Instrument, Rounding
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.market import Quote, Timeframe
from trading_bot.domain.orders import Side
from trading_bot.domain.perpetual import is_leveraged
from trading_bot.domain.proposals import INTERACTIVE, NOISE_SPREADS, EntryStyle, Proposal, ProposalKind, Target
from trading_bot.domain.records import DeskState
from trading_bot.domain.research import Analysis, EntryPlan, Regime
from trading_bot.domain.values import ONE, DecisionId, ProposalId, derive_id
from trading_bot.execution.protection import open_risk
from trading_bot.market import coins
from trading_bot.market.analysis import NOISE_ATR, analyze, place_stop
from trading_bot.market.entry import TARGETS, exposure, plan_entry
from trading_bot.market.regime import market_regime
from trading_bot.market.snapshot import Snapshot, take
from trading_bot.risk.case import Case, Situation
from trading_bot.tools import queries
from trading_bot.tools.looking import level, past, quote_of, snapshot_of, worth
from trading_bot.tools.scope import Scope

TTL = timedelta(minutes=30)


@dataclass(frozen=True)
class Ground:
    """What a plan for one symbol rests on."""

    scope: Scope
    instrument: Instrument
    snapshot: Snapshot
    quote: Quote

    @cached_property
    def regime(self) -> Regime:
        """Of the market."""
        return market_regime(self.scope.view, self.scope.universe)

    @cached_property
    def analysis(self) -> Analysis:
        """What the rules say of a long entry at the last close."""
        return analyze(self.snapshot, self.regime, float(self.quote.spread))

    @cached_property
    def plan(self) -> EntryPlan | None:
        """The desk's own plan."""
        return plan_entry(self.analysis, self.snapshot, self.instrument, self.regime)

    @property
    def score(self) -> float:
        """Of the rules, 0 to 100."""
        return self.analysis.score

    @property
    def why(self) -> tuple[str, ...]:
        """What the plan rests on, in words."""
        return () if self.plan is None else (self.plan.reason,)

    @property
    def exposure(self) -> Decimal:
        """Share of the allowed size that the rules would take."""
        return exposure(self.analysis.score, self.snapshot, self.regime)

    @property
    def noise(self) -> Decimal:
        """Distance within which a stop says nothing, on the tick above."""
        least = max(NOISE_ATR * (self.snapshot.atr or 0.0), float(self.instrument.tick_size), float(NOISE_SPREADS * self.quote.spread))
        return self.instrument.round_price(least, Rounding.UP)

    def plans(self, side: Side) -> bool:
        """Whether the rules have plans for this side at all."""
        return side is Side.BUY

    def stop(self, side: Side, entry: Decimal) -> Decimal:
        """The rules' stop for a long. ToolFailedError for a short, for which they have none, and inside the noise."""
        if side is Side.SELL:
            msg = f"the rules place no stop for a short of {self.instrument.symbol}: pass a stop"
            raise ToolFailedError(msg)
        found = place_stop(float(entry), self.snapshot.support, self.snapshot.atr, float(self.quote.spread))
        if found.price is None:
            msg = f"{found.basis}; pass a stop of your own, or leave the symbol"
            raise ToolFailedError(msg)
        return self.instrument.round_price(found.price, Rounding.DOWN)

    def why_no_plan(self) -> str:
        """The reason for which the rules find no trade."""
        if self.analysis.stop is None:
            return self.analysis.stop_basis
        return f"no trade: the rules say {self.analysis.recommendation} at a score of {self.analysis.score:.1f}"


@dataclass(frozen=True)
class CoinGround(Ground):
    """What a plan for a perpetual rests on: the rules of `market.coins`, for either side."""

    chance: coins.Chance

    @property
    def plan(self) -> EntryPlan | None:
        """The desk's own plan for what passes its screen, whether or not its rules would open it."""
        return None if self.chance.why_not else coins.plan(self.chance)

    @property
    def score(self) -> float:
        """Of the rules, 0 to 100, from this side."""
        return self.chance.score

    @property
    def why(self) -> tuple[str, ...]:
        """What the plan rests on, and why the rules would not open it."""
        return (*super().why, *((f"the rules would not: {self.chance.why_no_trade}",) if self.chance.why_no_trade else ()))

    @property
    def exposure(self) -> Decimal:
        """Share of the allowed size that the rules would take; their least where they have no plan."""
        return coins.SCORE_EXPOSURE[-1][1] if self.plan is None else self.plan.exposure

    @property
    def noise(self) -> Decimal:
        """Distance within which a stop says nothing, on the tick above."""
        return max(self.chance.look.noise, self.instrument.round_price(NOISE_SPREADS * self.quote.spread, Rounding.UP))

    def plans(self, side: Side) -> bool:
        """Whether the rules have plans for this side at all."""
        return side is self.chance.side

    def stop(self, side: Side, entry: Decimal) -> Decimal:  # noqa: ARG002 - of a stock it depends on them
        """The plan's stop. ToolFailedError where there is no plan."""
        if self.plan is None:
            msg = f"{self.why_no_plan()}; pass a stop of your own, or leave the coin"
            raise ToolFailedError(msg)
        return self.plan.stop_loss

    def why_no_plan(self) -> str:
        """The reason for which the rules find no trade."""
        return self.chance.why_not or "no stop lies outside the noise"


@dataclass(frozen=True)
class Levels:
    """Entry and stop on the tick, and what is wrong with them."""

    side: Side
    style: EntryStyle
    entry: Decimal
    stop: Decimal
    targets: tuple[Target, ...]
    noise: Decimal
    exposure: Decimal
    why: tuple[str, ...]
    sound: bool

    @property
    def risk(self) -> Decimal:
        """Loss of one share at the stop; not above 0 if the stop is on the wrong side."""
        return (self.entry - self.stop) * self.side.sign


def ground_of(scope: Scope, query: queries.Prices) -> Ground:
    """Look at the symbol: a perpetual by its hours, all else, and one that has days alone, by its days.

    ToolFailedError without a quote or with too few bars, and for a short of what cannot be sold short.
    """
    instrument = scope.view.instrument(query.symbol)
    seen = coins.look(scope.view, query.symbol) if is_leveraged(instrument) else None
    if seen is None:
        return Ground(scope, instrument, snapshot_of(scope, query.symbol), quote_of(scope, query.symbol))
    chance = next((one for one in seen.chances if one.side == query.side), None)
    if chance is None:
        raise ToolFailedError("it cannot be sold short")
    return CoinGround(scope, instrument, seen.trend, seen.quote, chance)


def levels(ground: Ground, query: queries.Prices) -> Levels | None:
    """Return the plan's levels or, with prices, theirs; None where the rules are asked and find no trade."""
    if query.entry is None and query.stop is None and ground.plans(Side(query.side)):
        plan = ground.plan
        if plan is None:
            return None
        return Levels(plan.side, plan.style, plan.entry, plan.stop_loss, plan.targets, plan.noise, plan.exposure, ground.why, sound=True)
    return _given(ground, query)


def _given(ground: Ground, query: queries.Prices) -> Levels:
    """Prices that were given; one that was left out comes from the quote or from the rules' stop."""
    side = Side(query.side)
    now = ground.quote.ask if side is Side.BUY else ground.quote.bid
    entry = level(ground.instrument, query.entry or now)
    stop = level(ground.instrument, query.stop) if query.stop is not None else ground.stop(side, entry)
    risk = (entry - stop) * side.sign
    faults = tuple(_faults(ground, entry, risk))
    targets = () if risk <= 0 else tuple(Target(price=entry + multiple * risk * side.sign, fraction=share) for multiple, share in TARGETS)
    ahead = (now - entry) * side.sign > 0
    on_tick = tuple(t.model_copy(update={"price": level(ground.instrument, t.price)}) for t in targets if t.price > 0)
    return Levels(
        side=side,
        style=EntryStyle.PULLBACK if ahead else EntryStyle.NOW,
        entry=entry,
        stop=stop,
        targets=on_tick,
        noise=ground.noise,
        exposure=ground.exposure,
        why=faults or ("the stop lies outside the noise, the entry within the collar",),
        sound=not faults,
    )


def _faults(ground: Ground, entry: Decimal, risk: Decimal) -> list[str]:
    """What is wrong with an entry and its risk, in words with numbers."""
    faults = []
    if risk <= 0:
        faults.append("the stop is on the wrong side of the entry")
    elif risk < ground.noise:
        faults.append(f"the stop lies inside the noise: {risk} from the entry, wanted {ground.noise} or more")
    mandate = ground.scope.mandate
    collar = "none" if mandate is None else mandate.limits.price_collar
    distance = abs(entry - ground.quote.mid) / ground.quote.mid
    if collar != "none" and distance > collar:
        faults.append(f"the entry is off the collar: {distance:.2%} from the quote's middle, allowed {collar:.2%}")
    return faults


def proposal(scope: Scope, query: queries.Trade, **said: object) -> Proposal:
    """Return the trade as a proposal as of now. ToolFailedError says what is wrong with its prices."""
    instrument, now = scope.view.instrument(query.symbol), scope.view.now()
    decision = DecisionId(f"{INTERACTIVE}-{derive_id(now.isoformat(), query.canonical(), length=12)}")
    snapshot = take(scope.view, query.symbol, coins.TREND if is_leveraged(instrument) else Timeframe.DAY)
    noise = max(NOISE_ATR * ((snapshot.atr if snapshot else None) or 0.0), float(instrument.tick_size))
    fields = {
        "at": now,
        "id": ProposalId(derive_id("proposal", decision)),
        "decision_id": decision,
        "action": ProposalKind.OPEN,
        "symbol": query.symbol,
        "side": query.side,
        "strategy": INTERACTIVE,
        "style": query.style,
        "entry": level(instrument, query.entry),
        "stop_loss": level(instrument, query.stop),
        "noise": instrument.round_price(noise, Rounding.UP),
        "targets": _parts(instrument, query.targets),
        "exposure": query.exposure,
        "confidence": 0.5,
        "horizon_days": 20,
        "thesis": "",
        "analyst": INTERACTIVE,
        "expires_at": now + TTL,
    }
    try:
        return Proposal.model_validate({**fields, **said})
    except ValidationError as error:
        msg = f"{error.errors()[0]['msg'].removeprefix('Value error, ')}; correct the prices"
        raise ToolFailedError(msg) from None


def _parts(instrument: Instrument, prices: tuple[Decimal, ...]) -> tuple[Target, ...]:
    """Targets of equal parts; the last takes what does not divide."""
    if not prices:
        return ()
    part = (ONE / len(prices)).quantize(Decimal("0.01"))
    parts = [part] * (len(prices) - 1)
    return tuple(Target(price=level(instrument, p), fraction=f) for p, f in zip(prices, [*parts, ONE - sum(parts)], strict=True))


def case(scope: Scope, mandate: Mandate, wanted: Proposal, quote: Quote) -> Case:
    """Return the case that the caps are asked with: the books at their marks, and nothing that would forbid it."""
    found, now, instrument = worth(scope), scope.view.now(), scope.view.instrument(wanted.symbol)
    symbols = {wanted.symbol, *found.books.positions, *found.entering}
    contract = scope.view.contract(wanted.symbol)
    account = Account(
        account_id=mandate.account,
        cash=found.books.cash,
        equity=found.equity,
        buying_power=found.buying_power,
        maintenance_margin=found.maintenance,
    )
    situation = Situation(
        now=now,
        session=scope.calendar.session_at(now),
        mandate=mandate,
        mandate_expired=False,
        desk_state=DeskState.RUNNING,
        books=found.books,
        account=account,
        marks={symbol: mark.price for symbol, mark in found.marks.items()},
        sectors={symbol: scope.view.instrument(symbol).sector for symbol in symbols},
        open_risk=open_risk(found.books),
        pending=found.entering,
        history=tuple(past(scope).material.trades),
        day_trades=0,
        entries_today=0,
        orders_last_minute=0,
        equity_high=found.equity,
        equity_last_close=found.equity,
    )
    return Case(wanted, situation, instrument, quote, mark=None if contract is None else contract.mark)
