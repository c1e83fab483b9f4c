"""The gate: from a proposal to a verdict, and the only maker of an `ApprovedOrder`.

Promises that every rule which spoke stands in the verdict with its limit and the actual value, that an entry always carries its
stop, and that closing and protective orders pass in every desk state, with or without a quote: what makes risk smaller is never
held up. Refuses to send anything itself, and to enlarge anything: an exit is capped at what is held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading_bot.domain.books import Position
from trading_bot.domain.instrument import Instrument, Rounding
from trading_bot.domain.orders import ApprovedOrder, Order, OrderRole, OrderSpec, Side
from trading_bot.domain.proposals import Effect, Finding, Proposal, ProposalKind, Target, Verdict, VerdictOutcome
from trading_bot.domain.traits import PAPER, VenueTraits
from trading_bot.domain.values import ZERO, ClientOrderId, DecisionId, ProposalId, VerdictId, derive_id
from trading_bot.risk.case import Case, Consent
from trading_bot.risk.rules import RULES, reject
from trading_bot.risk.shapes import Namer, entries, market_exit, pairs, resting_stops, resting_targets, trailing_stop, trailing_stops
from trading_bot.risk.sizing import Sizing, size, too_small

_DONE = {
    "protect": "protected",
    "flatten": "flattened",
    "margin": "closed before its venue does",
    "pairs": "paired",
    "targets": "given targets",
    "target": "sold at its target",
}


@dataclass(frozen=True)
class Ruling:
    """A verdict and the orders that it allows, none unless approved or reduced."""

    verdict: Verdict
    orders: tuple[ApprovedOrder, ...] = ()


@dataclass(frozen=True)
class Exit:
    """What a ruling on an exit looks at: the position with its orders, and what the exit is called."""

    desk: str
    now: datetime
    instrument: Instrument
    position: Position | None
    working: Sequence[Order]
    """Working orders of the symbol."""
    price: Decimal | None
    """Newest price, however old; None if there is none."""
    traits: VenueTraits = PAPER
    leaving: Decimal = ZERO
    """Quantity that exits at the market will close which were sent, and are not among `working` yet."""

    @property
    def closable(self) -> Decimal:
        """Quantity, in whole lots, that no order is closing already."""
        if self.position is None:
            return ZERO
        closing = sum((o.remaining for o in self.working if o.role is OrderRole.CLOSE), self.leaving)
        return self.instrument.round_quantity(max(abs(self.position.quantity) - closing, ZERO))


def verdict_id(proposal_id: ProposalId) -> VerdictId:
    """Return the id of the one verdict on a proposal."""
    return VerdictId(derive_id("verdict", proposal_id))


def approved_verdict_id(proposal_id: ProposalId) -> VerdictId:
    """Return the id of the one verdict on a proposal after a person approved it."""
    return VerdictId(derive_id("verdict", proposal_id, "approved"))


def rule_on_entry(case: Case, desk: str) -> Ruling:
    """Judge a proposal to open. `desk`: the desk part of client order ids."""
    findings = tuple(f for f in (rule(case) for rule in RULES) if f is not None)
    if findings:
        refused = any(f.effect is Effect.REJECT for f in findings)
        return Ruling(_entry_verdict(case, VerdictOutcome.REJECTED if refused else VerdictOutcome.NEEDS_APPROVAL, findings))
    sizing = size(case)
    small = too_small(case, sizing)
    if small is not None:
        return Ruling(_entry_verdict(case, VerdictOutcome.REJECTED, (*sizing.findings, small)))
    outcome = VerdictOutcome.REDUCED if sizing.findings else VerdictOutcome.APPROVED
    specs = entries(case.proposal, sizing.quantity, case.instrument, case.traits, Namer(desk, case.proposal.decision_id))
    return _approve(_entry_verdict(case, outcome, sizing.findings, sizing), _unreplaced(specs))


def rule_on_exit(proposal: Proposal, case: Exit) -> Ruling:
    """Judge a proposal to close, reduce or move a stop. Neither a halt nor a missing quote holds it up."""
    if case.position is None:
        return Ruling(_exit_verdict(proposal, case, (reject("position", "something to close", "flat"),), ZERO))
    if proposal.action is ProposalKind.MOVE_STOP:
        return _move_stops(proposal, case)
    fraction = proposal.fraction if proposal.action is ProposalKind.REDUCE and proposal.fraction is not None else Decimal(1)
    quantity = min(case.instrument.round_quantity(abs(case.position.quantity) * fraction), case.closable)
    if quantity <= 0:
        return Ruling(_exit_verdict(proposal, case, (reject("closable", "some quantity not closing already", 0),), ZERO))
    spec = market_exit(case.position, quantity, Namer(case.desk, proposal.decision_id), f"{proposal.action}-{case.position.symbol}")
    return _approve(_exit_verdict(proposal, case, (), quantity), [(spec, None)])


def rule_on_flatten(case: Exit, decision: DecisionId) -> Ruling:
    """Allow the closing of all that is held of one symbol. `decision` names the command that asked for it."""
    return _protective(case, decision, "flatten", case.closable, None)


def rule_on_margin(case: Exit, decision: DecisionId) -> Ruling:
    """Allow the closing of all that is held of one symbol, since its venue would soon do so at a price of its own."""
    return _protective(case, decision, "margin", case.closable, None)


def rule_on_protection(case: Exit, decision: DecisionId, quantity: Decimal, stop: Decimal | None) -> Ruling:
    """Allow a stop for `quantity` that is naked; without a stop price, or with one that the price has passed, a market exit."""
    return _protective(case, decision, "protect", min(quantity, case.closable), stop)


def rule_on_pairs(case: Exit, decision: DecisionId, quantity: Decimal, stop: Decimal, targets: Sequence[Target]) -> Ruling:
    """Allow for each target a limit and a stop that cancel each other; a market exit if the price has passed the stop."""
    if case.position is None or _has_passed(case, stop):
        return _protective(case, decision, "pairs", min(quantity, case.closable), None)
    quantity, name = min(quantity, case.closable), Namer(case.desk, decision)
    specs = pairs(case.position, quantity, stop, targets, case.instrument, name) if quantity > 0 else []
    return _approve(_guard_verdict(case, decision, "pairs", quantity), _unreplaced(specs))


def rule_on_targets(case: Exit, decision: DecisionId, quantity: Decimal, targets: Sequence[Target]) -> Ruling:
    """Allow limits at the targets, beside a stop that the venue keeps for the position."""
    quantity, name = min(quantity, case.closable), Namer(case.desk, decision)
    position = case.position
    specs = resting_targets(position, quantity, targets, case.instrument, name) if position is not None and quantity > 0 else []
    return _approve(_guard_verdict(case, decision, "targets", quantity), _unreplaced(specs))


def rule_on_reached_target(case: Exit, decision: DecisionId, quantity: Decimal) -> Ruling:
    """Allow a market exit at a target that could not rest at the venue, and was reached."""
    quantity, position = min(quantity, case.closable), case.position
    verdict = _guard_verdict(case, decision, "target", quantity)
    if position is None or quantity <= 0:
        return Ruling(verdict)
    leg = f"target-{case.instrument.symbol}"
    return _approve(verdict, [(market_exit(position, quantity, Namer(case.desk, decision), leg, OrderRole.TAKE_PROFIT), None)])


def _protective(case: Exit, decision: DecisionId, name: str, quantity: Decimal, stop: Decimal | None) -> Ruling:
    verdict, position = _guard_verdict(case, decision, name, quantity), case.position
    if position is None or quantity <= 0:
        return Ruling(verdict)
    namer, leg = Namer(case.desk, decision), f"{name}-{case.instrument.symbol}"
    if stop is None or _has_passed(case, stop):
        return _approve(verdict, [(market_exit(position, quantity, namer, leg), None)])
    return _approve(verdict, _unreplaced(resting_stops(position, quantity, stop, case.instrument, case.traits, namer, leg)))


def _has_passed(case: Exit, stop: Decimal) -> bool:
    """Whether the newest price lies at `stop` or on the losing side of it."""
    return case.position is not None and case.price is not None and _is_beyond(case.position.side, case.price, stop)


def _guard_verdict(case: Exit, decision: DecisionId, name: str, quantity: Decimal) -> Verdict:
    symbol = case.instrument.symbol
    proposal_id = ProposalId(derive_id(name, decision, symbol))
    note = Finding(rule=name, effect=Effect.NOTE, limit="every position has a stop", actual=f"{quantity} of {symbol} {_DONE[name]}")
    return Verdict(
        id=verdict_id(proposal_id),
        at=case.now,
        proposal_id=proposal_id,
        decision_id=decision,
        symbol=symbol,
        outcome=VerdictOutcome.APPROVED if quantity > 0 else VerdictOutcome.REJECTED,
        findings=(note,),
        quantity=quantity,
        price=case.price or ZERO,
    )


def _move_stops(proposal: Proposal, case: Exit) -> Ruling:
    position, trail = case.position, proposal.trail
    if trail is not None and (not case.traits.trails or case.price is None):
        wants = "a venue whose stops can trail" if case.price is not None else "a price to trail"
        return Ruling(_exit_verdict(proposal, case, (reject("trailing_stop", wants, "none"),), ZERO))
    stop = _first_place(proposal, case)
    stops = [o for o in case.working if o.role is OrderRole.STOP_LOSS and o.stop_price is not None]
    if stop is None or position is None or not stops:
        return Ruling(_exit_verdict(proposal, case, (reject("resting_stop", "a stop to move whose place is known", "none"),), ZERO))
    looser = [o for o in stops if o.stop_price is not None and not _is_beyond(position.side, o.stop_price, stop)]
    if looser:
        worst = reject("less_risk_only", f"beyond {looser[0].stop_price}", stop)
        return Ruling(_exit_verdict(proposal, case, (worst,), ZERO))
    name = Namer(case.desk, proposal.decision_id)
    if _has_passed(case, stop):
        spec = market_exit(position, case.closable, name, f"passed-{position.symbol}")
        return _approve(_exit_verdict(proposal, case, (), case.closable), [(spec, None)])
    if trail is not None and case.traits.exits_reserve:
        # Nothing can rest beside what is to be replaced, and no stop becomes a trailing one in its place.
        leg = f"trail-{position.symbol}"
        specs = trailing_stops(position, case.closable, _on_tick(trail, case), stop, case.instrument, case.traits, name, leg)
        return _approve(_exit_verdict(proposal, case, (), case.closable), _unreplaced(specs))
    moved = [(spec, old.client_order_id) for old in stops for spec in _in_place_of(old, position, proposal, stop, case, name)]
    return _approve(_exit_verdict(proposal, case, (), sum((o.remaining for o in stops), ZERO)), moved)


def _first_place(proposal: Proposal, case: Exit) -> Decimal | None:
    """Where the moved stop will stand: a trailing one behind the newest price, whatever the proposal calls its place."""
    if proposal.trail is None or case.price is None or case.position is None:
        return proposal.stop_loss
    return case.price - case.position.side.sign * _on_tick(proposal.trail, case)


def _on_tick(trail: Decimal, case: Exit) -> Decimal:
    return case.instrument.round_price(trail, Rounding.UP)


def _in_place_of(old: Order, position: Position, proposal: Proposal, stop: Decimal, case: Exit, name: Namer) -> list[OrderSpec]:  # noqa: PLR0913, PLR0917 - what is moved, and where to
    leg = f"move-{old.client_order_id}"
    if proposal.trail is not None:
        return [trailing_stop(position, old.remaining, _on_tick(proposal.trail, case), name, leg)]
    made = resting_stops(position, old.remaining, stop, case.instrument, case.traits, name, leg)
    return made[:1]


def _is_beyond(side: Side, price: Decimal, level: Decimal) -> bool:
    """Whether `price` lies at `level` or on the losing side of it for a position opened by `side`."""
    return (price - level) * side.sign <= 0


def _unreplaced(specs: Sequence[OrderSpec]) -> list[tuple[OrderSpec, ClientOrderId | None]]:
    return [(spec, None) for spec in specs]


def _approve(verdict: Verdict, specs: Sequence[tuple[OrderSpec, ClientOrderId | None]]) -> Ruling:
    orders = tuple(
        ApprovedOrder(
            spec=spec,
            digest=ApprovedOrder.digest_of(spec, replaces),
            verdict_id=verdict.id,
            proposal_id=verdict.proposal_id,
            decision_id=verdict.decision_id,
            replaces=replaces,
        )
        for spec, replaces in specs
    )
    return Ruling(verdict.model_copy(update={"digests": tuple(o.digest for o in orders)}), orders)


def _entry_verdict(case: Case, outcome: VerdictOutcome, findings: tuple[Finding, ...], sizing: Sizing | None = None) -> Verdict:
    quantity = sizing.quantity if sizing is not None else ZERO
    risk = quantity * max(case.risk_per_share, ZERO)
    made = _verdict(case.proposal, case.situation.now, outcome, findings, quantity=quantity, price=case.price, risk=risk)
    return _named(made, case.consent)


def _exit_verdict(proposal: Proposal, case: Exit, findings: tuple[Finding, ...], quantity: Decimal) -> Verdict:
    outcome = VerdictOutcome.REJECTED if findings else VerdictOutcome.APPROVED
    return _verdict(proposal, case.now, outcome, findings, quantity=quantity, price=case.price or ZERO)


def rule_unseen(proposal: Proposal, now: datetime, finding: Finding, consent: Consent) -> Ruling:
    """Refuse new risk for a reason that needs no look at the market."""
    return Ruling(_named(_verdict(proposal, now, VerdictOutcome.REJECTED, (finding,)), consent))


def _named(verdict: Verdict, consent: Consent) -> Verdict:
    """A verdict after a person's approval has a name of its own, for there was one before it."""
    return verdict.model_copy(update={"id": approved_verdict_id(verdict.proposal_id)}) if consent.person else verdict


def _verdict(  # noqa: PLR0913 - a verdict's own fields
    proposal: Proposal,
    now: datetime,
    outcome: VerdictOutcome,
    findings: tuple[Finding, ...],
    *,
    quantity: Decimal = ZERO,
    price: Decimal = ZERO,
    risk: Decimal = ZERO,
) -> Verdict:
    return Verdict(
        id=verdict_id(proposal.id),
        at=now,
        proposal_id=proposal.id,
        decision_id=proposal.decision_id,
        symbol=proposal.symbol,
        outcome=outcome,
        findings=findings,
        quantity=quantity,
        price=price,
        risk=risk,
        strategy=proposal.strategy,
    )
