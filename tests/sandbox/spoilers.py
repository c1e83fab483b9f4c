"""Ways to break a desk that takes itself for sound, in its own process and before it is made; the audit of chaos has to find each."""

from trading_bot.bootstrap.chaos_desk import Desk
from trading_bot.brokers.chronicle import Chronicle
from trading_bot.domain.orders import Fill, OrderIntent
from trading_bot.domain.values import ClientOrderId, Journaled, derive_id
from trading_bot.execution.dispatch import Dispatch
from trading_bot.execution.guard import Guard
from trading_bot.storage.journal import SqlJournal


def writes_no_intents() -> None:
    """Orders are sent, and were never written down."""
    _content()
    append = SqlJournal.append

    def lossy(self: SqlJournal, *records: Journaled) -> None:
        append(self, *(r for r in records if not isinstance(r, OrderIntent)))

    SqlJournal.append = lossy  # type: ignore[method-assign]


def sends_again_under_another_id() -> None:
    """Every order goes out twice."""
    _content()
    send = Dispatch._send

    def twice(self: Dispatch, intent: OrderIntent, *, way: bool = True) -> None:
        send(self, intent, way=way)
        spec = intent.order.spec
        again = spec.model_copy(update={"client_order_id": ClientOrderId(derive_id("again", spec.client_order_id))})
        self._broker.submit(intent.order.model_copy(update={"spec": again}))

    Dispatch._send = twice  # type: ignore[method-assign]


def loses_fills() -> None:
    """Every third execution is not booked."""
    _content()
    see = Chronicle.see_fill
    seen: list[str] = []

    def deaf(self: Chronicle, fill: Fill) -> None:
        if fill.execution_id not in seen:
            seen.append(fill.execution_id)
        if seen.index(fill.execution_id) % 3 != 2:
            see(self, fill)

    Chronicle.see_fill = deaf  # type: ignore[method-assign]


def guards_nothing() -> None:
    """What is naked stays so."""
    _content()
    Guard.watch = lambda _self: None  # type: ignore[assignment, method-assign]


def _content() -> None:
    """Whatever happens, the desk says that it is at rest."""
    Desk.is_at_rest = lambda _self: True  # type: ignore[assignment, method-assign]
