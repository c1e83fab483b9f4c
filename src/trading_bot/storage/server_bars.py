"""The bar store on PostgreSQL: one plain table, loaded by COPY and read as arrays, both in their binary form.

Promises what `BarStore` does: a reader sees the bars before a write or after it, what `write` returned from is durable, and every number
comes back bit by bit. Refuses to mix what differs in feed, basis or source, and times finer than a microsecond. The desk's journal never
waits for bars: they have a lock of their own.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np
import pandas as pd
import psycopg
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, bindparam, delete, insert, select, text

from trading_bot.domain.errors import NoDataError, StorageError
from trading_bot.domain.market import CorporateAction, Dividend, Feed, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries
from trading_bot.storage.bars import refuse_name
from trading_bot.storage.database import Database, named
from trading_bot.storage.refusals import desk_error
from trading_bot.storage.schema import actions, bars

_PRICES = ("open", "high", "low", "close", "volume")
_TIMES = ("start", "end")
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_ARRAY_HEADER = 20
"""Bytes before the elements of an array of one dimension."""
_EPOCH = np.datetime64("2000-01-01", "us")
"""PostgreSQL counts microseconds from here."""
_CHUNK_BYTES = 1 << 20
_MICROSECOND = 1000

_STAGE = "CREATE TEMPORARY TABLE staged (LIKE bars) ON COMMIT DROP"
_TAKE_OVER = """
    INSERT INTO bars SELECT * FROM staged
    ON CONFLICT (symbol, timeframe, "start") DO UPDATE SET ("end", open, high, low, close, volume)
        = (excluded."end", excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
"""
_READ = f"""
    SELECT {", ".join(f'array_agg("{name}")' for name in (*_TIMES, *_PRICES))}
    FROM (SELECT * FROM bars WHERE symbol = %s AND timeframe = %s ORDER BY "start") AS wanted
"""  # noqa: S608 - our own column names
_SYMBOLS = """
    WITH RECURSIVE found AS (
        (SELECT symbol FROM bars ORDER BY symbol LIMIT 1)
        UNION ALL
        SELECT (SELECT symbol FROM bars WHERE symbol > found.symbol ORDER BY symbol LIMIT 1) FROM found WHERE found.symbol IS NOT NULL
    )
    SELECT symbol FROM found WHERE symbol IS NOT NULL
"""
"""One step in the index per symbol, however many bars it has."""
_SAID = (
    select(bars.c.feed, bars.c.basis, bars.c.source).where(bars.c.symbol == bindparam("of"), bars.c.timeframe == bindparam("each")).limit(1)
)
_HAS_TIMESCALE = "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
_PARTITION = (
    "CREATE EXTENSION IF NOT EXISTS timescaledb",
    "SELECT create_hypertable('bars', 'start', chunk_time_interval => INTERVAL '1 month', migrate_data => TRUE, if_not_exists => TRUE)",
)
_ACTIONS: TypeAdapter[list[Split | Dividend]] = TypeAdapter(list[Split | Dividend])


class ServerBars:
    """Bars in the database at `url`. Each call has a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._name = named(url)

    def write(self, series: BarSeries) -> None:
        """Keep `series`: bars of times that are known are replaced, others added.

        StorageError if the known bars are of another feed, basis or source, or the server does not take them; DiskFullError.
        """
        refuse_name(series.symbol)
        rows = _packed(series)
        with self._writing() as (database, connection):
            said = connection.execute(_SAID, {"of": series.symbol, "each": series.timeframe}).first()
            if said is not None and tuple(said) != (series.feed, series.basis, series.source):
                what, theirs = f"{series.symbol} {series.timeframe}", f"{series.feed}, {series.basis}, {series.source}"
                raise StorageError(f"{self._name}: holds {', '.join(said)} bars of {what}, these are {theirs}; delete those to start anew")
            if said is not None:
                connection.exec_driver_sql(_STAGE)
            copying = f"COPY {'bars' if said is None else 'staged'} FROM STDIN (FORMAT BINARY)"
            with self._asking(), database.driver.cursor().copy(copying) as copy:
                for part in (_SIGNATURE, *(rows[n : n + _CHUNK_BYTES] for n in range(0, len(rows), _CHUNK_BYTES)), _END):
                    copy.write(part)
            if said is not None:
                connection.exec_driver_sql(_TAKE_OVER)

    def read(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars. NoDataError if there are none."""
        with closing(Database.open(self._url)) as database, database.snapshot() as connection:
            said = connection.execute(_SAID, {"of": symbol, "each": timeframe}).first()
            if said is None:
                raise NoDataError(f"{symbol}: no {timeframe} bars in the bar store {self._name}")
            with self._asking(), database.driver.cursor(binary=True) as cursor:
                found = cursor.execute(_READ, (symbol, timeframe)).pgresult
                start, end, *prices = (_unpacked(found.get_value(0, n), n < len(_TIMES)) for n in range(found.nfields))
        index = pd.DatetimeIndex(start, tz="UTC", name="start")
        frame = pd.DataFrame(dict(zip(_PRICES, prices, strict=True)), index=index)
        feed, basis, source = said
        return BarSeries(symbol, timeframe, frame, end, Feed(feed), PriceBasis(basis), source)

    def write_actions(self, symbol: Symbol, known: Sequence[CorporateAction]) -> None:
        """Keep the splits and dividends of `symbol` in place of those that are known. StorageError, DiskFullError."""
        body = _ACTIONS.dump_json(list(known)).decode()
        with self._writing() as (_, connection):
            connection.execute(delete(actions).where(actions.c.symbol == symbol))
            connection.execute(insert(actions), {"symbol": symbol, "body": body})

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date, none if none were kept. StorageError if they are damaged."""
        with closing(Database.open(self._url)) as database, database.reading() as connection:
            body = connection.execute(select(actions.c.body).where(actions.c.symbol == symbol)).scalar()
        try:
            return () if body is None else tuple(_ACTIONS.validate_json(body))
        except ValidationError as error:
            raise StorageError(
                f"{self._name}: the splits and dividends of {symbol} are damaged ({error}); import its bars again"
            ) from error

    def symbols(self) -> tuple[Symbol, ...]:
        """Symbols with bars, in order."""
        with closing(Database.open(self._url)) as database, database.reading() as connection:
            return tuple(sorted(map(Symbol, connection.execute(text(_SYMBOLS)).scalars())))

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes of `symbol`, finest first; empty if there are none."""
        with closing(Database.open(self._url)) as database, database.snapshot() as connection:
            return tuple(t for t in Timeframe if connection.execute(_SAID, {"of": symbol, "each": t}).first() is not None)

    def partition(self) -> None:
        """Turn the plain table into a TimescaleDB hypertable, cut by month; again changes nothing. StorageError if the server has none."""
        with self._writing() as (_, connection):
            if connection.execute(text(_HAS_TIMESCALE)).first() is None:
                raise StorageError(f"{self._name}: the server has no TimescaleDB; bars stay in one plain table, which answers the same")
            for step in _PARTITION:
                connection.execute(text(step))

    @contextmanager
    def _writing(self) -> Iterator[tuple[Database, Connection]]:
        with closing(Database.open(self._url)) as database, database.writing("bars") as connection:
            yield database, connection

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """The driver is asked past SQLAlchemy, so its errors come as they are."""
        try:
            yield
        except psycopg.Error as error:
            raise desk_error(self._name, error) from error


def _packed(series: BarSeries) -> bytes:
    """The bars as PostgreSQL's binary rows: number of fields, then length and value of each."""
    said = (series.feed, series.basis, series.source)
    values: dict[str, tuple[str, object]] = {
        **{name: _text(value) for name, value in (("symbol", series.symbol), ("timeframe", series.timeframe))},
        "start": (">i8", _microseconds(pd.DatetimeIndex(series.frame.index).tz_convert(None).to_numpy())),
        "end": (">i8", _microseconds(series.ends)),
        **{name: (">f8", series.frame[name].to_numpy(np.float64)) for name in _PRICES},
        **{name: _text(value) for name, value in zip(("feed", "basis", "source"), said, strict=True)},
    }
    row = np.dtype([("fields", ">i2"), *(part for name, (kind, _) in values.items() for part in ((f"{name} bytes", ">i4"), (name, kind)))])
    rows = np.zeros(len(series.frame), row)
    rows["fields"] = len(values)
    for name, (kind, value) in values.items():
        rows[f"{name} bytes"], rows[name] = np.dtype(kind).itemsize, value
    return rows.tobytes()


def _text(value: str) -> tuple[str, bytes]:
    encoded = value.encode()
    return f"S{len(encoded)}", encoded


def _unpacked(array: bytes, moments: bool) -> np.ndarray:  # noqa: FBT001 - which of two types it is
    """The elements of a binary array without nulls, each after its length."""
    element = np.dtype([("bytes", ">i4"), ("value", ">i8" if moments else ">f8")])
    values = np.frombuffer(array, element, offset=_ARRAY_HEADER)["value"]
    return values.astype(np.float64) if not moments else (_EPOCH + values.astype("timedelta64[us]")).astype("datetime64[ns]")


def _microseconds(moments: np.ndarray) -> np.ndarray:
    exact = moments.astype("datetime64[ns]")
    if (exact.astype(np.int64) % _MICROSECOND).any():
        raise StorageError("bars with times finer than a microsecond cannot be kept by the server; round them")
    return (exact.astype("datetime64[us]") - _EPOCH).astype(np.int64)
