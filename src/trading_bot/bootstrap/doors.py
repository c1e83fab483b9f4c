"""The running desk's door for other processes of its user."""

from dataclasses import replace

from trading_bot.bootstrap.desk import Assembly
from trading_bot.bootstrap.tools import FILED, SESSION, item_of
from trading_bot.domain.proposals import Proposal
from trading_bot.ports import Brief
from trading_bot.tools.desk_socket import DeskSocket
from trading_bot.tools.runs import Runs
from trading_bot.tools.scope import Scope, still


def desk_socket(assembly: Assembly) -> DeskSocket:
    """Return the door at which other processes of this user ask the running desk, and hand it what is for its inbox."""
    desk, journal, runs = assembly.desk, assembly.journal, Runs()

    def propose(proposal: Proposal) -> str:
        journal.post(item_of(proposal))
        return FILED

    def scope() -> Scope:
        brief = Brief(SESSION, still(desk.view), desk.engine.ledger.books, desk.universe, desk.news())
        return replace(assembly.bench.scope(brief), propose=propose, runs=runs, headlines=True)

    return DeskSocket(assembly.home.path, scope, journal.post, desk.session.turn)
