"""From what an analyst wants to what the gate allows: decisions, proposals, findings, verdicts.

A proposal names no quantity and no limit: the gate sizes, the mandate limits.
"""

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from trading_bot.domain.orders import Side
from trading_bot.domain.values import (
    ZERO,
    Amount,
    DecisionId,
    Digest,
    EvidenceId,
    Fraction,
    Journaled,
    NonNegative,
    Positive,
    ProposalId,
    Ratio,
    Record,
    Symbol,
    TaskRunId,
    UtcTime,
    VerdictId,
)

INTERACTIVE = "interactive"
"""Analyst and strategy of what a person's own session proposes: nobody knows which texts that session has read."""
NOISE_SPREADS = 3
"""A stop nearer to its entry than so many spreads is hit by quotes alone."""


class Outcome(StrEnum):
    """How one run of an analyst ended."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"
    REFUSED = "refused"
    FAILED = "failed"


class Decision(Journaled):
    """One run of an analyst: what it was asked, what it said, what it cost."""

    kind: ClassVar[str] = "decision"

    id: DecisionId
    task_run: TaskRunId
    workflow: str
    subject: str
    """What it was about: a symbol, or `market`."""
    analyst: str
    model: str | None = None
    outcome: Outcome
    inputs: Digest
    """Digest of what the analyst was given."""
    output: str
    """Canonical JSON of the typed answer; empty unless answered."""
    evidence: tuple[EvidenceId, ...] = ()
    """Ids of the recorded tool results that the answer rests on."""
    taint: tuple[str, ...] = ()
    """Tool results and articles among what it was told that go back to texts from outside."""
    note: str = ""
    """Why it did not answer, or why somebody else did. What it cost stands in the spending ledger, under this decision's id."""

    @property
    def key(self) -> str:
        """The decision id."""
        return self.id


class Shadow(Journaled):
    """What the rules answered to the same question, beside the analyst who was believed. Nothing is traded on it."""

    kind: ClassVar[str] = "shadow"

    decision_id: DecisionId
    workflow: str
    subject: str
    analyst: str
    outcome: Outcome
    output: str

    @property
    def key(self) -> str:
        """The decision id."""
        return self.decision_id


class ProposalKind(StrEnum):
    """What an analyst wants done."""

    OPEN = "open"
    CLOSE = "close"
    REDUCE = "reduce"
    MOVE_STOP = "move_stop"
    HOLD = "hold"


class EntryStyle(StrEnum):
    """How an entry is worked."""

    NOW = "now"
    """At the market once the spread is sane."""
    PULLBACK = "pullback"
    """A resting limit at the entry price."""


class Target(Record):
    """A take profit: at `price`, for `fraction` of the position."""

    price: Positive
    fraction: Fraction


class Proposal(Journaled):
    """What an analyst wants. Prices are as traded and lie on the instrument's tick."""

    kind: ClassVar[str] = "proposal"

    id: ProposalId
    decision_id: DecisionId
    action: ProposalKind
    symbol: Symbol
    side: Side
    """Of the position: BUY for a long, SELL for a short."""
    strategy: str
    style: EntryStyle = EntryStyle.NOW
    entry: Positive | None = None
    stop_loss: Positive | None = None
    trail: Positive | None = None
    """For `move_stop`: let the stop follow the price at this distance from now on; `stop_loss` says where it stands at first."""
    noise: NonNegative = ZERO
    """Distance from the entry within which a stop says nothing; the gate holds the price of the moment to it."""
    targets: tuple[Target, ...] = Field(default=(), max_length=4)
    fraction: Fraction | None = None
    """Share of the position to give up, for `reduce`."""
    exposure: Fraction
    """Multiplier of the size that the mandate would allow, at most 1."""
    confidence: Ratio
    horizon_days: int = Field(ge=1, le=365)
    thesis: str = Field(max_length=2000)
    evidence: tuple[EvidenceId, ...] = ()
    taint: tuple[str, ...] = ()
    """What it owes to texts from outside: tool results and articles; the gate caps what that can move."""
    analyst: str
    expires_at: UtcTime

    @property
    def key(self) -> str:
        """The proposal id."""
        return self.id

    @property
    def tainted(self) -> bool:
        """Whether a text from outside may stand behind it."""
        return bool(self.taint) or self.analyst == INTERACTIVE

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        needed = {
            ProposalKind.OPEN: (self.entry, self.stop_loss),
            ProposalKind.MOVE_STOP: (self.stop_loss,),
            ProposalKind.REDUCE: (self.fraction,),
        }
        if None in needed.get(self.action, ()):
            msg = f"a proposal to {self.action} {self.symbol} lacks a price or a fraction"
            raise ValueError(msg)
        if self.targets and sum(t.fraction for t in self.targets) != 1:
            msg = f"the targets for {self.symbol} do not add up to the whole position"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _levels_are_in_order(self) -> Self:
        if self.action is not ProposalKind.OPEN or self.entry is None or self.stop_loss is None:
            return self
        sign = self.side.sign
        if (self.entry - self.stop_loss) * sign <= 0:
            msg = f"the stop {self.stop_loss} for {self.symbol} is on the wrong side of the entry {self.entry}"
            raise ValueError(msg)
        if any((t.price - self.entry) * sign <= 0 for t in self.targets):
            msg = f"a target for {self.symbol} is on the wrong side of the entry {self.entry}"
            raise ValueError(msg)
        return self


class Effect(StrEnum):
    """What a rule's finding does to a proposal."""

    NOTE = "note"
    REDUCE = "reduce"
    NEEDS_APPROVAL = "needs_approval"
    REJECT = "reject"


class Finding(Record):
    """One rule that spoke: its limit and the actual value, as a person would write them."""

    rule: str
    effect: Effect
    limit: str
    actual: str


class VerdictOutcome(StrEnum):
    """What the gate said."""

    APPROVED = "approved"
    REDUCED = "reduced"
    NEEDS_APPROVAL = "needs_approval"
    REJECTED = "rejected"


class Verdict(Journaled):
    """The gate's answer, with every rule that spoke. `digests` are those of the orders that it allows."""

    kind: ClassVar[str] = "verdict"

    id: VerdictId
    proposal_id: ProposalId
    decision_id: DecisionId
    symbol: Symbol
    outcome: VerdictOutcome
    findings: tuple[Finding, ...]
    quantity: NonNegative
    price: Amount
    """Price that sizes and limits were reckoned with; 0 where none was needed."""
    risk: Amount = ZERO
    """Money lost if the stop is hit at its price."""
    strategy: str = ""
    digests: tuple[Digest, ...] = ()

    @property
    def key(self) -> str:
        """The verdict id."""
        return self.id
