"""Reports as plain JSON: of a backtest, of a day, of a week.

Promises that equal inputs give equal bytes (sorted keys, money as strings, ratios rounded to 10 significant digits) and that a
file is there whole or not at all. Refuses NaN and infinity. Reads nothing: everything comes in as records.
"""

import errno
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from trading_bot.backtest.benchmark import Benchmark
from trading_bot.backtest.facts import Facts, Material, fills
from trading_bot.backtest.statistics import Curve
from trading_bot.domain.errors import DiskFullError, StorageError
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.mandate import Mode
from trading_bot.domain.market import PriceBasis
from trading_bot.domain.records import TaskRun, TaskStatus
from trading_bot.domain.research import Review
from trading_bot.domain.values import Digest, Symbol, amount_text
from trading_bot.ports import BarSeries

Report = dict[str, Any]
VERSION = 1
_DIGITS = 10
_BASES = {PriceBasis.AS_TRADED: "as traded", PriceBasis.NOT_AS_TRADED: "not as traded"}


@dataclass(frozen=True)
class Header:
    """What a report is of."""

    desk: str
    mode: Mode
    seed: int
    symbols: Sequence[Symbol]
    config_digest: Digest
    bars: Sequence[BarSeries]
    """What was traded on; only what each is, not its prices, goes into the report."""
    source_notes: Sequence[str]
    audit: tuple[int, str]
    """`Journal.head()`: number of rows and hash of the last."""


def backtest_report(header: Header, facts: Facts, inside: Material, tasks: Iterable[TaskRun], benchmark: Benchmark | None = None) -> Report:
    """The report of a whole run.

    `inside`: the records of the run's period (`Material.within`), which `facts` were made from.
    """
    report = {
        **_head("backtest", header, facts),
        "performance": facts.performance,
        "costs": {"fees": facts.performance.costs, "income": facts.income},
        "benchmark": None if benchmark is None else _benchmark(benchmark),
        "monthly_returns": _monthly(inside, benchmark),
        "trades": inside.trades,
        "patterns": {"trades": facts.pattern_trades, "groups": facts.groups, "behaviours": facts.behaviours},
        "decisions": facts.adherence,
        "open_positions": facts.positions,
        "tasks_skipped": skipped(tasks),
    }
    return {key: plain(value) for key, value in report.items()}


def daily_report(header: Header, facts: Facts, inside: Material, tasks: Iterable[TaskRun], review: Review) -> Report:
    """The report of a session, or of the week that ends with it: what was proposed, allowed, done and held, and how it is graded."""
    report = {
        **_head("daily" if facts.first == facts.last else "weekly", header, facts),
        "session": facts.last,
        "equity": {"start": facts.start_equity, "end": facts.end_equity, "points": inside.points},
        "profit": facts.performance.profit,
        "performance": facts.performance,
        "positions": facts.positions,
        "orders": _orders(inside),
        "fills": fills(inside.events),
        "trades": inside.trades,
        "proposals": inside.proposals,
        "verdicts": inside.verdicts,
        "decisions": facts.adherence,
        "tasks_skipped": skipped(tasks),
        "review": review,
    }
    return {key: plain(value) for key, value in report.items()}


def daily_name(session: date) -> str:
    """File name of a session's report."""
    return f"daily_{session:%Y%m%d}.json"


def weekly_name(session: date) -> str:
    """File name of the report of the week that ends with `session`."""
    return f"weekly_{session:%Y%m%d}.json"


def skipped(tasks: Iterable[TaskRun]) -> dict[str, dict[str, int]]:
    """Tasks that were skipped, missed or failed: how many by status and reason."""
    ends = (TaskStatus.SKIPPED, TaskStatus.MISSED, TaskStatus.FAILED)
    counts = Counter((t.status, t.reason) for t in tasks if t.status in ends)
    return {status.value: {reason: n for (s, reason), n in sorted(counts.items()) if s is status} for status in ends}


def plain(value: Any) -> Any:  # noqa: ANN401 - any record, container or number
    """JSON values of records: amounts and times as text, floats rounded to 10 significant digits."""
    return next((convert(value) for kind, convert in _PLAIN if isinstance(value, kind)), value)


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (BaseModel, lambda v: plain(dict(v))),
    (Mapping, lambda v: {str(key): plain(inner) for key, inner in v.items()}),
    ((list, tuple), lambda v: [plain(inner) for inner in v]),
    (Decimal, amount_text),
    (float, lambda v: float(f"{v:.{_DIGITS}g}")),
    (datetime, lambda v: v.isoformat().replace("+00:00", "Z")),
    (date, date.isoformat),
)
"""The first that fits counts: a datetime is a date too."""


def write(path: Path, report: Report) -> Digest:
    """Put `report` at `path` in one step and return the digest of its bytes.

    ValueError for NaN or infinity; StorageError or DiskFullError if it could not be written: then what was there before is still there.
    """
    data = (json.dumps(report, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    try:
        _replace(path, data)
    except OSError as error:
        kind = DiskFullError if error.errno in {errno.ENOSPC, errno.EDQUOT} else StorageError
        msg = f"{path}: the report was not written ({error}); what was there is as before. Make room, or make the folder writable"
        raise kind(msg) from error
    return Digest(hashlib.sha256(data).hexdigest())


def _replace(path: Path, data: bytes) -> None:
    """Temporary file, fsync, rename; the journal's digest tells if the rename itself was lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _head(kind: str, header: Header, facts: Facts) -> Report:
    rows, digest = header.audit
    return {
        "report": kind,
        "version": VERSION,
        "desk": header.desk,
        "mode": header.mode,
        "seed": header.seed,
        "config_digest": header.config_digest,
        "period": {"first": facts.first, "last": facts.last, "sessions": facts.performance.sessions},
        "symbols": header.symbols,
        "data": [_described(series) for series in header.bars],
        "data_notes": header.source_notes,
        "audit": {"rows": rows, "hash": digest},
    }


def _described(series: BarSeries) -> Report:
    return {
        "symbol": series.symbol,
        "timeframe": series.timeframe,
        "source": series.source,
        "feed": series.feed,
        "prices": _BASES[series.basis],
    }


def _benchmark(benchmark: Benchmark) -> Report:
    return {
        "what": "buy and hold: equal cash at the first open, fractional shares, dividends as cash, no costs",
        "returns": benchmark.returns,
        "performance": benchmark.performance,
        "notes": benchmark.notes,
    }


def _monthly(inside: Material, benchmark: Benchmark | None) -> list[Report]:
    """Return of each month, of the desk and of the benchmark."""
    ours = monthly_returns(Curve.of(inside.points, inside.start))
    theirs = {} if benchmark is None else monthly_returns(benchmark.curve)
    return [{"month": month, "return": value, "benchmark": theirs.get(month)} for month, value in ours.items()]


def monthly_returns(curve: Curve) -> dict[str, float | None]:
    """Return of each month (`2024-01`): its last close by the last close before it. None if that was 0 or less."""
    last = {f"{day:%Y-%m}": float(worth) for day, worth in zip(curve.sessions, curve.equity, strict=True)}
    steps = pairwise([curve.start, *last.values()])
    return {month: after / before - 1 if before > 0 else None for month, (before, after) in zip(last, steps, strict=True)}


def _orders(inside: Material) -> list[Any]:
    """Each order that changed in the period as it was last, by id."""
    latest = {e.order.client_order_id: e.order for e in inside.events if isinstance(e, OrderUpdate)}
    return [latest[key] for key in sorted(latest)]
