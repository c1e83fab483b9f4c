"""Orders as the gate approves them, under a mandate without limits: the suite makes none by itself.

Promises that every order carries a real verdict, and that quantity and prices are exactly what was asked for, wrong ones too.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from trading_bot.domain.books import Account, Books, Position
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.mandate import Autonomy, Cure, Discipline, GuardianOrders, Limits, Mandate, Mode
from trading_bot.domain.margin import turns
from trading_bot.domain.orders import ApprovedOrder, Order, Side
from trading_bot.domain.proposals import EntryStyle, Proposal, ProposalKind, Target
from trading_bot.domain.records import DeskState
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import DecisionId, Digest, ProposalId, Symbol
from trading_bot.risk.case import Case, Situation
from trading_bot.risk.gate import Exit, Ruling, rule_on_entry, rule_on_exit, rule_on_protection
from trading_bot.sandbox.conformance.bench import Bench

_RICH = Decimal(10) ** 12
_N = "none"
_LIMITS = Limits.model_validate(
    dict.fromkeys(Limits.model_fields, _N) | {"buying_power_reserve": 0, "margin_reserve": 0, "short_selling": True}
)
_CALM = Discipline.model_validate(
    dict.fromkeys(Discipline.model_fields, _N) | {"cooldown_minutes": 1, "streak_factor": 1},
)


@dataclass(frozen=True)
class Wish:
    """An entry as it shall be: what is left out is sound."""

    quantity: Decimal
    side: Side = Side.BUY
    limit: Decimal | None = None
    """None: at the market."""
    stop: Decimal | None = None
    target: Decimal | None = None
    instrument: Instrument | None = None
    """What the gate is told of the instrument, wrong or right."""


@dataclass
class Asker:
    """Asks the gate. `desk`: the desk part of the ids, another one for each promise. `traits`: what the adapter says of the venue."""

    bench: Bench
    desk: str
    traits: VenueTraits
    _count: int = field(default=0)

    def entry(self, wish: Wish) -> ApprovedOrder:
        """An entry with its stop, as the venue's kind of instrument takes it."""
        quote = self.bench.quote()
        instrument = wish.instrument or self.bench.instrument
        quote = quote.model_copy(update={"symbol": instrument.symbol})
        level = wish.limit or quote.mid
        stop = wish.stop or self.bench.instrument.round_price(level * (1 - wish.side.sign * Decimal("0.05")))
        proposal = self._proposal(
            ProposalKind.OPEN,
            symbol=instrument.symbol,
            side=wish.side,
            style=EntryStyle.NOW if wish.limit is None else EntryStyle.PULLBACK,
            entry=level,
            stop_loss=stop,
            targets=() if wish.target is None else (Target(price=wish.target, fraction=Decimal(1)),),
        )
        price = level if wish.limit is not None else quote.ask if wish.side is Side.BUY else quote.bid
        situation = self._situation(instrument, _power(wish, price, instrument))
        return _only(rule_on_entry(Case(proposal, situation, instrument, quote, traits=self.traits), self.desk))

    def guard(self, held: Position | None, working: tuple[Order, ...], stop: Decimal, quantity: Decimal | None = None) -> ApprovedOrder:
        """A stop for what is held."""
        case = self._exit(held, working)
        size = quantity if quantity is not None else case.closable
        return _only(rule_on_protection(case, self._decision(), size, stop))

    def close(self, held: Position | None, working: tuple[Order, ...] = (), fraction: Decimal | None = None) -> ApprovedOrder:
        """An exit at the market for all that is held, or for a part."""
        side = Side.BUY if held is None else held.side
        if fraction is None:
            wish = self._proposal(ProposalKind.CLOSE, side=side)
        else:
            wish = self._proposal(ProposalKind.REDUCE, side=side, fraction=fraction)
        return _only(rule_on_exit(wish, self._exit(held, working)))

    def moved(self, held: Position, stop_order: Order, stop: Decimal) -> ApprovedOrder:
        """The order that takes a resting stop's place at another price."""
        wish = self._proposal(ProposalKind.MOVE_STOP, side=held.side, stop_loss=stop)
        return _only(rule_on_exit(wish, self._exit(held, (stop_order,))))

    def trailed(self, held: Position, stop_order: Order, trail: Decimal) -> ApprovedOrder:
        """The order that takes a resting stop's place and follows the price from now on."""
        stop = self.bench.quote().mid - held.side.sign * trail
        wish = self._proposal(ProposalKind.MOVE_STOP, side=held.side, stop_loss=stop, trail=trail)
        return _only(rule_on_exit(wish, self._exit(held, (stop_order,))))

    def _exit(self, held: Position | None, working: tuple[Order, ...]) -> Exit:
        bench = self.bench
        return Exit(self.desk, bench.now(), bench.instrument, held, working, bench.quote().mid, self.traits)

    def _decision(self) -> DecisionId:
        self._count += 1
        return DecisionId(f"{self.desk}-{self._count}")

    def _proposal(self, kind: ProposalKind, **fields: object) -> Proposal:
        decision, now = self._decision(), self.bench.now()
        plain = {
            "at": now,
            "id": ProposalId(f"proposal-{decision}"),
            "decision_id": decision,
            "action": kind,
            "symbol": self.bench.instrument.symbol,
            "strategy": "conformance",
            "exposure": Decimal(1),
            "confidence": 1.0,
            "horizon_days": 1,
            "thesis": "to see whether the adapter keeps its promises",
            "analyst": "conformance",
            "expires_at": now + timedelta(hours=1),
        }
        return Proposal.model_validate({**plain, **fields})

    def _situation(self, instrument: Instrument, power: Decimal) -> Situation:
        now = self.bench.now()
        return Situation(
            now=now,
            session=now.date(),
            mandate=_mandate(self.bench, instrument.symbol),
            mandate_expired=False,
            desk_state=DeskState.RUNNING,
            books=Books(cash=_RICH),
            account=Account(account_id=self.bench.account, cash=_RICH, equity=_RICH, buying_power=power),
            marks={},
            sectors={instrument.symbol: "conformance"},
            open_risk=Decimal(0),
            pending={},
            history=(),
            day_trades=0,
            entries_today=0,
            orders_last_minute=0,
            equity_high=_RICH,
            equity_last_close=_RICH,
        )


def _power(wish: Wish, price: Decimal, instrument: Instrument) -> Decimal:
    """Buying power that lets the gate size to exactly the quantity wished for."""
    return (wish.quantity + instrument.lot_size / 2) * price / turns(instrument, wish.side)


def _only(ruling: Ruling) -> ApprovedOrder:
    if len(ruling.orders) != 1:
        msg = f"the gate gave {len(ruling.orders)} orders where the suite asked for one: {ruling.verdict.findings}"
        raise ValueError(msg)
    return ruling.orders[0]


def _mandate(bench: Bench, symbol: Symbol) -> Mandate:
    now = bench.now()
    return Mandate(
        account=bench.account,
        mode=Mode.PAPER,
        universe=(symbol,),
        autonomy=Autonomy.AUTO,
        limits=_LIMITS,
        discipline=_CALM,
        guardian=GuardianOrders(dead_desk=Cure.CURE, daily_loss=Cure.FLATTEN),
        config_digest=Digest("0" * 64),
        issued_at=now - timedelta(days=1),
        expires_at=now + timedelta(days=1),
    )
