"""The owner's side of the inbox: what people and other processes told the desk, carried out once.

Promises that an item is consumed in the same write that records what came of it, so that a crash in between repeats it and the
repetition does nothing twice. Refuses a resume or an approval without proof, and a proposal that could pass for an analyst's, and says
so in the journal.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from pydantic import ValidationError

from trading_bot.domain.approvals import Approval, InboxDone
from trading_bot.domain.errors import DataError, DeskError, MandateError
from trading_bot.domain.proposals import INTERACTIVE, Decision, Outcome, Proposal, ProposalKind
from trading_bot.domain.records import Command, CommandAction, CommandDone, DeskState, DeskStateChange
from trading_bot.domain.values import TaskRunId, derive_digest, derive_id
from trading_bot.execution.approvals import Approvals
from trading_bot.execution.engine import Engine
from trading_bot.ports import Clock, InboxItem, Journal
from trading_bot.risk.halt import DeskSwitch

"""Analyst and strategy of what a person's session proposes; its decisions' ids begin so, which no desk's own does."""
LIFETIME = timedelta(days=1)
"""The longest life of such a proposal."""
_LARGEST = 20_000
"""Characters of a proposal or an approval; the longest honest one has a quarter of it."""
_log = structlog.get_logger()
_DECISION = re.compile(rf"{INTERACTIVE}-[a-z2-7]{{12}}")
Authenticator = Callable[[str, int], None]
"""Raises MandateError unless the proof allows to resume from the desk state with this running number."""


class Inbox:
    """Carries out commands, takes in proposals and approvals."""

    def __init__(  # noqa: PLR0913, PLR0917 - what an item may touch
        self, journal: Journal, engine: Engine, switch: DeskSwitch, clock: Clock, authenticate: Authenticator, approvals: Approvals
    ) -> None:
        self._journal = journal
        self._engine = engine
        self._switch = switch
        self._clock = clock
        self._authenticate = authenticate
        self._approvals = approvals
        self._takers: Mapping[str, Callable[[InboxItem], str]] = {"proposal": self._propose, "approval": self._approve}

    def serve(self) -> int:
        """Carry out everything that waits, and deny what has waited too long; return the number of items."""
        self._approvals.expire()
        items = self._journal.pending()
        for item in items:
            self._serve(item)
        return len(items)

    def press_on(self) -> None:
        """Go on with a flatten until the desk is flat or resumed: closing orders may be refused, or end unfilled with their session."""
        if self._engine.ledger.books.positions and self._switch.state() is DeskState.HALTED:
            flatten = self._newest_flatten()
            if flatten is not None:
                self._engine.flatten(flatten)

    def _newest_flatten(self) -> str | None:
        """The item that asked to flatten, if nobody has resumed since."""
        resumed = [c.at for c in self._journal.all(DeskStateChange) if c.state is DeskState.RUNNING]
        asked = [c for c in self._journal.all(CommandDone) if c.action is CommandAction.FLATTEN and not c.refused]
        fresh = [c.item for c in asked if not resumed or c.at >= resumed[-1]]
        return fresh[-1] if fresh else None

    def _serve(self, item: InboxItem) -> None:
        if item.kind == "command":
            self._command(item)
            return
        try:
            refused = self._take(item)
        except ValidationError as error:
            refused = f"not a {item.kind}: {error.errors()[0]['msg']}"
        except DataError as error:
            refused = str(error)
        except DeskError:
            raise
        except Exception as error:  # noqa: BLE001  # edge: an item that trips over a bug must not stop this start and every later one
            _log.exception("an inbox item failed", item=item.id, kind=item.kind)
            refused = f"it failed inside ({type(error).__name__}); the log says more"
        self._journal.consume(item.id, InboxDone(at=self._clock.now(), item=item.id, what=item.kind, refused=refused))

    def _take(self, item: InboxItem) -> str:
        taker = self._takers.get(item.kind)
        if taker is None:
            return "nobody here takes such a thing"
        return f"longer than {_LARGEST} characters" if len(item.body) > _LARGEST else taker(item)

    def _propose(self, item: InboxItem) -> str:
        """Have the engine judge a proposal of a person's session; return why not, or nothing."""
        proposal = Proposal.model_validate_json(item.body)
        known = self._journal.get(Proposal, proposal.id)
        refused = _forged(proposal) or _untimely(proposal, self._clock.now())
        if not refused and known not in {None, proposal}:
            refused = f"another proposal was called {proposal.id} before"
        if not refused:
            self._engine.handle(proposal, None, _decision(proposal))
        return refused

    def _approve(self, item: InboxItem) -> str:
        return self._approvals.decide(Approval.model_validate_json(item.body), item.id)

    def _command(self, item: InboxItem) -> None:
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


def _forged(proposal: Proposal) -> str:
    """Why a proposal cannot be one of `propose_trade`, or nothing."""
    own = _DECISION.fullmatch(proposal.decision_id) is not None and proposal.id == derive_id("proposal", proposal.decision_id)
    if not own or {proposal.analyst, proposal.strategy} != {INTERACTIVE} or proposal.action is not ProposalKind.OPEN:
        return "it does not come from propose_trade"
    return ""


def _untimely(proposal: Proposal, now: datetime) -> str:
    """What is wrong with its times, or nothing; one whose time is over is for the gate to reject."""
    if proposal.at > now:
        return f"it is dated {proposal.at.isoformat()}, and now is {now.isoformat()}"
    return f"it would live longer than {LIFETIME}" if proposal.expires_at - proposal.at > LIFETIME else ""


def _decision(proposal: Proposal) -> Decision:
    """What stands for a person's decision among those of analysts."""
    return Decision(
        at=proposal.at,
        id=proposal.decision_id,
        task_run=TaskRunId("inbox"),
        workflow="propose",
        subject=proposal.symbol,
        analyst=proposal.analyst,
        outcome=Outcome.ANSWERED,
        inputs=derive_digest(proposal.canonical()),
        output=proposal.canonical(),
        evidence=proposal.evidence,
    )
