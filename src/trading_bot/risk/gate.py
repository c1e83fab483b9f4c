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
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import ApprovedOrder, Leg, Order, OrderClass, OrderRole, OrderSpec, OrderType, Side, TimeInForce
from trading_bot.domain.proposals import Effect, EntryStyle, Finding, Proposal, ProposalKind, Target, Verdict, VerdictOutcome
from trading_bot.domain.values import ZERO, ClientOrderId, DecisionId, ProposalId, VerdictId, client_order_id, derive_id
from trading_bot.risk.case import Case, Consent
from trading_bot.risk.rules import RULES, reject
from trading_bot.risk.sizing import Sizing, size


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

    @property
    def closable(self) -> Decimal:
        """Quantity that no working closing order is closing already."""
        if self.position is None:
            return ZERO
        closing = sum((o.remaining for o in self.working if o.role is OrderRole.CLOSE), ZERO)
        return max(abs(self.position.quantity) - closing, ZERO)


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
    if sizing.quantity * case.price < max(case.instrument.minimum_notional, case.instrument.tick_size):
        small = reject("minimum_size", f"{case.instrument.minimum_notional} {case.instrument.currency}", f"{sizing.quantity} units")
        return Ruling(_entry_verdict(case, VerdictOutcome.REJECTED, (*sizing.findings, small)))
    outcome = VerdictOutcome.REDUCED if sizing.findings else VerdictOutcome.APPROVED
    return _approve(_entry_verdict(case, outcome, sizing.findings, sizing), _brackets(case, sizing.quantity, desk))


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
    spec = _exit_spec(case, proposal.decision_id, f"{proposal.action}-{case.position.symbol}", quantity, None)
    return _approve(_exit_verdict(proposal, case, (), quantity), [(spec, None)])


def rule_on_flatten(case: Exit, decision: DecisionId) -> Ruling:
    """Allow the closing of all that is held of one symbol. `decision` names the command that asked for it."""
    return _protective(case, decision, "flatten", case.closable, None)


def rule_on_protection(case: Exit, decision: DecisionId, quantity: Decimal, stop: Decimal | None) -> Ruling:
    """Allow a stop for `quantity` that is naked; without a stop price, or with one that the price has passed, a market exit."""
    return _protective(case, decision, "protect", min(quantity, case.closable), stop)


def _protective(case: Exit, decision: DecisionId, name: str, quantity: Decimal, stop: Decimal | None) -> Ruling:
    symbol = case.instrument.symbol
    proposal_id = ProposalId(derive_id(name, decision, symbol))
    passed = stop is None or (case.position is not None and case.price is not None and _is_beyond(case.position.side, case.price, stop))
    note = Finding(rule=name, effect=Effect.NOTE, limit="every position has a stop", actual=f"{quantity} of {symbol} {name}ed")
    verdict = Verdict(
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
    if quantity <= 0:
        return Ruling(verdict)
    spec = _exit_spec(case, decision, f"{name}-{symbol}", quantity, None if passed else stop)
    return _approve(verdict, [(spec, None)])


def _move_stops(proposal: Proposal, case: Exit) -> Ruling:
    stop, position = proposal.stop_loss, case.position
    stops = [o for o in case.working if o.role is OrderRole.STOP_LOSS and o.stop_price is not None]
    if stop is None or position is None or not stops:
        return Ruling(_exit_verdict(proposal, case, (reject("resting_stop", "a stop to move", "none"),), ZERO))
    looser = [o for o in stops if o.stop_price is not None and not _is_beyond(position.side, o.stop_price, stop)]
    if looser:
        worst = reject("less_risk_only", f"beyond {looser[0].stop_price}", stop)
        return Ruling(_exit_verdict(proposal, case, (worst,), ZERO))
    if case.price is not None and _is_beyond(position.side, case.price, stop):
        spec = _exit_spec(case, proposal.decision_id, f"passed-{position.symbol}", case.closable, None)
        return _approve(_exit_verdict(proposal, case, (), case.closable), [(spec, None)])
    specs = [(_exit_spec(case, proposal.decision_id, f"move-{o.client_order_id}", o.remaining, stop), o.client_order_id) for o in stops]
    return _approve(_exit_verdict(proposal, case, (), sum((o.remaining for o in stops), ZERO)), specs)


def _is_beyond(side: Side, price: Decimal, level: Decimal) -> bool:
    """Whether `price` lies at `level` or on the losing side of it for a position opened by `side`."""
    return (price - level) * side.sign <= 0


def _brackets(case: Case, quantity: Decimal, desk: str) -> list[tuple[OrderSpec, ClientOrderId | None]]:
    """One bracket for each target, so that every filled share has its stop and its target at the venue at once."""
    targets: tuple[Target | None, ...] = case.proposal.targets or (None,)
    shares = _split(quantity, targets, case.instrument)
    return [(_bracket(case, desk, n, part, target), None) for n, (part, target) in enumerate(shares, start=1)]


def _split(quantity: Decimal, targets: Sequence[Target | None], instrument: Instrument) -> list[tuple[Decimal, Target | None]]:
    """Whole lots for each target; the last takes the rest, and a target without a lot falls away."""
    parts = [instrument.round_quantity(quantity * (t.fraction if t is not None else 1)) for t in targets[:-1]]
    parts.append(quantity - sum(parts, ZERO))
    return [(part, target) for part, target in zip(parts, targets, strict=True) if part > 0]


def _bracket(case: Case, desk: str, number: int, quantity: Decimal, target: Target | None) -> OrderSpec:
    proposal = case.proposal

    def name(leg: str) -> ClientOrderId:
        return client_order_id(desk, proposal.decision_id, f"{leg}-{number}", 1)

    resting = proposal.style is EntryStyle.PULLBACK
    if proposal.stop_loss is None:
        msg = "an entry without a stop cannot be approved"
        raise ValueError(msg)
    return OrderSpec(
        client_order_id=name("entry"),
        symbol=proposal.symbol,
        side=proposal.side,
        type=OrderType.LIMIT if resting else OrderType.MARKET,
        order_class=OrderClass.BRACKET,
        quantity=quantity,
        limit_price=proposal.entry if resting else None,
        role=OrderRole.ENTRY,
        stop_loss=Leg(client_order_id=name("stop"), price=proposal.stop_loss),
        take_profit=None if target is None else Leg(client_order_id=name("target"), price=target.price),
    )


def _exit_spec(case: Exit, decision: DecisionId, leg: str, quantity: Decimal, stop: Decimal | None) -> OrderSpec:
    """A resting stop, or without a stop price an exit at the market."""
    if case.position is None:
        msg = "nothing is held, so nothing can be closed"
        raise ValueError(msg)
    return OrderSpec(
        client_order_id=client_order_id(case.desk, decision, leg, 1),
        symbol=case.position.symbol,
        side=case.position.side.opposite,
        type=OrderType.MARKET if stop is None else OrderType.STOP,
        quantity=quantity,
        stop_price=stop,
        time_in_force=TimeInForce.DAY if stop is None else TimeInForce.GTC,
        role=OrderRole.CLOSE if stop is None else OrderRole.STOP_LOSS,
    )


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
