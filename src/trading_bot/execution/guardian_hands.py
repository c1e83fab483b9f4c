"""The guardian's hands: cancels, guards and closes at the venue, each order durable in the guardian's own file before it is sent.

Promises that an order which was announced and has no definite end is asked for by its id before anything else is done with its symbol,
and is never sent under another id; that closes are capped at the venue's own quantity; and that every order comes from the gate, by the
paths that a halt does not block. Refuses to open or enlarge. Only who holds the home's lock may call `work`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from trading_bot.domain.errors import BrokerUnavailableError, NotApprovedError, OrderNotFoundError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import OrderRole
from trading_bot.domain.records import SendOutcome
from trading_bot.domain.values import ZERO, ClientOrderId, DecisionId, Symbol, derive_id
from trading_bot.execution import guardian_plan as plan
from trading_bot.execution.guardian_intents import Canceling, GuardianLog, Meant, Sent, unsettled
from trading_bot.execution.guardian_sight import Holdings, holdings
from trading_bot.ports import Broker, WallClock
from trading_bot.risk.gate import Exit, Ruling, rule_on_flatten, rule_on_protection


@dataclass
class Hands:
    """Works at one venue for one home."""

    broker: Broker
    log: GuardianLog
    desk: str
    """Desk part of the guardian's own order ids."""
    stops: dict[Symbol, Decimal]
    """Newest stop price that is known of each symbol."""
    instrument: Callable[[Symbol], Instrument]
    price: Callable[[Symbol], Decimal | None]
    clock: WallClock
    _unsent: set[ClientOrderId] = field(default_factory=set)
    """Orders of which the broker said that nothing was sent."""

    def look(self) -> Holdings:
        """What the venue says now."""
        account, positions = self.broker.account(), self.broker.positions()
        return holdings(account, positions, self.broker.open_orders())

    def note_arrivals(self) -> None:
        """Note which announced orders the venue has, after a death between sending and noting it. Sends nothing."""
        for meant in unsettled(self.log.entries()):
            if self.broker.find(meant.client_order_id) is not None:
                self._end(meant.client_order_id, SendOutcome.ACKNOWLEDGED)

    def work(self, steps: tuple[plan.Step, ...], seen: Holdings) -> tuple[str, ...]:
        """Do these steps; return what was done, a sentence each.

        What is in doubt is resolved first. Its symbol is left alone until the next plan, for this one was made without it.
        """
        doubtful = {m.order.spec.symbol for m in unsettled(self.log.entries())}
        done = self._resolve(seen)
        for step in steps:
            match step:
                case plan.Cancel(order):
                    done += self._cancel(order.client_order_id)
                case plan.Guard(symbol, quantity) if symbol not in doubtful:
                    done += self._guard(seen, symbol, quantity)
                case plan.Close(symbol) if symbol not in doubtful:
                    ruling = rule_on_flatten(self._exit(seen, symbol), self._cause("flatten", symbol))
                    done += self._carry_out(ruling)
                case _:
                    pass
        return tuple(done)

    def _cancel(self, identity: ClientOrderId) -> list[str]:
        """Cancel; without an answer the next look shows what became of it."""
        self.log.append(Canceling(at=self.clock.now(), client_order_id=identity))
        try:
            self.broker.cancel(identity)
        except (OrderNotFoundError, OrderRejectedError, OutcomeUnknownError, BrokerUnavailableError) as error:
            return [f"canceling {identity} is not confirmed: {error}"]
        return [f"canceled {identity}"]

    def _guard(self, seen: Holdings, symbol: Symbol, quantity: Decimal) -> list[str]:
        """A stop at the last known price; where none is known or the venue refuses, a market exit."""
        resting = next((o.stop_price for o in seen.of(symbol) if o.stop_price is not None), None)
        stop, done = self.stops.get(symbol, resting), list[str]()
        for attempt, level in (("stop", stop), ("exit", None)):
            ruling = rule_on_protection(self._exit(seen, symbol), self._cause(attempt, symbol), quantity, level)
            done += self._carry_out(ruling)
            if not self._refused(ruling):
                break
        return done

    def _exit(self, seen: Holdings, symbol: Symbol) -> Exit:
        return Exit(
            desk=self.desk,
            now=self.clock.now(),
            instrument=self.instrument(symbol),
            position=seen.held.get(symbol),
            working=seen.of(symbol),
            price=self.price(symbol),
            traits=self.broker.traits(symbol),
        )

    def _cause(self, what: str, symbol: Symbol) -> DecisionId:
        """What an order is called after: the same until one of that name was announced, so that nothing is announced twice."""
        number = sum(1 for e in self.log.entries() if isinstance(e, Meant) and e.order.spec.symbol == symbol)
        return DecisionId(derive_id("guardian", self.desk, what, symbol, str(number)))

    def _carry_out(self, ruling: Ruling) -> list[str]:
        """Announce all orders of a ruling, then send them."""
        announced = [Meant(at=self.clock.now(), verdict=ruling.verdict, order=order) for order in ruling.orders]
        for meant in announced:
            self.log.append(meant)
        return [self._send(meant) for meant in announced]

    def _send(self, meant: Meant) -> str:
        order, identity = meant.order, meant.client_order_id
        if not order.is_intact or order.digest not in meant.verdict.digests:
            raise NotApprovedError(f"order {identity} is not what its verdict approved; it was not sent")
        what = f"{order.spec.side} {order.spec.quantity} {order.spec.symbol} {order.spec.type} ({identity})"
        self._unsent.discard(identity)
        try:
            self.broker.submit(order)
        except OrderRejectedError as error:
            self._end(identity, SendOutcome.REJECTED, str(error))
            return f"the venue refused to {what}: {error}"
        except OutcomeUnknownError as error:
            return f"no answer to {what}: {error}"
        except BrokerUnavailableError as error:
            self._unsent.add(identity)
            return f"could not send {what}: {error}"
        self._end(identity, SendOutcome.ACKNOWLEDGED)
        return f"sent: {what}"

    def _end(self, identity: ClientOrderId, outcome: SendOutcome, reason: str = "") -> None:
        self.log.append(Sent(at=self.clock.now(), client_order_id=identity, outcome=outcome, reason=reason))

    def _refused(self, ruling: Ruling) -> bool:
        ids = {o.spec.client_order_id for o in ruling.orders}
        return any(isinstance(e, Sent) and e.client_order_id in ids and e.outcome is SendOutcome.REJECTED for e in self.log.entries())

    def _resolve(self, seen: Holdings) -> list[str]:
        """Ask for every order without a definite end: it is there, it may still be sent under its own id, or it is given up."""
        done = []
        for meant in unsettled(self.log.entries()):
            identity = meant.client_order_id
            if self.broker.find(identity) is not None:
                self._end(identity, SendOutcome.ACKNOWLEDGED)
                done.append(f"{identity} had arrived")
            elif identity not in self._unsent and self.clock.now() - meant.at < self.broker.settles_within:
                done.append(f"{identity} is in doubt")
            elif self._still_fits(meant, seen):
                done.append(self._send(meant))
            else:
                self._end(identity, SendOutcome.ABANDONED, "what is held changed before it could be sent")
        return done

    def _still_fits(self, meant: Meant, seen: Holdings) -> bool:
        """Whether it would still only make a position smaller, or guard what is naked."""
        spec = meant.order.spec
        case = self._exit(seen, spec.symbol)
        room = case.closable if spec.role is OrderRole.CLOSE else seen.naked().get(spec.symbol, ZERO)
        return case.position is not None and spec.side is case.position.side.opposite and spec.quantity <= room
