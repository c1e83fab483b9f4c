"""Placing, moving and taking away the stop of a position, and what a symbol needs before its first order.

Promises that a stop is taken for placed only when the position shows it, and that no order adds risk before one-way mode and leverage
were read back as they should be. Refuses a stop for a position that is not there, or that it would enlarge.
"""

from collections.abc import Callable
from decimal import Decimal

from trading_bot.brokers.bybit.bookkeeping import Bookkeeper
from trading_bot.brokers.bybit.connection import Connection, Row
from trading_bot.brokers.bybit.errors import Meaning, QuestionRefusedError, RefusedError
from trading_bot.brokers.bybit.reading import Reader
from trading_bot.brokers.bybit.stops import Level
from trading_bot.brokers.bybit.wire import SETTLE_COIN, acknowledged, amount, moment, side_of
from trading_bot.domain.errors import BrokerUnavailableError, DataError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import Order, OrderSpec
from trading_bot.domain.values import ZERO, Symbol, amount_text
from trading_bot.network.budget import Purpose


class Guarding:
    """Stops of positions."""

    def __init__(self, line: Connection, reader: Reader, books: Bookkeeper) -> None:
        self._line = line
        self._reader = reader
        self._books = books

    def place(self, spec: OrderSpec) -> Order:
        """Set the position's stop; the order as it rests. OrderRejectedError if there is no such position, or the venue refuses."""
        row = self._position(spec.symbol)
        if not amount(row.get("size")) or side_of(row["side"]) is spec.side:
            raise OrderRejectedError(f"{spec.client_order_id}: no position in {spec.symbol} that it would guard; nothing was placed")
        resting = self._books.stops.resting(row)
        if resting is None or resting.client_order_id != spec.client_order_id:
            self._set(spec.symbol, (spec.stop_price or ZERO, spec.trail or ZERO))
        return self._verified(spec)

    def remove(self, symbol: Symbol) -> None:
        """Take the position's stop away."""
        self._set(symbol, (ZERO, ZERO))
        row = self._position(symbol)
        if amount(row.get("size")) and (amount(row.get("stopLoss")) or amount(row.get("trailingStop"))):
            raise OutcomeUnknownError(f"Bybit took the stop of {symbol} away, and still shows one: ask again")
        self._books.position(row, at_once=True)

    def found(self, symbol: Symbol) -> Order | None:
        """Our stop that rests on the position."""
        row = self._position(symbol)
        self._books.position(row)
        return self._books.stops.resting(row)

    def _verified(self, spec: OrderSpec) -> Order:
        """What the position shows after the venue said yes; an acknowledgement if it cannot be asked."""
        try:
            row = self._position(spec.symbol)
        except BrokerUnavailableError:
            return acknowledged(spec, f"stop-of-{spec.symbol}", moment(self._reader.milliseconds))
        self._books.position(row, at_once=True)
        resting = self._books.stops.resting(row)
        if resting is None or resting.client_order_id != spec.client_order_id:
            raise OutcomeUnknownError(f"Bybit took in stop {spec.client_order_id}, but the position does not show it: ask again")
        return resting

    def _set(self, symbol: Symbol, wanted: Level) -> None:
        stop, trail = (amount_text(price) for price in wanted)
        try:
            self._line.act(
                "set_trading_stop",
                Purpose.CANCEL,
                category="linear",
                symbol=symbol,
                positionIdx=0,
                tpslMode="Full",
                stopLoss=stop,
                trailingStop=trail,
            )
        except RefusedError as error:
            if error.meaning is not Meaning.UNCHANGED:
                raise

    def _position(self, symbol: Symbol) -> Row:
        rows = self._reader.positions(symbol)
        row = next((r for r in rows if int(r.get("positionIdx") or 0) == 0), None)
        if row is None:
            raise BrokerUnavailableError(f"Bybit shows no one-way position of {symbol}: is the account in hedge mode?")
        return row


class Readiness:
    """One-way position mode and leverage, set and read back once for each symbol."""

    def __init__(self, line: Connection, reader: Reader, leverage: Decimal, instruments: Callable[[Symbol], Instrument]) -> None:
        self._line = line
        self._reader = reader
        self._leverage = leverage
        self._instruments = instruments
        self._ready: set[Symbol] = set()

    def ensure(self, symbol: Symbol) -> None:
        """Make `symbol` ready for an entry. OrderRejectedError if the venue does not show it so."""
        if symbol in self._ready:
            return
        leverage = min(self._leverage, self._cap(symbol))
        try:
            rows = self._reader.positions(symbol)
        except QuestionRefusedError as error:
            raise OrderRejectedError(f"{symbol} is not traded at Bybit ({error}): nothing was placed") from error
        if not _one_way(rows):
            self._change("switch_position_mode", symbol, mode=0)
        if not _levered(rows, leverage):
            text = amount_text(leverage)
            self._change("set_leverage", symbol, buyLeverage=text, sellLeverage=text)
        rows = self._reader.positions(symbol)
        if not _one_way(rows) or not _levered(rows, leverage):
            raise OrderRejectedError(
                f"Bybit does not show {symbol} in one-way mode at a leverage of {leverage} after setting both: nothing was placed; "
                f"close its positions and orders, and set them by hand"
            )
        self._ready.add(symbol)

    def _cap(self, symbol: Symbol) -> Decimal:
        try:
            return self._instruments(symbol).leverage_cap
        except DataError as error:
            raise OrderRejectedError(f"{symbol} has no known limits ({error}): nothing was placed") from error

    def _change(self, method: str, symbol: Symbol, **wanted: object) -> None:
        try:
            self._line.act(method, Purpose.ORDER, category="linear", symbol=symbol, **wanted)
        except OutcomeUnknownError as error:
            raise BrokerUnavailableError(f"{method} for {symbol} has no answer, so nothing was placed: {error}") from error
        except RefusedError as error:
            if error.meaning is not Meaning.UNCHANGED:
                raise


def mode_of(rows: tuple[Row, ...]) -> str:
    """Position mode in words."""
    if not rows:
        return f"one-way is set for each {SETTLE_COIN} perpetual before its first order"
    return "one-way" if _one_way(rows) else "hedge"


def _one_way(rows: tuple[Row, ...]) -> bool:
    return bool(rows) and all(int(row.get("positionIdx") or 0) == 0 for row in rows)


def _levered(rows: tuple[Row, ...], leverage: Decimal) -> bool:
    return bool(rows) and all(amount(row.get("leverage")) == leverage for row in rows)
