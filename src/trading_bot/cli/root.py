"""The tree of commands. Modules of commands are imported when they are used, so that `--help` answers at once."""

import importlib
from pathlib import Path

import click

from trading_bot.cli.context import Context

_COMMANDS: dict[str, tuple[str, str]] = {
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
    "bars": ("storing", "Keep bars of files in the home's bar store."),
    "sandbox": ("sandboxing", "Emulated vendors (Alpaca, Bybit, Claude), conformance, chaos: no key, no network."),
    "doctor": ("diagnosing", "Check machine, home, data and mandate, each with its fix."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"trading_bot.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
    context.obj = Context(home, config_path)
