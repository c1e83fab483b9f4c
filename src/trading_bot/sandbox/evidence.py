"""What really happened at an emulated venue, in its own words: for auditors, who trust no client's books.

Promises that every note has the next number, that notes are never changed, and that with a file each is a JSON line in it before the
call returns. Refuses a kind that it does not know, so that an auditor's filter cannot miss one by a spelling.
"""

import json
import threading
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from trading_bot.domain.values import amount_text

KINDS = ("request", "order", "fill", "position", "cash", "fault", "stream", "action", "error")
"""request: method, path, client_id, outcome. order: every change (number, venue_id, client_id, symbol, side, type, quantity, filled,
stop, limit, status, reduce_only). fill: execution_id, venue_id, client_id, symbol, side, quantity, price, fee. position: symbol, quantity
afterwards. cash: reason, amount. fault: rule, hit. stream: what (connected, subscribed, dropped, muted). action: what a hand did.
error: path, problem; the emulator's own, which nobody should ever see."""


class Evidence:
    """The log. Safe for threads."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._notes: list[Mapping[str, Any]] = []
        self._lock = threading.Lock()

    def note(self, kind: str, at: datetime, **fields: object) -> None:
        """Write down that something happened at `at` (emulated time)."""
        if kind not in KINDS:
            msg = f"evidence of kind {kind!r} is not known; known are {', '.join(KINDS)}"
            raise ValueError(msg)
        with self._lock:
            note = {"n": len(self._notes) + 1, "kind": kind, "at": at.isoformat()} | {k: plain(v) for k, v in fields.items()}
            self._notes.append(note)
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(note, separators=(",", ":")) + "\n")

    def after(self, number: int = 0) -> list[Mapping[str, Any]]:
        """Notes with a number above `number`."""
        with self._lock:
            return self._notes[max(number, 0) :]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """All notes of one kind."""
        return [note for note in self.after() if note["kind"] == kind]


def plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """A value as JSON has it: amounts and times as text."""
    if isinstance(value, Decimal):
        return amount_text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
