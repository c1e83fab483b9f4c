"""The kinds of desk as the command line knows them: which commands each has, where it keeps house, and what its program is called."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path

from trading_bot.cli.times import NEW_YORK

Table = Mapping[str, tuple[str, str]]
"""Commands by name: the module in this room that has them, and what `--help` says."""

_STOCKS: Table = {
    "orchestrator": ("running", "Run the desk: a simulated day, paper, live, or recorded time (backtest)."),
    "run": ("running", "Run one workflow that is due, once; for cron."),
    "stop": ("stopping", "End the desk that runs here, cleanly; positions keep their stops at the broker."),
    "status": ("showing", "State, positions and their protection, next task."),
    "trades": ("showing", "Closed trades and open positions."),
    "report": ("showing", "The newest report, or the one of a day."),
    "costs": ("costing", "What models cost today, by workflow and model; forecast, budget left."),
    "decisions": ("deciding", "What analysts decided, who answered, how it ended, what it cost."),
    "decision": ("deciding", "One decision: prompt, tool calls, output, checks, verdict, orders, fills, cost."),
    "replay": ("deciding", "Answer one decision again from its records, and compare."),
    "approvals": ("approving", "Proposals that wait for a person."),
    "approve": ("approving", "Let a waiting proposal pass, with the operator's passphrase."),
    "deny": ("approving", "Refuse a waiting proposal."),
    "scoreboard": ("scoring", "Claude beside the rules: same questions, same stake, net of cost; calibration."),
    "judge-prompt": ("judging", "A changed prompt on the tool results of recorded days."),
    "ask": ("asking", 'Put a slash command to Claude on this desk: ask "/screen 5".'),
    "halt": ("commanding", "Stop all new risk at once; --flatten closes everything."),
    "reduce-only": ("commanding", "Let only closing and protective orders pass."),
    "resume": ("commanding", "Let a halted or reduce-only desk go on."),
    "flatten": ("guarding_positions", "Halt, close everything, and see at the broker that it is flat."),
    "reconcile": ("guarding_positions", "Broker and books side by side: what differs, why, and what happens."),
    "protect": ("guarding_positions", "Each position at the broker, what guards it, and what is naked."),
    "guardian": ("guarding_positions", "Watch desk and broker from outside; cure or flatten by the mandate. For systemd."),
    "mandate": ("mandating", "Show, sign or verify the operator's mandate."),
    "journal": ("showing", "Export the journal."),
    "audit": ("showing", "Verify that no journal row was changed, lost or moved."),
    "forward-test": ("forward_testing", "Profit, accuracy, cost and errors of a paper desk's first sessions, as a page."),
    "backtest": ("researching", "Research: run, sweep, optimise and validate strategies; the analyst's own decisions too."),
    "news": ("newsroom", "The news desk: feeds in, scored articles out; what they come to, and why."),
    "escalations": ("escalating", "What climbed to a better reader, why, what it cost, changed and was worth."),
    "bars": ("storing", "Keep bars of files in the home's bar store."),
    "sandbox": ("sandboxing", "Emulated vendors (Alpaca, Bybit, Claude), conformance, chaos: no key, no network."),
    "doctor": ("diagnosing", "Check machine, home, data and mandate, each with its fix."),
    "trader": ("root", "The round-the-clock desk of coins, with a home of its own; also `claude-trader`."),
}
_COINS: Table = {
    "start": ("starting", "Run the round-the-clock desk: paper, or a venue's account."),
    "stop": _STOCKS["stop"],
    "status": ("showing", "The trade that runs, the next look, the last three, state and budget."),
    "test": ("testing", "Check binary, venue, data, mandate and budget, each with its fix."),
    "simulate": ("simulating", "Go round on a simulated clock, over an invented market or recorded prices; needs nothing."),
    "history": ("trade_history", "Closed trades: why they ended, what they earned, what Claude cost."),
}
_STOCKS_ALONE = frozenset({"orchestrator", "run", "trader"})


@dataclass(frozen=True)
class Kind:
    """One kind of desk."""

    desk: str
    """As the settings name it."""
    commands: Table
    home: Path
    """Where it keeps house if nobody says otherwise."""
    variable: str
    """Variable of the environment that names another home."""
    config: Path
    """Settings that are read if they lie in this folder."""
    start: str
    """The command that starts it."""
    zone: tzinfo
    """Of its market's clock."""
    program: str = ""
    """What stands before its commands in a message; nothing where that goes without saying."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """What every command of it sets."""

    def told(self, message: str) -> str:
        """`message` as the user of this kind of desk would type what it names."""
        if not self.program:
            return message
        named = re.sub(r"`orchestrator(?=[ `])", f"`{self.start}", message).replace(STOCKS.variable, self.variable)
        return re.sub(rf"`(?=(?:{'|'.join(map(re.escape, self.commands))})[ `])", f"`{self.program} ", named)


STOCKS = Kind("stocks", _STOCKS, Path("var"), "TRADING_BOT_HOME", Path("config.yaml"), "orchestrator", NEW_YORK)
COINS = Kind(
    "coins",
    {**_COINS, **{name: row for name, row in _STOCKS.items() if name not in _STOCKS_ALONE | _COINS.keys()}},
    Path("var-trader"),
    "TRADING_BOT_TRADER_HOME",
    Path("trader.yaml"),
    "start",
    UTC,
    "claude-trader",
    {"desk": "coins"},
)
KINDS = {kind.desk: kind for kind in (STOCKS, COINS)}
