"""Everything that the desk keeps about one decision: who was asked what, what came of it, and what it cost.

Promises to find a decision by the beginning of its id, or by that of a proposal that it made. Refuses to guess between two.
"""

from collections.abc import Iterable

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.orders import Fill, OrderIntent
from trading_bot.domain.proposals import Decision, Proposal, Shadow, Verdict
from trading_bot.domain.values import ZERO, NonNegative, Record
from trading_bot.execution.ledger import Ledger
from trading_bot.llm.cassette import Cassette, Shelf
from trading_bot.ports import Journal
from trading_bot.storage.spending import Spending

LEAST_PREFIX = 4


class Dossier(Record):
    """One decision with all that followed from it."""

    decision: Decision
    shadow: Shadow | None
    questions: tuple[Cassette, ...]
    """The question and its repair as they were put to a model; none for the rules."""
    proposals: tuple[Proposal, ...]
    verdicts: tuple[Verdict, ...]
    intents: tuple[OrderIntent, ...]
    fills: tuple[Fill, ...]
    calls: tuple[Spending, ...]
    """What the ledger holds of it, failures included."""
    cost_usd: NonNegative


def find(journal: Journal, wanted: str) -> Decision:
    """Return the decision whose id, or whose proposal's id, begins with `wanted`. NoDataError if none or several do."""
    if len(wanted) < LEAST_PREFIX:
        raise NoDataError(f"give at least {LEAST_PREFIX} characters of an id; `decisions` lists them")
    ids = {d.id for d in journal.all(Decision) if d.id.startswith(wanted)}
    ids |= {p.decision_id for p in journal.all(Proposal) if p.id.startswith(wanted)}
    found = [d for d in journal.all(Decision) if d.id in ids]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoDataError(f"no decision's id begins with {wanted!r}; `decisions` lists them")
    raise NoDataError(f"{len(found)} decisions' ids begin with {wanted!r}: {', '.join(d.id for d in found[:5])}; give more of it")


def dossier(journal: Journal, decision: Decision, shelf: Shelf, calls: Iterable[Spending]) -> Dossier:
    """Return all that is known of `decision`. `calls`: its rows of the spending ledger."""
    paid = tuple(calls)
    proposals = tuple(p for p in journal.all(Proposal) if p.decision_id == decision.id)
    intents = tuple(i for i in journal.all(OrderIntent) if i.order.decision_id == decision.id)
    return Dossier(
        decision=decision,
        shadow=journal.get(Shadow, decision.id),
        questions=shelf.of(decision.id),
        proposals=proposals,
        verdicts=tuple(v for v in journal.all(Verdict) if v.decision_id == decision.id),
        intents=intents,
        fills=_fills(Ledger(journal), intents),
        calls=paid,
        cost_usd=sum((c.counted for c in paid), start=ZERO),
    )


def _fills(ledger: Ledger, intents: Iterable[OrderIntent]) -> tuple[Fill, ...]:
    """Fills of the decision's orders and of their legs."""
    specs = [intent.order.spec for intent in intents]
    ids = {s.client_order_id for s in specs} | {
        leg.client_order_id for s in specs for leg in (s.stop_loss, s.take_profit) if leg is not None
    }
    updates = (e for e in ledger.events if isinstance(e, OrderUpdate) and e.fill is not None)
    return tuple(e.fill for e in updates if e.fill is not None and e.fill.client_order_id in ids)
