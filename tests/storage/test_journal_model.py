"""Any sequence of calls: database and memory answer alike, also after the database was closed and opened again."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trading_bot.domain.errors import DeskError
from trading_bot.domain.records import Send, SendOutcome
from trading_bot.domain.values import ClientOrderId
from trading_bot.ports import InboxItem, Journal
from trading_bot.storage.audit import verify
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.memory import MemoryJournal

START = datetime(2024, 1, 2, tzinfo=UTC)
names = st.sampled_from(["a", "b", "c", "d"])
sends = st.builds(
    Send,
    at=st.just(START),
    client_order_id=names.map(ClientOrderId),
    outcome=st.sampled_from([SendOutcome.ACKNOWLEDGED, SendOutcome.REJECTED]),
    reason=st.text(max_size=3),
)


class JournalPair(RuleBasedStateMachine):
    """The same calls on both kinds of journal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.database = SqlJournal.open(self.path, desk="desk01")
        self.memory = MemoryJournal("desk01")
        self.anchors: list[tuple[int, str]] = []

    def both(self, name: str, *arguments: object) -> None:
        """Call a method on both; both answer or both raise the same error."""
        outcomes = [_outcome(journal, name, arguments) for journal in (self.database, self.memory)]
        assert outcomes[0] == outcomes[1]

    @rule(records=st.lists(sends, max_size=3))
    def append(self, records: list[Send]) -> None:
        """Known, new and contradicting records."""
        self.both("append", *records)

    @rule(minutes=st.integers(0, 10))
    def mark_clock(self, minutes: int) -> None:
        """Forward and back."""
        self.both("mark_clock", START + timedelta(minutes=minutes))

    @rule(name=names)
    def post(self, name: str) -> None:
        """New items and repeated ones."""
        self.both("post", InboxItem(name, "command", "{}", START))

    @rule(name=names, records=st.lists(sends, max_size=2))
    def consume(self, name: str, records: list[Send]) -> None:
        """Pending, consumed and unknown items."""
        self.both("consume", name, *records)

    @rule()
    def anchor(self) -> None:
        """Write the head down elsewhere, as a report does."""
        self.anchors.append(self.memory.head())

    @rule()
    def reopen(self) -> None:
        """A restart."""
        self.database.close()
        self.database = SqlJournal.open(self.path)

    @invariant()
    def answers_agree(self) -> None:
        """Everything that can be asked has the same answer."""
        for name, arguments in (("all", (Send,)), ("count", (Send,)), ("head", ()), ("clock", ()), ("pending", ()), ("get", (Send, "a"))):
            self.both(name, *arguments)

    def teardown(self) -> None:
        """What was written verifies, and every head of the past is still in the chain."""
        self.database.close()
        assert verify(self.path, [a for a in self.anchors if a[0]]).intact
        self.folder.cleanup()


def _outcome(journal: Journal, name: str, arguments: tuple[object, ...]) -> object:
    try:
        return getattr(journal, name)(*arguments)
    except DeskError as error:
        return type(error), str(error)


TestJournalPair = JournalPair.TestCase
TestJournalPair.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
