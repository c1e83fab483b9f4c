"""How much: the size that a proposal asks for, and the table of rules that cap it.

Wanted is the least of the quantities based on risk, capital, buying power and margin, times the proposal's exposure multiplier and the
streak factor (both at most 1). Each cap is a pure function from a case to the largest quantity it allows. Quantities are in the
instrument's units, before rounding down to lots; a cap below zero counts as zero.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from trading_bot.domain.mandate import NoLimit
from trading_bot.domain.perpetual import is_leveraged
from trading_bot.domain.proposals import Effect, Finding
from trading_bot.domain.values import ONE, ZERO, divided
from trading_bot.risk.case import Case
from trading_bot.risk.rules import percent, reject


class Cap(NamedTuple):
    """The largest quantity that one rule allows."""

    rule: str
    quantity: Decimal | None
    """None if the rule has no limit."""
    limit: str
    effect: Effect = Effect.REDUCE


def risk_per_trade(case: Case) -> Cap:
    """Loss at the stop, as a share of equity."""
    limit = case.limits.risk_per_trade
    if limit == "none" or case.risk_per_share <= 0:
        return Cap("risk_per_trade", None, str(limit))
    return Cap("risk_per_trade", case.situation.equity * limit / case.risk_per_share, percent(limit))


def position(case: Case) -> Cap:
    """Value of the position, as a share of equity."""
    return _value_cap("position", case, case.limits.position, case.held)


def approval_above(case: Case) -> Cap:
    """Value above which an approver is needed; without one the size is cut to it."""
    if case.consent.lifts_cap:
        return Cap("approval_above", None, "approved")
    return _value_cap("approval_above", case, case.limits.approval_above, case.held, Effect.NEEDS_APPROVAL)


def tainted_position(case: Case) -> Cap:
    """Value of a position behind which a text from outside may stand; no model's word lifts it."""
    if not case.proposal.tainted or case.consent.person:
        return Cap("tainted_position", None, "approved" if case.proposal.tainted else "no text from outside")
    return _value_cap("tainted_position", case, case.limits.tainted_position, case.held)


def sector(case: Case) -> Cap:
    """Value of all positions and working entries of the symbol's sector. Unknown sectors count as one."""
    situation = case.situation
    own = situation.sectors[case.symbol]
    held = sum((abs(p.market_value(situation.marks[s])) for s, p in situation.books.positions.items() if situation.sectors[s] == own), ZERO)
    pending = sum((v for s, v in situation.pending.items() if situation.sectors[s] == own), ZERO)
    return _value_cap("sector", case, case.limits.sector, held + pending)


def open_risk(case: Case) -> Cap:
    """Loss if every stop is hit, this one included."""
    limit = case.limits.open_risk
    if limit == "none" or case.risk_per_share <= 0:
        return Cap("open_risk", None, str(limit))
    left = case.situation.equity * limit - case.situation.open_risk
    return Cap("open_risk", left / case.risk_per_share, percent(limit))


def gross_exposure(case: Case) -> Cap:
    """Absolute value of everything, as a multiple of equity."""
    return _value_cap("gross_exposure", case, case.limits.gross_exposure, case.gross)


def leverage(case: Case) -> Cap:
    """The lesser of the mandate's and the instrument's leverage, over everything held."""
    limit = case.limits.leverage
    if limit == "none":
        return Cap("leverage", None, "none")
    return _value_cap("leverage", case, min(limit, case.instrument.leverage_cap), case.gross)


def buying_power(case: Case) -> Cap:
    """What the venue would still accept, less the reserve."""
    usable = case.situation.account.buying_power * (1 - case.limits.buying_power_reserve)
    return Cap("buying_power", usable * case.turns / case.price, f"{usable:.2f}")


def margin_per_trade(case: Case) -> Cap:
    """Margin of the position, as a share of the available balance; of perpetuals."""
    limit = case.limits.margin_per_trade
    if limit == "none" or not is_leveraged(case.instrument):
        return Cap("margin_per_trade", None, str(limit))
    return Cap("margin_per_trade", case.situation.account.buying_power * limit * case.turns / case.price, percent(limit))


def margin(case: Case) -> Cap:
    """Equity must stay above maintenance margin by the reserve after the trade (binds shorts and leverage; cash covers what is bought)."""
    spare = case.situation.equity / (1 + case.limits.margin_reserve) - case.situation.account.maintenance_margin
    return Cap("margin", spare / (case.price * case.instrument.maintenance_rate), percent(case.limits.margin_reserve))


BASES: tuple[Callable[[Case], Cap], ...] = (risk_per_trade, position, buying_power, margin_per_trade)
CAPS: tuple[Callable[[Case], Cap], ...] = (*BASES, approval_above, tainted_position, sector, open_risk, gross_exposure, leverage, margin)


@dataclass(frozen=True)
class Sizing:
    """What was wanted, what is allowed, and the caps that made the difference."""

    wanted: Decimal
    exact: Decimal
    """What is allowed, before it is rounded down to lots."""
    quantity: Decimal
    findings: tuple[Finding, ...]


def size(case: Case) -> Sizing:
    """Return the size of `case` on the instrument's lots; 0 if nothing is left. The case needs a price above 0.

    A cap speaks if it allows less than was wanted, or not even one lot.
    """
    bases = [rule(case) for rule in BASES]
    base = min((c.quantity for c in bases if c.quantity is not None), default=ZERO)
    wanted = max(base, ZERO) * case.proposal.exposure * streak_factor(case)
    caps = [*bases, *(rule(case) for rule in CAPS[len(BASES) :])]
    binding = [c for c in caps if c.quantity is not None and c.quantity < max(wanted, case.instrument.lot_size)]
    allowed = min([wanted, *(max(c.quantity, ZERO) for c in binding if c.quantity is not None)])
    return Sizing(wanted, allowed, case.instrument.round_quantity(allowed), tuple(_finding(c, wanted) for c in binding))


def too_small(case: Case, sizing: Sizing) -> Finding | None:
    """Why what the caps left is not worth an order: the venue's least value, or of a perpetual the mandate's least margin.

    What rounding down to lots takes away is not held against the margin.
    """
    instrument, price = case.instrument, case.price
    least = max(instrument.minimum_notional, instrument.tick_size)
    if sizing.quantity * price < least:
        order = (least / (price * instrument.lot_size)).to_integral_value(ROUND_CEILING) * instrument.lot_size
        told = f"{sizing.quantity} units; the least order is {order} units, {order * price:.2f} {instrument.currency}"
        return reject("minimum_size", f"{instrument.minimum_notional} {instrument.currency}", told)
    share, available = case.limits.least_margin, case.situation.account.buying_power
    if share == "none" or not is_leveraged(instrument):
        return None
    margin, wanted = divided(sizing.exact * price, case.turns), divided(share * available, ONE)
    if margin >= wanted:
        return None
    limit = f"{percent(share)} of {available:.2f} {instrument.currency}"
    return reject("least_margin", limit, f"{margin:.2f}; {wanted - margin:.2f} {instrument.currency} are missing")


def streak_factor(case: Case) -> Decimal:
    """Smaller sizes on a losing streak (row F3)."""
    limit = case.discipline.streak_losses
    return case.discipline.streak_factor if limit != "none" and case.situation.losing_streak >= limit else ONE


def _value_cap(rule: str, case: Case, limit: Decimal | NoLimit, used: Decimal, effect: Effect = Effect.REDUCE) -> Cap:
    if limit == "none":
        return Cap(rule, None, "none")
    return Cap(rule, (case.situation.equity * limit - used) / case.price, percent(limit), effect)


def _finding(cap: Cap, wanted: Decimal) -> Finding:
    allowed = max(cap.quantity or ZERO, ZERO)
    return Finding(rule=cap.rule, effect=cap.effect, limit=cap.limit, actual=f"{wanted:.2f} wanted, {allowed:.2f} allowed")
