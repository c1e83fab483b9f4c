"""What tools look at: one desk as of one moment. The only thing that a tool's function is given beside its query.

Promises that nothing later than `view.now()` can be reached through it, and that it holds no key and no broker. Who builds one (the
running desk, or a server without a desk, from the journal) decides what it can see; tools cannot tell the difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from trading_bot.backtest.facts import Material
from trading_bot.backtest.lab import Lab, Tell, unheard
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.proposals import Decision, Proposal, Verdict
from trading_bot.domain.values import DecisionId, Symbol
from trading_bot.market.view import AsOfView
from trading_bot.ports import Calendar, LocalModels, NewsView, View
from trading_bot.tools.runs import Runs


@dataclass(frozen=True)
class Scope:
    """One desk as of `view.now()`."""

    decision: DecisionId
    """Whose evidence the results become; a session's own id where a person asks."""
    view: View
    universe: Sequence[Symbol]
    calendar: Calendar
    """Of the schedule."""
    material: Material
    """Books, trades, equity points, proposals, verdicts: all up to now."""
    decisions: Sequence[Decision]
    """Past decisions, oldest first."""
    mandate: Mandate | None
    preview: Callable[[Proposal], Verdict]
    """What the gate would say now; nothing is kept or sent."""
    propose: Callable[[Proposal], str] | None = None
    """Files a proposal in the desk's inbox and says what becomes of it; None where nothing may be filed (headless runs)."""
    age: timedelta | None = None
    """How long ago the journal's desk was last there, if no desk runs; told in every result that comes from its books."""
    lab: Lab | None = None
    """Where backtests run, as of `view.now()`; None where there is none."""
    news: NewsView | None = None
    """News as of `view.now()`; None where nobody reads any."""
    models: LocalModels | None = None
    """Local models; None where no address names any."""
    headlines: bool = False
    """Whether texts from outside may be shown: to a person's session, never to a run that decides."""
    runs: Runs = field(default_factory=Runs)
    """The backtests of this session or of this one run of a model; nobody else's."""
    tell: Tell = unheard
    """Hears how far a long call is."""


def still(view: View) -> View:
    """The view as of now, whatever the clock does. ToolFailedError for one that cannot stand still."""
    if not isinstance(view, AsOfView):
        raise ToolFailedError(f"{type(view).__name__} cannot stand still, so its tools are not served")
    return view.frozen(view.now())
