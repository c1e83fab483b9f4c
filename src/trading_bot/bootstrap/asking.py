"""One question to Claude from the command line: the desk's prompts, tools, budget and records, on this home's market and books.

Promises that nothing is proposed: the answer is shown and recorded, and no engine hears of it.
"""

from decimal import Decimal
from pathlib import Path

from trading_bot.analysts.answers import schema
from trading_bot.analysts.claude import ANSWERS
from trading_bot.bootstrap.claude import build_manager, new_id
from trading_bot.bootstrap.tools import IdleDesk, open_desk
from trading_bot.config import Config
from trading_bot.domain.errors import ConfigError
from trading_bot.domain.values import DecisionId
from trading_bot.execution.clock import SystemWallClock
from trading_bot.llm.calls import Question, Reply
from trading_bot.llm.cassette import Shelf
from trading_bot.llm.prompts import WORKFLOWS, load
from trading_bot.ports import Brief
from trading_bot.storage.home import Home
from trading_bot.storage.spending import SpendingLedger
from trading_bot.tools.host import HttpToolHost

_ABOUT = {
    "analyze": "NVDA",
    "optimize": "NVDA",
    "backtest": "momentum AAPL,SPY --period 1y",
    "approve": '{"symbol":"NVDA","side":"buy","entry":"130","stop":"125"}',
    "open": "BTCUSDT buy, ETHUSDT sell --timeframe 1h",
    "watch": "BTCUSDT --timeframe 1h",
}
"""Workflows that need an argument, with an example."""


def ask_once(home: Home, operator: Path, config: Config, command: str) -> tuple[Reply, Decimal, str]:
    """Return the reply to a slash command, its cost in USD, and how its last run ended in words. ConfigError for an unknown command."""
    workflow, arguments = parse(command)
    home.prepare()
    with open_desk(home, operator) as desk, SpendingLedger.open(home.database) as ledger:
        return _ask(desk, config, ledger, workflow, arguments)


def _ask(desk: IdleDesk, config: Config, ledger: SpendingLedger, workflow: str, arguments: str) -> tuple[Reply, Decimal, str]:
    decision = DecisionId(f"ask-{new_id()[:16]}")
    brief = Brief(decision, desk.view, desk.bench.ledger.books, desk.universe, desk.news.view())
    host = HttpToolHost(desk.bench.scope)
    manager = build_manager(config, desk.home, host, ledger, SystemWallClock(), Shelf(desk.home.cassettes))
    try:
        reply = manager.ask(Question(workflow, arguments, schema(ANSWERS[workflow]), load(workflow).granted(brief)))
    finally:
        host.close()
    ends = [attempt.note for kept in Shelf(desk.home.cassettes).of(decision) for attempt in kept.attempts]
    with ledger.reading() as page:
        cost = page.cost_of(decision)
    return reply, cost, ends[-1] if ends else reply.note


def parse(command: str) -> tuple[str, str]:
    """Return workflow and arguments of a slash command as it is typed."""
    name, _, arguments = command.strip().removeprefix("/").partition(" ")
    commands = {WORKFLOWS[workflow].command: workflow for workflow in ANSWERS}
    found = commands.get(name)
    if found is None:
        known = ", ".join(f"/{command}" for command in commands)
        raise ConfigError(f"there is no command /{name}; there are {known}")
    if found in _ABOUT and not arguments.strip():
        raise ConfigError(f"/{name} is about something: /{name} {_ABOUT[found]}")
    return found, arguments.strip()
