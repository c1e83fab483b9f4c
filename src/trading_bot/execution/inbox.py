"""The owner's side of the inbox: what people and other processes told the desk, carried out once.

Promises that an item is consumed in the same write that records what came of it, so that a crash in between repeats it and the
repetition does nothing twice. Refuses a resume without proof, and says so in the journal.
"""

from collections.abc import Callable

from pydantic import ValidationError

from trading_bot.domain.errors import MandateError
from trading_bot.domain.records import Command, CommandAction, CommandDone
from trading_bot.execution.engine import Engine
from trading_bot.ports import Clock, InboxItem, Journal
from trading_bot.risk.halt import DeskSwitch

Authenticator = Callable[[str, int], None]
"""Raises MandateError unless the proof allows to resume from the desk state with this running number."""


class Inbox:
    """Carries out commands."""

    def __init__(self, journal: Journal, engine: Engine, switch: DeskSwitch, clock: Clock, authenticate: Authenticator) -> None:
        self._journal = journal
        self._engine = engine
        self._switch = switch
        self._clock = clock
        self._authenticate = authenticate

    def serve(self) -> int:
        """Carry out everything that waits; return the number of items."""
        items = self._journal.pending()
        for item in items:
            self._serve(item)
        return len(items)

    def _serve(self, item: InboxItem) -> None:
        try:
            command = Command.model_validate_json(item.body)
        except ValidationError as error:
            unreadable = Command(action=CommandAction.REDUCE_ONLY, by="inbox", reason="an unreadable command")
            self._done(item, unreadable, f"not a command: {error.errors()[0]['msg']}")
            return
        try:
            self._carry_out(command, item.id)
        except MandateError as error:
            self._done(item, command, str(error))
        else:
            self._done(item, command, "")

    def _carry_out(self, command: Command, item: str) -> None:
        now = self._clock.now()
        match command.action:
            case CommandAction.HALT:
                self._switch.halt(command.by, command.reason, now)
            case CommandAction.FLATTEN:
                self._switch.halt(command.by, command.reason, now)
                self._engine.flatten(item)
            case CommandAction.REDUCE_ONLY:
                self._switch.reduce_only(command.by, command.reason, now)
            case CommandAction.RESUME:
                self._authenticate(command.proof, self._switch.number())
                self._switch.release(command.by, now)

    def _done(self, item: InboxItem, command: Command, refused: str) -> None:
        """Consume the item. A resume takes effect in the same write: done later, its proof would not fit the state any more."""
        now = self._clock.now()
        done = CommandDone(at=now, item=item.id, action=command.action, by=command.by, refused=refused)
        if refused or command.action is not CommandAction.RESUME:
            self._journal.consume(item.id, done)
            return
        lifted = self._engine.lifted(command.by)
        self._journal.consume(item.id, done, self._switch.resumption(command.by, command.reason, now), *lifted)
        self._engine.resumed(lifted)
