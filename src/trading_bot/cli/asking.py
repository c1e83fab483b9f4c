"""`ask`: one slash command, put to Claude as the desk would, answered in words."""

import json
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option

if TYPE_CHECKING:
    from trading_bot.llm.calls import Reply


@click.command()
@click.argument("command")
@json_option
@click.pass_obj
def ask(context: Context, *, command: str, as_json: bool) -> None:
    """Put COMMAND, such as "/screen 5", to Claude on this home's market and books, under the desk's budget. Nothing is proposed."""
    from trading_bot.bootstrap.asking import ask_once, parse
    from trading_bot.cli.guarding import demand_claude
    from trading_bot.llm.calls import Ending

    parse(command)
    config = context.config()
    demand_claude(config)
    reply, cost, said = ask_once(context.home, context.operator, config, command)
    if as_json:
        told = {"ending": reply.ending, "note": reply.note, "output": reply.output, "model": reply.model, "cost_usd": str(cost)}
        click.echo(json.dumps(told, indent=2))
    else:
        _tell(reply)
        click.echo(f"{reply.model}, {len(reply.calls)} tool calls, {cost:.6f} USD; `costs` tells what is left")
    if reply.ending is not Ending.ANSWERED:
        raise click.ClickException(f"no answer, {reply.ending}: {said}. `doctor --analyst claude` checks what it needs")


def _tell(reply: "Reply") -> None:
    for call in reply.calls:
        click.echo(f"  {call.tool} {call.arguments}{' FAILED' if call.failed else ''}")
    for name, value in (reply.output or {}).items():
        if isinstance(value, list):
            click.echo(f"{name}:")
            for item in value:
                click.echo(f"  - {_in_line(item)}")
        else:
            click.echo(f"{name}: {_in_line(value)}")


def _in_line(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{k} {v}" for k, v in value.items() if k != "claims")
