"""One round of questions: what was executed, what works, what is held, what was paid.

Promises that each round goes on where the last one stopped, with an overlap, since lists may lag; and that what a list leaves open
(an order that works no more, executions without their order) is asked for by itself.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.brokers.bybit.bookkeeping import Bookkeeper
from trading_bot.brokers.bybit.reading import Reader
from trading_bot.brokers.bybit.wire import identity_of, moment, stamp
from trading_bot.brokers.roster import Roster
from trading_bot.domain.errors import BrokerUnavailableError
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.values import ClientOrderId

_OVERLAP = 60_000
"""Milliseconds before the last read that are read again."""
_BEFORE_INTENTS = timedelta(minutes=1)
"""Clocks may differ by so much."""
_TRIES = 5


class Rounds:
    """`since`, `paid_since`: from when on to read trades and payments, in Bybit's milliseconds."""

    def __init__(self, reader: Reader, books: Bookkeeper, since: int, paid_since: int) -> None:
        self._reader = reader
        self._books = books
        self._since, self._cash_since = since, paid_since

    def trades(self, expected: Collection[ClientOrderId] = ()) -> None:
        """Executions first, then orders, then positions: a stop that is gone is to find its executions. `expected`: to be looked up too."""
        self._executions()
        self._orders(expected)
        self._positions()

    def _executions(self) -> None:
        for rows, end in self._reader.executions(self._since - _OVERLAP):
            for row in rows:
                self._books.execution(row)
            self._since = max(self._since, end)

    def _orders(self, expected: Collection[ClientOrderId]) -> None:
        listed = set()
        for row in self._reader.open_orders():
            listed.add(identity_of(row))
            self._books.order(row)
        for identity in {*self._books.absent_from(listed), *expected}:
            found = self._reader.order(identity)
            if found is not None:
                self._books.order(found)
        for identity in self._books.chronicle.incomplete():
            described = self._reader.order(identity)
            if described is not None:
                self._books.order(described)
            for execution in self._reader.executions_of(identity):
                self._books.execution(execution)

    def _positions(self) -> None:
        if not self._books.guards:
            return
        rows = self._reader.positions()
        for row in rows:
            self._books.position(row)
        self._books.forget_early()
        for symbol in self._books.stops.guarded() - {row["symbol"] for row in rows}:
            self._books.stops.flat(symbol, moment(self._reader.milliseconds))

    def cash(self) -> None:
        """Read the log of cash."""
        for rows, end in self._reader.cash_log(self._cash_since - _OVERLAP):
            for row in rows:
                self._books.cash(row)
            self._cash_since = max(self._cash_since, end)
        self._books.funding_seen = False


def opening(
    reader: Reader, category: str, roster: Roster, intents: Sequence[OrderIntent], cash: Callable[[], Decimal]
) -> tuple[datetime, Decimal]:
    """When books begin of which nothing was booked, and with how much cash: before the first order that may have been sent."""
    if not intents:
        found = cash()
        return moment(reader.milliseconds), found
    began = min(intent.at for intent in intents) - _BEFORE_INTENTS
    for _ in range(_TRIES):
        before = cash()
        trial = Bookkeeper(category, roster, ())
        trial.born = began
        rounds = Rounds(reader, trial, stamp(began), stamp(began))
        rounds.trades()
        rounds.cash()
        if cash() == before and not trial.chronicle.incomplete():
            return began, before - trial.books.cash
    raise BrokerUnavailableError("Bybit's cash moves while it is read: it cannot be said with how much the books begin; try again")
