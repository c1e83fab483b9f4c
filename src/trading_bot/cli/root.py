"""The tree of commands. Modules of commands are imported when they are used, so that `--help` answers at once."""

from pathlib import Path

import click

from trading_bot.cli.context import Context
from trading_bot.cli.lazy import LazyGroup, Table

_COMMANDS: Table = {
    "orchestrator": ("running", "Run the desk: a simulated day, paper, live, or recorded time (backtest)."),
    "run": ("running", "Run one workflow that is due, once; for cron."),
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
}


@click.group(cls=LazyGroup, table=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home", type=click.Path(path_type=Path), envvar="TRADING_BOT_HOME", default="var", show_default=True, help="The desk's home."
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Settings; default: config.yaml in this folder, if there.",
)
@click.version_option(package_name="trading-bot")
@click.pass_context
def cli(context: click.Context, home: Path, config_path: Path | None) -> None:
    """A trading desk: analysts propose; an engine bound by a mandate decides and trades. Paper is the default."""
    context.obj = Context(home, config_path, context.obj or ())
