"""The tables of the paper venue, and the way of its records into rows and back.

Promises that a row reads back as the record that it was written from. Refuses nothing: the store checks owner and schema.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading_bot.brokers.state import Holding, SleepingLeg, State, VenueOrder
from trading_bot.brokers.units import Units, cash, moment, quanta, stamp
from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.orders import OrderRole, OrderState, OrderType, TimeInForce
from trading_bot.domain.values import ClientOrderId, Symbol

Value = str | int | None
_Write = Callable[[Any, Units], Value]
_Read = Callable[[Any, Units], Any]


def _time(nanos: int) -> str:
    return moment(nanos).isoformat()


def _nanos(text: str) -> int:
    return stamp(datetime.fromisoformat(text))


def _read_leg(text: str, units: Units) -> SleepingLeg:
    identity, price = text.split(" ")
    return SleepingLeg(ClientOrderId(identity), units.ticks(Decimal(price)))


_PLAIN: tuple[_Write, _Read] = (lambda v, _: v, lambda v, _: v)
_FLAG: tuple[_Write, _Read] = (lambda v, _: int(v), lambda v, _: bool(v))
_PRICE: tuple[_Write, _Read] = (lambda v, u: str(u.price(v)), lambda v, u: u.ticks(Decimal(v)))
_LOTS: tuple[_Write, _Read] = (lambda v, u: str(u.quantity(v)), lambda v, u: u.lots(Decimal(v)))
_CASH: tuple[_Write, _Read] = (lambda v, _: f"{cash(v):f}", lambda v, _: quanta(Decimal(v)))
_TIME: tuple[_Write, _Read] = (lambda v, _: _time(v), lambda v, _: _nanos(v))
_LEG: tuple[_Write, _Read] = (lambda v, u: f"{v.client_order_id} {u.price(v.price)}", _read_leg)


def _enum(kind: type) -> tuple[_Write, _Read]:
    return (lambda v, _: str(v), lambda v, _: kind(v))


_ORDER: tuple[tuple[str, str, tuple[_Write, _Read]], ...] = (
    ("number", "INTEGER PRIMARY KEY", _PLAIN),
    ("group", "INTEGER NOT NULL", _PLAIN),
    ("client_order_id", "TEXT NOT NULL UNIQUE", _PLAIN),
    ("parent_id", "TEXT", _PLAIN),
    ("symbol", "TEXT NOT NULL", _PLAIN),
    ("asset", "TEXT NOT NULL", _enum(AssetClass)),
    ("side", "INTEGER NOT NULL", _PLAIN),
    ("type", "TEXT NOT NULL", _enum(OrderType)),
    ("role", "TEXT NOT NULL", _enum(OrderRole)),
    ("time_in_force", "TEXT NOT NULL", _enum(TimeInForce)),
    ("state", "TEXT NOT NULL", _enum(OrderState)),
    ("quantity", "TEXT NOT NULL", _LOTS),
    ("filled", "TEXT NOT NULL", _LOTS),
    ("value", "TEXT NOT NULL", _CASH),
    ("limit", "TEXT", _PRICE),
    ("stop", "TEXT", _PRICE),
    ("trail", "TEXT", _PRICE),
    ("triggered", "INTEGER NOT NULL", _FLAG),
    ("stop_leg", "TEXT", _LEG),
    ("target_leg", "TEXT", _LEG),
    ("reserve", "TEXT NOT NULL", _PRICE),
    ("active_from", "TEXT NOT NULL", _TIME),
    ("expires", "TEXT", _TIME),
    ("submitted_at", "TEXT NOT NULL", _TIME),
    ("updated_at", "TEXT NOT NULL", _TIME),
    ("bar", "TEXT NOT NULL", _TIME),
    ("used", "TEXT NOT NULL", _LOTS),
    ("reason", "TEXT NOT NULL", _PLAIN),
)
_COLUMNS = ", ".join(f'"{name}" {kind}' for name, kind, _ in _ORDER)
_NAMES = ", ".join([*(f'"{name}"' for name, _, _ in _ORDER), "tick", "lot"])
"""Named wherever rows are read or written: in a file that an older version made, a newer column stands last."""

TABLES = (
    """CREATE TABLE account (account_id TEXT PRIMARY KEY, cash TEXT NOT NULL, matched_to TEXT NOT NULL, last_event INTEGER NOT NULL,
       last_order INTEGER NOT NULL, version INTEGER NOT NULL)""",
    """CREATE TABLE positions (symbol TEXT PRIMARY KEY, quantity TEXT NOT NULL, cost TEXT NOT NULL, opened_at TEXT NOT NULL,
       tick TEXT NOT NULL, lot TEXT NOT NULL)""",
    f"CREATE TABLE orders ({_COLUMNS}, tick TEXT NOT NULL, lot TEXT NOT NULL)",
    "CREATE INDEX working_orders ON orders (number) WHERE state IN ('accepted', 'partially_filled')",
    "CREATE TABLE events (sequence INTEGER PRIMARY KEY, at TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE refusals (client_order_id TEXT PRIMARY KEY, reason TEXT NOT NULL, at TEXT NOT NULL)",
)

UPGRADES = {1: "ALTER TABLE orders ADD COLUMN trail TEXT"}
"""What brings a file from one schema to the next."""

READ_ACCOUNT = "SELECT account_id, cash, matched_to, last_event, last_order, version FROM account"
WRITE_ACCOUNT = "INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?, ?)"
READ_HOLDINGS = "SELECT symbol, quantity, cost, opened_at, tick, lot FROM positions"
CLEAR_HOLDINGS = "DELETE FROM positions"
WRITE_HOLDING = "INSERT INTO positions VALUES (?, ?, ?, ?, ?, ?)"
READ_WORKING = f"SELECT {_NAMES} FROM orders WHERE state IN ('accepted', 'partially_filled') ORDER BY number"  # noqa: S608 - names of the table above
FIND_ORDER = f"SELECT {_NAMES} FROM orders WHERE client_order_id = ?"  # noqa: S608 - names of the table above
WRITE_ORDER = f"INSERT OR REPLACE INTO orders ({_NAMES}) VALUES ({', '.join('?' * (len(_ORDER) + 2))})"  # noqa: S608 - names, and question marks, counted
READ_EVENTS = "SELECT body FROM events WHERE sequence > ? ORDER BY sequence"
WRITE_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?)"
FIND_REFUSAL = "SELECT reason FROM refusals WHERE client_order_id = ?"
WRITE_REFUSAL = "INSERT INTO refusals VALUES (?, ?, ?)"


def account_row(account: str, state: State) -> tuple[Value, ...]:
    """Row of the account."""
    return account, f"{cash(state.cash):f}", _time(state.clock), state.sequence, state.number, state.version


def state(row: Sequence[Any]) -> tuple[str, State]:
    """Account id and state, without holdings and orders."""
    account, money, clock, sequence, number, version = row
    return account, State(_nanos(clock), quanta(Decimal(money)), sequence, number, version)


def holding_row(holding: Holding) -> tuple[Value, ...]:
    """Row of a position."""
    units = holding.units
    quantity, cost = str(units.quantity(holding.lots)), f"{cash(holding.cost):f}"
    return holding.symbol, quantity, cost, _time(holding.opened_at), str(units.tick), str(units.lot)


def holding(row: Sequence[Any]) -> Holding:
    """Position of a row."""
    symbol, quantity, cost, opened, tick, lot = row
    units = Units(Decimal(tick), Decimal(lot))
    lots = units.lots(Decimal(quantity))
    return Holding(symbol=Symbol(symbol), units=units, lots=lots, cost=quanta(Decimal(cost)), opened_at=_nanos(opened))


def order_row(order: VenueOrder) -> tuple[Value, ...]:
    """Row of an order."""
    units = order.units
    values = ((getattr(order, name), write) for name, _, (write, _) in _ORDER)
    return (*(None if value is None else write(value, units) for value, write in values), str(units.tick), str(units.lot))


def order(row: Sequence[Any]) -> VenueOrder:
    """Order of a row."""
    *values, tick, lot = row
    units = Units(Decimal(tick), Decimal(lot))
    cells = zip(_ORDER, values, strict=True)
    fields: dict[str, Any] = {name: None if value is None else read(value, units) for (name, _, (_, read)), value in cells}
    return VenueOrder(units=units, **fields)
