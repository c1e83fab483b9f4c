"""Watches what is carried with leverage, so that it is closed before its venue closes it. No model is asked, and none can be late.

Promises that a perpetual whose mark price comes nearer to its liquidation than the mandate's `liquidation_buffer`, or whose account is
worth less than its maintenance margin with the mandate's reserve, is closed at the market, whatever state the desk is in; that the desk
then takes no new risk, and a person is told, once; and that a person is told of what the venue closed all the same. What the venue says
of mark and liquidation is believed; where it never says, they are reckoned from the newest mark and the average price. Refuses to guess:
without an answer, a mark or a mandate nothing is closed, and the stop rests at the venue.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from trading_bot.domain.books import Position
from trading_bot.domain.errors import DataError
from trading_bot.domain.events import BrokerEvent, OrderUpdate
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.mandate import Limits
from trading_bot.domain.orders import OrderRole
from trading_bot.domain.perpetual import MarginState, is_leveraged, liquidation_price
from trading_bot.domain.proposals import Verdict
from trading_bot.domain.records import DeskState
from trading_bot.domain.values import ONE, DecisionId, Symbol, derive_id
from trading_bot.execution.apart import AWAY
from trading_bot.execution.dispatch import Dispatch
from trading_bot.execution.judge import Judge
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.parts import Parts
from trading_bot.ports import Margined, View
from trading_bot.risk.gate import rule_on_margin
from trading_bot.risk.rules import percent

_EVERY = timedelta(seconds=15)
"""How often a venue is asked on a real clock; on a simulated one, whenever time or books have moved."""


class MarginWatch:
    """Looks at margins on every turn of the loop, while something leveraged is held."""

    def __init__(self, parts: Parts, ledger: Ledger, dispatch: Dispatch, judge: Judge) -> None:
        self._parts = parts
        self._ledger = ledger
        self._dispatch = dispatch
        self._judge = judge
        self._looked: tuple[datetime, int] | None = None
        """When the last look was, and at which books."""
        self._told: set[tuple[Symbol, datetime]] = set()

    def watch(self) -> None:
        """Close what is about to be liquidated, if it is time to look."""
        mandate = self._parts.authority.mandate
        if mandate is None or not self._ledger.books.positions or not self._is_time():
            return
        held = self._leveraged()
        if not held:
            return
        self._looked = self._parts.clock.now(), self._ledger.books.sequence
        with suppress(*AWAY):  # asked again at the next look
            for symbol, reason in self._endangered(held, mandate.limits).items():
                self._close(symbol, reason)

    def note(self, events: Iterable[BrokerEvent]) -> None:
        """Tell a person of what the venue closed by an order of its own."""
        orders = (event.order for event in events if isinstance(event, OrderUpdate) and event.fill is not None)
        for symbol in sorted({o.symbol for o in orders if o.role is OrderRole.CLOSE and o.client_order_id not in self._ledger.ids}):
            left = self._ledger.books.positions.get(symbol)
            held = "nothing" if left is None else f"{left.quantity}"
            self._parts.notifier.tell("The venue closed a position by itself", f"{symbol}: liquidated or settled there; {held} is left")

    def _is_time(self) -> bool:
        now = self._parts.clock.now()
        if self._looked is None:
            return True
        return self._looked != (now, self._ledger.books.sequence) if self._parts.clock.simulated else now - self._looked[0] >= _EVERY

    def _leveraged(self) -> dict[Symbol, Position]:
        positions, view = self._ledger.books.positions, self._parts.view
        known = {symbol: _instrument(view, symbol) for symbol in sorted(positions)}
        return {symbol: positions[symbol] for symbol, instrument in known.items() if instrument is not None and is_leveraged(instrument)}

    def _endangered(self, held: Mapping[Symbol, Position], limits: Limits) -> dict[Symbol, str]:
        """What has to be closed, and why in words."""
        poor = self._short_of_margin(limits)
        if poor or limits.liquidation_buffer == "none":
            return dict.fromkeys(held, poor) if poor else {}
        states = self._standing(held)
        reasons = {symbol: _nearness(states.get(symbol), held[symbol], limits.liquidation_buffer) for symbol in held}
        return {symbol: reason for symbol, reason in reasons.items() if reason}

    def _short_of_margin(self, limits: Limits) -> str:
        """In words, that the account is worth less than it has to be; empty if it is worth enough."""
        account = self._parts.broker.account()
        least = account.maintenance_margin * (ONE + limits.margin_reserve)
        if account.equity >= least:
            return ""
        return f"equity of {account.equity:.2f} is less than the maintenance margin of {account.maintenance_margin:.2f} with its reserve"

    def _standing(self, held: Mapping[Symbol, Position]) -> Mapping[Symbol, MarginState]:
        """How each position stands: by the venue's own word, else as it can be reckoned."""
        if isinstance(self._parts.broker, Margined):
            return self._parts.broker.standing()
        known = (reckoned(self._parts.view, position) for position in held.values())
        return {state.symbol: state for state in known if state is not None}

    def _close(self, symbol: Symbol, reason: str) -> None:
        """Close a position, and again if the venue refuses; for the same books and try only once, whenever the desk was started."""
        sequence = str(self._ledger.books.sequence)
        for number in count():
            again = (str(number),) if number else ()
            ruling = rule_on_margin(self._judge.exit(symbol), DecisionId(derive_id("margin", symbol, sequence, *again)))
            if not ruling.orders:
                return
            if self._parts.journal.get(Verdict, ruling.verdict.id) is None:
                break
            if not all(self._dispatch.failed(order) for order in ruling.orders):
                return
        if self._parts.switch.state() is DeskState.RUNNING:
            self._parts.switch.reduce_only("engine", f"{symbol}: {reason}", self._parts.clock.now())
        self._dispatch.carry_out(ruling)
        since = self._ledger.books.positions[symbol].opened_at
        if (symbol, since) not in self._told:
            self._told.add((symbol, since))
            self._parts.notifier.tell("A position came near its liquidation", f"{symbol} is closed at the market: {reason}")


def reckoned(view: View, position: Position) -> MarginState | None:
    """How a position stands as far as that can be known without its venue; None of what is no perpetual, and without a mark price."""
    try:
        contract, instrument = view.contract(position.symbol), view.instrument(position.symbol)
    except DataError:
        return None
    if contract is None:
        return None
    return MarginState(
        symbol=position.symbol,
        mark=contract.mark,
        liquidation=liquidation_price(position.side, position.average_price, instrument),
    )


def _nearness(state: MarginState | None, position: Position, buffer: Decimal) -> str:
    """In words, how near a position is to its liquidation; empty if it is far, or that cannot be known."""
    if state is None or state.liquidation is None:
        return ""
    distance = (state.mark - state.liquidation) * position.side.sign / state.mark
    if distance >= buffer:
        return ""
    return f"its mark price of {state.mark} is {percent(distance)} from liquidation at {state.liquidation}"


def _instrument(view: View, symbol: Symbol) -> Instrument | None:
    try:
        return view.instrument(symbol)
    except DataError:
        return None
