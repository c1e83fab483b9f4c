"""Two runs are the same if their exports are: canonical lines, without wall times and recovery rows."""

import importlib
import json
import pkgutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trading_bot import domain
from trading_bot.domain.records import DeskStart, Doubt, EquityPoint, Send, SendOutcome
from trading_bot.domain.values import ClientOrderId, Journaled
from trading_bot.storage.export import export
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.kinds import RECORDS
from trading_bot.storage.memory import MemoryJournal

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


class Wall:
    """A wall clock that stands still."""

    def now(self) -> datetime:
        """Noon."""
        return datetime(2026, 11, 21, 12, tzinfo=UTC)


def send(name: str, at: datetime = AT) -> Send:
    """The end of sending one order."""
    return Send(at=at, client_order_id=ClientOrderId(name), outcome=SendOutcome.ACKNOWLEDGED)


def equity(at: datetime) -> EquityPoint:
    """A point of the equity curve."""
    body = {"session": "2024-01-02", "label": "close", "equity": "100000.50", "cash": "100000.50", "exposure": "0"}
    return EquityPoint.model_validate({"at": at, **body})


def test_lines_are_ordered_by_time_kind_and_key() -> None:
    """Whatever the order of writing; a fraction of a second later is later."""
    journal = MemoryJournal("desk01")
    journal.append(send("c", AT + timedelta(microseconds=1)), send("b"), send("a"), equity(AT))
    assert [(line["kind"], line["key"]) for line in map(json.loads, export(journal))] == [
        ("equity", "2024-01-02:close"),
        ("send", "a"),
        ("send", "b"),
        ("send", "c"),
    ]


def test_a_line_is_canonical_json_of_time_kind_key_and_body() -> None:
    """Written out once, to the last character."""
    journal = MemoryJournal("desk01")
    journal.append(send("a"))
    body = '{"at":"2024-01-02T14:30:00Z","client_order_id":"a","outcome":"acknowledged","reason":""}'
    assert list(export(journal)) == [f'{{"at":"2024-01-02T14:30:00.000000+00:00","body":{body},"key":"a","kind":"send"}}']


def test_wall_times_order_of_writing_and_recovery_rows_leave_no_trace(tmp_path: Path) -> None:
    """A killed and resumed day on disk exports as an undisturbed one in memory."""
    disturbed = SqlJournal.open(tmp_path / "journal.db", wall=Wall())
    disturbed.append(DeskStart(at=AT, number=1, mode="paper", version="1"))
    disturbed.append(send("b"), Doubt(at=AT, client_order_id=ClientOrderId("b"), number=1, found=True, note="found"))
    disturbed.append(DeskStart(at=AT, number=2, mode="paper", version="1"), equity(AT), send("a"))
    quiet = MemoryJournal("desk01")
    quiet.append(equity(AT), send("a"), send("b"))
    assert list(export(disturbed)) == list(export(quiet))
    disturbed.close()


def test_every_kind_of_record_is_known() -> None:
    """A record that the table lacks would be missing from exports without a word."""
    for module in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}."):
        importlib.import_module(module.name)
    assert {r for r in _descendants(Journaled) if r.__module__.startswith("trading_bot.")} == set(RECORDS)
    assert len({r.kind for r in RECORDS}) == len(RECORDS)


def _descendants(record: type[Any]) -> list[type[Any]]:
    children: list[type[Any]] = record.__subclasses__()
    return [d for child in children for d in (child, *_descendants(child))]
