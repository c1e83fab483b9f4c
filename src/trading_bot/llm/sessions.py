"""The conversations that the binary keeps, one a trade: begun by the question that opens it, gone on with by every later one.

    <root>/conversations/          the binary's own folder (CLAUDE_CONFIG_DIR), with a transcript for each conversation
    <root>/sessions/<trade>.json   what is known of a trade's newest conversation

Promises that only a conversation whose last run ended well, and that is short enough, is gone on with: it counts as lost from before a
run begins until that run has answered, so that whatever kills run or desk, the next question begins a fresh one. Its ids are derived.
Refuses to let old conversations pile up: to begin one sweeps those that have been silent for days.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

from pydantic import Field, ValidationError

from trading_bot.domain.errors import StorageError
from trading_bot.domain.values import DecisionId, Record
from trading_bot.llm.calls import Question
from trading_bot.llm.usage import Reported

KEPT = timedelta(days=3)
"""So long after its last word a conversation is swept."""
_NAMES = UUID("6f1b2a0e-6c0b-5c57-9f8e-2f5d0c9a7b41")
"""Space of the names of conversations, which the binary wants to be UUIDs."""
_PRIVATE = 0o700


class Healthy(Record):
    """How a conversation stands whose last run answered."""

    context: int = Field(ge=0)
    """Tokens of its last turn."""
    reported: Reported


class Known(Record):
    """What is kept of a trade's newest conversation."""

    generation: int = Field(ge=1)
    """1 for the trade's first conversation."""
    healthy: Healthy | None
    """None while a run is under way, and after one that did not answer."""


@dataclass(frozen=True)
class Turn:
    """In which conversation one run is held."""

    trade: DecisionId
    generation: int
    resumed: Healthy | None
    """How it stood; None: it is begun."""

    @property
    def id(self) -> str:
        """What the binary calls it."""
        return str(uuid5(_NAMES, f"{self.trade} {self.generation}"))

    @property
    def option(self) -> tuple[str, str]:
        """How the binary is told."""
        return ("--session-id" if self.resumed is None else "--resume", self.id)


class Sessions:
    """The conversations of one home."""

    def __init__(self, root: Path, most_tokens: int, now: Callable[[], datetime]) -> None:
        """Keep them below `root`, an absolute path. `most_tokens`: a longer one is not gone on with. `now`: wall time."""
        self._notes = root / "sessions"
        self.folder = root / "conversations"
        self._most = most_tokens
        self._now = now

    def turn(self, question: Question) -> Turn | None:
        """Where `question` is to be put; None: it belongs to no trade. A question without a briefing, but for its repair, begins anew."""
        if question.session is None:
            return None
        trade = question.session.trade
        known = self._read(trade)
        healthy = None if known is None else known.healthy
        goes_on = bool(question.session.briefing or question.complaint)
        if known is not None and healthy is not None and goes_on and healthy.context <= self._most:
            return Turn(trade, known.generation, healthy)
        turn = Turn(trade, 1 if known is None else known.generation + 1, None)
        while self._transcripts(turn.id):  # its note is lost, and the binary takes no id twice
            turn = Turn(trade, turn.generation + 1, None)
        return turn

    def begin(self, turn: Turn) -> None:
        """Count the conversation as lost until `end` is told. StorageError if that cannot be written."""
        self.folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        self._write(turn, None)
        if turn.resumed is None:
            self._sweep()

    def end(self, turn: Turn, healthy: Healthy) -> None:
        """Keep how it stands after a run that answered. StorageError if that cannot be written."""
        self._write(turn, healthy)

    def _read(self, trade: DecisionId) -> Known | None:
        try:
            return Known.model_validate_json(self._note(trade).read_bytes())
        except (OSError, ValidationError):
            return None

    def _write(self, turn: Turn, healthy: Healthy | None) -> None:
        try:
            self._notes.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=self._notes, suffix=".draft")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(Known(generation=turn.generation, healthy=healthy).canonical())
            Path(draft).replace(self._note(turn.trade))
        except OSError as error:
            msg = f"{self._notes} could not be written, so no conversation is gone on with: {error}"
            raise StorageError(msg) from error

    def _note(self, trade: DecisionId) -> Path:
        return self._notes / f"{trade}.json"

    def _transcripts(self, name: str) -> list[Path]:
        return list(self.folder.glob(f"projects/*/{name}.jsonl"))

    def _sweep(self) -> None:
        """Remove what has been silent for long: the last words of trades that are over, and of conversations that were given up."""
        before = (self._now() - KEPT).timestamp()
        for path in (*self._notes.iterdir(), *self.folder.glob("projects/*/*.jsonl")):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
